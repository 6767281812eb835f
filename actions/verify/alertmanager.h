/* actions/verify/alertmanager.h - asking Alertmanager whether an alert is silenced, and whether it is still
 * known there. Source: Alertmanager API v2, GET /api/v2/alerts; it answers with alerts that are not resolved.
 */
#ifndef ACTIONS_VERIFY_ALERTMANAGER_H
#define ACTIONS_VERIFY_ALERTMANAGER_H

#include "actions/verify/prometheus.h"
#include "rules/base/json.h"

#define ALERTMANAGER_ANSWER_MAX (8u << 20) /* bytes of its answer: some 8,000 alerts of one name */

/* Ask for the alerts of that name, and fill the OBSERVE_SILENCED part of *ret from those that belong to the
 * target: SILENCED when all are suppressed (silenced, inhibited, muted), ABSENT when there is none, UNKNOWN,
 * with silenced_text, when it cannot be asked. Never fails. */
void alertmanager_ask(const struct remote *a, struct http *h, const char *alertname,
                      prometheus_belongs *belongs, void *ctx, struct observation *ret);

/* The reading of an answer, apart from the asking. Pure. */
void alertmanager_read(const struct json *answer, prometheus_belongs *belongs, void *ctx,
                       struct observation *ret);

#endif
