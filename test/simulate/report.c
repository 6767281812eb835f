/* test/simulate/report.c - what was seen, and what should have been. */
#include <stdio.h>

#include "test/simulate/run.h"

struct wanted {
    const char *what;
    size_t offset; /* of the struct counted in the stats */
    const char *names[40];
};

/* Everything here must have happened, or a check of it proves nothing. */
static const struct wanted wanted[] = {
    { "guard",
      offsetof(struct stats, guards),
      { "observation", "rule", "ignore", "source", "object", "foreign_write", "kill_switch", "ownership",
        "rollout", "still_firing", "lock", "cooldown", "attempts", "budget", "running", "history",
        "strategy" } },
    { "move",
      offsetof(struct stats, moves),
      { "none>resolving",    "resolving>resolving", "resolving>deciding", "resolving>closed",
        "deciding>deciding", "deciding>waiting",    "deciding>acting",    "deciding>closed",
        "waiting>waiting",   "waiting>deciding",    "waiting>acting",     "waiting>closed",
        "acting>deciding",   "acting>verifying",    "acting>closed",      "verifying>deciding",
        "verifying>closed",  "deciding>approval",   "approval>approval",  "approval>deciding",
        "approval>closed",   "deciding>delayed",    "delayed>deciding",   "waiting>approval",
        "waiting>delayed" } },
    { "fact",
      offsetof(struct stats, facts),
      { "installed", "paused", "resumed", "time_jumped", "alert",   "incident_opened",
        "resolved",  "merged", "refused", "intent",      "written", "verdict",
        "closed",    "told",   "proven",  "policy",      "step",    "notify",
        "asked",     "word",   "ending" } },
    { "outcome",
      offsetof(struct stats, outcomes),
      { "healed", "cleared", "not_healed", "escalated", "refused", "observed", "unknown", "cancelled" } },
    { "write",
      offsetof(struct stats, writes),
      { "done", "conflict", "absent", "failed", "unknown", "retry" } },
    { "alert",
      offsetof(struct stats, dispositions),
      { "opened", "attached", "no_rule", "ignored", "refused", "cleared", "held" } },
    { "word", offsetof(struct stats, words), { "approve", "deny", "cancel", "retry" } },
    { "step", offsetof(struct stats, steps), { "restart", "rollback", "scale", "delete_pod" } },
    { "mishap",
      offsetof(struct stats, mishaps),
      { "fault", "deploy", "strange", "flap", "moved", "unsent", "slow", "write", "outage", "crash", "commit",
        "policy", "pause", "silence", "word", "clock" } },
};
#define WANTED_LEN (sizeof wanted / sizeof wanted[0])

static void print_counted(const char *what, const struct counted *c)
{
    printf("%s:", what);
    for (int k = 0; k < NAMES_MAX && c->names[k][0]; k++)
        printf("%s %s %llu", k ? "," : "", c->names[k], (unsigned long long)c->n[k]);
    printf("\n");
}

static void print_figures(const struct run *run, const struct result *r)
{
    const struct stats *x = &r->stats;
    for (size_t k = 0; k < WANTED_LEN; k++)
        print_counted(wanted[k].what, (const struct counted *)((const char *)x + wanted[k].offset));
    printf("simulate: %llu incidents of %llu seeds from %llu in %.1f s (%.0f incidents/s), %llu h of time; "
           "%llu turns, %llu "
           "alerts, %llu writes took effect (%llu late), %llu crashes, %llu lost commits, %llu replays\n",
           (unsigned long long)x->incidents, (unsigned long long)r->seeds,
           (unsigned long long)run->first_seed, r->seconds,
           (double)x->incidents / (r->seconds > 0 ? r->seconds : 1), (unsigned long long)x->hours,
           (unsigned long long)x->turns, (unsigned long long)x->alerts, (unsigned long long)x->landed,
           (unsigned long long)x->late, (unsigned long long)counted_of(&x->mishaps, "crash"),
           (unsigned long long)x->lost_commits, (unsigned long long)x->replayed);
}

static bool covered(const struct wanted *w, const struct stats *x)
{
    const struct counted *c = (const struct counted *)((const char *)x + w->offset);
    bool all = true;
    for (size_t k = 0; k < sizeof w->names / sizeof w->names[0] && w->names[k]; k++)
        if (counted_of(c, w->names[k]) == 0) {
            printf("FAILED  %s \"%s\" never happened\n", w->what, w->names[k]);
            all = false;
        }
    return all;
}

bool report(const struct run *run, const struct result *r, bool whole)
{
    const struct stats *x = &r->stats;
    unsigned passed = 0, failed = r->died;
    if (r->died)
        whole = false;
    print_figures(run, r);
    for (int c = 0; c < CHECKS_; c++) {
        bool ok = x->failed[c] == 0 && (x->seen[c] > 0 || !whole);
        printf("%s  %s (%llu times%s)\n", ok ? "ok    " : "FAILED", check_name((enum check)c),
               (unsigned long long)x->seen[c], x->failed[c] ? ", not always" : "");
        passed += ok;
        failed += !ok;
    }
    for (size_t k = 0; k < WANTED_LEN && whole; k++) {
        bool ok = covered(&wanted[k], x);
        if (ok)
            printf("ok      every %s was exercised\n", wanted[k].what);
        passed += ok;
        failed += !ok;
    }
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return failed == 0;
}
