/* test/simulate/report.c - what was seen, and what should have been. */
#include <stdio.h>
#include <string.h>

#include "test/simulate/run.h"

struct wanted {
    const char *what;
    size_t offset; /* of the struct counted in the stats */
    const char *names[40];
};

/* Everything here must have happened, or a check of it proves nothing. */
static const struct wanted wanted[] = {
    { "refusal of an action", /* beside the guards */
      offsetof(struct stats, guards),
      { "target", "approval", "history", "strategy", "restart", "rollback", "scale", "delete_pod" } },
    { "move",
      offsetof(struct stats, moves),
      { "none>resolving",    "resolving>resolving", "resolving>deciding", "resolving>closed",
        "deciding>deciding", "deciding>waiting",    "deciding>acting",    "deciding>closed",
        "waiting>waiting",   "waiting>deciding",    "waiting>acting",     "waiting>closed",
        "acting>deciding",   "acting>verifying",    "acting>closed",      "verifying>deciding",
        "verifying>closed",  "deciding>approval",   "approval>approval",  "approval>deciding",
        "approval>closed",   "deciding>delayed",    "delayed>deciding",   "waiting>approval",
        "waiting>delayed",   "verifying>verifying", "approval>waiting",   "delayed>delayed",
        "delayed>waiting" } },
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
    { "word", offsetof(struct stats, words), { "approve", "deny", "cancel", "retry", "two at once" } },
    { "step",
      offsetof(struct stats, steps),
      { "restart", "rollback", "scale", "delete_pod", "parallel", "undo" } },
    { "mishap", offsetof(struct stats, mishaps), { "fault", "deploy",  "strange", "flap",  "moved",  "unsent",
                                                   "slow",  "write",   "outage",  "crash", "commit", "policy",
                                                   "pause", "silence", "word",    "clock", "disk",   "gap",
                                                   "token", "forgets", "lags",    "pair",  "again" } },
};
#define WANTED_LEN (sizeof wanted / sizeof wanted[0])

/* Guards that cannot refuse in such a world, and why; each has its unit tests. */
static const struct {
    const char *guard, *why;
} never[] = {
    { "bulkhead", "16 workloads of one cluster never have 20 steps at one time" },
};

/* Moves that are allowed, and too rare to be waited for. */
static const char *const rare[] = { "acting>acting",      "approval>acting",    "delayed>closed",
                                    "delayed>acting",     "deciding>verifying", "delayed>approval",
                                    "waiting>verifying",  "acting>waiting",     "approval>delayed",
                                    "approval>verifying", "delayed>verifying" };

static void print_counted(const char *what, const struct counted *c)
{
    printf("%s:", what);
    for (int k = 0; k < NAMES_MAX && c->names[k][0]; k++)
        printf("%s %s %llu", k ? "," : "", c->names[k], (unsigned long long)c->n[k]);
    printf("\n");
}

/* Each guard of the engine, both ways. */
static void print_guards(const struct stats *x)
{
    const char *guards[GUARDS_MAX];
    bool undo[GUARDS_MAX];
    size_t len = engine_guards(guards, undo);
    printf("guard (refused/passed):");
    for (size_t k = 0; k < len; k++)
        printf("%s %s %llu/%llu", k ? "," : "", guards[k],
               (unsigned long long)counted_of(&x->guards, guards[k]),
               (unsigned long long)counted_of(&x->passed, guards[k]));
    printf("\n");
}

static void print_figures(const struct run *run, const struct result *r)
{
    const struct stats *x = &r->stats;
    print_guards(x);
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

static const char *excused(const char *guard)
{
    for (size_t k = 0; k < sizeof never / sizeof never[0]; k++)
        if (strcmp(never[k].guard, guard) == 0)
            return never[k].why;
    return NULL;
}

static bool guards_covered(const struct stats *x)
{
    const char *guards[GUARDS_MAX];
    bool undo[GUARDS_MAX], all = true;
    size_t len = engine_guards(guards, undo);
    for (size_t k = 0; k < len; k++) {
        bool refused = counted_of(&x->guards, guards[k]) > 0, passed = counted_of(&x->passed, guards[k]) > 0;
        const char *why = refused ? NULL : excused(guards[k]);
        if (why)
            printf("        guard \"%s\" never refuses here: %s\n", guards[k], why);
        if (passed && (refused || why))
            continue;
        printf("FAILED  guard \"%s\" never %s\n", guards[k], passed ? "refused" : "let anything pass");
        all = false;
    }
    return all;
}

static bool listed(const char *move)
{
    for (size_t k = 0; k < sizeof rare / sizeof rare[0]; k++)
        if (strcmp(rare[k], move) == 0)
            return true;
    for (size_t k = 0; k < WANTED_LEN; k++)
        for (size_t n = 0; wanted[k].offset == offsetof(struct stats, moves) && wanted[k].names[n]; n++)
            if (strcmp(wanted[k].names[n], move) == 0)
                return true;
    return false;
}

/* None but those of the table. */
static bool moves_known(const struct stats *x)
{
    bool all = true;
    for (int k = 0; k < NAMES_MAX && x->moves.names[k][0]; k++)
        if (!listed(x->moves.names[k])) {
            printf("FAILED  the move %s is in no table\n", x->moves.names[k]);
            all = false;
        }
    return all;
}

static void tell(bool ok, const char *what, unsigned *passed, unsigned *failed)
{
    if (ok)
        printf("ok      %s\n", what);
    *passed += ok;
    *failed += !ok;
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
    tell(moves_known(x), "no incident made another move than those of the table", &passed, &failed);
    if (whole)
        tell(guards_covered(x), "every guard refused, and let pass", &passed, &failed);
    for (size_t k = 0; k < WANTED_LEN && whole; k++) {
        char what[80];
        snprintf(what, sizeof what, "every %s was exercised", wanted[k].what);
        tell(covered(&wanted[k], x), what, &passed, &failed);
    }
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return failed == 0;
}
