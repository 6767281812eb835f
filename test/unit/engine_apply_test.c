/* test/unit/engine_apply_test.c - apply is total: each fact is folded in, or refused with a clear error,
 * never skipped. */
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
    decision_release(&k.d); /* the engine is thrown away after an error: nothing is compared */
    engine_free(k.g);
    engine_free(k.shadow);
    policy_free(k.p);
    json_writer_free(k.w);
    buf_release(&k.blob);
}

TestSuite(engine_apply, .init = open_kit, .fini = close_kit);

static struct fact next(enum fact_kind kind, const char *incident)
{
    struct fact f = { .kind = kind, .seq = engine_last_seq(k.g) + 1, .at_ms = k.now_ms };
    snprintf(f.incident, sizeof f.incident, "%s", incident);
    return f;
}

static void refused(const struct fact *f, enum err_code code, const char *why)
{
    struct err e = ERR_INIT;
    cr_assert_eq(engine_apply(k.g, f, &e), code, "%s", e.msg);
    cr_assert_not_null(strstr(e.msg, why), "\"%s\" lacks \"%s\"", e.msg, why);
    char seq[40];
    snprintf(seq, sizeof seq, "fact %lld", (long long)f->seq);
    cr_assert_not_null(strstr(e.msg, seq), "%s", e.msg);
}

Test(engine_apply, a_fact_that_does_not_follow_is_refused)
{
    struct fact f = next(FACT_TIME_JUMPED, "");
    f.seq++;
    refused(&f, ERR_INVALID, "does not follow fact");
    f.seq -= 2;
    refused(&f, ERR_INVALID, "does not follow fact");
}

Test(engine_apply, an_unknown_kind_is_refused)
{
    struct fact f = next(FACT_KIND_END_, "");
    refused(&f, ERR_VERSION, "not known to this release");
    f.kind = 0;
    refused(&f, ERR_VERSION, "not known to this release");
}

Test(engine_apply, facts_about_unknown_incidents_are_refused)
{
    static const enum fact_kind kinds[] = { FACT_RESOLVED, FACT_MERGED,  FACT_REFUSED, FACT_INTENT,
                                            FACT_WRITTEN,  FACT_VERDICT, FACT_CLOSED };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct fact f = next(kinds[i], "0nobody");
        refused(&f, ERR_INVALID, "incident \"0nobody\", which is not known");
    }
}

Test(engine_apply, facts_about_closed_incidents_are_refused)
{
    kit_fire(&k);
    char id[INCIDENT_ID_SIZE];
    memcpy(id, kit_only(&k)->id, sizeof id);
    kit_blind(&k, NULL, ERR_NOT_FOUND, "gone");
    struct fact f = next(FACT_VERDICT, id);
    refused(&f, ERR_INVALID, "which is closed");
}

Test(engine_apply, being_told_of_a_dropped_incident_is_fine)
{
    struct fact f = next(FACT_TOLD, "0nobody");
    cr_assert_eq(engine_apply(k.g, &f, NULL), ERR_OK);
}

Test(engine_apply, an_incident_without_its_alert_is_refused)
{
    struct fact f = next(FACT_INCIDENT_OPENED, "0abc");
    f.u.opened.plan = strdup("{}");
    refused(&f, ERR_INVALID, "has no alert before it");
    fact_release(&f);
}

Test(engine_apply, an_incident_is_not_opened_twice)
{
    kit_fire(&k);
    struct fact f = next(FACT_INCIDENT_OPENED, kit_only(&k)->id);
    refused(&f, ERR_INVALID, "is opened twice");
}

static struct fact opening(const char *plan)
{
    struct fact a = next(FACT_ALERT, "0abc");
    a.u.alert.disposition = ALERT_OPENED;
    map_set(&a.u.alert.alert.labels, "alertname", "Crash", NULL);
    cr_assert_eq(engine_apply(k.g, &a, NULL), ERR_OK);
    fact_release(&a);
    struct fact f = next(FACT_INCIDENT_OPENED, "0abc");
    f.u.opened.plan = strdup(plan);
    return f;
}

Test(engine_apply, a_plan_with_an_unknown_action_is_of_a_newer_release)
{
    struct fact f = opening("{\"name\":\"p\",\"steps\":[{\"do\":\"teleport\"}],\"otherwise\":[]}");
    refused(&f, ERR_VERSION, "teleport");
    fact_release(&f);
}

Test(engine_apply, a_plan_that_is_no_json_is_refused)
{
    struct fact f = opening("{\"name\"");
    refused(&f, ERR_INVALID, "incident_opened");
    fact_release(&f);
}

Test(engine_apply, another_incidents_alert_opens_nothing)
{
    struct fact f = opening("{}");
    snprintf(f.incident, sizeof f.incident, "0def");
    refused(&f, ERR_INVALID, "has no alert before it");
    fact_release(&f);
}

Test(engine_apply, an_alert_attached_to_nobody_is_refused)
{
    struct fact f = next(FACT_ALERT, "0nobody");
    f.u.alert.disposition = ALERT_ATTACHED;
    refused(&f, ERR_INVALID, "attached to incident \"0nobody\", which is not known");
    fact_release(&f);
}

Test(engine_apply, an_alert_of_an_open_incident_opens_no_other)
{
    kit_fire(&k);
    struct fact f = next(FACT_ALERT, "0def");
    f.u.alert.disposition = ALERT_OPENED;
    memcpy(f.u.alert.alert.source, "alertmanager", 13);
    map_copy(&f.u.alert.alert.labels, &kit_only(&k)->labels, NULL);
    refused(&f, ERR_INVALID, "but belongs to");
    fact_release(&f);
}

Test(engine_apply, a_merge_into_itself_or_nobody_is_refused)
{
    kit_fire(&k);
    struct fact f = next(FACT_MERGED, kit_only(&k)->id);
    memcpy(f.u.merged.into, f.incident, sizeof f.incident);
    refused(&f, ERR_INVALID, "not another open one");
    snprintf(f.u.merged.into, sizeof f.u.merged.into, "0nobody");
    refused(&f, ERR_INVALID, "not another open one");
}

Test(engine_apply, a_step_that_the_plan_lacks_is_refused)
{
    kit_begin(&k);
    struct fact f = next(FACT_INTENT, kit_only(&k)->id);
    f.u.intent = kit_only(&k)->intent;
    snprintf(f.u.intent.step, sizeof f.u.intent.step, "steps.7");
    refused(&f, ERR_INVALID, "has no step \"steps.7\"");
    f = next(FACT_REFUSED, f.incident);
    f.u.refused.scope = REFUSED_STEP;
    refused(&f, ERR_INVALID, "has no step \"\"");
}

Test(engine_apply, a_write_without_an_intent_is_refused)
{
    kit_fire(&k);
    struct fact f = next(FACT_WRITTEN, kit_only(&k)->id);
    f.u.written.state = WRITE_DONE;
    refused(&f, ERR_INVALID, "has no intent");
}

Test(engine_apply, a_verdict_without_a_write_is_refused)
{
    kit_begin(&k);
    struct fact f = next(FACT_VERDICT, kit_only(&k)->id);
    f.u.verdict.verdict = VERDICT_FIXED;
    refused(&f, ERR_INVALID, "no step that could be judged");
}

/* Whatever single thing of an incident's course is lost: an error, or a state that is sound. Never a crash.
 */
Test(engine_apply, any_lost_fact_is_noticed_by_its_number)
{
    struct fact *all = NULL;
    size_t len = 0;
    kit_fire(&k);
    for (int step = 0; step < 3; step++) {
        all = realloc(all, (len + k.d.facts_len) * sizeof *all);
        cr_assert_not_null(all);
        memcpy(all + len, k.d.facts, k.d.facts_len * sizeof *all);
        len += k.d.facts_len;
        k.d.facts_len = 0; /* they are ours now */
        if (step == 0)
            kit_observe(&k, NULL);
        else if (step == 1)
            kit_acted(&k, NULL, ACT_DONE);
    }
    cr_assert_geq(len, 5);
    for (size_t lost = 0; lost < len; lost++) {
        CLEANUP(engine_freep) struct engine *g = NULL;
        enum err_code code = engine_new(&g, k.g->actions, k.g->actions_len, NULL);
        int64_t seq = 0;
        for (size_t f = 0; !code && f < len; f++) {
            if (f == lost)
                continue;
            struct fact copy = all[f];
            copy.seq = ++seq; /* as if the journal's numbers had been mended by hand */
            code = engine_apply(g, &copy, NULL);
        }
        cr_assert(code == ERR_INVALID || (code == ERR_OK && !engine_unsound(g)), "without fact %zu: %d", lost,
                  (int)code);
    }
    for (size_t f = 0; f < len; f++)
        fact_release(&all[f]);
    free(all);
}
