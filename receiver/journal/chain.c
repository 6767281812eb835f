/* receiver/journal/chain.c */
#include "receiver/journal/chain.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

struct chain {
    gnutls_hash_hd_t sha;
};

enum err_code chain_new(struct chain **ret, struct err *e)
{
    struct chain *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(e, ERR_NOMEM, "no memory for the journal's hash");
    int rc = gnutls_hash_init(&c->sha, GNUTLS_DIG_SHA256);
    if (rc < 0) {
        free(c);
        return err_set(e, ERR_NOMEM, "cannot begin a SHA-256: %s", gnutls_strerror(rc));
    }
    *ret = c;
    return ERR_OK;
}

struct chain *chain_free(struct chain *c)
{
    if (c)
        gnutls_hash_deinit(c->sha, NULL);
    free(c);
    return NULL;
}

void chain_hash(struct chain *c, const void *bytes, size_t len, unsigned char ret[CHAIN_SIZE])
{
    gnutls_hash(c->sha, bytes, len);
    gnutls_hash_output(c->sha, ret); /* and begins anew */
}

static unsigned char *put_number(unsigned char *at, uint64_t n)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (unsigned char)(n >> shift);
    return at;
}

static void add_text(struct chain *c, const char *text, size_t len)
{
    unsigned char head[8];
    put_number(head, len);
    gnutls_hash(c->sha, head, sizeof head);
    gnutls_hash(c->sha, text, len);
}

void chain_link(struct chain *c, const unsigned char previous[CHAIN_SIZE], const struct journal_row *row,
                const unsigned char *blob_hash, unsigned char ret[CHAIN_SIZE])
{
    unsigned char head[CHAIN_SIZE + 16];
    memcpy(head, previous, CHAIN_SIZE);
    put_number(put_number(head + CHAIN_SIZE, (uint64_t)row->seq), (uint64_t)row->at_ms);
    gnutls_hash(c->sha, head, sizeof head);
    add_text(c, row->kind, strlen(row->kind));
    add_text(c, row->incident, strlen(row->incident));
    add_text(c, row->text, row->len);
    add_text(c, (const char *)blob_hash, blob_hash ? CHAIN_SIZE : 0);
    gnutls_hash_output(c->sha, ret);
}
