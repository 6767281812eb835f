/* rules/engine/guards_internal.h - internal to the guards: each one, by file. */
#ifndef RULES_ENGINE_GUARDS_INTERNAL_H
#define RULES_ENGINE_GUARDS_INTERNAL_H

#include "rules/engine/guards.h"

#define LATER_POLL_MS 5000

/* The answer, with its reason into *r. */
enum guard_answer guard_refuse(struct refusal *r, enum guard_answer answer, int64_t again_ms, const char *fmt,
                               ...) __attribute__((format(printf, 4, 5)));

typedef enum guard_answer guard_judge(const struct guard_input *in, struct refusal *r);

/* guards_policy.c */
guard_judge guard_rule, guard_kill_switch, guard_ignore, guard_source, guard_silenced, guard_explained,
    guard_allow, guard_brake, guard_maintenance, guard_freeze;
/* guards_object.c */
guard_judge guard_fresh, guard_object, guard_foreign_write, guard_ownership, guard_rollout,
    guard_still_firing, guard_blast_radius, guard_availability;
/* guards_limit.c */
guard_judge guard_lock, guard_hold_off, guard_cooldown, guard_attempts, guard_running, guard_bulkhead;
/* guards_budget.c */
guard_judge guard_budget;
/* guards_many.c */
guard_judge guard_storm, guard_breaker, guard_shared_cause, guard_dependency;

#endif
