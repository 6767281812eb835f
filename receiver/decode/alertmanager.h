/* receiver/decode/alertmanager.h - Alertmanager's webhook body, payload version 4 (Alertmanager 0.25 to 0.34), read as a stream.
 * Source: prometheus/alertmanager template/template.go, notify/webhook. */
#ifndef RECEIVER_DECODE_ALERTMANAGER_H
#define RECEIVER_DECODE_ALERTMANAGER_H

#include "receiver/runtime/settings.h"
#include "rules/model/alert.h"

struct alertmanager_decoder;

/* Called for each complete alert, which the callee takes over (the struct is moved; do not release it). Return other than ERR_OK to stop. */
typedef enum err_code alertmanager_each(void *ctx, struct alert *a, struct err *e);

enum err_code alertmanager_new(struct alertmanager_decoder **ret, const char *source, const struct limits *limits, alertmanager_each *each, void *ctx, struct err *e);
/* The next bytes of the body. Errors, with the byte offset and what would be right:
 *   ERR_INVALID  not JSON, not version 4, wrong types, duplicate label names, invalid UTF-8, NUL, no labels
 *   ERR_LIMIT    too many labels, too long names or values, too deep; the limit is named */
enum err_code alertmanager_feed(struct alertmanager_decoder *d, const char *bytes, size_t len, struct err *e);
/* The body has ended. ERR_INVALID when it is cut, has no alerts array, or another version. *ret_truncated: alerts that Alertmanager left out. */
enum err_code alertmanager_end(struct alertmanager_decoder *d, int64_t *ret_truncated, struct err *e);
struct alertmanager_decoder *alertmanager_free(struct alertmanager_decoder *d);

#endif
