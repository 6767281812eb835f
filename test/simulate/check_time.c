/* test/simulate/check_time.c - every state has a deadline, whatever goes wrong meanwhile. */
#include <string.h>

#include "test/simulate/sim.h"

#define GIVEN_UP_MS (24 * HOUR_MS)
#define SLACK_MS (3 * MINUTE_MS)    /* heald may be down at the time, and its clock set wrong */
#define SETTLES_MS (10 * MINUTE_MS) /* an alert, by what is known of its rule */
#define QUIET_MS (15 * MINUTE_MS)   /* by nothing but what Alertmanager sends */

static int64_t later(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

/* Of a verification: what the step says, and never less than it takes to know. */
static int64_t verified_within(const struct sim *s, const struct course *c)
{
    const struct node *n = c->writes ? course_node(c, c->writes->intent.step) : NULL;
    if (!n)
        return QUIET_MS;
    int64_t settles_ms = !n->verify.alert ? 0 : s->prometheus ? SETTLES_MS : QUIET_MS;
    return later(n->verify.within_ms, settles_ms + 2 * n->verify.hold_ms);
}

/* 24 h after the last write, or word, or step of the plan. */
static int64_t deadline(const struct sim *s, const struct course *c)
{
    switch (c->state) {
    case COURSE_APPROVAL:
        return later(c->asked.until_ms, c->since_ms);
    case COURSE_DELAYED:
        return later(c->delayed_until_ms, c->since_ms);
    case COURSE_VERIFYING:
        return c->since_ms + verified_within(s, c);
    default:
        return later(later(c->opened_ms, c->written_ms), c->moved_ms) + GIVEN_UP_MS;
    }
}

void check_deadline(struct sim *s, const struct course *c)
{
    int64_t due_ms = later(deadline(s, c), s->started_ms), over_ms = heald_now(s) - due_ms;
    check(s, CHECK_DEADLINE, over_ms <= SLACK_MS, "%s is %s for %lld s longer than it may be", c->id,
          course_names[c->state], (long long)over_ms / 1000);
}
