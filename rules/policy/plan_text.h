/* rules/policy/plan_text.h - a plan as lines that a person can read aloud, one a step. Pure. */
#ifndef RULES_POLICY_PLAN_TEXT_H
#define RULES_POLICY_PLAN_TEXT_H

#include "rules/policy/plan.h"

/* `depth` is how far the line is to be indented; `path` is the step's ("steps.0.then.1"), or "" where the
 * line is no step. Both texts are valid only during the call. */
typedef void plan_line(void *ctx, unsigned depth, const char *path, const char *text);
void plan_lines(const struct plan *p, plan_line *line, void *ctx);

/* "changed = template, match severity="critical"": what conditions ask, on one line. */
void conditions_text(struct buf *out, const struct conditions *c);
/* "rollout complete, alert quiet, for 1m within 20m" */
void verify_text(struct buf *out, const struct verify *v);

#endif
