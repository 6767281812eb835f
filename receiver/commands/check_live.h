/* receiver/commands/check_live.h - does the policy fit the alerts that Prometheus really has? */
#ifndef RECEIVER_COMMANDS_CHECK_LIVE_H
#define RECEIVER_COMMANDS_CHECK_LIVE_H

#include "receiver/runtime/settings.h"
#include "rules/base/json.h"
#include "rules/policy/policy.h"

/* Ask the Prometheus of heald.cfg, and append what is found: `within` that is over before an alert of the
 * rule can be quiet (short-within; an error where the rule names its alerts), a rule that no alert of
 * Prometheus can reach (unknown-alert). ERR_INVALID: none is configured; else as prometheus_rules(). */
enum err_code check_live(struct config_problems *ret, const char *policy_file, const struct policy *p,
                         const struct settings *s, struct err *e);
/* The same with the answer of /api/v1/rules. Rules that hear other sources than Alertmanagers are left out.
 */
void check_timing(struct config_problems *ret, const char *policy_file, const struct policy *p,
                  const struct settings *s, const struct json_doc *rules);

#endif
