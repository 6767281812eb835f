/* receiver/http/signature.h - bodies that are signed with a shared secret: HMAC-SHA256 over the raw body,
 * compared in constant time, with the time of the signature where the sender tells it.
 *
 * Grafana: X-Grafana-Alerting-Signature (or signature_header), hex, over the body; with timestamp_header over
 * "SECONDS:" and the body. Source: grafana/alerting http/hmac.go.
 *
 * GitHub: X-Hub-Signature-256, "sha256=" and hex. Generic and CloudEvents: X-Signature-256 alike, or as
 * GitLab. Source: github/docs, validating webhook deliveries.
 *
 * GitLab, and Standard Webhooks: webhook-signature, "v1," and base64 (several, separated by spaces), over
 * "ID.SECONDS." and the body, with webhook-id and webhook-timestamp; a secret "whsec_" and base64 stands for
 * the decoded bytes.
 *
 * CircleCI: circleci-signature, "v1=" and hex among others, separated by commas.
 *
 * Only the version known here is looked at, so that nobody can choose an older one. */
#ifndef RECEIVER_HTTP_SIGNATURE_H
#define RECEIVER_HTTP_SIGNATURE_H

#include "receiver/decode/event.h"
#include "receiver/runtime/file_stamp.h"
#include "receiver/runtime/settings.h"

#define SIGNATURE_AGE_MS (5ll * 60 * 1000) /* the sender's clock may differ by as much */
#define SIGNING_KEY_MAX 1024u

struct signing_key {
    const char *file; /* borrowed; NULL: none */
    bool usable, known;
    struct file_stamp seen;
    int64_t look_ms; /* monotonic: not looked at again before; the caller's */
    size_t len;
    unsigned char bytes[SIGNING_KEY_MAX];
};
/* As secret_refresh(). */
enum err_code signing_key_refresh(struct signing_key *k, struct err *e);
void signing_key_clear(struct signing_key *k); /* no trace of it stays in memory */

bool signature_of_kind(enum source_kind kind); /* does this type sign? */

enum signature_result {
    SIGNATURE_GOOD,
    SIGNATURE_ABSENT, /* the header, or one that goes with it */
    SIGNATURE_WRONG,
    SIGNATURE_OLD, /* right, and told more than SIGNATURE_AGE_MS ago (or as far in the future) */
};
struct signed_body {
    const struct headers *headers;
    const char *bytes;
    size_t len;
    int64_t now_ms; /* wall time */
};
enum signature_result signature_check(const struct source_settings *s, const struct signing_key *k,
                                      const struct signed_body *body);

/* What Grafana sent as its signature; "" when absent. */
const char *signature_text(const struct source_settings *s, const struct headers *headers);

#endif
