/* rules/base/timetext.c */
#include "rules/base/timetext.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "rules/base/buf.h"

#define SECOND_MS 1000ll
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define YEAR_9999_END_MS 253402300799999ll /* 9999-12-31T23:59:59.999Z */

/* ---- the calendar: proleptic Gregorian, years that begin in March, eras of 400 years
 * ---------------------------- */

#define ERA_DAYS 146097
#define EPOCH_DAYS 719468 /* 0000-03-01 to 1970-01-01 */

struct civil {
    int64_t year;
    int month, day; /* from 1 */
};

static int64_t days_from_civil(struct civil date)
{
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (date.month > 2 ? date.month - 3 : date.month + 9) + 2) / 5 + date.day - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS;
}

static struct civil civil_from_days(int64_t days)
{
    days += EPOCH_DAYS;
    int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t of_era = days - era * ERA_DAYS;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA_DAYS - 1)) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t march_month = (5 * of_year + 2) / 153;
    int month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    return (struct civil){ .year = era * 400 + year + (month <= 2),
                           .month = month,
                           .day = (int)(of_year - (153 * march_month + 2) / 5 + 1) };
}

static int month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* ---- times
 * ----------------------------------------------------------------------------------------------------- */

struct cursor {
    const char *at, *end;
    bool ok; /* sticky */
};

static int take_digits(struct cursor *c, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (c->at == c->end || *c->at < '0' || *c->at > '9') {
            c->ok = false;
            return 0;
        }
        value = value * 10 + (*c->at++ - '0');
    }
    return value;
}

static bool take_char(struct cursor *c, char want)
{
    if (c->at == c->end || *c->at != want)
        return false;
    c->at++;
    return true;
}

static void need_char(struct cursor *c, char want)
{
    if (!take_char(c, want))
        c->ok = false;
}

/* ".123456789" in ms, cut off */
static int take_fraction_ms(struct cursor *c)
{
    if (!take_char(c, '.'))
        return 0;
    int digits = 0, ms = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, digits++)
        if (digits < 3)
            ms = ms * 10 + (*c->at - '0');
    if (digits < 1 || digits > 9)
        c->ok = false;
    return digits == 1 ? ms * 100 : digits == 2 ? ms * 10 : ms;
}

static int64_t take_offset_ms(struct cursor *c)
{
    if (take_char(c, 'Z'))
        return 0;
    bool west = take_char(c, '-');
    if (!west)
        need_char(c, '+');
    int hours = take_digits(c, 2);
    need_char(c, ':');
    int minutes = take_digits(c, 2);
    if (hours > 23 || minutes > 59)
        c->ok = false;
    int64_t ms = hours * HOUR_MS + minutes * MINUTE_MS;
    return west ? -ms : ms;
}

static enum err_code time_refuse(struct err *e, const char *text, size_t len, const char *why)
{
    return err_set(e, ERR_INVALID, "time '%.*s' %s", (int)(len < 64 ? len : 64), text, why);
}

enum err_code time_parse(int64_t *ret_ms, const char *text, size_t len, struct err *e)
{
    struct cursor c = { .at = text, .end = text + len, .ok = true };
    struct civil date = { .year = take_digits(&c, 4) };
    need_char(&c, '-');
    date.month = take_digits(&c, 2);
    need_char(&c, '-');
    date.day = take_digits(&c, 2);
    need_char(&c, 'T');
    int hour = take_digits(&c, 2);
    need_char(&c, ':');
    int minute = take_digits(&c, 2);
    need_char(&c, ':');
    int second = take_digits(&c, 2);
    int fraction_ms = take_fraction_ms(&c);
    int64_t offset_ms = take_offset_ms(&c);
    if (!c.ok || c.at != c.end)
        return time_refuse(e, text, len, "is not RFC 3339, as 2026-08-20T09:15:00Z");
    if (date.month < 1 || date.month > 12 || date.day < 1 || date.day > month_days(date.year, date.month) ||
        hour > 23 || minute > 59 || second > 60)
        return time_refuse(e, text, len, "is not in the calendar");
    if (second == 60)
        second = 59;
    int64_t of_day_ms = hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + fraction_ms;
    int64_t ms = days_from_civil(date) * DAY_MS + of_day_ms - offset_ms;
    if (date.year == 1 && date.month == 1 && date.day == 1 && of_day_ms == 0 && offset_ms == 0)
        ms = 0; /* Go's zero time */
    if (ms < 0 || ms > YEAR_9999_END_MS)
        return time_refuse(e, text, len, "is not in the years 1970 to 9999");
    *ret_ms = ms;
    return ERR_OK;
}

/* Years before 0 and after 9999 fit as well: 30 bytes at most. */
static const char *time_write(char ret[TIME_TEXT_SIZE], int64_t ms, bool with_ms)
{
    int64_t days = ms / DAY_MS, of_day_ms = ms % DAY_MS;
    if (of_day_ms < 0) {
        of_day_ms += DAY_MS;
        days--;
    }
    struct civil date = civil_from_days(days);
    int hour = (int)(of_day_ms / HOUR_MS), minute = (int)(of_day_ms / MINUTE_MS % 60);
    int second = (int)(of_day_ms / SECOND_MS % 60), fraction_ms = (int)(of_day_ms % SECOND_MS);
    char fraction[8] = "";
    if (with_ms)
        snprintf(fraction, sizeof fraction, ".%03d", fraction_ms % 1000);
    char text[64]; /* the compiler does not know the ranges */
    snprintf(text, sizeof text, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d%sZ", date.year, date.month, date.day,
             hour, minute, second, fraction);
    text_copy(ret, TIME_TEXT_SIZE, text);
    return ret;
}

const char *time_format(char ret[TIME_TEXT_SIZE], int64_t ms)
{
    return time_write(ret, ms, true);
}

const char *time_format_seconds(char ret[TIME_TEXT_SIZE], int64_t ms)
{
    return time_write(ret, ms, false);
}

/* ---- durations
 * ------------------------------------------------------------------------------------------------- */

struct unit {
    char name[3];
    int64_t ms;
};
static const struct unit units[] = {
    { "y", 365 * DAY_MS }, { "w", 7 * DAY_MS }, { "d", DAY_MS }, { "h", HOUR_MS },
    { "m", MINUTE_MS },    { "s", SECOND_MS },  { "ms", 1 },
};
#define UNITS (sizeof units / sizeof units[0])
#define FIRST_WRITTEN 2 /* days: 26 hours read well, 3 weeks and 2 days do not */

/* The unit at `text`, from `first` on; UNITS when there is none. */
static size_t unit_find(const char *text, size_t first)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    for (size_t i = first; i < UNITS; i++)
        if (strlen(units[i].name) == len && memcmp(units[i].name, text, len) == 0)
            return i;
    return UNITS;
}

enum err_code duration_parse(int64_t *ret_ms, const char *text, struct err *e)
{
    if (strcmp(text, "0") == 0) {
        *ret_ms = 0;
        return ERR_OK;
    }
    int64_t total = 0;
    const char *at = text;
    size_t unit = 0;
    do {
        int64_t count = 0;
        const char *digits = at;
        for (; *at >= '0' && *at <= '9'; at++)
            if (count <= DURATION_MS_MAX)
                count = count * 10 + (*at - '0');
        size_t found = unit_find(at, unit);
        if (at == digits || found == UNITS)
            return err_set(e, ERR_INVALID,
                           "duration '%.64s' is not like 90s, 1h30m or 1d (y w d h m s ms, in this order)",
                           text);
        if (count > (DURATION_MS_MAX - total) / units[found].ms)
            return err_set(e, ERR_LIMIT, "duration '%.64s' is longer than 366d", text);
        total += count * units[found].ms;
        at += strlen(units[found].name);
        unit = found + 1;
    } while (*at);
    *ret_ms = total;
    return ERR_OK;
}

const char *duration_format(char ret[DURATION_TEXT_SIZE], int64_t ms)
{
    uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    size_t len = 0;
    if (ms < 0)
        ret[len++] = '-';
    for (size_t i = FIRST_WRITTEN; i < UNITS; i++) {
        uint64_t count = left / (uint64_t)units[i].ms;
        left %= (uint64_t)units[i].ms;
        if (count)
            len +=
                (size_t)snprintf(ret + len, DURATION_TEXT_SIZE - len, "%" PRIu64 "%s", count, units[i].name);
    }
    if (ms == 0)
        memcpy(ret, "0s", 3);
    return ret;
}
