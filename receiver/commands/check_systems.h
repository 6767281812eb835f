/* receiver/commands/check_systems.h - does heald.cfg name what the policy asks? */
#ifndef RECEIVER_COMMANDS_CHECK_SYSTEMS_H
#define RECEIVER_COMMANDS_CHECK_SYSTEMS_H

#include "receiver/runtime/settings.h"
#include "rules/policy/policy.h"

/* Append a line for each question of the policy that can have no data: PromQL without `prometheus`, LogQL
 * without `loki`, a URL that is not below one of `probe_hosts`. Of a URL that is filled in, scheme, host and
 * port are judged. Returns how many. */
size_t check_systems(struct buf *ret, const char *policy_file, const struct policy *p,
                     const struct settings *s);

#endif
