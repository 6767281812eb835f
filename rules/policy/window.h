/* rules/policy/window.h - calendar windows: when something may, or may not, be done.
 *
 *     { name = "office-hours"; days = "Mon-Fri"; from = "09:00"; to = "17:00"; zone = "Europe/Berlin"; }
 *     { name = "christmas"; dates = "2026-12-24..2027-01-02"; zone = "Europe/Berlin"; }
 *
 * Times are those that a clock on the wall of the zone shows. A window whose end is not behind its begin goes
 * on over midnight and belongs to the day on which it begins. Where the clock is put forward, the times that
 * it skips do not exist; where it is put back, those that come twice belong to the window twice. */
#ifndef RULES_POLICY_WINDOW_H
#define RULES_POLICY_WINDOW_H

#include "rules/base/zone.h"
#include "rules/policy/config.h"

struct date_span { /* days since 1970, both included */
    int64_t first, last;
};

struct window {
    char *name;
    unsigned days;           /* bit 0 is Sunday; all when it says nothing */
    int64_t from_min;        /* minutes since midnight; default 0 */
    int64_t to_min;          /* 1..1440; default 1440 */
    struct date_span *dates; /* none: every date */
    size_t dates_len;
    char *zone_name;   /* default "UTC" */
    struct zone *zone; /* owned; NULL: UTC */
    int line;
};

bool window_open(const struct window *w, int64_t wall_ms);
/* When it opens or closes next, in wall time; INT64_MAX: not within 400 days. */
int64_t window_changes_ms(const struct window *w, int64_t wall_ms);

/* The table of `windows`, its check, which asks policy_context.shell for the zone, and the rest of a release.
 */
extern const struct config_key policy_window_keys[];
void policy_check_window(struct config_text *text, const config_setting_t *group, void *target,
                         const void *arg);
void window_release(struct window *w); /* what is not in its table */

#endif
