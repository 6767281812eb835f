/* Idempotency-Key: a POST that is sent again after its answer was lost is answered as before, and nothing is
 * done twice. The last keys are kept in memory. */
#include <stdlib.h>
#include <string.h>

#include "receiver/http/http_internal.h"

#define IDEMPOTENCY_MAX 256 /* keys kept; the oldest goes */
#define KEY_BYTES_MAX 200

struct kept {
    unsigned char key[SECRET_DIGEST_SIZE]; /* of operator, path and key; what is not used is zero */
    unsigned char body[SECRET_DIGEST_SIZE];
    char result[64]; /* answers to words are short */
};
struct idempotency {
    struct kept list[IDEMPOTENCY_MAX];
    size_t next;
};

struct idempotency *idempotency_new(void)
{
    return calloc(1, sizeof(struct idempotency));
}

static bool digests(const struct request *r, const char *key, struct kept *ret)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    buf_addf(&text, "%s\n%s %s\n%s", r->who, r->route->path, r->incident, key);
    secret_digest(ret->key, buf_text(&text), text.len);
    secret_digest(ret->body, buf_text(&r->body), r->body.len);
    return buf_ok(&text);
}

static const char *key_of(struct request *r)
{
    const char *key = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Idempotency-Key");
    if (key && (!key[0] || strlen(key) > KEY_BYTES_MAX))
        refuse(r, 400, "Idempotency-Key must have 1 to %d bytes", KEY_BYTES_MAX);
    return key;
}

bool idempotency_answered(struct request *r)
{
    struct idempotency *all = r->server->idempotency;
    struct kept asked = { .result = "" };
    const char *key = key_of(r);
    if (!key || r->refusal.status || !digests(r, key, &asked))
        return r->refusal.status != 0;
    for (size_t i = 0; i < IDEMPOTENCY_MAX; i++) {
        const struct kept *k = &all->list[i];
        if (memcmp(k->key, asked.key, sizeof k->key) != 0)
            continue;
        if (memcmp(k->body, asked.body, sizeof k->body) != 0)
            refuse(r, 422, "this Idempotency-Key was used with another body");
        else
            buf_adds(&r->result, k->result);
        return true;
    }
    return false;
}

void idempotency_keep(struct request *r)
{
    struct idempotency *all = r->server->idempotency;
    struct kept k = { .result = "" };
    const char *key = key_of(r);
    if (!key || r->refusal.status || !digests(r, key, &k) ||
        !text_copy(k.result, sizeof k.result, buf_text(&r->result)))
        return;
    all->list[all->next++ % IDEMPOTENCY_MAX] = k;
}
