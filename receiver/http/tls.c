/* receiver/http/tls.c */
#include "receiver/http/tls.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/runtime/file_stamp.h"
#include "receiver/runtime/policy_file.h"
#include "rules/base/buf.h"

#define HASH_BYTES_MAX 64 /* of any digest */

struct pair {
    struct pair *older;
    int64_t replaced_ms;
    gnutls_pcert_st chain[TLS_CHAIN_MAX];
    unsigned len;
    gnutls_privkey_t key;
};
struct tls {
    const char *files[2];
    struct file_stamp seen[2];
    struct pair *current;
};

static struct pair *pair_free(struct pair *p)
{
    if (!p)
        return NULL;
    for (unsigned i = 0; i < p->len; i++)
        gnutls_pcert_deinit(&p->chain[i]);
    if (p->key)
        gnutls_privkey_deinit(p->key);
    free(p);
    return NULL;
}

static void wipe(struct buf *b)
{
    if (b->ptr)
        gnutls_memset(b->ptr, 0, b->cap);
    buf_release(b);
}

static enum err_code read_chain(struct pair *p, const char *file, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    enum err_code code = file_read(&text, file, TLS_FILE_MAX, e);
    if (code)
        return code;
    gnutls_datum_t pem = { .data = (unsigned char *)text.ptr, .size = (unsigned)text.len };
    unsigned len = TLS_CHAIN_MAX;
    int result = text.len ? gnutls_pcert_list_import_x509_raw(p->chain, &len, &pem, GNUTLS_X509_FMT_PEM, 0)
                          : GNUTLS_E_BASE64_DECODING_ERROR;
    if (result < 0)
        return err_set(e, ERR_INVALID, "%s: no certificate chain in PEM: %s", file, gnutls_strerror(result));
    p->len = len;
    return ERR_OK;
}

static enum err_code read_key(struct pair *p, const char *file, struct err *e)
{
    CLEANUP(wipe) struct buf text = BUF_INIT;
    enum err_code code = file_read(&text, file, TLS_FILE_MAX, e);
    if (code)
        return code;
    gnutls_datum_t pem = { .data = (unsigned char *)text.ptr, .size = (unsigned)text.len };
    int result = gnutls_privkey_init(&p->key);
    if (result == 0)
        result = text.len ? gnutls_privkey_import_x509_raw(p->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0)
                          : GNUTLS_E_BASE64_DECODING_ERROR;
    if (result < 0)
        return err_set(e, ERR_INVALID, "%s: no private key in PEM: %s", file, gnutls_strerror(result));
    return ERR_OK;
}

/* The certificate's public key against the private key's. */
static enum err_code check_fit(const struct pair *p, const char *certificate_file, const char *key_file,
                               struct err *e)
{
    unsigned char ids[2][HASH_BYTES_MAX];
    size_t sizes[2] = { sizeof ids[0], sizeof ids[1] };
    gnutls_pubkey_t of_key = NULL;
    int result = gnutls_pubkey_init(&of_key);
    if (result == 0)
        result = gnutls_pubkey_import_privkey(of_key, p->key, 0, 0);
    if (result == 0)
        result = gnutls_pubkey_get_key_id(of_key, GNUTLS_KEYID_USE_SHA256, ids[0], &sizes[0]);
    if (result == 0)
        result = gnutls_pubkey_get_key_id(p->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, ids[1], &sizes[1]);
    if (of_key)
        gnutls_pubkey_deinit(of_key);
    if (result < 0)
        return err_set(e, ERR_INVALID, "%s: %s", key_file, gnutls_strerror(result));
    if (sizes[0] != sizes[1] || memcmp(ids[0], ids[1], sizes[0]) != 0)
        return err_set(e, ERR_INVALID, "%s: this key does not belong to the first certificate in %s",
                       key_file, certificate_file);
    return ERR_OK;
}

static enum err_code pair_read(struct pair **ret, const char *certificate_file, const char *key_file,
                               struct err *e)
{
    struct pair *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for a certificate");
    enum err_code code = read_chain(p, certificate_file, e);
    if (!code)
        code = read_key(p, key_file, e);
    if (!code)
        code = check_fit(p, certificate_file, key_file, e);
    if (code)
        pair_free(p);
    else
        *ret = p;
    return code;
}

enum err_code tls_check(const char *certificate_file, const char *key_file, struct err *e)
{
    struct pair *p = NULL;
    enum err_code code = pair_read(&p, certificate_file, key_file, e);
    pair_free(p);
    return code;
}

static void look(const struct tls *t, struct file_stamp ret[2])
{
    for (int i = 0; i < 2; i++)
        ret[i] = file_stamp(t->files[i]);
}

enum err_code tls_new(struct tls **ret, const char *certificate_file, const char *key_file, struct err *e)
{
    struct tls *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(e, ERR_NOMEM, "no memory for a certificate");
    t->files[0] = certificate_file;
    t->files[1] = key_file;
    look(t, t->seen);
    enum err_code code = pair_read(&t->current, certificate_file, key_file, e);
    if (code) {
        free(t);
        return code;
    }
    *ret = t;
    return ERR_OK;
}

struct tls *tls_free(struct tls *t)
{
    while (t && t->current) {
        struct pair *p = t->current;
        t->current = p->older;
        pair_free(p);
    }
    free(t);
    return NULL;
}

void tls_current(struct tls *t, gnutls_pcert_st **ret_chain, unsigned *ret_len, gnutls_privkey_t *ret_key)
{
    *ret_chain = t->current->chain;
    *ret_len = t->current->len;
    *ret_key = t->current->key;
}

static void drop_old(struct tls *t, int64_t now_ms, int64_t keep_ms)
{
    for (struct pair **at = &t->current->older; *at;) {
        struct pair *p = *at;
        if (now_ms - p->replaced_ms > keep_ms) {
            *at = p->older;
            pair_free(p);
        } else {
            at = &p->older;
        }
    }
}

enum err_code tls_refresh(struct tls *t, int64_t now_ms, int64_t keep_ms, bool *ret_changed, struct err *e)
{
    struct file_stamp now[2];
    struct pair *next = NULL;
    *ret_changed = false;
    drop_old(t, now_ms, keep_ms);
    look(t, now);
    if (file_stamp_same(&now[0], &t->seen[0]) && file_stamp_same(&now[1], &t->seen[1]))
        return ERR_OK;
    memcpy(t->seen, now, sizeof now);
    enum err_code code = pair_read(&next, t->files[0], t->files[1], e);
    if (code || !next)
        return code;
    t->current->replaced_ms = now_ms;
    next->older = t->current;
    t->current = next;
    *ret_changed = true;
    return ERR_OK;
}
