/* receiver/journal/keep.c */
#include "receiver/journal/keep.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "receiver/journal/schema.h"
#include "receiver/journal/sqlite_internal.h"

#define OF_BITS 24 /* of a row's id: its number in the snapshot */

void chain_text(const unsigned char link[CHAIN_SIZE], char ret[CHAIN_TEXT_SIZE])
{
    for (size_t k = 0; k < CHAIN_SIZE; k++)
        snprintf(ret + 2 * k, 3, "%02x", link[k]);
}

int journal_version(const struct journal *j)
{
    return j->version;
}

enum err_code journal_finalize(struct journal *j, struct err *e)
{
    pthread_mutex_lock(&j->writers->lock);
    enum err_code code = schema_bring_to(j->db, j->file, j->version, JOURNAL_SCHEMA_VERSION, e);
    if (code == ERR_OK) {
        j->version = JOURNAL_SCHEMA_VERSION;
        code = journal_prepare(j, e);
    }
    pthread_mutex_unlock(&j->writers->lock);
    return code;
}

/* ---- one short transaction ---- */

static enum err_code begin(struct journal *j, struct err *e)
{
    pthread_mutex_lock(&j->writers->lock);
    if (journal_run(j, BEGIN) == SQLITE_OK)
        return ERR_OK;
    enum err_code code = schema_error(j->db, j->file, "cannot begin to keep house", e);
    pthread_mutex_unlock(&j->writers->lock);
    return code;
}

/* rc: of what was done since begin(). */
static enum err_code finish(struct journal *j, int rc, struct err *e)
{
    enum err_code code = ERR_OK;
    if (rc == SQLITE_OK)
        rc = journal_run(j, COMMIT);
    if (rc != SQLITE_OK) {
        code = schema_error(j->db, j->file, "cannot keep house", e);
        journal_roll_back(j);
    }
    pthread_mutex_unlock(&j->writers->lock);
    return code;
}

/* ---- snapshots ---- */

enum err_code keep_link(struct journal *j, int64_t of, unsigned char ret[CHAIN_SIZE], struct err *e)
{
    enum err_code code = journal_refresh(j, e);
    if (code != ERR_OK)
        return code;
    if (of == j->trimmed) {
        memcpy(ret, j->trimmed_link, CHAIN_SIZE);
        return ERR_OK;
    }
    sqlite3_stmt *s = j->statements[LINK_AT];
    sqlite3_bind_int64(s, 1, of);
    bool found = sqlite3_step(s) == SQLITE_ROW && journal_take_link(s, 0, ret);
    sqlite3_reset(s);
    return found
               ? ERR_OK
               : err_set(e, ERR_NOT_FOUND, "journal \"%s\": fact %lld is not there", j->file, (long long)of);
}

static int add_row(struct journal *j, int64_t id, const struct journal_row *row,
                   unsigned char link[CHAIN_SIZE])
{
    unsigned char hash[CHAIN_SIZE];
    sqlite3_stmt *s = j->statements[SNAPSHOT_ADD];
    if (row->blob)
        chain_hash(j->chain, row->blob, row->blob_len, hash);
    chain_link(j->chain, link, row, row->blob ? hash : NULL, link);
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_int64(s, 2, row->at_ms);
    sqlite3_bind_text(s, 3, row->kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, row->incident, -1, SQLITE_STATIC);
    sqlite3_bind_text64(s, 5, row->text, row->len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_blob64(s, 6, row->blob, row->blob ? row->blob_len : 0, SQLITE_STATIC);
    sqlite3_bind_blob(s, 7, link, CHAIN_SIZE, SQLITE_STATIC);
    return journal_run(j, SNAPSHOT_ADD);
}

enum err_code keep_snapshot_add(struct journal *j, int64_t of, int64_t first, const struct journal_row *rows,
                                size_t len, unsigned char link[CHAIN_SIZE], struct err *e)
{
    unsigned char next[CHAIN_SIZE];
    int rc = SQLITE_OK;
    if (first + (int64_t)len > SNAPSHOT_ROWS_MAX)
        return err_set(e, ERR_LIMIT, "a snapshot of more than %d facts", SNAPSHOT_ROWS_MAX);
    memcpy(next, link, CHAIN_SIZE);
    enum err_code code = begin(j, e);
    if (code != ERR_OK)
        return code;
    for (size_t k = 0; rc == SQLITE_OK && k < len; k++)
        rc = add_row(j, of << OF_BITS | (first + (int64_t)k), &rows[k], next);
    sqlite3_clear_bindings(j->statements[SNAPSHOT_ADD]);
    code = finish(j, rc, e);
    if (code == ERR_OK)
        memcpy(link, next, CHAIN_SIZE);
    return code;
}

/* NULL, or what is wrong with the row under `s`. */
static const char *take_row(struct journal *j, sqlite3_stmt *s, int64_t of, unsigned char link[CHAIN_SIZE],
                            struct journal_row *ret)
{
    unsigned char stored[CHAIN_SIZE], hash[CHAIN_SIZE];
    struct journal_row row = { .seq = of, .at_ms = sqlite3_column_int64(s, 1) };
    row.kind = (const char *)sqlite3_column_text(s, 2);
    row.incident = (const char *)sqlite3_column_text(s, 3);
    row.text = (const char *)sqlite3_column_text(s, 4);
    row.len = (size_t)sqlite3_column_bytes(s, 4);
    if (sqlite3_column_type(s, 5) != SQLITE_NULL) {
        row.blob = sqlite3_column_blob(s, 5);
        row.blob = row.blob ? row.blob : "";
        row.blob_len = (size_t)sqlite3_column_bytes(s, 5);
        chain_hash(j->chain, row.blob, row.blob_len, hash);
    }
    if (!row.kind || !row.incident || !row.text || !journal_take_link(s, 6, stored))
        return "a column is missing";
    chain_link(j->chain, link, &row, row.blob ? hash : NULL, link);
    if (memcmp(link, stored, CHAIN_SIZE) != 0)
        return "its hash does not follow from its content and the row before it";
    *ret = row;
    return NULL;
}

static enum err_code snapshot_damaged(const struct journal *j, int64_t of, int64_t n, const char *why,
                                      struct err *e)
{
    return err_set(e, ERR_INVALID, "journal \"%s\": its snapshot of fact %lld is damaged at row %lld: %s",
                   j->file, (long long)of, (long long)n, why);
}

static enum err_code read_rows(struct journal *j, int64_t of,
                               enum err_code (*each)(void *, const struct journal_row *, struct err *),
                               void *ctx, int64_t *ret_rows, unsigned char link[CHAIN_SIZE], struct err *e)
{
    sqlite3_stmt *s = j->statements[SNAPSHOT_READ];
    struct journal_row row;
    int64_t n = 0;
    int rc;
    sqlite3_bind_int64(s, 1, of << OF_BITS);
    sqlite3_bind_int64(s, 2, (of + 1) << OF_BITS);
    for (; (rc = sqlite3_step(s)) == SQLITE_ROW; n++) {
        const char *wrong = sqlite3_column_int64(s, 0) == (of << OF_BITS | n) ? take_row(j, s, of, link, &row)
                                                                              : "it is missing";
        if (wrong)
            return snapshot_damaged(j, of, n, wrong, e);
        enum err_code code = each(ctx, &row, e);
        if (code != ERR_OK)
            return code;
    }
    if (rc != SQLITE_DONE)
        return snapshot_damaged(j, of, n, sqlite3_errmsg(j->db), e);
    *ret_rows = n;
    return ERR_OK;
}

enum err_code
keep_snapshot_read(struct journal *j, int64_t of,
                   enum err_code (*each)(void *ctx, const struct journal_row *row, struct err *e), void *ctx,
                   int64_t *ret_rows, unsigned char ret_link[CHAIN_SIZE], struct err *e)
{
    unsigned char link[CHAIN_SIZE];
    enum err_code code = keep_link(j, of, link, e);
    if (code == ERR_OK)
        code = read_rows(j, of, each, ctx, ret_rows, link, e);
    sqlite3_reset(j->statements[SNAPSHOT_READ]);
    if (code == ERR_OK)
        memcpy(ret_link, link, CHAIN_SIZE);
    return code;
}

enum err_code keep_snapshot_drop(struct journal *j, int64_t of, int64_t max, int64_t *ret_gone, struct err *e)
{
    sqlite3_stmt *s = j->statements[SNAPSHOT_DROP];
    enum err_code code = begin(j, e);
    if (code != ERR_OK)
        return code;
    sqlite3_bind_int64(s, 1, of << OF_BITS);
    sqlite3_bind_int64(s, 2, (of + 1) << OF_BITS);
    sqlite3_bind_int64(s, 3, max);
    int rc = journal_run(j, SNAPSHOT_DROP);
    *ret_gone = sqlite3_changes(j->db);
    return finish(j, rc, e);
}

int64_t keep_snapshot_next(struct journal *j, int64_t from)
{
    sqlite3_stmt *s = j->statements[SNAPSHOTS];
    sqlite3_bind_int64(s, 1, from << OF_BITS);
    int64_t of = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return of;
}

enum err_code keep_marks(struct journal *j, int max,
                         enum err_code (*each)(void *ctx, const struct journal_row *row, struct err *e),
                         void *ctx, struct err *e)
{
    sqlite3_stmt *s = j->statements[MARKS];
    enum err_code code = ERR_OK;
    int rc;
    sqlite3_bind_int(s, 1, max);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && code == ERR_OK) {
        struct journal_row row = { .seq = sqlite3_column_int64(s, 0), .at_ms = sqlite3_column_int64(s, 1) };
        row.kind = (const char *)sqlite3_column_text(s, 2);
        row.incident = (const char *)sqlite3_column_text(s, 3);
        row.text = (const char *)sqlite3_column_text(s, 4);
        row.len = (size_t)sqlite3_column_bytes(s, 4);
        code = row.kind && row.incident && row.text ? each(ctx, &row, e)
                                                    : journal_damaged(j, row.seq, "a column is missing", e);
    }
    if (code == ERR_OK && rc != SQLITE_DONE)
        code = schema_error(j->db, j->file, "cannot look for its snapshots", e);
    sqlite3_reset(s);
    return code;
}

/* ---- removal ---- */

/* The last fact up to `seq`, and its time. */
static bool fact_at(struct journal *j, int64_t seq, int64_t *ret_at_ms)
{
    sqlite3_stmt *s = j->statements[AT];
    sqlite3_bind_int64(s, 1, seq);
    bool found = sqlite3_step(s) == SQLITE_ROW;
    if (found)
        *ret_at_ms = sqlite3_column_int64(s, 1);
    sqlite3_reset(s);
    return found;
}

/* Engine time never goes back, so the facts are in the order of time. */
enum err_code keep_older(struct journal *j, int64_t at_ms, int64_t *ret_seq, struct err *e)
{
    int64_t seen_ms = 0;
    enum err_code code = journal_refresh(j, e);
    if (code != ERR_OK)
        return code;
    int64_t low = j->trimmed, high = j->tail.seq; /* low is older, or gone; all behind high are not */
    while (low < high) {
        int64_t mid = low + (high - low + 1) / 2;
        if (!fact_at(j, mid, &seen_ms))
            return schema_error(j->db, j->file, "cannot look for old facts", e);
        if (seen_ms < at_ms)
            low = mid;
        else
            high = mid - 1;
    }
    *ret_seq = low;
    return ERR_OK;
}

static int trim_rows(struct journal *j, int64_t up_to, int64_t *ret_gone)
{
    static const enum statement deletes[] = { TRIM_BLOBS, TRIM_FACTS };
    unsigned char link[CHAIN_SIZE];
    sqlite3_stmt *s = j->statements[TRIM_LINK];
    sqlite3_bind_int64(s, 1, up_to);
    int rc = sqlite3_step(s);
    bool found = rc == SQLITE_ROW && sqlite3_column_int64(s, 0) == up_to && journal_take_link(s, 1, link);
    sqlite3_reset(s);
    if (!found)
        return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
    rc = SQLITE_OK;
    for (size_t k = 0; rc == SQLITE_OK && k < 2; k++) {
        sqlite3_bind_int64(j->statements[deletes[k]], 1, up_to);
        rc = journal_run(j, deletes[k]);
        *ret_gone = sqlite3_changes(j->db);
    }
    sqlite3_bind_int64(j->statements[TRIM_META], 1, up_to);
    sqlite3_bind_blob(j->statements[TRIM_META], 2, link, CHAIN_SIZE, SQLITE_TRANSIENT);
    return rc == SQLITE_OK ? journal_run(j, TRIM_META) : rc;
}

enum err_code keep_trim(struct journal *j, int64_t up_to, int64_t max, int64_t *ret_gone, struct err *e)
{
    int64_t gone = 0;
    enum err_code code = journal_refresh(j, e);
    assert(up_to < j->tail.seq || code != ERR_OK); /* the last fact stays: the next one hangs on it */
    if (code == ERR_OK && up_to > j->trimmed + max)
        up_to = j->trimmed + max;
    *ret_gone = 0;
    if (code != ERR_OK || up_to <= j->trimmed)
        return code;
    code = begin(j, e);
    if (code == ERR_OK)
        code = finish(j, trim_rows(j, up_to, &gone), e);
    if (code == ERR_OK)
        *ret_gone = gone;
    return code == ERR_OK ? journal_refresh(j, e) : code;
}

int64_t keep_bytes(struct journal *j)
{
    sqlite3_stmt *s = j->statements[BYTES];
    int64_t bytes = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return bytes;
}

void keep_checkpoint(struct journal *j)
{
    sqlite3_wal_checkpoint_v2(j->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* ---- incidents ---- */

static const char *text(sqlite3_stmt *s, int column)
{
    const char *t = (const char *)sqlite3_column_text(s, column);
    return t ? t : "";
}

enum err_code keep_ended(struct journal *j, int max, void (*each)(void *ctx, const struct ended *i),
                         void *ctx, struct err *e)
{
    sqlite3_stmt *s = j->statements[ENDED];
    int rc;
    sqlite3_bind_int(s, 1, max);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct ended i = { .id = text(s, 0),
                           .opened_ms = sqlite3_column_int64(s, 1),
                           .closed_ms = sqlite3_column_int64(s, 2),
                           .rule = text(s, 3),
                           .cluster = text(s, 4),
                           .namespace = text(s, 5),
                           .kind = text(s, 6),
                           .name = text(s, 7),
                           .outcome = text(s, 8),
                           .writes = sqlite3_column_int64(s, 9),
                           .reason = text(s, 10) };
        each(ctx, &i);
    }
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? ERR_OK : schema_error(j->db, j->file, "cannot read its incidents", e);
}

enum err_code keep_forget(struct journal *j, int64_t most, int64_t max, int64_t *ret_gone, struct err *e)
{
    static const enum statement deletes[] = { FORGET, FORGET_STEPS };
    enum err_code code = begin(j, e);
    int rc = SQLITE_OK;
    if (code != ERR_OK)
        return code;
    *ret_gone = 0;
    for (size_t k = 0; rc == SQLITE_OK && k < 2; k++) {
        sqlite3_stmt *s = j->statements[deletes[k]];
        sqlite3_bind_int64(s, 1, j->trimmed);
        sqlite3_bind_int64(s, 2, max);
        if (deletes[k] == FORGET)
            sqlite3_bind_int64(s, 3, most);
        rc = journal_run(j, deletes[k]);
        *ret_gone += sqlite3_changes(j->db);
    }
    return finish(j, rc, e);
}
