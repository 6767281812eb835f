/* receiver/journal/chain.h - the hash chain over facts: whoever changes, drops or swaps one breaks every link
 * after it.
 *
 *     link = SHA-256(previous link, seq, at_ms, kind, incident, body, blob's SHA-256)
 *
 * Numbers are 8 bytes, big-endian; texts are preceded by their length as such a number; a fact without a blob
 * has 0 bytes there. The link before the first fact is 32 zero bytes. */
#ifndef RECEIVER_JOURNAL_CHAIN_H
#define RECEIVER_JOURNAL_CHAIN_H

#include <stddef.h>

#include "receiver/journal/journal.h"

#define CHAIN_SIZE 32u

struct chain; /* a hash state that is used again and again; one thread */
enum err_code chain_new(struct chain **ret, struct err *e);
struct chain *chain_free(struct chain *c);

/* SHA-256 of any bytes. */
void chain_hash(struct chain *c, const void *bytes, size_t len, unsigned char ret[CHAIN_SIZE]);
/* The link of `row`, whose blob has the given hash (NULL: none). `ret` may be `previous`. */
void chain_link(struct chain *c, const unsigned char previous[CHAIN_SIZE], const struct journal_row *row,
                const unsigned char *blob_hash, unsigned char ret[CHAIN_SIZE]);

#endif
