#include "receiver/runtime/zone_file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/runtime/policy_file.h"

#define HEADER_BYTES 44u
#define DAY_S 86400ll
#define HOUR_S 3600

/* ---- the rule at the end of a file: "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX TZ) ---- */

struct switch_day { /* when one of the two offsets begins */
    char kind;      /* 'M': month, week, weekday; 'J': day 1..365 without leap days; 'N': day 0..365 */
    int month, week, day;
    int time_s; /* local time, 02:00 unless told otherwise; -167 h..167 h */
};
struct year_rule {
    int standard_s, summer_s; /* offsets */
    bool has_summer;
    struct switch_day begin, end;
};

static bool skip_name(const char **p)
{
    const char *from = *p;
    if (**p == '<') {
        while (**p && **p != '>')
            (*p)++;
        if (**p != '>')
            return false;
        (*p)++;
        return true;
    }
    while (isalpha((unsigned char)**p))
        (*p)++;
    return *p - from >= 3;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool read_time(const char **p, int *ret)
{
    int sign = **p == '-' ? -1 : 1, part[3] = { 0, 0, 0 };
    *p += **p == '-' || **p == '+';
    for (int i = 0; i < 3; i++) {
        if (!isdigit((unsigned char)**p))
            return false;
        for (; isdigit((unsigned char)**p) && part[i] < 1000; (*p)++)
            part[i] = part[i] * 10 + (**p - '0');
        if (**p != ':' || i == 2)
            break;
        (*p)++;
    }
    *ret = sign * (part[0] * HOUR_S + part[1] * 60 + part[2]);
    return part[0] <= 167 && part[1] < 60 && part[2] < 60;
}

static bool read_switch(const char **p, struct switch_day *ret)
{
    int n = 0;
    *ret = (struct switch_day){ .kind = 'N', .time_s = 2 * HOUR_S };
    if (**p == 'M') {
        ret->kind = 'M';
        /* NOLINTNEXTLINE(cert-err34-c): two digits cannot be too large */
        if (sscanf(*p, "M%2d.%1d.%1d%n", &ret->month, &ret->week, &ret->day, &n) != 3 || ret->month < 1 ||
            ret->month > 12 || ret->week < 1 || ret->week > 5 || ret->day < 0 || ret->day > 6)
            return false;
    } else {
        ret->kind = **p == 'J' ? 'J' : 'N';
        /* NOLINTNEXTLINE(cert-err34-c): three digits cannot be too large */
        if (sscanf(*p + (**p == 'J'), "%3d%n", &ret->day, &n) != 1 || ret->day < 0 || ret->day > 365)
            return false;
        n += **p == 'J';
    }
    *p += n;
    if (**p != '/')
        return true;
    (*p)++;
    return read_time(p, &ret->time_s);
}

/* POSIX counts west of Greenwich: the sign is turned. */
static bool read_rule(const char *p, struct year_rule *ret)
{
    int west;
    *ret = (struct year_rule){ .has_summer = false };
    if (!skip_name(&p) || !read_time(&p, &west))
        return false;
    ret->standard_s = -west;
    ret->summer_s = -west + HOUR_S;
    if (!*p)
        return true;
    ret->has_summer = true;
    if (!skip_name(&p))
        return false;
    if (*p && *p != ',') {
        if (!read_time(&p, &west))
            return false;
        ret->summer_s = -west;
    }
    if (*p != ',')
        return false;
    p++;
    if (!read_switch(&p, &ret->begin) || *p != ',')
        return false;
    p++;
    return read_switch(&p, &ret->end) && !*p;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970 of the first of January. */
static int64_t year_day(int year)
{
    int64_t y = year - 1;
    return 365 * (y - 1969) + (y / 4 - 492) - (y / 100 - 19) + (y / 400 - 4);
}

/* Days since 1970 on which it falls in this year. */
static int64_t switch_on(const struct switch_day *s, int year)
{
    static const int months[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };
    int64_t first = year_day(year);
    if (s->kind == 'N')
        return first + s->day;
    if (s->kind == 'J')
        return first + s->day - 1 + (is_leap(year) && s->day > 59);
    int64_t month = first + months[s->month - 1] + (is_leap(year) && s->month > 2);
    int64_t length = months[s->month] - months[s->month - 1] + (is_leap(year) && s->month == 2);
    int64_t weekday = (month + 4) % 7; /* of its first day */
    int64_t day = (s->day - weekday + 7) % 7 + 7 * ((int64_t)s->week - 1);
    return month + (day >= length ? day - 7 : day);
}

/* ---- the table ---- */

struct table {
    struct zone_change changes[ZONE_CHANGES_MAX];
    size_t len;
    int32_t first_s;
};

static void add(struct table *t, int64_t at_s, int32_t offset_s)
{
    int32_t before = t->len ? t->changes[t->len - 1].offset_s : t->first_s;
    if (t->len < ZONE_CHANGES_MAX && offset_s != before && (!t->len || at_s > t->changes[t->len - 1].at_s))
        t->changes[t->len++] = (struct zone_change){ .at_s = at_s, .offset_s = offset_s };
}

static void follow_rule(struct table *t, const struct year_rule *r)
{
    int64_t last = t->len ? t->changes[t->len - 1].at_s : INT64_MIN;
    if (!r->has_summer) {
        add(t, t->len ? last + 1 : 0, r->standard_s);
        return;
    }
    for (int year = 1970; year <= ZONE_LAST_YEAR; year++) {
        int64_t begin = switch_on(&r->begin, year) * DAY_S + r->begin.time_s - r->standard_s;
        int64_t end = switch_on(&r->end, year) * DAY_S + r->end.time_s - r->summer_s;
        bool north = begin < end;
        if (north ? begin > last : end > last)
            add(t, north ? begin : end, north ? r->summer_s : r->standard_s);
        if (north ? end > last : begin > last)
            add(t, north ? end : begin, north ? r->standard_s : r->summer_s);
    }
}

static int64_t big_endian(const unsigned char *p, int bytes)
{
    uint64_t n = p[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < bytes; i++)
        n = n << 8 | p[i];
    return (int64_t)n;
}

struct header {
    uint32_t is_ut, is_std, leap, times, types, chars;
};

static bool read_header(const unsigned char *p, size_t len, struct header *ret)
{
    if (len < HEADER_BYTES || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
        return false;
    uint32_t *const fields[] = {
        &ret->is_ut, &ret->is_std, &ret->leap, &ret->times, &ret->types, &ret->chars
    };
    for (size_t i = 0; i < 6; i++) {
        int64_t n = big_endian(p + 20 + 4 * i, 4);
        if (n < 0 || n > ZONE_CHANGES_MAX)
            return false;
        *fields[i] = (uint32_t)n;
    }
    return ret->types > 0;
}

static size_t block_bytes(const struct header *h, size_t time_bytes)
{
    return h->times * (time_bytes + 1) + (size_t)h->types * 6 + h->chars + h->leap * (time_bytes + 4) +
           h->is_std + h->is_ut;
}

/* The block with 64-bit times, then the rule between two line ends. */
static bool read_block(struct table *t, const unsigned char *p, size_t len, const struct header *h)
{
    size_t bytes = block_bytes(h, 8);
    if (len < bytes + 2 || p[bytes] != '\n' || p[len - 1] != '\n')
        return false;
    const unsigned char *kinds = p + (size_t)h->times * 8, *types = kinds + h->times;
    t->first_s = (int32_t)big_endian(types, 4);
    for (size_t i = 0; i < h->times; i++) {
        if (kinds[i] >= h->types)
            return false;
        add(t, big_endian(p + 8 * i, 8), (int32_t)big_endian(types + (size_t)6 * kinds[i], 4));
    }
    char text[128];
    struct year_rule rule;
    size_t rule_len = len - bytes - 2;
    if (rule_len >= sizeof text)
        return false;
    memcpy(text, p + bytes + 1, rule_len);
    text[rule_len] = '\0';
    if (!rule_len)
        return true;
    if (!read_rule(text, &rule))
        return false;
    follow_rule(t, &rule);
    return true;
}

enum err_code zone_parse(struct zone **ret, const unsigned char *bytes, size_t len, struct err *e)
{
    struct header old, h;
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(e, ERR_NOMEM, "no memory for a time zone");
    bool good = read_header(bytes, len, &old);
    size_t skip = good ? HEADER_BYTES + block_bytes(&old, 4) : 0;
    good = good && len > skip && read_header(bytes + skip, len - skip, &h) && len > skip + HEADER_BYTES &&
           read_block(t, bytes + skip + HEADER_BYTES, len - skip - HEADER_BYTES, &h);
    enum err_code code = good ? zone_new(ret, t->first_s, t->changes, t->len, e)
                              : err_set(e, ERR_INVALID, "this is no time zone file that can be read");
    free(t);
    return code;
}

/* Europe/Berlin, Etc/GMT+1: no way out of the folder. */
static bool is_zone_name(const char *name)
{
    if (!isalpha((unsigned char)*name) || strstr(name, ".."))
        return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_+-/", *p))
            return false;
    return true;
}

enum err_code zone_file_load(void *arg, const char *name, struct zone **ret, struct err *e)
{
    char file[256];
    CLEANUP(buf_release) struct buf bytes = BUF_INIT;
    (void)arg;
    if (!is_zone_name(name) || strlen(name) > 128)
        return err_set(e, ERR_NOT_FOUND, "\"%.64s\" is no name of a time zone, such as Europe/Berlin", name);
    snprintf(file, sizeof file, ZONE_FOLDER "/%s", name);
    enum err_code code = file_read(&bytes, file, ZONE_FILE_MAX, e);
    if (code == ERR_NOT_FOUND)
        return err_set(
            e, code, "%s is not there; write a name such as Europe/Berlin, and have tzdata installed", file);
    if (code)
        return code;
    code = zone_parse(ret, (const unsigned char *)buf_text(&bytes), bytes.len, e);
    return code ? err_wrap(e, code, "%s", file) : ERR_OK;
}
