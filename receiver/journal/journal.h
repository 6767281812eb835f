/* receiver/journal/journal.h - the journal's contract: an append-only list of facts, durable when append says
 * ok.
 *
 * One thread (the loop) appends; replay happens before it starts. Backends: sqlite.c (embedded). The journal
 * stores text: it knows no kinds of facts, but for the tables beside them that others read (projection.h). */
#ifndef RECEIVER_JOURNAL_JOURNAL_H
#define RECEIVER_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/base/buf.h"
#include "rules/base/err.h"

#define JOURNAL_SCHEMA_VERSION 2

struct journal;

struct journal_row {
    int64_t seq;
    int64_t at_ms;
    const char *kind;
    const char *incident; /* "" none */
    const char *text;     /* JSON, terminated */
    size_t len;
    const char *blob; /* NULL none */
    size_t blob_len;
};

enum append_result {
    APPEND_OK,
    APPEND_CONFLICT, /* expected_seq is not the journal's: somebody else wrote; nothing was appended */
    APPEND_FULL,     /* disk full: nothing was appended */
    APPEND_UNKNOWN,  /* I/O error: read the tail before anything else */
};

/* Open or create. Refused with a clear error that names file and remedy: a second process on the same file
 * (ERR_CONFLICT; the lock is on FILE.lock, so that sqlite3 can still read), a network file system
 * (ERR_INVALID: nfs, cifs, smb2, 9p, fuse.sshfs, ceph, ...), a newer schema (ERR_VERSION), a file that is no
 * journal (ERR_INVALID), damage found by the hash chain at replay (ERR_INVALID, naming the first bad seq;
 * everything before it has been handed out). A journal of the release before stays readable for that one
 * until journal_finalize(). *ret_created (may be NULL): it is new. */
enum err_code journal_open(struct journal **ret, const char *file, bool *ret_created, struct err *e);
struct journal *journal_close(struct journal *j);

/* A second connection of this process to the same journal, for another thread: it reads, and keeps house
 * (keep.h); it never appends. It has the version that `other` has now. */
enum err_code journal_open_beside(struct journal **ret, const struct journal *other, struct err *e);

/* JOURNAL_SCHEMA_VERSION, or one less: then only what the release before can read may be written, and there
 * are no snapshots. journal_finalize() brings it forward; connections beside it are to be opened again. */
int journal_version(const struct journal *j);
enum err_code journal_finalize(struct journal *j, struct err *e);

int64_t journal_first_seq(const struct journal *j);  /* facts before it were removed; 1 */
int64_t journal_last_seq(const struct journal *j);   /* 0 when empty */
int64_t journal_last_at_ms(const struct journal *j); /* 0 when empty */

/* Hand every fact from `from` on (from the first one that is left, at least) to `each`, in order, checking
 * the hash chain; stops when it returns an error, and returns that. */
enum err_code journal_read(struct journal *j, int64_t from,
                           enum err_code (*each)(void *ctx, const struct journal_row *row, struct err *e),
                           void *ctx, struct err *e);

/* All rows in ONE transaction, durable on return (WAL, synchronous=FULL). rows[i].seq must be expected_seq +
 * 1 + i. `epoch` is the owner's claim (always 1 for sqlite). Blobs are stored by SHA-256, once. On anything
 * but APPEND_OK nothing of the batch may be taken for written, *e says why. */
enum append_result journal_append(struct journal *j, int64_t epoch, int64_t expected_seq,
                                  const struct journal_row *rows, size_t len, struct err *e);

/* Writable? A cheap test for /ready after APPEND_FULL or APPEND_UNKNOWN: ERR_OK once a write transaction can
 * commit again. */
enum err_code journal_probe(struct journal *j, struct err *e);

#endif
