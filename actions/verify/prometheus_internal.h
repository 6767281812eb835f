/* actions/verify/prometheus_internal.h - the reading of an answer, apart from the asking. Pure. */
#ifndef ACTIONS_VERIFY_PROMETHEUS_INTERNAL_H
#define ACTIONS_VERIFY_PROMETHEUS_INTERNAL_H

#include "actions/verify/prometheus.h"
#include "rules/base/json.h"

/* Fill the OBSERVE_ALERT part from the answer of /api/v1/rules (filtered by Prometheus or not). */
void prometheus_read_rules(const struct json *answer, const char *alertname, prometheus_belongs *belongs,
                           void *ctx, struct observation *ret);

#endif
