/* receiver/journal/keep.h - keeping house on a journal of version 2, while another connection appends:
 * snapshots, and the removal of what is too old.
 *
 * Every function that writes is one short transaction, which an append waits for at most; nothing of it is
 * needed to be durable before a fact says so. One thread a connection. */
#ifndef RECEIVER_JOURNAL_KEEP_H
#define RECEIVER_JOURNAL_KEEP_H

#include "receiver/journal/chain.h"
#include "receiver/journal/journal.h"

#define SNAPSHOT_ROWS_MAX ((1 << 24) - 1) /* of one snapshot; more is ERR_LIMIT */
#define CHAIN_TEXT_SIZE (2 * CHAIN_SIZE + 1)

/* ---- snapshots: facts that lie beside the others, chained from the fact `of` on ---- */

/* The link of fact `of`, in which the chain of its snapshot begins. ERR_NOT_FOUND: it is not there (any
 * more).
 */
enum err_code keep_link(struct journal *j, int64_t of, unsigned char ret[CHAIN_SIZE], struct err *e);
/* Rows number `first`, first + 1, ... from 0; their seq is `of`. *link goes on from call to call. */
enum err_code keep_snapshot_add(struct journal *j, int64_t of, int64_t first, const struct journal_row *rows,
                                size_t len, unsigned char link[CHAIN_SIZE], struct err *e);
/* Hand them all to `each`, checking the chain; then say how many there were, and the last link. ERR_INVALID:
 * damaged, naming the snapshot and the row. */
enum err_code
keep_snapshot_read(struct journal *j, int64_t of,
                   enum err_code (*each)(void *ctx, const struct journal_row *row, struct err *e), void *ctx,
                   int64_t *ret_rows, unsigned char ret_link[CHAIN_SIZE], struct err *e);
/* Remove up to `max` rows of a snapshot; *ret_gone: how many went. */
enum err_code keep_snapshot_drop(struct journal *j, int64_t of, int64_t max, int64_t *ret_gone,
                                 struct err *e);
/* The first snapshot, whole or not, whose number is at least `from`; 0: none. */
int64_t keep_snapshot_next(struct journal *j, int64_t from);

/* The facts of kind "snapshot", newest first, at most `max`. */
enum err_code keep_marks(struct journal *j, int max,
                         enum err_code (*each)(void *ctx, const struct journal_row *row, struct err *e),
                         void *ctx, struct err *e);

/* ---- removal ---- */

/* The last fact that is older than `at_ms`; journal_first_seq() - 1 when there is none. */
enum err_code keep_older(struct journal *j, int64_t at_ms, int64_t *ret_seq, struct err *e);
/* Remove the first facts, at most `max` of them and none behind `up_to`, with the blobs that nobody else
 * names; the chain goes on from the last of them. *ret_gone: how many went. */
enum err_code keep_trim(struct journal *j, int64_t up_to, int64_t max, int64_t *ret_gone, struct err *e);
/* Bytes of pages in use. */
int64_t keep_bytes(struct journal *j);
/* Copy what the WAL holds into the file, as far as nobody is in the way. Waited for by nobody. */
void keep_checkpoint(struct journal *j);

/* ---- incidents: the rows of the projection (projection.h), which stay when their facts are gone ---- */

struct ended { /* a closed incident; texts are valid during the call */
    const char *id;
    int64_t opened_ms, closed_ms;
    const char *rule, *cluster, *namespace, *kind, *name, *outcome;
    int64_t writes;
    const char *reason;
};
/* The `max` that were closed last, newest first. */
enum err_code keep_ended(struct journal *j, int max, void (*each)(void *ctx, const struct ended *i),
                         void *ctx, struct err *e);
/* Of incidents whose facts are gone the newest of `most` keep their rows: up to `max` others go, with their
 * steps' rows. *ret_gone: how many went. */
enum err_code keep_forget(struct journal *j, int64_t most, int64_t max, int64_t *ret_gone, struct err *e);

void chain_text(const unsigned char link[CHAIN_SIZE], char ret[CHAIN_TEXT_SIZE]);

#endif
