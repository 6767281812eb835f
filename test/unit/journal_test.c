/* test/unit/journal_test.c - what a journal does on a good day, and when it is asked for what it must refuse.
 */
#include "receiver/journal/journal.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "receiver/journal/netfs.h"
#include "test/kit/fault.h"
#include "test/kit/journal_kit.h"

Test(journal, new_one_is_empty_and_says_so)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    CLEANUP(journal_closep) struct journal *j = NULL;
    struct reading r = { .count = 0 };
    bool created = false;
    cr_assert_eq(journal_open(&j, tempdir_file(&t, "j.db"), &created, NULL), ERR_OK);
    cr_assert(created);
    cr_assert_eq(journal_last_seq(j), 0);
    cr_assert_eq(journal_last_at_ms(j), 0);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, NULL), ERR_OK);
    cr_assert_eq(r.count, 0);
}

Test(journal, facts_come_back_as_they_were_written)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    struct journal *j = journal_make(file);
    struct reading r = { .count = 0 };
    append_facts(j, 20);
    cr_assert_eq(append_batch(j, 30, NULL), APPEND_OK);
    cr_assert_eq(journal_last_seq(j), 50);
    cr_assert_eq(journal_last_at_ms(j), 1787217300050);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, NULL), ERR_OK);
    cr_assert(r.first == 1 && r.last == 50 && r.count == 50 && !r.wrong);
    journal_close(j);

    bool created = true;
    struct reading again = { .count = 0 };
    cr_assert_eq(journal_open(&j, file, &created, NULL), ERR_OK);
    cr_assert_not(created);
    cr_assert_eq(journal_last_seq(j), 50);
    cr_assert_eq(journal_last_at_ms(j), 1787217300050);
    cr_assert_eq(journal_read(j, 1, take_fact, &again, NULL), ERR_OK);
    cr_assert(again.count == 50 && !again.wrong);
    journal_close(j);
}

Test(journal, reading_begins_where_it_is_told)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    CLEANUP(journal_closep) struct journal *j = journal_make(tempdir_file(&t, "j.db"));
    struct reading middle = { .count = 0 }, beyond = { .count = 0 };
    append_facts(j, 9);
    cr_assert_eq(journal_read(j, 6, take_fact, &middle, NULL), ERR_OK);
    cr_assert(middle.first == 6 && middle.last == 9 && !middle.wrong);
    cr_assert_eq(journal_read(j, 10, take_fact, &beyond, NULL), ERR_OK);
    cr_assert_eq(beyond.count, 0);
}

Test(journal, reading_stops_at_the_readers_error)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    CLEANUP(journal_closep) struct journal *j = journal_make(tempdir_file(&t, "j.db"));
    struct reading r = { .stop_at = 4 };
    struct err e = ERR_INIT;
    append_facts(j, 9);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_VERSION);
    cr_assert_str_eq(e.msg, "stopped");
    cr_assert_eq(r.last, 3);
    append_facts(j, 1);
    cr_assert_eq(journal_last_seq(j), 10, "and the journal goes on");
}

Test(journal, text_may_hold_any_bytes)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    CLEANUP(journal_closep) struct journal *j = journal_make(tempdir_file(&t, "j.db"));
    struct reading r = { .count = 0 };
    struct journal_row row = { .seq = 1,
                               .at_ms = -5,
                               .kind = "k'; DROP TABLE fact; --",
                               .incident = "\xc3\xa9",
                               .text = "a\0b\xff",
                               .len = 4 };
    row.blob = "\0\1\2";
    row.blob_len = 3;
    cr_assert_eq(journal_append(j, 1, 0, &row, 1, NULL), APPEND_OK);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, NULL), ERR_OK, "the chain holds over it");
    cr_assert_eq(journal_last_at_ms(j), -5);
}

Test(journal, a_blob_is_stored_once)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    CLEANUP(journal_closep) struct journal *j = journal_make(file);
    append_facts(j, 30);
    cr_assert_eq(ask_journal(file, "SELECT count(*) FROM blob"), 3);
    cr_assert_eq(ask_journal(file, "SELECT count(*) FROM history WHERE blob = 'first blob'"), 3);
}

Test(journal, a_wrong_expectation_is_a_conflict_and_appends_nothing)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    CLEANUP(journal_closep) struct journal *j = journal_make(tempdir_file(&t, "j.db"));
    char text[FACT_N_SIZE];
    struct journal_row row = fact_n(8, text);
    struct err e = ERR_INIT;
    append_facts(j, 5);
    cr_assert_eq(journal_append(j, 1, 7, &row, 1, &e), APPEND_CONFLICT);
    cr_assert_not_null(strstr(e.msg, "is 5 where 7 was expected"), "%s", e.msg);
    cr_assert_eq(journal_last_seq(j), 5);
    cr_assert_eq(append_batch(j, 2, NULL), APPEND_OK);
}

Test(journal, what_somebody_else_wrote_is_a_conflict)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    CLEANUP(journal_closep) struct journal *j = journal_make(file);
    struct reading r = { .count = 0 };
    struct err e = ERR_INIT;
    append_facts(j, 5);
    meddle(file,
           "INSERT INTO fact SELECT 6, at_ms, kind, incident, body, blob, chain FROM fact WHERE seq = 5");
    cr_assert_eq(append_batch(j, 1, &e), APPEND_CONFLICT, "%s", e.msg);
    cr_assert_eq(journal_last_seq(j), 6);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "at fact 6"), "%s", e.msg);
    cr_assert_eq(r.last, 5);
}

Test(journal, an_empty_batch_is_nothing)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    CLEANUP(journal_closep) struct journal *j = journal_make(tempdir_file(&t, "j.db"));
    cr_assert_eq(journal_append(j, 1, 0, NULL, 0, NULL), APPEND_OK);
    cr_assert_eq(journal_last_seq(j), 0);
}

Test(journal, a_batch_larger_than_the_cache_is_one_batch)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    CLEANUP(journal_closep) struct journal *j = journal_make(tempdir_file(&t, "j.db"));
    enum { BIG = 1 << 20 };
    char *blob = malloc(BIG);
    cr_assert_not_null(blob);
    struct journal_row rows[3] = { 0 };
    struct reading r = { .stop_at = -1 };
    for (int i = 0; i < 3; i++) {
        memset(blob, 'a', BIG);
        rows[i] = (struct journal_row){ .seq = i + 1, .kind = "k", .incident = "", .text = "{}", .len = 2 };
        rows[i].blob = blob;
        rows[i].blob_len = BIG - (size_t)i;
    }
    cr_assert_eq(journal_append(j, 1, 0, rows, 3, NULL), APPEND_OK);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, NULL), ERR_OK);
    cr_assert_eq(r.last, 3);
    free(blob);
}

/* ---- other readers and writers ---- */

Test(journal, the_sqlite3_shell_reads_it_while_it_is_open)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    CLEANUP(journal_closep) struct journal *j = journal_make(file);
    char command[512], line[128] = "";
    if (system("sqlite3 --version >/dev/null 2>&1") != 0)
        SKIP("the sqlite3 command is not installed");
    append_facts(j, 3);
    snprintf(command, sizeof command,
             "sqlite3 -readonly '%s' \"SELECT seq, at, kind, blob FROM history WHERE seq = 3\"", file);
    FILE *f = popen(command, "r");
    cr_assert_not_null(fgets(line, sizeof line, f));
    cr_assert_eq(pclose(f), 0);
    cr_assert_str_eq(line, "3|2026-08-20T09:15:00.003Z|verdict|second blob\n");
    append_facts(j, 1);
    cr_assert_eq(journal_last_seq(j), 4);
}

Test(journal, another_programs_write_lock_fails_a_batch_until_it_ends)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    CLEANUP(journal_closep) struct journal *j = journal_make(file);
    struct err e = ERR_INIT;
    sqlite3 *other = NULL;
    append_facts(j, 1);
    cr_assert_eq(sqlite3_open(file, &other), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_eq(append_batch(j, 3, &e), APPEND_UNKNOWN);
    cr_assert_not_null(strstr(e.msg, "another program holds it"), "%s", e.msg);
    cr_assert_eq(journal_last_seq(j), 1);
    sqlite3_close(other);
    cr_assert_eq(journal_probe(j, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(append_batch(j, 3, &e), APPEND_OK, "%s", e.msg);
}

/* A process of its own that holds the journal until it is killed. */
static pid_t hold(const char *file)
{
    int ready[2];
    char c;
    cr_assert_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct journal *j = NULL;
        if (journal_open(&j, file, NULL, NULL) != ERR_OK || write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    cr_assert_eq(read(ready[0], &c, 1), 1, "the other process has the journal");
    close(ready[0]);
    return pid;
}

Test(journal, a_second_process_is_refused_and_told_who_has_it)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db"), *alias = tempdir_file(&t, "alias.db");
    struct journal *j = NULL;
    struct err e = ERR_INIT;
    char who[40];
    pid_t pid = hold(file);
    snprintf(who, sizeof who, "in use by process %ld", (long)pid);
    cr_assert_eq(journal_open(&j, file, NULL, &e), ERR_CONFLICT);
    cr_assert_not_null(strstr(e.msg, who), "%s", e.msg);
    cr_assert_eq(symlink(file, alias), 0);
    cr_assert_eq(journal_open(&j, alias, NULL, NULL), ERR_CONFLICT, "by another name as well");
    cr_assert_null(j);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cr_assert_eq(journal_open(&j, file, NULL, &e), ERR_OK, "a dead process holds nothing: %s", e.msg);
    journal_close(j);
}

Test(journal, its_files_are_for_its_owner_only)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    static const char *const names[] = { "j.db", "j.db-wal", "j.db-shm", "j.db.lock" };
    CLEANUP(journal_closep) struct journal *j = journal_make(tempdir_file(&t, "j.db"));
    append_facts(j, 1);
    for (size_t i = 0; i < 4; i++) {
        struct stat st;
        cr_assert_eq(stat(tempdir_file(&t, names[i]), &st), 0, "%s", names[i]);
        cr_assert_eq(st.st_mode & 0777, 0600, "%s is %o", names[i], st.st_mode & 0777);
    }
}

/* ---- what is no journal ---- */

struct network_case {
    uint32_t type;
    char name[16];
};

ParameterizedTestParameters(journal, network_file_systems_are_known)
{
    static struct network_case cases[] = {
        { 0x6969, "nfs" },    { 0xff534d42, "cifs" }, { 0xfe534d42, "smb2" },
        { 0x01021997, "9p" }, { 0x00c36400, "ceph" }, { 0x65735546, "fuse" }, /* sshfs and its like */
        { 0xef53, "" },                                                       /* ext4 */
        { 0x58465342, "" },                                                   /* xfs */
        { 0x9123683e, "" },                                                   /* btrfs */
        { 0x01021994, "" },                                                   /* tmpfs */
        { 0x794c7630, "" },                                                   /* overlayfs */
    };
    return cr_make_param_array(struct network_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct network_case *c, journal, network_file_systems_are_known)
{
    const char *name = netfs_name(c->type);
    cr_assert_str_eq(name ? name : "", c->name);
}

struct refused_case {
    char sql[96]; /* makes the file; "" : it holds `bytes` */
    char bytes[24];
    int code;
    char told[64];
};

ParameterizedTestParameters(journal, what_is_no_journal_is_refused_and_left_alone)
{
    static struct refused_case cases[] = {
        { "CREATE TABLE t (x)", "", ERR_INVALID, "no journal of heald; give a file" },
        { "PRAGMA application_id = 7", "", ERR_INVALID, "no journal of heald" },
        { "PRAGMA user_version = 3", "", ERR_INVALID, "no journal of heald" },
        { "PRAGMA application_id = 0x6865616c; PRAGMA user_version = 3", "", ERR_VERSION,
          "has schema 3, this release knows up to 2" },
        { "PRAGMA application_id = 0x6865616c; PRAGMA user_version = -1", "", ERR_VERSION, "has schema -1" },
        { "", "some text\n", ERR_INVALID, "not a database; give a file that heald made" },
        { "", "x", ERR_INVALID, "not a database" },
    };
    return cr_make_param_array(struct refused_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct refused_case *c, journal, what_is_no_journal_is_refused_and_left_alone)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    struct journal *j = NULL;
    struct err e = ERR_INIT;
    struct stat before, after;
    FILE *f = *c->bytes ? fopen(file, "w") : NULL;
    if (f) {
        fputs(c->bytes, f);
        fclose(f);
    } else {
        meddle(file, c->sql);
    }
    cr_assert_eq(stat(file, &before), 0);
    cr_assert_eq((int)journal_open(&j, file, NULL, &e), c->code, "%s", e.msg);
    cr_assert_null(j);
    cr_assert_not_null(strstr(e.msg, c->told), "\"%s\" should say \"%s\"", e.msg, c->told);
    cr_assert_eq(stat(file, &after), 0);
    cr_assert(after.st_size == before.st_size && after.st_mtim.tv_nsec == before.st_mtim.tv_nsec,
              "the file is as it was");
}

Test(journal, a_folder_or_a_name_in_no_folder_is_refused)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    struct journal *j = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(journal_open(&j, t.path, NULL, &e), ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "no regular file"), "%s", e.msg);
    cr_assert_eq(journal_open(&j, tempdir_file(&t, "none/j.db"), NULL, &e), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(e.msg, "make it first"), "%s", e.msg);
    cr_assert_eq(journal_open(&j, "", NULL, &e), ERR_INVALID);
    cr_assert_null(j);
}

Test(journal, an_empty_file_becomes_a_journal)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    CLEANUP(journal_closep) struct journal *j = NULL;
    bool created = false;
    meddle(file, "PRAGMA user_version = 0; VACUUM"); /* a database of version 0 with nothing in it */
    cr_assert_eq(journal_open(&j, file, &created, NULL), ERR_OK);
    cr_assert(created);
    cr_assert_eq(ask_journal(file, "PRAGMA user_version"), JOURNAL_SCHEMA_VERSION);
    cr_assert_eq(ask_journal(file, "PRAGMA application_id"), 0x6865616c);
    append_facts(j, 2);
}

Test(journal, a_failed_step_forward_leaves_the_version_where_it_was)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    struct journal *j = NULL;
    struct err e = ERR_INIT;
    meddle(file, "PRAGMA application_id = 0x6865616c; CREATE TABLE blob (x)"); /* in the way of step 0 -> 1 */
    cr_assert_neq(journal_open(&j, file, NULL, &e), ERR_OK);
    cr_assert_not_null(strstr(e.msg, "cannot bring its tables"), "%s", e.msg);
    cr_assert_eq(ask_journal(file, "PRAGMA user_version"), 0);
    cr_assert_eq(ask_journal(file, "SELECT count(*) FROM sqlite_schema"), 1, "half a step is no step");
}

Test(journal, open_survives_want_of_memory)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    unsigned n = 0;
    do {
        struct journal *j = NULL;
        fault_malloc_at(++n);
        enum err_code code = journal_open(&j, file, NULL, NULL);
        cr_assert(code == ERR_OK ? j != NULL : code == ERR_NOMEM && !j);
        journal_close(j);
    } while (fault_hit());
    cr_assert_gt(n, 2u);
}
