/* receiver/commands/explain.h - internal to heald explain: what is explained, as JSON and as text. */
#ifndef RECEIVER_COMMANDS_EXPLAIN_H
#define RECEIVER_COMMANDS_EXPLAIN_H

#include "receiver/runtime/settings.h"
#include "rules/policy/policy.h"

/* One alert's explanation as a JSON object: rules tried, target, plan; with `live` (and s) what the cluster
 * and every guard say. */
void explain_write(struct json_writer *w, const struct settings *s, const struct policy *p,
                   const struct alert *a, bool live);
/* The member "live": the object as it is, and every guard's answer by an engine without a past. */
void explain_live(struct json_writer *w, const struct settings *s, const struct policy *p,
                  const struct alert *a);
/* The same for people, on standard output. */
void explain_print(const struct json *explanation);

#endif
