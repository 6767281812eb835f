#include "rules/policy/window.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/policy_internal.h"

#define DAY_S 86400ll
#define DAY_MIN 1440
#define ALL_DAYS 0x7Fu
#define LOOK_AHEAD_S (400 * DAY_S)
#define DATES_MAX 64

PAIR(struct window, dates, dates_len);

/* ---- judging ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool dated(const struct window *w, int64_t day)
{
    for (size_t i = 0; i < w->dates_len; i++)
        if (day >= w->dates[i].first && day <= w->dates[i].last)
            return true;
    return w->dates_len == 0;
}

/* Whether it begins on this local day. 1970-01-01 was a Thursday. */
static bool begins_on(const struct window *w, int64_t day)
{
    int64_t weekday = ((day + 4) % 7 + 7) % 7;
    return (w->days >> weekday & 1u) && dated(w, day);
}

static bool open_at(const struct window *w, int64_t at_s)
{
    int64_t local = at_s + zone_offset_s(w->zone, at_s);
    int64_t day = floor_div(local, DAY_S), minute = (local - day * DAY_S) / 60;
    if (w->from_min < w->to_min)
        return minute >= w->from_min && minute < w->to_min && begins_on(w, day);
    return (minute >= w->from_min && begins_on(w, day)) || (minute < w->to_min && begins_on(w, day - 1));
}

bool window_open(const struct window *w, int64_t wall_ms)
{
    return open_at(w, floor_div(wall_ms, 1000));
}

/* The next time behind at_s at which the answer may be another: midnight, begin, end, or a change of the
 * clock. */
static int64_t next_candidate(const struct window *w, int64_t at_s)
{
    const int64_t marks[] = { 0, w->from_min, w->to_min % DAY_MIN };
    int64_t local = at_s + zone_offset_s(w->zone, at_s), of_day = local - floor_div(local, DAY_S) * DAY_S;
    int64_t least = DAY_S;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        int64_t ahead = marks[i] * 60 - of_day;
        ahead += ahead <= 0 ? DAY_S : 0;
        least = ahead < least ? ahead : least;
    }
    int64_t change = zone_next_change_s(w->zone, at_s);
    return change < at_s + least ? change : at_s + least;
}

int64_t window_changes_ms(const struct window *w, int64_t wall_ms)
{
    int64_t begin_s = floor_div(wall_ms, 1000);
    bool open = open_at(w, begin_s);
    for (int64_t at_s = next_candidate(w, begin_s); at_s < begin_s + LOOK_AHEAD_S;
         at_s = next_candidate(w, at_s))
        if (open_at(w, at_s) != open)
            return at_s * 1000;
    return INT64_MAX;
}

/* ---- from a policy ---- */

static void parse_days(struct config_text *text, const config_setting_t *setting, void *field,
                       const void *arg);
static void parse_minutes(struct config_text *text, const config_setting_t *setting, void *field,
                          const void *arg);
static void parse_dates(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg);

#define AT(member) .offset = offsetof(struct window, member)
const struct config_key policy_window_keys[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      .required = true,
      .min = 1,
      .max = POLICY_NAME_MAX,
      AT(name),
      .help = "By which `maintenance`, `freeze` and `during` know it." },
    { .name = "days",
      .type = CONFIG_CUSTOM,
      .parse = parse_days,
      .unit = "string",
      .default_text = "\"Mon-Sun\"",
      AT(days),
      .help = "Days of the week on which it begins: `\"Mon-Fri\"`, `\"Sat,Sun\"`." },
    { .name = "dates",
      .type = CONFIG_CUSTOM,
      .parse = parse_dates,
      .unit = "string, or array of strings",
      AT(dates),
      .help = "Dates on which it begins, `\"2026-12-24\"` or `\"2026-12-24..2027-01-02\"` (the last one "
              "included); "
              "left out: all." },
    { .name = "from",
      .type = CONFIG_CUSTOM,
      .parse = parse_minutes,
      .unit = "time of day",
      .default_text = "\"00:00\"",
      AT(from_min),
      .help = "When it opens, `\"09:00\"`." },
    { .name = "to",
      .type = CONFIG_CUSTOM,
      .parse = parse_minutes,
      .unit = "time of day",
      .default_text = "\"24:00\"",
      AT(to_min),
      .help = "When it closes; not behind `from`: on the next day." },
    { .name = "zone",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      .min = 1,
      .max = POLICY_NAME_MAX,
      .default_text = "UTC",
      AT(zone_name),
      .help = "Whose clock is meant: a name of the time zone database, `\"Europe/Berlin\"`." },
    { .name = "line", .type = CONFIG_LINE, AT(line), .help = "" },
    { .name = NULL },
};

static int weekday(const char *text)
{
    static const char *const names[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    for (int i = 0; i < 7; i++)
        if (strncmp(text, names[i], 3) == 0)
            return i;
    return -1;
}

static void parse_days(struct config_text *text, const config_setting_t *setting, void *field,
                       const void *arg)
{
    unsigned *ret = field, days = 0;
    const char *value = config_get_text(text, setting);
    bool good = value && *value;
    (void)arg;
    for (const char *p = value; good && *p;) {
        int first = weekday(p), last = first;
        p += first < 0 ? 0 : 3;
        if (first >= 0 && *p == '-') {
            last = weekday(p + 1);
            p += last < 0 ? 0 : 4;
        }
        good = first >= 0 && last >= 0 && (*p == '\0' || *p == ',');
        for (int d = first; good; d = (d + 1) % 7) {
            days |= 1u << d;
            if (d == last)
                break;
        }
        p += *p == ',';
        p += strspn(p, " ");
    }
    if (good)
        *ret = days;
    else if (value)
        config_error(text, setting,
                     "\"days\" is \"%s\"; write Mon, Tue, Wed, Thu, Fri, Sat, Sun, such as \"Mon-Fri\" or "
                     "\"Sat,Sun\"",
                     value);
}

static void parse_minutes(struct config_text *text, const config_setting_t *setting, void *field,
                          const void *arg)
{
    int64_t *ret = field;
    const char *value = config_get_text(text, setting);
    (void)arg;
    if (!value)
        return;
    bool good = strlen(value) == 5 && value[2] == ':' && strspn(value, "0123456789") == 2 &&
                strspn(value + 3, "0123456789") == 2;
    long hour = good ? strtol(value, NULL, 10) : 0, minute = good ? strtol(value + 3, NULL, 10) : 0;
    if (good && minute < 60 && hour * 60 + minute <= DAY_MIN)
        *ret = hour * 60 + minute;
    else
        config_error(text, setting, "\"%s\" is \"%s\"; write a time of day from \"00:00\" to \"24:00\"",
                     config_setting_name(setting), value);
}

/* "2026-12-24" in days since 1970. */
static bool parse_date(const char *value, size_t len, int64_t *ret)
{
    char whole[32];
    int64_t ms;
    if (len != 10)
        return false;
    snprintf(whole, sizeof whole, "%.10sT00:00:00Z", value);
    if (time_parse(&ms, whole, strlen(whole), NULL) != ERR_OK)
        return false;
    *ret = ms / 1000 / DAY_S;
    return true;
}

static void parse_span(struct config_text *text, const config_setting_t *setting, struct date_span *ret)
{
    const char *value = config_get_text(text, setting);
    if (!value)
        return;
    const char *dots = strstr(value, "..");
    const char *last = dots ? dots + 2 : value;
    size_t len = dots ? (size_t)(dots - value) : strlen(value);
    if (!parse_date(value, len, &ret->first) || !parse_date(last, strlen(last), &ret->last))
        config_error(
            text, setting,
            "\"%s\" is no date; write \"2026-12-24\", or \"2026-12-24..2027-01-02\" from the first to the "
            "last",
            value);
    else if (ret->last < ret->first)
        config_error(text, setting, "\"%s\" ends before it begins", value);
}

static void parse_dates(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg)
{
    struct config_list *ret = field;
    bool one = config_setting_type(setting) == CONFIG_TYPE_STRING;
    size_t len = one ? 1 : (size_t)config_setting_length(setting);
    (void)arg;
    if ((!one && !config_setting_is_aggregate(setting)) || config_setting_is_group(setting) || len == 0 ||
        len > DATES_MAX) {
        config_error(text, setting,
                     "\"dates\" must be a date, or an array of 1 to %d dates, [ \"2026-12-24\" ]", DATES_MAX);
        return;
    }
    ret->items = calloc(len, sizeof(struct date_span));
    if (!ret->items) {
        config_out_of_memory(text);
        return;
    }
    ret->len = len;
    for (unsigned i = 0; i < len; i++)
        parse_span(text, one ? setting : config_setting_get_elem(setting, i),
                   (struct date_span *)ret->items + i);
}

static void find_zone(struct config_text *text, const config_setting_t *group, struct window *w,
                      const struct policy_shell *shell)
{
    const config_setting_t *at = config_setting_get_member(group, "zone");
    struct err e = ERR_INIT;
    if (!w->zone_name || strcmp(w->zone_name, "UTC") == 0)
        return;
    enum err_code code = shell && shell->zone ? shell->zone(shell->arg, w->zone_name, &w->zone, &e)
                                              : err_set(&e, ERR_NOT_FOUND, "there are no time zones here");
    if (code == ERR_NOMEM)
        config_out_of_memory(text);
    else if (code)
        config_error(text, at, "time zone \"%s\" cannot be used: %s", w->zone_name, e.msg);
}

void policy_check_window(struct config_text *text, const config_setting_t *group, void *target,
                         const void *arg)
{
    const struct policy_context *c = arg;
    struct window *w = target;
    find_zone(text, group, w, c->shell);
    if (w->from_min == w->to_min || w->from_min == DAY_MIN)
        config_error(text, config_setting_get_member(group, w->from_min == DAY_MIN ? "from" : "to"),
                     "the window is never open; leave \"from\" and \"to\" out for the whole day");
    for (const struct window *other = c->policy->windows; w->name && other < w; other++)
        if (other->name && strcmp(other->name, w->name) == 0)
            config_error(text, config_setting_get_member(group, "name"),
                         "window \"%s\" stands already on line %d; names are unique", w->name, other->line);
}

void window_release(struct window *w)
{
    free(w->dates);
    w->zone = zone_free(w->zone);
}
