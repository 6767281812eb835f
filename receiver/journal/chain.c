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

/* What is short goes into one piece with its neighbours: a call costs as much as some hundred bytes. */
#define SHORT_MAX 64u

static unsigned char *put_text(struct chain *c, unsigned char *begin, unsigned char *at, const char *text,
                               size_t len)
{
    at = put_number(at, len);
    if (len <= SHORT_MAX) {
        memcpy(at, text, len);
        return at + len;
    }
    gnutls_hash(c->sha, begin, (size_t)(at - begin));
    gnutls_hash(c->sha, text, len);
    return begin;
}

void chain_link(struct chain *c, const unsigned char previous[CHAIN_SIZE], const struct journal_row *row,
                const unsigned char *blob_hash, unsigned char ret[CHAIN_SIZE])
{
    unsigned char head[CHAIN_SIZE + 16 + 4 * (8 + SHORT_MAX)], *at = head;
    memcpy(at, previous, CHAIN_SIZE);
    at = put_number(put_number(at + CHAIN_SIZE, (uint64_t)row->seq), (uint64_t)row->at_ms);
    at = put_text(c, head, at, row->kind, strlen(row->kind));
    at = put_text(c, head, at, row->incident, strlen(row->incident));
    at = put_text(c, head, at, row->text, row->len);
    at = put_text(c, head, at, blob_hash ? (const char *)blob_hash : "", blob_hash ? CHAIN_SIZE : 0);
    gnutls_hash(c->sha, head, (size_t)(at - head));
    gnutls_hash_output(c->sha, ret);
}
