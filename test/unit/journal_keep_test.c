/* test/unit/journal_keep_test.c - snapshots beside the facts, removal of old facts, summaries; and the
 * version of the release before. */
#include "receiver/journal/keep.h"

#include "receiver/journal/chain.h"
#include "test/kit/journal_kit.h"

#define OLD_SCHEMA                                                                                           \
    "DROP TABLE snapshot; DROP INDEX fact_blob; DROP INDEX fact_snapshot;"                                   \
    "DELETE FROM meta WHERE key LIKE 'trimmed%'; PRAGMA user_version = 1"

static struct tempdir t;
static const char *file;
static struct journal *j, *beside;

static void open_both(void)
{
    struct err e = ERR_INIT;
    j = journal_make(file);
    cr_assert_eq(journal_open_beside(&beside, j, &e), ERR_OK, "%s", e.msg);
}

static void close_both(void)
{
    beside = journal_close(beside);
    j = journal_close(j);
}

static void begin(void)
{
    t = tempdir_make();
    file = tempdir_file(&t, "j.db");
    journal_with(file, 60);
    open_both();
}

static void end(void)
{
    close_both();
    tempdir_end(&t);
}

TestSuite(journal_keep, .init = begin, .fini = end);

/* A snapshot of fact `of` with n rows, as fact_n tells them. */
static void make_snapshot(int64_t of, int64_t n, unsigned char link[CHAIN_SIZE])
{
    static char texts[BATCH_MAX][FACT_N_SIZE];
    struct journal_row rows[BATCH_MAX];
    struct err e = ERR_INIT;
    cr_assert_eq(keep_link(beside, of, link, &e), ERR_OK, "%s", e.msg);
    for (int64_t k = 0; k < n; k++) {
        rows[k] = fact_n(k + 1, texts[k]);
        rows[k].seq = of;
    }
    int64_t half = n / 2;
    cr_assert_eq(keep_snapshot_add(beside, of, 0, rows, (size_t)half, link, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(keep_snapshot_add(beside, of, half, rows + half, (size_t)(n - half), link, &e), ERR_OK, "%s",
                 e.msg);
}

struct seen {
    int64_t count, of;
    bool wrong;
};

static enum err_code see(void *ctx, const struct journal_row *row, struct err *e)
{
    (void)e;
    struct seen *s = ctx;
    char text[FACT_N_SIZE];
    struct journal_row want = fact_n(++s->count, text);
    s->of = row->seq;
    s->wrong |= strcmp(row->text, want.text) != 0 || strcmp(row->kind, want.kind) != 0 ||
                row->blob_len != want.blob_len || !row->blob != !want.blob ||
                (row->blob && memcmp(row->blob, want.blob, want.blob_len) != 0);
    return ERR_OK;
}

static enum err_code read_snapshot(struct journal *from, int64_t of, struct seen *s,
                                   unsigned char link[CHAIN_SIZE], struct err *e)
{
    int64_t rows = 0;
    *s = (struct seen){ .count = 0 };
    enum err_code code = keep_snapshot_read(from, of, see, s, &rows, link, e);
    cr_expect(code || rows == s->count);
    return code;
}

Test(journal_keep, a_snapshot_is_read_as_it_was_written)
{
    unsigned char link[CHAIN_SIZE], read[CHAIN_SIZE];
    struct err e = ERR_INIT;
    struct seen s;
    make_snapshot(40, 30, link);
    cr_assert_eq(read_snapshot(j, 40, &s, read, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(s.count, 30);
    cr_expect_eq(s.of, 40);
    cr_expect(!s.wrong);
    cr_expect_arr_eq(link, read, CHAIN_SIZE);
    cr_expect_eq(keep_snapshot_next(j, 1), 40);
    cr_expect_eq(keep_snapshot_next(j, 41), 0);
}

Test(journal_keep, appending_goes_on_beside_it)
{
    unsigned char link[CHAIN_SIZE];
    make_snapshot(60, 20, link);
    append_facts(j, 5);
    make_snapshot(61, 20, link);
    cr_expect_eq(journal_last_seq(j), 65);
}

Test(journal_keep, a_changed_row_of_a_snapshot_is_named)
{
    unsigned char link[CHAIN_SIZE];
    struct err e = ERR_INIT;
    struct seen s;
    make_snapshot(40, 30, link);
    meddle(file, "UPDATE snapshot SET body = replace(body, 'x', 'y') WHERE id = (40 << 24) + 7");
    cr_expect_eq(read_snapshot(j, 40, &s, link, &e), ERR_INVALID);
    cr_expect_not_null(strstr(e.msg, "snapshot of fact 40 is damaged at row 7"), "%s", e.msg);
    cr_expect_eq(s.count, 7);
    meddle(file, "DELETE FROM snapshot WHERE id = (40 << 24) + 3");
    cr_expect_eq(read_snapshot(j, 40, &s, link, &e), ERR_INVALID);
    cr_expect_not_null(strstr(e.msg, "row 3: it is missing"), "%s", e.msg);
}

Test(journal_keep, dropping_a_snapshot_leaves_the_others)
{
    unsigned char link[CHAIN_SIZE];
    struct err e = ERR_INIT;
    int64_t gone = 0;
    make_snapshot(30, 20, link);
    make_snapshot(40, 20, link);
    cr_assert_eq(keep_snapshot_drop(beside, 30, 15, &gone, &e), ERR_OK);
    cr_expect_eq(gone, 15);
    cr_assert_eq(keep_snapshot_drop(beside, 30, 15, &gone, &e), ERR_OK);
    cr_expect_eq(gone, 5);
    cr_expect_eq(keep_snapshot_next(beside, 1), 40);
    cr_expect_eq(ask_journal(file, "SELECT count(*) FROM snapshot"), 20);
}

static void trim_to(int64_t up_to, int64_t max)
{
    struct err e = ERR_INIT;
    int64_t gone = 1;
    while (gone > 0)
        cr_assert_eq(keep_trim(beside, up_to, max, &gone, &e), ERR_OK, "%s", e.msg);
}

Test(journal_keep, the_chain_goes_on_behind_what_was_removed)
{
    struct reading r = { 0 };
    struct err e = ERR_INIT;
    trim_to(33, 7);
    append_facts(j, 3);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(r.first, 34);
    cr_expect_eq(r.last, 63);
    cr_expect(!r.wrong);
    close_both();
    open_both();
    r = (struct reading){ 0 };
    cr_expect_eq(journal_first_seq(j), 34);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(r.count, 30);
    meddle(file, "UPDATE fact SET at_ms = at_ms + 1 WHERE seq = 34");
    cr_expect_eq(journal_read(j, 1, take_fact, &r, &e), ERR_INVALID);
    cr_expect_not_null(strstr(e.msg, "damaged at fact 34"), "%s", e.msg);
}

Test(journal_keep, a_blob_stays_as_long_as_a_fact_names_it)
{
    cr_assert_eq(ask_journal(file, "SELECT count(*) FROM blob"), 3);
    trim_to(54, 1000); /* 57 and 60 have one each: "second blob", "" */
    cr_expect_eq(ask_journal(file, "SELECT count(*) FROM blob"), 2);
    struct reading r = { 0 };
    struct err e = ERR_INIT;
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_OK, "%s", e.msg);
    cr_expect(!r.wrong);
}

Test(journal_keep, one_removal_is_no_larger_than_it_may_be)
{
    struct err e = ERR_INIT;
    int64_t gone = 0;
    cr_assert_eq(keep_trim(beside, 50, 7, &gone, &e), ERR_OK);
    cr_expect_eq(gone, 7);
    cr_expect_eq(journal_first_seq(beside), 8);
}

Test(journal_keep, old_facts_are_found_by_their_time)
{
    struct err e = ERR_INIT;
    int64_t seq = -1;
    const int64_t base_ms = 1787217300000; /* fact n is of base + n */
    cr_assert_eq(keep_older(beside, base_ms + 20, &seq, &e), ERR_OK);
    cr_expect_eq(seq, 19);
    cr_assert_eq(keep_older(beside, base_ms - 5, &seq, &e), ERR_OK);
    cr_expect_eq(seq, 0);
    cr_assert_eq(keep_older(beside, base_ms + 999, &seq, &e), ERR_OK);
    cr_expect_eq(seq, 60);
    trim_to(30, 1000);
    cr_assert_eq(keep_older(beside, base_ms + 20, &seq, &e), ERR_OK);
    cr_expect_eq(seq, 30, "what is gone is older");
}

static void count_ended(void *ctx, const struct ended *i)
{
    int64_t *ids = ctx;
    *ids = *ids * 100 + i->writes;
}

static void closed_incidents(int n)
{
    for (int k = 1; k <= n; k++) {
        char sql[512];
        snprintf(sql, sizeof sql,
                 "INSERT INTO incident (opened_seq, id, changed_seq, opened_ms, starts_ms, changed_ms, rule, "
                 "source,"
                 " plan, who, cluster, namespace, kind, name, state, outcome, reason, alerts, writes) VALUES"
                 " (%d, 'i%d', %d, 1, 1, 1, 'r', '', '', '', '', '', '', '', 'closed', '%s', '', 1, %d)",
                 k, k, k, k == 1 ? "open" : "healed", k);
        meddle(file, sql);
    }
}

Test(journal_keep, the_last_closed_incidents_are_found)
{
    struct err e = ERR_INIT;
    int64_t ids = 0;
    closed_incidents(9);
    cr_assert_eq(keep_ended(j, 3, count_ended, &ids, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(ids, 90807);
}

Test(journal_keep, so_many_incidents_whose_facts_are_gone_stay)
{
    struct err e = ERR_INIT;
    int64_t gone = 1;
    closed_incidents(9);
    cr_assert_eq(keep_forget(beside, 4, 100, &gone, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(gone, 0, "their facts are there");
    trim_to(7, 100);
    cr_assert_eq(keep_forget(beside, 4, 2, &gone, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(gone, 2);
    cr_assert_eq(keep_forget(beside, 4, 100, &gone, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(gone, 1);
    cr_expect_eq(ask_journal(file, "SELECT count(*) FROM incident"), 6, "1, which is open, and 5 to 9");
}

Test(journal_keep, pages_that_were_freed_are_used_again)
{
    struct err e = ERR_INIT;
    int64_t gone = 0, before = keep_bytes(beside);
    for (int round = 0; round < 8; round++) {
        append_facts(j, 60);
        cr_assert_eq(keep_trim(beside, journal_last_seq(j) - 60, 1000, &gone, &e), ERR_OK, "%s", e.msg);
    }
    cr_expect_leq(keep_bytes(beside), before * 2, "%lld bytes grew to %lld", (long long)before,
                  (long long)keep_bytes(beside));
}

/* ---- the release before ---- */

Test(journal_keep, a_journal_of_the_release_before_stays_as_it_is)
{
    close_both();
    meddle(file, OLD_SCHEMA);
    open_both();
    cr_expect_eq(journal_version(j), 1);
    append_facts(j, 3);
    struct reading r = { 0 };
    struct err e = ERR_INIT;
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(r.count, 63);
    cr_expect_eq(ask_journal(file, "PRAGMA user_version"), 1);
    cr_expect_eq(ask_journal(file, "SELECT count(*) FROM sqlite_schema WHERE name = 'snapshot'"), 0);
}

Test(journal_keep, until_a_person_finalizes_it)
{
    unsigned char link[CHAIN_SIZE];
    struct err e = ERR_INIT;
    close_both();
    meddle(file, OLD_SCHEMA);
    open_both();
    cr_assert_eq(journal_finalize(j, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(journal_version(j), JOURNAL_SCHEMA_VERSION);
    cr_expect_eq(ask_journal(file, "PRAGMA user_version"), JOURNAL_SCHEMA_VERSION);
    append_facts(j, 3);
    close_both();
    open_both();
    make_snapshot(50, 20, link);
    trim_to(40, 1000);
    struct reading r = { 0 };
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(r.first, 41);
}
