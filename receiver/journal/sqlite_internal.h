/* receiver/journal/sqlite_internal.h - what sqlite_open.c and sqlite.c share. */
#ifndef RECEIVER_JOURNAL_SQLITE_INTERNAL_H
#define RECEIVER_JOURNAL_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "receiver/journal/chain.h"
#include "receiver/journal/journal.h"
#include "receiver/journal/projection.h"

enum statement { BEGIN, COMMIT, ROLLBACK, TAIL, LINK_AT, READ, ADD_FACT, ADD_BLOB, PROBE, STATEMENTS };

struct tail {
    int64_t seq, at_ms; /* 0 when empty */
    unsigned char link[CHAIN_SIZE];
};

struct journal {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct chain *chain;
    struct projection *projection;
    char *file; /* as given: for messages */
    int lock_fd;
    struct tail tail;
    bool stale; /* a batch failed and the tail could not be read since */
};

/* Read the tail; on failure the journal is stale. */
enum err_code journal_refresh(struct journal *j, struct err *e);

#endif
