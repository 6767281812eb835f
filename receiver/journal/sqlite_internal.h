/* receiver/journal/sqlite_internal.h - what sqlite_open.c and sqlite.c share. */
#ifndef RECEIVER_JOURNAL_SQLITE_INTERNAL_H
#define RECEIVER_JOURNAL_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "receiver/journal/chain.h"
#include "receiver/journal/journal.h"
#include "receiver/journal/projection.h"

#include <pthread.h>

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    TAIL,
    LINK_AT,
    READ,
    ADD_FACT,
    ADD_BLOB,
    PROBE,
    ENDED,
    /* from version 2 on */
    TRIMMED,
    AT,
    MARKS,
    SNAPSHOT_ADD,
    SNAPSHOT_READ,
    SNAPSHOT_DROP,
    SNAPSHOTS,
    TRIM_LINK,
    TRIM_BLOBS,
    TRIM_FACTS,
    TRIM_META,
    FORGET_STEPS,
    FORGET,
    BYTES,
    STATEMENTS
};
#define STATEMENTS_1 TRIMMED /* the first that a journal of version 1 does not have */

struct tail {
    int64_t seq, at_ms; /* 0 when empty */
    unsigned char link[CHAIN_SIZE];
};

struct writers { /* the connections of this process to one journal: one of them writes at a time */
    pthread_mutex_t lock;
    unsigned users; /* guarded by it */
};

struct journal {
    sqlite3 *db;
    struct writers *writers;
    int version; /* of its schema */
    char *path;  /* real */
    sqlite3_stmt *statements[STATEMENTS];
    struct chain *chain;
    struct projection *projection;
    char *file; /* as given: for messages */
    int lock_fd;
    struct tail tail;
    bool stale;      /* a batch failed and the tail could not be read since */
    int64_t trimmed; /* facts up to this one are gone */
    unsigned char trimmed_link[CHAIN_SIZE];
};

int journal_run(struct journal *j, enum statement which);
void journal_roll_back(struct journal *j);
/* CHAIN_SIZE bytes of a column; false: it holds something else. */
bool journal_take_link(sqlite3_stmt *s, int column, unsigned char ret[CHAIN_SIZE]);
enum err_code journal_damaged(const struct journal *j, int64_t seq, const char *why, struct err *e);
enum err_code journal_prepare(struct journal *j, struct err *e);

/* Read the tail; on failure the journal is stale. */
enum err_code journal_refresh(struct journal *j, struct err *e);

#endif
