/* test/unit/journal_copy_test.c - a copy of a journal that is being written, and back. */
#include "receiver/journal/copy.h"

#include <sys/stat.h>
#include <unistd.h>

#include "test/kit/journal_kit.h"

static struct tempdir t;
static char file[4096], copy[4096];

static void begin(void)
{
    t = tempdir_make();
    snprintf(file, sizeof file, "%s", tempdir_file(&t, "j.db"));
    snprintf(copy, sizeof copy, "%s", tempdir_file(&t, "copy.db"));
    journal_with(file, 40);
}

static void end(void)
{
    tempdir_end(&t);
}

TestSuite(journal_copy, .init = begin, .fini = end);

static int64_t facts_of(const char *of)
{
    struct reading r = { 0 };
    struct err e = ERR_INIT;
    CLEANUP(journal_closep) struct journal *j = journal_make(of);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_OK, "%s", e.msg);
    cr_assert(!r.wrong);
    return r.count;
}

static enum err_code accept_it(void *ctx, struct journal *j, struct err *e)
{
    (void)e;
    *(int64_t *)ctx = journal_last_seq(j);
    return ERR_OK;
}

static enum err_code refuse_it(void *ctx, struct journal *j, struct err *e)
{
    (void)ctx;
    (void)j;
    return err_set(e, ERR_INVALID, "it is not to be trusted");
}

Test(journal_copy, holds_what_was_committed_while_it_is_open)
{
    struct err e = ERR_INIT;
    struct stat st;
    struct journal *j = journal_make(file);
    append_facts(j, 7); /* these are in the WAL alone */
    cr_assert_eq(journal_copy(file, copy, &e), ERR_OK, "%s", e.msg);
    append_facts(j, 5);
    journal_close(j);
    cr_expect_eq(stat(copy, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600, "nobody else's to read");
    cr_expect_eq(facts_of(copy), 47);
    cr_expect_eq(facts_of(file), 52);
}

Test(journal_copy, replaces_nothing)
{
    struct err e = ERR_INIT;
    cr_assert_eq(journal_copy(file, copy, &e), ERR_OK);
    cr_expect_eq(journal_copy(file, copy, &e), ERR_CONFLICT);
    cr_expect_not_null(strstr(e.msg, "is there already"), "%s", e.msg);
    cr_expect_eq(journal_copy(tempdir_file(&t, "none.db"), tempdir_file(&t, "c2.db"), &e), ERR_NOT_FOUND);
    meddle(tempdir_file(&t, "other.db"), "CREATE TABLE t (x)");
    cr_expect_eq(journal_copy(tempdir_file(&t, "other.db"), tempdir_file(&t, "c2.db"), &e), ERR_INVALID);
    cr_expect_not_null(strstr(e.msg, "no journal of heald"), "%s", e.msg);
}

Test(journal_copy, is_put_back_marked_and_the_old_one_is_kept)
{
    struct err e = ERR_INIT;
    char old[4200];
    int64_t checked = 0;
    cr_assert_eq(journal_copy(file, copy, &e), ERR_OK);
    struct journal *j = journal_make(file);
    append_facts(j, 9);
    cr_expect(!journal_restored(j));
    journal_close(j);
    cr_assert_eq(journal_restore(copy, file, accept_it, &checked, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(checked, 40);
    cr_expect_eq(facts_of(file), 40);
    snprintf(old, sizeof old, "%s.before-restore", file);
    cr_expect_eq(facts_of(old), 49);
    j = journal_make(file);
    cr_expect(journal_restored(j));
    append_facts(j, 1);
    cr_assert_eq(journal_note_restored(j, &e), ERR_OK);
    cr_expect(!journal_restored(j));
    journal_close(j);
    cr_expect_eq(facts_of(copy), 40, "the copy is as it was");
    cr_expect_eq(journal_restore(copy, file, accept_it, &checked, &e), ERR_CONFLICT);
    cr_expect_not_null(strstr(e.msg, "before-restore"), "%s", e.msg);
    cr_expect_eq(facts_of(file), 41);
}

Test(journal_copy, refused_while_a_daemon_holds_the_journal)
{
    struct err e = ERR_INIT;
    int64_t checked = 0;
    cr_assert_eq(journal_copy(file, copy, &e), ERR_OK);
    struct journal *j = journal_make(file);
    cr_expect_eq(journal_restore(copy, file, accept_it, &checked, &e), ERR_CONFLICT, "%s", e.msg);
    append_facts(j, 2);
    journal_close(j);
    cr_expect_eq(facts_of(file), 42);
}

Test(journal_copy, what_does_not_pass_the_check_replaces_nothing)
{
    struct err e = ERR_INIT;
    cr_assert_eq(journal_copy(file, copy, &e), ERR_OK);
    cr_expect_eq(journal_restore(copy, file, refuse_it, NULL, &e), ERR_INVALID);
    cr_expect_eq(facts_of(file), 40);
    cr_expect_neq(access(tempdir_file(&t, "j.db.restoring"), F_OK), 0, "nothing is left behind");
    cr_expect_neq(access(tempdir_file(&t, "j.db.before-restore"), F_OK), 0);
}

Test(journal_copy, can_be_put_where_no_journal_is)
{
    struct err e = ERR_INIT;
    int64_t checked = 0;
    cr_assert_eq(journal_copy(file, copy, &e), ERR_OK);
    cr_assert_eq(journal_restore(copy, tempdir_file(&t, "new.db"), accept_it, &checked, &e), ERR_OK, "%s",
                 e.msg);
    cr_expect_eq(facts_of(tempdir_file(&t, "new.db")), 40);
}
