/* receiver/decode/alertmanager.h - Alertmanager's webhook body, and Grafana's, payload version 4
 * (Alertmanager 0.25 to 0.34), read as a stream. Source: prometheus/alertmanager template/template.go,
 * notify/webhook. */
#ifndef RECEIVER_DECODE_ALERTMANAGER_H
#define RECEIVER_DECODE_ALERTMANAGER_H

#include "receiver/runtime/settings.h"
#include "rules/model/alert.h"

struct alertmanager_decoder;

/* Called for each complete alert, which the callee takes over whatever it returns (the struct is moved).
 * Return other than ERR_OK to stop. */
typedef enum err_code alertmanager_each(void *ctx, struct alert *a, struct err *e);

/* limits are borrowed. Memory is bounded by limits->alert_bytes, whatever the size of the body. */
enum err_code alertmanager_new(struct alertmanager_decoder **ret, const char *source,
                               const struct limits *limits, alertmanager_each *each, void *ctx,
                               struct err *e);
/* Begin another body with the same decoder; see alertmanager_new(). */
enum err_code alertmanager_again(struct alertmanager_decoder *d, const char *source, void *ctx,
                                 struct err *e);
/* The body that begins is of Grafana's own alerting: payload version 1 (Grafana 9 to 13), which looks the
 * same otherwise; its links become the annotations dashboard_url, panel_url and silence_url. Until
 * alertmanager_again(). Source: grafana/alerting templates/template_data.go. */
void alertmanager_as_grafana(struct alertmanager_decoder *d);
/* Give back what the last body took; only alertmanager_again() and alertmanager_free() may follow. */
void alertmanager_clear(struct alertmanager_decoder *d);
/* The next bytes of the body. Unknown keys are ignored at every level; `version` may come after `alerts`;
 * labels with empty values are dropped, as Alertmanager does. Alerts are handed out before the end of the
 * body, so a mistake behind them shows too late for these: see alertmanager_end(). Errors, with the byte
 * offset and what would be right; after one the decoder says the same for ever: ERR_INVALID  not JSON, not
 * version 4, wrong types, duplicate label names, invalid UTF-8, NUL, unpaired surrogates, no labels ERR_LIMIT
 * too many labels, too long names or values, too deep; the limit is named as in heald.cfg ERR_NOMEM, and what
 * the callback returned */
enum err_code alertmanager_feed(struct alertmanager_decoder *d, const char *bytes, size_t len, struct err *e);
/* The body has ended. ERR_INVALID when it is cut, has no alerts array, or another version. *ret_truncated:
 * alerts that Alertmanager left out. */
enum err_code alertmanager_end(struct alertmanager_decoder *d, int64_t *ret_truncated, struct err *e);
/* After ERR_LIMIT: the limit's name in heald.cfg, without "limits."; else NULL. */
const char *alertmanager_limit(const struct alertmanager_decoder *d);
struct alertmanager_decoder *
alertmanager_free(struct alertmanager_decoder *d); /* NULL is fine; returns NULL */

#endif
