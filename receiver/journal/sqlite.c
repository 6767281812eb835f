/* receiver/journal/sqlite.c - the journal in SQLite: WAL, synchronous=FULL, one transaction a batch.
 *
 * After any failure the transaction is rolled back and the tail is read again before the next batch, so that
 * the connection stays usable. */
#include <assert.h>
#include <string.h>

#include "receiver/journal/schema.h"
#include "receiver/journal/sqlite_internal.h"
#include "receiver/runtime/fault.h"

int journal_run(struct journal *j, enum statement which)
{
    int rc = sqlite3_step(j->statements[which]);
    sqlite3_reset(j->statements[which]);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

bool journal_take_link(sqlite3_stmt *s, int column, unsigned char ret[CHAIN_SIZE])
{
    const void *link = sqlite3_column_blob(s, column);
    if (!link || sqlite3_column_bytes(s, column) != CHAIN_SIZE)
        return false;
    memcpy(ret, link, CHAIN_SIZE);
    return true;
}

/* What was removed, and where the chain goes on. */
static int read_trimmed(struct journal *j)
{
    if (j->version < 2)
        return SQLITE_OK;
    sqlite3_stmt *s = j->statements[TRIMMED];
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        j->trimmed = sqlite3_column_int64(s, 0);
        journal_take_link(s, 1, j->trimmed_link);
    }
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A damaged page may show a row that no batch ever wrote: *ret is then the tail with seq -1. */
static int read_tail(struct journal *j, struct tail *ret)
{
    struct tail t = { .seq = 0 };
    sqlite3_stmt *s = j->statements[TAIL];
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        t.seq = sqlite3_column_int64(s, 0);
        t.at_ms = sqlite3_column_int64(s, 1);
        journal_take_link(s, 2, t.link); /* one of another length is found by journal_read */
        if (t.seq < 1)
            t.seq = -1;
    }
    sqlite3_reset(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    *ret = t;
    return SQLITE_OK;
}

enum err_code journal_damaged(const struct journal *j, int64_t seq, const char *why, struct err *e)
{
    return err_set(
        e, ERR_INVALID,
        "journal \"%s\" is damaged at fact %lld: %s; restore a backup, or move the file away to begin anew",
        j->file, (long long)seq, why);
}

enum err_code journal_refresh(struct journal *j, struct err *e)
{
    struct tail t = { .seq = -1 };
    j->stale = true;
    if (read_trimmed(j) != SQLITE_OK || read_tail(j, &t) != SQLITE_OK)
        return schema_error(j->db, j->file, "cannot read its last fact", e);
    if (t.seq < 0)
        return journal_damaged(j, j->tail.seq + 1, "the last row has no number", e);
    j->tail = t;
    j->stale = false;
    return ERR_OK;
}

int64_t journal_last_seq(const struct journal *j)
{
    return j->tail.seq;
}

int64_t journal_first_seq(const struct journal *j)
{
    return j->trimmed + 1;
}

int64_t journal_last_at_ms(const struct journal *j)
{
    return j->tail.at_ms;
}

/* ---- appending ---- */

void journal_roll_back(struct journal *j)
{
    if (!sqlite3_get_autocommit(j->db))
        journal_run(j, ROLLBACK);
}

/* Say what went wrong, then make the connection usable again. */
static enum append_result append_failed(struct journal *j, const char *what, struct err *e)
{
    enum err_code code = schema_error(j->db, j->file, what, e);
    journal_roll_back(j);
    journal_refresh(j, NULL);
    return code == ERR_FULL ? APPEND_FULL : code == ERR_CONFLICT ? APPEND_CONFLICT : APPEND_UNKNOWN;
}

static enum append_result append_conflict(struct journal *j, int64_t expected_seq, struct err *e)
{
    journal_roll_back(j);
    journal_refresh(j, NULL);
    err_set(e, ERR_CONFLICT,
            "journal \"%s\": its last fact is %lld where %lld was expected: somebody else wrote to it",
            j->file, (long long)j->tail.seq, (long long)expected_seq);
    return APPEND_CONFLICT;
}

static int add_blob(struct journal *j, const struct journal_row *row, unsigned char ret_hash[CHAIN_SIZE])
{
    sqlite3_stmt *s = j->statements[ADD_BLOB];
    chain_hash(j->chain, row->blob, row->blob_len, ret_hash);
    sqlite3_bind_blob(s, 1, ret_hash, CHAIN_SIZE, SQLITE_STATIC);
    sqlite3_bind_blob64(s, 2, row->blob, row->blob_len, SQLITE_STATIC);
    return journal_run(j, ADD_BLOB);
}

static int add_row(struct journal *j, const struct journal_row *row, struct tail *tail)
{
    unsigned char hash[CHAIN_SIZE];
    sqlite3_stmt *s = j->statements[ADD_FACT];
    int rc = row->blob ? add_blob(j, row, hash) : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    chain_link(j->chain, tail->link, row, row->blob ? hash : NULL, tail->link);
    tail->seq = row->seq;
    tail->at_ms = row->at_ms;
    sqlite3_bind_int64(s, 1, row->seq);
    sqlite3_bind_int64(s, 2, row->at_ms);
    sqlite3_bind_text(s, 3, row->kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, row->incident, -1, SQLITE_STATIC);
    sqlite3_bind_text64(s, 5, row->text, row->len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_blob(s, 6, row->blob ? hash : NULL, row->blob ? (int)CHAIN_SIZE : 0, SQLITE_STATIC);
    sqlite3_bind_blob(s, 7, tail->link, CHAIN_SIZE, SQLITE_STATIC);
    rc = journal_run(j, ADD_FACT);
    return rc == SQLITE_OK ? projection_add(j->projection, row) : rc;
}

/* Bound texts are the caller's: forget them before they go. */
static void forget_bindings(struct journal *j)
{
    sqlite3_clear_bindings(j->statements[ADD_FACT]);
    sqlite3_clear_bindings(j->statements[ADD_BLOB]);
}

static int add_rows(struct journal *j, const struct journal_row *rows, size_t len, struct tail *tail)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < len; i++) {
        assert(rows[i].seq == tail->seq + 1);
        rc = add_row(j, &rows[i], tail);
    }
    forget_bindings(j);
    return rc;
}

static enum append_result injected(struct journal *j, enum append_result result, struct err *e)
{
    journal_roll_back(j);
    journal_refresh(j, NULL);
    err_set(e, result == APPEND_FULL ? ERR_FULL : ERR_UNKNOWN,
            "journal \"%s\": cannot append: injected fault", j->file);
    return result;
}

static enum append_result append(struct journal *j, int64_t expected_seq, const struct journal_row *rows,
                                 size_t len, struct err *e)
{
    struct tail tail = { .seq = -1 };
    if (j->stale && journal_refresh(j, e) != ERR_OK)
        return APPEND_UNKNOWN;
    if (expected_seq != j->tail.seq)
        return append_conflict(j, expected_seq, e);
    if (len == 0)
        return APPEND_OK;
    if (journal_run(j, BEGIN) != SQLITE_OK || read_tail(j, &tail) != SQLITE_OK)
        return append_failed(j, "cannot begin a batch", e);
    if (tail.seq != j->tail.seq || memcmp(tail.link, j->tail.link, CHAIN_SIZE) != 0)
        return append_conflict(j, expected_seq, e);
    if (add_rows(j, rows, len, &tail) != SQLITE_OK)
        return append_failed(j, "cannot append", e);
    if (fault_fails("journal-append"))
        return injected(j, APPEND_FULL, e);
    if (journal_run(j, COMMIT) != SQLITE_OK)
        return append_failed(j, "cannot commit", e);
    if (fault_fails("journal-unknown"))
        return injected(j, APPEND_UNKNOWN, e);
    j->tail = tail;
    return APPEND_OK;
}

enum append_result journal_append(struct journal *j, int64_t epoch, int64_t expected_seq,
                                  const struct journal_row *rows, size_t len, struct err *e)
{
    assert(epoch == 1); /* the lock makes this process the only owner there is */
    (void)epoch;
    pthread_mutex_lock(&j->writers->lock);
    enum append_result r = append(j, expected_seq, rows, len, e);
    pthread_mutex_unlock(&j->writers->lock);
    return r;
}

static enum err_code probe(struct journal *j, struct err *e)
{
    enum err_code code = j->stale ? journal_refresh(j, e) : ERR_OK;
    if (code != ERR_OK)
        return code;
    if (fault_fails("journal-append"))
        return err_set(e, ERR_FULL, "journal \"%s\": cannot append: injected fault", j->file);
    if (journal_run(j, BEGIN) == SQLITE_OK && journal_run(j, PROBE) == SQLITE_OK &&
        journal_run(j, COMMIT) == SQLITE_OK)
        return ERR_OK;
    code = schema_error(j->db, j->file, "cannot write", e);
    journal_roll_back(j);
    return code;
}

enum err_code journal_probe(struct journal *j, struct err *e)
{
    pthread_mutex_lock(&j->writers->lock);
    enum err_code code = probe(j, e);
    pthread_mutex_unlock(&j->writers->lock);
    return code;
}

/* ---- reading ---- */

/* The link before fact `from`; NULL, or why there is none. */
static const char *link_before(struct journal *j, int64_t from, unsigned char ret[CHAIN_SIZE])
{
    memset(ret, 0, CHAIN_SIZE);
    if (from - 1 == j->trimmed)
        memcpy(ret, j->trimmed_link, CHAIN_SIZE);
    if (from <= 1 || from - 1 == j->trimmed)
        return NULL;
    sqlite3_stmt *s = j->statements[LINK_AT];
    sqlite3_bind_int64(s, 1, from - 1);
    bool found = sqlite3_step(s) == SQLITE_ROW && journal_take_link(s, 0, ret);
    sqlite3_reset(s);
    return found ? NULL : "the fact before it is missing";
}

/* Take the row under `s`, and check it against everything that it hangs on. NULL, or what is wrong. */
static const char *take_row(struct journal *j, sqlite3_stmt *s, unsigned char link[CHAIN_SIZE],
                            struct journal_row *ret)
{
    unsigned char stored[CHAIN_SIZE], named[CHAIN_SIZE], hash[CHAIN_SIZE];
    struct journal_row row = { .seq = sqlite3_column_int64(s, 0), .at_ms = sqlite3_column_int64(s, 1) };
    row.kind = (const char *)sqlite3_column_text(s, 2);
    row.incident = (const char *)sqlite3_column_text(s, 3);
    row.text = (const char *)sqlite3_column_text(s, 4);
    row.len = (size_t)sqlite3_column_bytes(s, 4);
    bool has_blob = sqlite3_column_type(s, 6) != SQLITE_NULL;
    if (!row.kind || !row.incident || !row.text || !journal_take_link(s, 5, stored) ||
        (has_blob && !journal_take_link(s, 6, named)))
        return "a column is missing";
    chain_link(j->chain, link, &row, has_blob ? named : NULL, link);
    if (memcmp(link, stored, CHAIN_SIZE) != 0)
        return "its hash does not follow from its content and the fact before it";
    if (has_blob) {
        const char *blob = sqlite3_column_blob(s, 7);
        row.blob_len = (size_t)sqlite3_column_bytes(s, 7);
        row.blob = blob ? blob : ""; /* SQLite gives NULL for an empty one */
        chain_hash(j->chain, row.blob, row.blob_len, hash);
        if (sqlite3_column_type(s, 7) == SQLITE_NULL || memcmp(hash, named, CHAIN_SIZE) != 0)
            return "its blob is missing or changed";
    }
    *ret = row;
    return NULL;
}

static enum err_code read_all(struct journal *j, int64_t from,
                              enum err_code (*each)(void *, const struct journal_row *, struct err *),
                              void *ctx, struct err *e)
{
    sqlite3_stmt *s = j->statements[READ];
    unsigned char link[CHAIN_SIZE];
    struct journal_row row;
    const char *wrong = link_before(j, from, link);
    if (wrong)
        return journal_damaged(j, from, wrong, e);
    int rc;
    sqlite3_bind_int64(s, 1, from);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (sqlite3_column_int64(s, 0) != from)
            return journal_damaged(j, from, "it is missing", e);
        wrong = take_row(j, s, link, &row);
        if (wrong)
            return journal_damaged(j, from, wrong, e);
        enum err_code code = each(ctx, &row, e);
        if (code != ERR_OK)
            return code;
        from++;
    }
    if ((rc & 0xff) == SQLITE_CORRUPT)
        return journal_damaged(j, from, sqlite3_errmsg(j->db), e);
    if (rc != SQLITE_DONE)
        return schema_error(j->db, j->file, "cannot read it", e);
    return from <= j->tail.seq ? journal_damaged(j, from, "it is missing", e) : ERR_OK;
}

enum err_code journal_read(struct journal *j, int64_t from,
                           enum err_code (*each)(void *ctx, const struct journal_row *row, struct err *e),
                           void *ctx, struct err *e)
{
    /* one view of it: facts may be removed at the same time */
    if (sqlite3_exec(j->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return schema_error(j->db, j->file, "cannot read it", e);
    enum err_code code = journal_refresh(j, e);
    if (from < j->trimmed + 1)
        from = j->trimmed + 1;
    if (from > j->tail.seq + 1)
        from = j->tail.seq + 1;
    if (code == ERR_OK)
        code = read_all(j, from, each, ctx, e);
    sqlite3_reset(j->statements[READ]);
    sqlite3_exec(j->db, "COMMIT", NULL, NULL, NULL);
    return code;
}
