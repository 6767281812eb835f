/* test/unit/engine_states_test.c - an incident goes on by the moves of the state table alone, and every state
 * has somebody who ends it, and a time. */
#include <criterion/criterion.h>

#include "test/kit/engine_kit.h"

/* As drawn in ARCHITECTURE.md: a row a state, a letter each that it may lead to. */
static const char *const drawn[STATE_END_] = {
    [STATE_RESOLVING] = "rdc",    [STATE_DECIDING] = "dwplavc", [STATE_WAITING] = "dwplavc",
    [STATE_APPROVAL] = "dwplavc", [STATE_DELAYED] = "dwplavc",  [STATE_ACTING] = "adwvc",
    [STATE_VERIFYING] = "vdc",    [STATE_CLOSED] = "",
};
static const char letters[STATE_END_ + 1] = "rdwplavc"; /* in the order of the enumeration */

Test(engine_states, a_move_is_allowed_as_it_is_drawn_and_no_other)
{
    for (int from = 0; from < STATE_END_; from++)
        for (int to = 0; to < STATE_END_; to++)
            cr_assert_eq(state_may((enum incident_state)from, (enum incident_state)to),
                         strchr(drawn[from], letters[to]) != NULL, "%s to %s", state_names[from],
                         state_names[to]);
}

Test(engine_states, every_state_has_an_owner_and_all_but_the_last_a_deadline)
{
    for (int s = 0; s < STATE_END_; s++) {
        cr_assert_str_not_empty(state_owner((enum incident_state)s));
        cr_assert_eq(state_deadline((enum incident_state)s)[0] == '\0', s == STATE_CLOSED);
    }
}

/* A journal that somebody made up: a refusal while a write is verified. */
Test(engine_states, a_fact_that_leads_elsewhere_is_refused)
{
    struct engine_kit k;
    struct err e = ERR_INIT;
    engine_kit_open(&k, KIT_POLICY(KIT_ACT, "", KIT_RESTART));
    kit_write(&k);
    struct fact f = { .kind = FACT_REFUSED, .seq = engine_last_seq(k.shadow) + 1, .at_ms = k.now_ms };
    memcpy(f.incident, kit_only(&k)->id, sizeof f.incident);
    snprintf(f.u.refused.guard, sizeof f.u.refused.guard, "lock");
    cr_assert_eq(engine_apply(k.shadow, &f, &e), ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "cannot go from verifying to waiting"), "%s", e.msg);
    engine_kit_release(&k);
}

/* No incident is left without a time at which it is looked at again, wherever it stands. */
Test(engine_states, each_open_incident_is_due_at_some_time)
{
    struct engine_kit k;
    engine_kit_open(&k, KIT_POLICY(KIT_ACT "approve = [ 'restart' ];", "for = '1m';", KIT_RESTART));
    kit_fire(&k);
    cr_assert_eq(kit_only(&k)->state, STATE_RESOLVING);
    cr_assert_lt(engine_next_deadline(k.g), INT64_MAX);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_only(&k)->state, STATE_WAITING);
    cr_assert_lt(engine_next_deadline(k.g), INT64_MAX);
    kit_wait(&k, 60000);
    kit_observe(&k, NULL);
    cr_assert_eq(kit_only(&k)->state, STATE_APPROVAL);
    cr_assert_lt(engine_next_deadline(k.g), INT64_MAX);
    engine_kit_close(&k);
}
