/* test/unit/engine_limit_test.c - everything in the core has a named maximum, and reaching it is a path of
 * its own. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "test/kit/engine_kit.h"

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_limit, .init = open_kit, .fini = close_kit, .timeout = 120);

/* As kit_turn, without looking whether all is sound each time. */
static void turn(struct input in)
{
    struct err e = ERR_INIT;
    decision_clear(&k.d);
    in.random = k.random = k.random * 6364136223846793005u + 1442695040888963407u;
    in.wall_ms = k.wall_ms;
    cr_assert_eq(engine_turn(k.g, k.p, k.now_ms, &in, &k.d, &e), ERR_OK, "%s", e.msg);
    for (size_t f = 0; f < k.d.facts_len; f++)
        cr_assert_eq(engine_apply(k.shadow, &k.d.facts[f], &e), ERR_OK, "%s", e.msg);
}

static enum alert_disposition fire(const char *name, unsigned n, enum alert_status status)
{
    char pod[40];
    struct alert a = ALERT_INIT;
    memcpy(a.source, "alertmanager", 13);
    map_set(&a.labels, "alertname", name, NULL);
    snprintf(pod, sizeof pod, "web-%u", n);
    map_set(&a.labels, "pod", pod, NULL);
    a.starts_ms = KIT_START_MS;
    a.status = status;
    turn((struct input){ .kind = INPUT_ALERT, .alert = &a });
    alert_release(&a);
    return k.d.facts_len ? k.d.facts[0].u.alert.disposition : (enum alert_disposition) - 1;
}

Test(engine_limit, no_more_incidents_are_open_than_there_may_be)
{
    for (unsigned n = 0; n < ENGINE_INCIDENTS_MAX; n++)
        cr_assert_eq(fire("Crash", n, ALERT_FIRING), ALERT_OPENED);
    cr_assert_eq(fire("Crash", ENGINE_INCIDENTS_MAX, ALERT_FIRING), ALERT_REFUSED_);
    cr_assert_not_null(strstr(k.d.facts[0].u.alert.reason, "5000 incidents are open"), "%s",
                       k.d.facts[0].u.alert.reason);
    cr_assert_eq(fire("Other", 1, ALERT_FIRING), ALERT_NO_RULE, "what opens none is judged as ever");
    fire("Crash", ENGINE_INCIDENTS_MAX, ALERT_FIRING);
    cr_assert_eq(k.d.facts_len, 0);
    cr_assert_eq(fire("Crash", 7, ALERT_RESOLVED), ALERT_CLEARED);
    cr_assert_eq(fire("Crash", ENGINE_INCIDENTS_MAX, ALERT_FIRING), ALERT_OPENED, "there is room again");
}

Test(engine_limit, a_timer_asks_so_many_questions_and_is_due_again)
{
    for (unsigned n = 0; n < 600; n++)
        fire("Crash", n, ALERT_FIRING);
    size_t asked = 0;
    for (int turns = 0; engine_next_deadline(k.g) <= k.now_ms; turns++) {
        cr_assert_lt(turns, 3);
        turn((struct input){ .kind = INPUT_TIMER });
        cr_assert_leq(k.d.effects_len, TIMER_QUESTIONS_MAX);
        asked += k.d.effects_len;
    }
    cr_assert_eq(asked, 600);
}

Test(engine_limit, alerts_without_an_incident_that_changed_longest_ago_are_forgotten)
{
    fire("Crash", 0, ALERT_FIRING);
    for (unsigned n = 0; n < ENGINE_ALERTS_MAX + 10; n++)
        fire("Other", n, ALERT_FIRING);
    cr_assert_eq(HASH_COUNT(k.g->alerts), ENGINE_ALERTS_MAX);
    fire("Crash", 0, ALERT_FIRING);
    cr_assert_eq(k.d.facts_len, 0, "it belongs to an open incident");
    fire("Other", ENGINE_ALERTS_MAX, ALERT_FIRING);
    cr_assert_eq(k.d.facts_len, 0);
    cr_assert_eq(fire("Other", 0, ALERT_FIRING), ALERT_NO_RULE, "forgotten: it is new");
}

Test(engine_limit, alerts_of_open_incidents_are_limited_too)
{
    struct alert a = ALERT_INIT;
    memcpy(a.source, "alertmanager", 13);
    map_set(&a.labels, "alertname", "Crash", NULL);
    char pod[40];
    kit_write(&k);
    const char *id = kit_only(&k)->id;
    for (unsigned n = 1; n < ENGINE_ALERTS_MAX; n++) { /* as merges leave them */
        struct fact f = { .kind = FACT_ALERT, .seq = engine_last_seq(k.g) + 1, .at_ms = k.now_ms };
        snprintf(pod, sizeof pod, "web-%u", n);
        map_set(&a.labels, "alertname", "Crash", NULL);
        map_set_len(&a.labels, "pod", 3, pod, strlen(pod), true, NULL);
        memcpy(f.incident, id, sizeof f.incident);
        f.u.alert.disposition = ALERT_ATTACHED;
        f.u.alert.alert = a;
        cr_assert_eq(engine_apply(k.g, &f, NULL), ERR_OK);
        cr_assert_eq(engine_apply(k.shadow, &f, NULL), ERR_OK);
    }
    alert_release(&a);
    cr_assert_eq(fire("Crash", ENGINE_ALERTS_MAX, ALERT_FIRING), ALERT_REFUSED_);
    cr_assert_not_null(strstr(k.d.facts[0].u.alert.reason, "belong to open incidents"));
    cr_assert_eq(fire("Crash", ENGINE_ALERTS_MAX + 1, ALERT_FIRING), ALERT_OPENED,
                 "the refused one can be forgotten");
    cr_assert_leq(HASH_COUNT(k.g->alerts), ENGINE_ALERTS_MAX + 1);
}

Test(engine_limit, closed_incidents_that_were_never_told_are_dropped_oldest_first)
{
    char first[INCIDENT_ID_SIZE] = "";
    for (unsigned n = 0; n < ENGINE_CLOSED_MAX + 1; n++) {
        fire("Crash", n, ALERT_FIRING);
        if (!first[0])
            memcpy(first, k.g->open->id, sizeof first);
        fire("Crash", n, ALERT_RESOLVED);
    }
    cr_assert_eq(k.g->closed_len, ENGINE_CLOSED_MAX);
    struct incident_view v;
    cr_assert_not(engine_incident(k.g, first, &v));
}

Test(engine_limit, an_incidents_history_keeps_its_first_and_its_last_lines)
{
    kit_begin(&k);
    for (int i = 0; i < 40; i++) {
        struct fact f = { .kind = FACT_REFUSED, .seq = engine_last_seq(k.g) + 1, .at_ms = k.now_ms };
        memcpy(f.incident, k.g->open->id, sizeof f.incident);
        f.u.refused.scope = REFUSED_LATER;
        snprintf(f.u.refused.guard, sizeof f.u.refused.guard, "guard%d", i);
        cr_assert_eq(engine_apply(k.g, &f, NULL), ERR_OK);
        cr_assert_eq(engine_apply(k.shadow, &f, NULL), ERR_OK);
    }
    struct incident_view v;
    cr_assert(engine_incident(k.g, k.g->open->id, &v));
    cr_assert_eq(v.history_len, HISTORY_MAX);
    cr_assert_not_null(strstr(v.history[0], "alert of rule crash"));
    cr_assert_not_null(strstr(v.history[HISTORY_MAX - 1], "guard39"));
}

Test(engine_limit, spends_are_remembered_for_longer_than_any_budget)
{
    struct intent n = { .write = 1, .environment = "shop", .target = { .name = "web" } };
    int64_t at_ms = KIT_START_MS;
    for (unsigned i = 0; i < ENGINE_SPENDS_MAX + 100; i++) {
        snprintf(n.incident, sizeof n.incident, "%u", i);
        cr_assert(spend(k.g, &n, "crash", at_ms));
        cr_assert(spend(k.shadow, &n, "crash", at_ms));
        at_ms += 60000;
    }
    cr_assert_leq(k.g->spends_len, ENGINE_SPENDS_MAX);
    cr_assert_leq(k.g->spends[0].at_ms, at_ms - 12ll * 86400000, "as much as there is room for");
    for (unsigned i = 0; i < 100; i++) {
        snprintf(n.incident, sizeof n.incident, "x%u", i);
        at_ms += 86400000;
        cr_assert(spend(k.g, &n, "crash", at_ms));
        cr_assert(spend(k.shadow, &n, "crash", at_ms));
    }
    size_t counted = 0;
    for (size_t i = 0; i < k.g->spends_len; i++)
        counted += k.g->spends[i].at_ms > at_ms - 30ll * 86400000;
    cr_assert_eq(counted, 30);
}

Test(engine_limit, workloads_that_changed_longest_ago_are_forgotten)
{
    char uid[40];
    for (unsigned i = 0; i < ENGINE_WORKLOADS_MAX + 1; i++) {
        snprintf(uid, sizeof uid, "u-%u", i);
        cr_assert_not_null(know_workload(k.g, uid));
        cr_assert_not_null(know_workload(k.shadow, uid));
    }
    cr_assert_eq(HASH_COUNT(k.g->workloads), ENGINE_WORKLOADS_MAX);
    cr_assert_null(workload_find(k.g, "u-0"));
    cr_assert_not_null(workload_find(k.g, "u-1"));
}
