/* test/kit/journal_kit.h - facts to append and to compare, for the tests of the journal. */
#ifndef TEST_KIT_JOURNAL_KIT_H
#define TEST_KIT_JOURNAL_KIT_H

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <string.h>

#include "receiver/journal/journal.h"
#include "test/kit/tempdir.h"

static inline void journal_closep(struct journal **j)
{
    *j = journal_close(*j);
}

static inline struct journal *journal_make(const char *file)
{
    struct journal *j = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(journal_open(&j, file, NULL, &e), ERR_OK, "%s", e.msg);
    return j;
}

#define FACT_N_SIZE 700

/* Fact number seq is always the same: text, kind, incident and every third one a blob follow from the number.
 */
static inline struct journal_row fact_n(int64_t seq, char text[FACT_N_SIZE])
{
    static const char *const kinds[] = { "alert", "intent", "written", "verdict" };
    static const char *const blobs[] = { "first blob", "second blob", "" };
    struct journal_row r = { .seq = seq, .at_ms = 1787217300000 + seq, .kind = kinds[seq % 4] };
    r.incident = seq % 5 ? "06f3k9q2" : "";
    int head = snprintf(text, FACT_N_SIZE, "{\"v\":1,\"n\":%lld,\"pad\":\"", (long long)seq);
    memset(text + head, 'x', 600u - (size_t)head - 2);
    memcpy(text + 598, "\"}", 3);
    r.text = text;
    r.len = 600;
    if (seq % 3 == 0) {
        r.blob = blobs[seq / 3 % 3];
        r.blob_len = strlen(r.blob);
    }
    return r;
}

#define BATCH_MAX 64

static inline enum append_result append_batch(struct journal *j, size_t n, struct err *e)
{
    static char texts[BATCH_MAX][FACT_N_SIZE];
    struct journal_row rows[BATCH_MAX];
    int64_t last = journal_last_seq(j);
    for (size_t i = 0; i < n; i++)
        rows[i] = fact_n(last + 1 + (int64_t)i, texts[i]);
    return journal_append(j, 1, last, rows, n, e);
}

static inline void append_facts(struct journal *j, size_t n)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(append_batch(j, 1, &e), APPEND_OK, "%s", e.msg);
}

/* A journal file with n facts, closed. */
static inline void journal_with(const char *file, size_t n)
{
    struct journal *j = journal_make(file);
    append_facts(j, n);
    journal_close(j);
}

struct reading {
    int64_t first, last, count;
    int64_t stop_at; /* the callback refuses this one; 0 none */
    bool wrong;      /* a fact is not what fact_n says */
};

static inline enum err_code take_fact(void *ctx, const struct journal_row *row, struct err *e)
{
    struct reading *r = ctx;
    char text[FACT_N_SIZE];
    struct journal_row want = fact_n(row->seq, text);
    if (row->seq == r->stop_at)
        return err_set(e, ERR_VERSION, "stopped");
    r->wrong |= row->at_ms != want.at_ms || strcmp(row->kind, want.kind) != 0 ||
                strcmp(row->incident, want.incident) != 0 || row->len != want.len ||
                strcmp(row->text, want.text) != 0 || row->blob_len != want.blob_len ||
                !row->blob != !want.blob || (row->blob && memcmp(row->blob, want.blob, want.blob_len) != 0);
    if (r->count++ == 0)
        r->first = row->seq;
    r->wrong |= row->seq != r->first + r->count - 1;
    r->last = row->seq;
    return ERR_OK;
}

/* Change a closed or open journal behind heald's back. */
static inline void meddle(const char *file, const char *sql)
{
    sqlite3 *db = NULL;
    char *why = NULL;
    cr_assert_eq(sqlite3_open(file, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &why), SQLITE_OK, "%s: %s", sql, why ? why : "");
    sqlite3_close(db);
}

static inline int64_t ask_journal(const char *file, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    cr_assert_eq(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_step(s), SQLITE_ROW, "%s", sql);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

#endif
