/* rules/base/mutant.h - deliberate bugs, by name: proof that the simulator would find such a bug.
 *
 * Compiled in by the option MUTANTS alone (preset "mutants"); in every other build MUTANT() is the constant
 * false, and nothing of them is left. One is chosen per process, before anything runs (test/simulate). To add
 * one: a line here, MUTANT(name) where it is to be wrong, and test/simulate/mutants. */
#ifndef RULES_BASE_MUTANT_H
#define RULES_BASE_MUTANT_H

#include <stdbool.h>

/* Those named skip_* leave out the guard of that name. */
#define MUTANTS(X)                                                                                           \
    X(skip_observation, "what is judged may be old")                                                         \
    X(skip_kill_switch, "a pause is not looked at")                                                          \
    X(skip_ignore, "ignore patterns are not looked at")                                                      \
    X(skip_silenced, "silences are not looked at")                                                           \
    X(skip_object, "what is deleted or scaled to 0 is written to")                                           \
    X(skip_foreign_write, "somebody's change during the incident is not looked at")                          \
    X(skip_ownership, "what somebody else owns is changed")                                                  \
    X(skip_rollout, "somebody's rollout is not waited for")                                                  \
    X(skip_still_firing, "Prometheus and the cluster are not asked whether it is still broken")              \
    X(skip_lock, "two incidents work on one target")                                                         \
    X(skip_cooldown, "a cooldown is not waited for")                                                         \
    X(skip_attempts, "what comes back again and again is acted on")                                          \
    X(skip_budget, "budgets are not looked at")                                                              \
    X(skip_running, "any number of steps run at one time")                                                   \
    X(skip_explained, "an alert that explains another one is not looked at")                                 \
    X(skip_maintenance, "windows of maintenance are not looked at")                                          \
    X(skip_freeze, "windows in which nothing may be done are not looked at")                                 \
    X(skip_brake, "brakes are not asked")                                                                    \
    X(skip_blast_radius, "any number of pods is taken away at once")                                         \
    X(skip_availability, "the last ready pods are taken away")                                               \
    X(skip_shared_cause, "many workloads in trouble are restarted one by one")                               \
    X(verdict_never, "the time of a verification does not end")                                              \
    X(gives_up_never, "what waits is never given up")                                                        \
    X(plain_hash_ignored, "what somebody rolled out behind a restart is taken for heald's own")              \
    X(skip_hold_off, "the rule's `for` is not waited for")                                                   \
    X(skip_allow, "actions that the environment does not allow are done")                                    \
    X(skip_storm, "a storm does not brake")                                                                  \
    X(skip_breaker, "what fails again and again is done again")                                              \
    X(approval_skipped, "nobody is asked")                                                                   \
    X(approval_unbound, "a yes counts for whatever is to be done by then")                                   \
    X(silence_is_yes, "what nobody answers in time is done")                                                 \
    X(yes_counts_twice, "one person is enough for two")                                                      \
    X(cancel_forgotten, "a cancelled incident goes on")                                                      \
    X(wait_too_short, "a step waits half of its time")                                                       \
    X(undo_unasked, "what is not fixed is put back, worse or not")                                           \
    X(mode_of_then, "the mode is the one that the incident began in")                                        \
    X(budget_given_back_twice, "a write that is decided again gives back two attempts")                      \
    X(budget_forgotten, "a jump of the clock forgets what was spent")                                        \
    X(proof_too_early, "an absent proof is believed at once")                                                \
    X(unknown_is_retried, "a write without an answer is written again")                                      \
    X(crash_is_absent, "after a restart an open write counts as one that never was")                         \
    X(conflict_is_done, "a refused precondition counts as written")                                          \
    X(touched_is_absent, "a write counts as absent although somebody changed the object since")              \
    X(content_changes, "each write of an attempt restarts with another time")                                \
    X(intent_not_recorded, "a write begins without its intent")                                              \
    X(retry_without_end, "a step is tried once more than its plan says")                                     \
    X(fixed_without_hold, "well for a moment is fixed")                                                      \
    X(skewed_hold, "what became well while it was read has held for ever")                                   \
    X(no_data_is_quiet, "an alert whose state is not known is quiet")                                        \
    X(pending_is_quiet, "a pending alert is quiet")                                                          \
    X(cleared_after_write, "an incident that was written for ends as cleared")                               \
    X(proven_at_once, "well for a moment is proven")                                                         \
    X(proven_while_firing, "a template is proven while its alert fires")                                     \
    X(rollback_to_any, "the newest other template is put back, proven or not")                               \
    X(repeat_is_new, "a repeated alert opens an incident")                                                   \
    X(resolved_acts, "a resolved alert opens an incident")                                                   \
    X(recurrence_not_held, "a restarted Prometheus opens an incident")                                       \
    X(alert_dropped, "a new alert is forgotten while others are open")                                       \
    X(reason_lost, "a refusal has no reason")                                                                \
    X(timer_lost, "what a guard delayed is not asked again")                                                 \
    X(replay_differs, "replay takes a time from what is not in the journal")                                 \
    X(replay_decides, "replay takes what is so now for what was so then")                                    \
    X(effect_before_commit, "a write begins before its intent is durable")                                   \
    X(answer_before_commit, "an alert is answered before it is durable")                                     \
    X(fence_lost, "an expired intent is still sent")

#define MUTANT_ENUM(name, help) MUTANT_##name,
enum mutant { MUTANT_NONE, MUTANTS(MUTANT_ENUM) MUTANTS_END_ };

#ifdef HEALD_MUTANTS
extern enum mutant mutant_chosen;
#define MUTANT(name) (mutant_chosen == MUTANT_##name)
/* Is the guard of that name left out? */
bool mutant_skips(const char *guard);
#else
#define MUTANT(name) false
static inline bool mutant_skips(const char *guard)
{
    (void)guard;
    return false;
}
#endif

#endif
