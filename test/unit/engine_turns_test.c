/* test/unit/engine_turns_test.c - who is at work where, and whose turn it is: the index agrees with looking
 * at all of them, and the bulkheads hold in an environment, a cluster and all of them. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "rules/engine/turns.h"
#include "test/kit/engine_kit.h"

#define FREE                                                                                                 \
    "budget = 'none'; workload_budget = 'none'; storm = { incidents = 'none'; }; shared_cause = 'none'; "
#define EASY_RULE "cooldown = 'none'; attempts = 'none';"
#define SCALE(n) "{ do = 'scale'; replicas = " #n "; verify = { hold = '1m'; within = '20m'; }; }"

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k,
                    KIT_POLICY(KIT_ACT FREE "running = 'none'; notify = [ 'sre' ]; ", EASY_RULE, SCALE(3)));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_turns, .init = open_kit, .fini = close_kit, .timeout = 60);

static const char *fire(const char *name, const char *cluster)
{
    char labels[160];
    snprintf(labels, sizeof labels, "alertname=Crash,namespace=shop,deployment=%s", name);
    snprintf(k.seen.target.name, sizeof k.seen.target.name, "%s", name);
    snprintf(k.seen.target.uid, sizeof k.seen.target.uid, "u-%s", name);
    snprintf(k.seen.target.cluster, sizeof k.seen.target.cluster, "%s", cluster);
    kit_alert(&k, labels, ALERT_FIRING, 0);
    const char *id = k.g->open->prev->id;
    kit_observe(&k, id);
    return id;
}

static bool wrote(void)
{
    return kit_count(&k, FACT_INTENT) == 1;
}

/* ---- the index against the obvious ---- */

#define MANY 60
#define STEPS 4000

static bool at_site(const struct incident *j, const struct incident *i, enum site_kind kind)
{
    switch (kind) {
    case SITE_CLUSTER:
        return strcmp(j->target.cluster, i->target.cluster) == 0;
    case SITE_ENVIRONMENT:
        return strcmp(j->environment, i->environment) == 0;
    case SITE_RULE:
        return strcmp(j->rule, i->rule) == 0;
    case SITE_ALERT:
        return strcmp(j->rule, i->rule) == 0 && j->family == i->family;
    default:
        return true;
    }
}

static uint64_t name_at(const struct incident *i, enum site_kind kind)
{
    const uint64_t names[SITE_END_] = {
        0, 0, name_hash(i->target.cluster), name_hash(i->environment), name_hash(i->rule), turns_of_alert(i)
    };
    return names[kind];
}

static bool earlier(const struct incident *j, const struct incident *i)
{
    if (j->urgency != i->urgency)
        return j->urgency < i->urgency;
    if (j->opened_ms != i->opened_ms)
        return j->opened_ms < i->opened_ms;
    return j->target_index != i->target_index ? j->target_index < i->target_index : strcmp(j->id, i->id) < 0;
}

static struct turns by_looking(const struct incident *all, const struct incident *i, enum site_kind kind,
                               int64_t most)
{
    struct turns t = { .acting = 0 };
    for (int n = 0; n < MANY; n++) {
        const struct incident *j = &all[n];
        if (j == i || !at_site(j, i, kind))
            continue;
        t.acting += incident_acts(j);
        t.waiting += incident_queued(j) && j->waits_at == kind;
        t.ahead += incident_queued(j) && j->waits_at == kind && earlier(j, i);
    }
    t.ahead = t.ahead < most ? t.ahead : most;
    return t;
}

static void put_somewhere(struct incident *i, unsigned random)
{
    static const enum incident_state states[] = { STATE_DECIDING, STATE_ACTING, STATE_VERIFYING,
                                                  STATE_WAITING };
    i->state = states[random % 4];
    i->waits_at = (enum site_kind)(random / 4 % SITE_END_);
    if (i->standing != STANDING_QUEUED)
        i->urgency = (int32_t)(random / 24 % URGENCIES) + 1;
    snprintf(i->environment, sizeof i->environment, "env-%u", random / 96 % 3);
}

static struct incident *make_many(void)
{
    struct incident *all = calloc(MANY, sizeof *all);
    cr_assert_not_null(all);
    for (int n = 0; n < MANY; n++) {
        struct incident *i = &all[n];
        snprintf(i->id, sizeof i->id, "i-%02d", n);
        snprintf(i->rule, sizeof i->rule, "rule-%d", n % 3);
        snprintf(i->target.cluster, sizeof i->target.cluster, "c-%d", n % 2);
        i->opened_ms = n * 7 % 20;
        i->family = (uint64_t)(n % 9);
        i->target_index = n % 2;
        i->urgency = 3;
    }
    return all;
}

Test(engine_turns, the_index_agrees_with_looking_at_all_of_them)
{
    struct incident *all = make_many();
    struct engine g = { .seq = 0 };
    unsigned long seed = 42, asked = 0;
    for (int step = 0; step < STEPS; step++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        struct incident *moved = &all[(seed >> 33) % MANY];
        put_somewhere(moved, (unsigned)(seed >> 40));
        cr_assert(turns_update(&g, moved));
        const struct incident *i = &all[(seed >> 20) % MANY];
        enum site_kind kind = (enum site_kind)(1 + (seed >> 50) % (SITE_END_ - 1));
        int64_t most = 1 + (int64_t)(seed >> 55) % 12;
        struct turns got = turns_at(&g, kind, name_at(i, kind), i, i->urgency, most);
        struct turns want = by_looking(all, i, kind, most);
        cr_assert_eq(got.acting, want.acting, "step %d", step);
        cr_assert_eq(got.waiting, want.waiting, "step %d", step);
        cr_assert_eq(got.ahead, want.ahead, "step %d, kind %d", step, (int)kind);
        asked += got.ahead > 0;
    }
    cr_assert_gt(asked, 500, "else it proves little");
    for (int n = 0; n < MANY; n++)
        turns_leave(&g, &all[n]);
    cr_assert_null(g.sites, "nobody stands anywhere, and nothing is kept");
    free(all);
}

Test(engine_turns, one_that_waits_keeps_its_urgency_whatever_the_policy_says_by_now)
{
    kit_policy(&k, KIT_POLICY(KIT_ACT FREE "running = 1; ", EASY_RULE "severity = 'error';", SCALE(3)));
    fire("a", "local");
    const char *id = fire("b", "local");
    cr_assert_eq(kit_fact(&k, FACT_REFUSED)->u.refused.urgency, 2);
    kit_policy(&k, KIT_POLICY(KIT_ACT FREE "running = 1; ", EASY_RULE "severity = 'info';", SCALE(3)));
    cr_assert_eq(kit_incident(&k, id)->urgency, 2);
    fire("c", "local");
    cr_assert_eq(kit_fact(&k, FACT_REFUSED)->u.refused.urgency, 4);
}

/* ---- bulkheads ---- */

Test(engine_turns, so_many_are_at_work_in_all_clusters_and_no_more)
{
    char name[16], cluster[16];
    for (int n = 0; n <= BULKHEAD_MAX; n++) {
        snprintf(name, sizeof name, "w-%d", n);
        snprintf(cluster, sizeof cluster, "c-%d", n % 5);
        fire(name, cluster);
        cr_assert_eq(wrote(), n < BULKHEAD_MAX, "%d", n);
    }
    kit_refused(&k, "bulkhead", REFUSED_LATER, "50 disruptive steps are running in all clusters");
}

Test(engine_turns, a_full_cluster_holds_up_no_other)
{
    char name[16], first[INCIDENT_ID_SIZE], waits[INCIDENT_ID_SIZE];
    memcpy(first, fire("w-0", "full"), sizeof first);
    for (int n = 1; n < BULKHEAD_CLUSTER_MAX; n++) {
        snprintf(name, sizeof name, "w-%d", n);
        fire(name, "full");
    }
    memcpy(waits, fire("late", "full"), sizeof waits);
    kit_refused(&k, "bulkhead", REFUSED_LATER, "20 disruptive steps are running in cluster \"full\"");
    fire("elsewhere", "empty");
    cr_assert(wrote(), "another cluster has room");
    kit_acted(&k, first, ACT_FAILED); /* its plan ends there: one place is free */
    snprintf(k.seen.target.name, sizeof k.seen.target.name, "w-0");
    snprintf(k.seen.target.cluster, sizeof k.seen.target.cluster, "full");
    kit_observe(&k, first);
    kit_wait(&k, 5000);
    snprintf(k.seen.target.name, sizeof k.seen.target.name, "late");
    kit_observe(&k, waits);
    cr_assert(wrote(), "and the one that waited has its turn");
}

Test(engine_turns, what_does_not_fit_into_a_clusters_queue_is_told_to_a_person)
{
    char name[16];
    for (int n = 0; n < BULKHEAD_CLUSTER_MAX + QUEUE_MAX; n++) {
        snprintf(name, sizeof name, "w-%d", n);
        fire(name, "full");
        cr_assert_eq(kit_count(&k, FACT_CLOSED), 0, "%d", n);
    }
    fire("one-more", "full");
    kit_closed(&k, OUTCOME_ESCALATED, "500 incidents wait for their turn in cluster \"full\" already");
    cr_assert_str_eq(kit_fact(&k, FACT_NOTIFY)->u.notify.receiver, "sre", "told, not dropped");
    fire("elsewhere", "empty");
    cr_assert(wrote());
}
