/* test/unit/engine_memory_test.c - without memory a decision fails whole: nothing is appended, nothing has
 * changed. */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"
#include "test/kit/fault.h"

static struct engine_kit k;

static void open_kit(void)
{
    engine_kit_open(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART));
}

static void close_kit(void)
{
    engine_kit_close(&k);
}

TestSuite(engine_memory, .init = open_kit, .fini = close_kit);

/* Every allocation of deciding this input fails in turn. */
static void decide_in_need(const struct input *in)
{
    CLEANUP(buf_release) struct buf before = BUF_INIT;
    CLEANUP(buf_release) struct buf after = BUF_INIT;
    struct decision d = DECISION_INIT;
    unsigned n = 0;
    engine_digest(k.g, &before);
    for (;;) {
        fault_malloc_at(++n);
        enum err_code code = engine_decide(k.g, k.p, k.now_ms, in, &d, NULL);
        if (!fault_hit())
            break;
        cr_assert_eq(code, ERR_NOMEM, "allocation %u", n);
        cr_assert_eq(d.facts_len + d.effects_len + d.notes_len, 0, "allocation %u", n);
        decision_release(&d);
    }
    engine_digest(k.g, &after);
    cr_assert_str_eq(buf_text(&before), buf_text(&after));
    cr_assert_gt(n, 2u, "something was allocated");
    cr_assert_gt(d.facts_len + d.effects_len, 0);
    decision_release(&d);
}

/* Every allocation of a whole turn fails in turn: an error, and the engine can be freed. */
static void turn_in_need(enum input_kind kind)
{
    unsigned n = 0;
    for (bool hit = true; hit;) {
        struct engine_kit own;
        engine_kit_open(&own, KIT_POLICY(KIT_ACT, "", KIT_RESTART));
        struct alert a = ALERT_INIT;
        memcpy(a.source, "alertmanager", 13);
        cr_assert_eq(map_set(&a.labels, "alertname", "Crash", NULL), ERR_OK);
        a.starts_ms = own.wall_ms;
        struct input in = { .kind = kind, .alert = &a, .wall_ms = own.wall_ms, .observation = &own.seen };
        if (kind != INPUT_ALERT)
            kit_fire(&own);
        if (kind != INPUT_ALERT) {
            in.token = kit_only(&own)->token;
            memcpy(in.incident, kit_only(&own)->id, sizeof in.incident);
        }
        struct decision d = DECISION_INIT;
        fault_malloc_at(++n);
        enum err_code code = engine_turn(own.g, own.p, own.now_ms, &in, &d, NULL);
        hit = fault_hit();
        cr_assert(code == ERR_OK || (hit && code == ERR_NOMEM), "allocation %u: %d", n, (int)code);
        cr_assert(code != ERR_OK || engine_unsound(own.g) == NULL, "allocation %u: %s", n,
                  engine_unsound(own.g));
        decision_release(&d);
        alert_release(&a);
        decision_release(&own.d);
        engine_free(own.g);
        engine_free(own.shadow);
        policy_free(own.p);
        json_writer_free(own.w);
        buf_release(&own.blob);
    }
    cr_assert_gt(n, 5u);
}

Test(engine_memory, an_alert)
{
    struct alert a = ALERT_INIT;
    memcpy(a.source, "alertmanager", 13);
    cr_assert_eq(map_set(&a.labels, "alertname", "Crash", NULL), ERR_OK);
    a.starts_ms = k.wall_ms;
    struct input in = { .kind = INPUT_ALERT, .alert = &a };
    decide_in_need(&in);
    alert_release(&a);
}

Test(engine_memory, an_observation_that_leads_to_a_write)
{
    kit_fire(&k);
    struct input in = { .kind = INPUT_OBSERVATION, .token = kit_only(&k)->token, .observation = &k.seen };
    memcpy(in.incident, kit_only(&k)->id, sizeof in.incident);
    decide_in_need(&in);
}

Test(engine_memory, a_timer_that_asks)
{
    kit_fire(&k);
    kit_blind(&k, NULL, ERR_UNAVAILABLE, "away");
    k.now_ms += 60000;
    struct input in = { .kind = INPUT_TIMER };
    decide_in_need(&in);
    kit_wait(&k, 0);
}

Test(engine_memory, a_whole_turn_with_an_alert, .timeout = 60)
{
    turn_in_need(INPUT_ALERT);
}

Test(engine_memory, a_whole_turn_with_an_observation, .timeout = 60)
{
    turn_in_need(INPUT_OBSERVATION);
}

Test(engine_memory, an_engine)
{
    struct engine *g = NULL;
    fault_malloc_at(1);
    cr_assert_eq(engine_new(&g, k.g->actions, k.g->actions_len, NULL), ERR_NOMEM);
    cr_assert_null(g);
    fault_malloc_at(0);
}
