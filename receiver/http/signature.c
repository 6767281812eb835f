/* receiver/http/signature.c */
#include "receiver/http/signature.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/http/secret.h"

#define MAC_SIZE 32u
#define WHSEC "whsec_"

/* ---- keys ---- */

static enum err_code take_key(struct signing_key *k, const char *text, size_t len, struct err *e)
{
    gnutls_datum_t decoded = { .data = NULL };
    bool coded = len > strlen(WHSEC) && memcmp(text, WHSEC, strlen(WHSEC)) == 0;
    gnutls_datum_t plain = { .data = (unsigned char *)(uintptr_t)text + (coded ? strlen(WHSEC) : 0),
                             .size = (unsigned)(len - (coded ? strlen(WHSEC) : 0)) };
    if (coded && gnutls_base64_decode2(&plain, &decoded) != 0)
        return err_set(e, ERR_INVALID, "%s: what stands behind \"" WHSEC "\" is not base64", k->file);
    const gnutls_datum_t *key = coded ? &decoded : &plain;
    enum err_code code =
        key->size > SIGNING_KEY_MAX || !key->size
            ? err_set(e, ERR_LIMIT, "%s: a secret has 1 to %u bytes", k->file, SIGNING_KEY_MAX)
            : ERR_OK;
    if (!code) {
        memcpy(k->bytes, key->data, key->size);
        k->len = key->size;
    }
    if (decoded.data)
        gnutls_memset(decoded.data, 0, decoded.size);
    gnutls_free(decoded.data);
    return code;
}

enum err_code signing_key_refresh(struct signing_key *k, struct err *e)
{
    struct file_stamp now = file_stamp(k->file);
    if (k->known && file_stamp_same(&k->seen, &now))
        return ERR_OK;
    k->seen = now;
    k->known = true;
    k->usable = false;
    char text[SECRET_FILE_MAX];
    size_t len = 0;
    enum err_code code = secret_key(text, &len, k->file, e);
    if (!code)
        code = take_key(k, text, len, e);
    k->usable = !code;
    gnutls_memset(text, 0, sizeof text);
    return code;
}

void signing_key_clear(struct signing_key *k)
{
    gnutls_memset(k->bytes, 0, sizeof k->bytes);
    k->usable = k->known = false;
    k->len = 0;
}

/* ---- signatures ---- */

struct hmac {
    gnutls_hmac_hd_t handle;
    bool ok;
};

static void add(struct hmac *h, const char *bytes, size_t len)
{
    h->ok = h->ok && gnutls_hmac(h->handle, bytes, len) == 0;
}

/* HMAC over `first`, `second` (each with its separator behind it, when there is one) and the body. */
static bool mac_of(unsigned char ret[MAC_SIZE], const struct signing_key *k, const char *first,
                   const char *second, const char *separator, const struct signed_body *body)
{
    struct hmac h = { .ok = true };
    if (!k->usable || gnutls_hmac_init(&h.handle, GNUTLS_MAC_SHA256, k->bytes, k->len) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        const char *text = i ? second : first;
        if (!text)
            continue;
        add(&h, text, strlen(text));
        add(&h, separator, strlen(separator));
    }
    add(&h, body->bytes, body->len);
    gnutls_hmac_deinit(h.handle, ret);
    return h.ok;
}

/* 64 digits of hex; how long it takes does not depend on which of them differ. */
static bool is_hex_of(const char *text, size_t len, const unsigned char mac[MAC_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char wanted[2 * MAC_SIZE];
    for (size_t i = 0; i < MAC_SIZE; i++) {
        wanted[2 * i] = digits[mac[i] >> 4];
        wanted[2 * i + 1] = digits[mac[i] & 15];
    }
    return len == sizeof wanted && gnutls_memcmp(text, wanted, sizeof wanted) == 0;
}

static bool is_base64_of(const char *text, size_t len, const unsigned char mac[MAC_SIZE])
{
    gnutls_datum_t plain = { .data = (unsigned char *)(uintptr_t)mac, .size = MAC_SIZE },
                   coded = { .data = NULL };
    if (gnutls_base64_encode2(&plain, &coded) != 0)
        return false;
    bool same = len == coded.size && gnutls_memcmp(text, coded.data, len) == 0;
    gnutls_free(coded.data);
    return same;
}

/* One of the signatures in a list, that begin with `version`. */
static bool one_is(const char *list, const char *separators, const char *version,
                   const unsigned char mac[MAC_SIZE],
                   bool (*is)(const char *text, size_t len, const unsigned char mac[MAC_SIZE]))
{
    bool found = false;
    for (const char *p = list + strspn(list, separators); *p; p += strspn(p, separators)) {
        size_t len = strcspn(p, separators), skip = strlen(version);
        if (len > skip && strncmp(p, version, skip) == 0)
            found |= is(p + skip, len - skip, mac);
        p += len;
    }
    return found;
}

static bool is_fresh(const char *seconds, int64_t now_ms)
{
    char *end = NULL;
    long long s = strtoll(seconds, &end, 10);
    if (*seconds < '0' || *seconds > '9' || *end || s > INT64_MAX / 2000)
        return false;
    int64_t age = now_ms - (int64_t)s * 1000;
    return age <= SIGNATURE_AGE_MS && age >= -SIGNATURE_AGE_MS;
}

static enum signature_result judged(bool good, const char *seconds, int64_t now_ms)
{
    return !good ? SIGNATURE_WRONG : seconds && !is_fresh(seconds, now_ms) ? SIGNATURE_OLD : SIGNATURE_GOOD;
}

static enum signature_result check_plain(const struct signing_key *k, const struct signed_body *b,
                                         const char *given, const char *separators, const char *version)
{
    unsigned char mac[MAC_SIZE];
    if (!*given)
        return SIGNATURE_ABSENT;
    return judged(mac_of(mac, k, NULL, NULL, "", b) && one_is(given, separators, version, mac, is_hex_of),
                  NULL, 0);
}

const char *signature_text(const struct source_settings *s, const struct headers *headers)
{
    return headers_get(headers, s->signature_header ? s->signature_header : "X-Grafana-Alerting-Signature");
}

static enum signature_result check_grafana(const struct source_settings *s, const struct signing_key *k,
                                           const struct signed_body *b)
{
    const char *given = signature_text(s, b->headers);
    const char *time = s->timestamp_header ? headers_get(b->headers, s->timestamp_header) : NULL;
    unsigned char mac[MAC_SIZE];
    if (!*given || (time && !*time))
        return SIGNATURE_ABSENT;
    return judged(mac_of(mac, k, time, NULL, ":", b) && is_hex_of(given, strlen(given), mac), time,
                  b->now_ms);
}

/* Standard Webhooks. */
static enum signature_result check_webhook(const struct signing_key *k, const struct signed_body *b)
{
    const char *given = headers_get(b->headers, "webhook-signature");
    const char *id = headers_get(b->headers, "webhook-id"),
               *time = headers_get(b->headers, "webhook-timestamp");
    unsigned char mac[MAC_SIZE];
    if (!*given || !*id || !*time)
        return SIGNATURE_ABSENT;
    return judged(mac_of(mac, k, id, time, ".", b) && one_is(given, " ", "v1,", mac, is_base64_of), time,
                  b->now_ms);
}

bool signature_of_kind(enum source_kind kind)
{
    return kind == SOURCE_GRAFANA || kind == SOURCE_GITHUB || kind == SOURCE_GITLAB ||
           kind == SOURCE_CIRCLECI || kind == SOURCE_CLOUDEVENTS || kind == SOURCE_GENERIC;
}

enum signature_result signature_check(const struct source_settings *s, const struct signing_key *k,
                                      const struct signed_body *b)
{
    switch (s->scope.kind) {
    case SOURCE_GRAFANA:
        return check_grafana(s, k, b);
    case SOURCE_GITHUB:
        return check_plain(k, b, headers_get(b->headers, "X-Hub-Signature-256"), " ", "sha256=");
    case SOURCE_CIRCLECI:
        return check_plain(k, b, headers_get(b->headers, "circleci-signature"), ", ", "v1=");
    case SOURCE_GITLAB:
        return check_webhook(k, b);
    case SOURCE_CLOUDEVENTS:
    case SOURCE_GENERIC:
        if (*headers_get(b->headers, "webhook-signature"))
            return check_webhook(k, b);
        return check_plain(k, b, headers_get(b->headers, "X-Signature-256"), " ", "sha256=");
    default:
        return SIGNATURE_ABSENT;
    }
}
