/* test/unit/journal_damage_test.c - what a journal does on a bad day: changed bytes, full disks, kill -9. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "receiver/journal/journal.h"
#include "test/kit/journal_kit.h"

/* ---- changed behind heald's back ---- */

struct meddled {
    char sql[128];
    long first_bad;
};

ParameterizedTestParameters(journal_damage, a_changed_fact_is_named)
{
    static struct meddled cases[] = {
        { "UPDATE fact SET body = replace(body, '\"n\":7', '\"n\":8') WHERE seq = 7", 7 },
        { "UPDATE fact SET at_ms = at_ms + 1 WHERE seq = 7", 7 },
        { "UPDATE fact SET kind = 'alert' WHERE seq = 7", 7 },
        { "UPDATE fact SET incident = '' WHERE seq = 7", 7 },
        { "UPDATE fact SET incident = '', kind = kind || incident WHERE seq = 7", 7 },
        { "UPDATE fact SET blob = NULL WHERE seq = 6", 6 },
        { "UPDATE fact SET blob = zeroblob(32) WHERE seq = 6", 6 },
        { "UPDATE fact SET blob = x'00' WHERE seq = 6", 6 },
        { "UPDATE fact SET chain = zeroblob(32) WHERE seq = 1", 1 },
        { "UPDATE fact SET chain = x'00' WHERE seq = 20", 20 },
        { "UPDATE blob SET body = x'00' WHERE body = CAST('second blob' AS BLOB)", 3 },
        { "DELETE FROM blob WHERE body = CAST('second blob' AS BLOB)", 3 },
        { "DELETE FROM fact WHERE seq = 7", 7 },
        { "DELETE FROM fact WHERE seq = 1", 1 },
        { "DELETE FROM fact WHERE seq BETWEEN 7 AND 11", 7 },
        { "UPDATE fact SET seq = 99 WHERE seq = 7; UPDATE fact SET seq = 7 WHERE seq = 8; UPDATE fact SET "
          "seq = 8 WHERE seq = 99",
          7 },
        { "UPDATE fact SET seq = 0 WHERE seq = 1", 1 },
    };
    return cr_make_param_array(struct meddled, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct meddled *c, journal_damage, a_changed_fact_is_named)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    struct reading r = { .count = 0 };
    struct err e = ERR_INIT;
    char told[48];
    journal_with(file, 20);
    meddle(file, c->sql);
    CLEANUP(journal_closep) struct journal *j = journal_make(file);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_INVALID, "%s", c->sql);
    snprintf(told, sizeof told, "is damaged at fact %ld:", c->first_bad);
    cr_assert_not_null(strstr(e.msg, told), "\"%s\" should say \"%s\"", e.msg, told);
    cr_assert_not_null(strstr(e.msg, "restore a backup"), "%s", e.msg);
    cr_assert_eq(r.count, c->first_bad - 1, "everything before it has been handed out");
    cr_assert_not(r.wrong);
}

static char *slurp(const char *file, size_t *ret_len)
{
    struct stat st;
    int fd = open(file, O_RDONLY);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fstat(fd, &st), 0);
    char *bytes = malloc((size_t)st.st_size);
    cr_assert_not_null(bytes);
    cr_assert_eq(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *ret_len = (size_t)st.st_size;
    return bytes;
}

static void spill(const char *file, const char *bytes, size_t len)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

Test(journal_damage, one_flipped_bit_on_the_disk_is_found)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    struct reading r = { .count = 0 };
    struct err e = ERR_INIT;
    size_t len;
    journal_with(file, 20);
    char *bytes = slurp(file, &len);
    char *at = memmem(bytes, len, "\"n\":13,", 7);
    cr_assert_not_null(at);
    at[20] ^= 1;
    spill(file, bytes, len);
    free(bytes);
    CLEANUP(journal_closep) struct journal *j = journal_make(file);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "at fact 13:"), "%s", e.msg);
    cr_assert_eq(r.count, 12);
}

/* Whatever is flipped or cut: all facts, or an error; never a wrong fact, never a crash. */
static void open_and_read(const char *file, const char *what, unsigned long where)
{
    struct journal *j = NULL;
    struct err e = ERR_INIT;
    struct reading r = { .count = 0 };
    bool created = false;
    enum err_code code = journal_open(&j, file, &created, &e);
    if (code == ERR_OK)
        code = journal_read(j, 1, take_fact, &r, &e);
    cr_assert_not(r.wrong, "%s %lu gave a wrong fact", what, where);
    cr_assert_not(created, "%s %lu: damage is no new journal", what, where);
    if (code == ERR_OK)
        cr_assert_eq(r.count, 40, "%s %lu lost facts without a word", what, where);
    else
        cr_assert_not_null(strstr(e.msg, file), "%s %lu: \"%s\" names the file", what, where, e.msg);
    journal_close(j);
}

Test(journal_damage, no_flipped_bit_gives_a_wrong_fact)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db"), *wal = tempdir_file(&t, "j.db-wal");
    enum { ROUNDS = 300 };
    size_t len;
    uint64_t seed = 42;
    journal_with(file, 40);
    char *bytes = slurp(file, &len);
    for (int i = 0; i < ROUNDS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t at = i < 100 ? (size_t)i : (size_t)(seed >> 33) % len; /* the header, then anywhere */
        char bit = (char)(1 << (seed >> 30 & 7));
        bytes[at] ^= bit;
        spill(file, bytes, len);
        unlink(wal);
        open_and_read(file, "bit at", at);
        bytes[at] ^= bit;
    }
    free(bytes);
}

Test(journal_damage, a_truncated_file_is_not_a_shorter_journal)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db"), *wal = tempdir_file(&t, "j.db-wal");
    size_t len;
    journal_with(file, 40);
    char *bytes = slurp(file, &len);
    for (size_t cut = len - 1; cut > 0; cut -= cut > 4096 ? 1111 : cut > 500 ? 500 : 1) {
        spill(file, bytes, cut);
        unlink(wal);
        open_and_read(file, "cut at", cut);
    }
    free(bytes);
}

/* ---- the write-ahead log ---- */

/* A database and its log as a kill leaves them: 30 facts, one a transaction, most of them in the log alone.
 */
static void killed(const char *file, const char *wal, char **ret_bytes, size_t *ret_len, char **ret_log,
                   size_t *ret_log_len)
{
    struct journal *j = journal_make(file);
    append_facts(j, 30);
    *ret_bytes = slurp(file, ret_len);
    *ret_log = slurp(wal, ret_log_len);
    journal_close(j);
}

static enum err_code read_killed(const char *file, struct reading *ret, struct err *e)
{
    struct journal *j = NULL;
    *ret = (struct reading){ .count = 0 };
    enum err_code code = journal_open(&j, file, NULL, e);
    if (code == ERR_OK)
        code = journal_read(j, 1, take_fact, ret, e);
    journal_close(j);
    return code;
}

Test(journal_damage, a_log_with_a_flipped_bit_is_named_and_what_lies_before_it_can_be_kept)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db"), *wal = tempdir_file(&t, "j.db-wal");
    struct reading r;
    struct err e = ERR_INIT;
    char *bytes, *log;
    size_t len, log_len;
    killed(file, wal, &bytes, &len, &log, &log_len);
    char *at = memmem(log, log_len, "\"n\":13,", 7);
    cr_assert_not_null(at);
    at[20] ^= 1;
    spill(file, bytes, len);
    spill(wal, log, log_len);
    cr_assert_eq(read_killed(file, &r, &e), ERR_INVALID, "%lld facts", (long long)r.count);
    const char *cut = strstr(e.msg, "truncate -s ");
    cr_assert_not_null(cut, "%s", e.msg);
    cr_assert_not_null(strstr(e.msg, "is damaged at byte"), "%s", e.msg);
    cr_assert_eq(truncate(wal, atoll(cut + 12)), 0);
    cr_assert_eq(read_killed(file, &r, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(r.count, 12);
    cr_expect(!r.wrong);
    free(bytes);
    free(log);
}

Test(journal_damage, a_log_that_ends_in_the_middle_gives_whole_batches)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db"), *wal = tempdir_file(&t, "j.db-wal");
    const char *shm = tempdir_file(&t, "j.db-shm");
    struct reading r;
    struct err e = ERR_INIT;
    char *bytes, *log;
    size_t len, log_len;
    killed(file, wal, &bytes, &len, &log, &log_len);
    char *end = memmem(log, log_len, "\"n\":30,", 7);
    cr_assert_not_null(end);
    for (size_t cut = (size_t)(end - log); cut > 100000; cut -= 9973) {
        spill(file, bytes, len);
        spill(wal, log, cut);
        unlink(shm);
        cr_assert_eq(read_killed(file, &r, &e), ERR_OK, "cut at %zu: %s", cut, e.msg);
        cr_assert(!r.wrong && r.count < 30, "cut at %zu: %lld facts", cut, (long long)r.count);
    }
    free(bytes);
    free(log);
}

Test(journal_damage, what_a_crash_leaves_behind_in_a_log_is_no_damage)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db"), *wal = tempdir_file(&t, "j.db-wal");
    struct reading r;
    struct err e = ERR_INIT;
    char *bytes, *log;
    size_t len, log_len;
    killed(file, wal, &bytes, &len, &log, &log_len);
    char *last = memmem(log, log_len, "\"n\":30,", 7); /* of the last transaction, not synced whole */
    cr_assert_not_null(last);
    last[30] ^= 1;
    spill(file, bytes, len);
    spill(wal, log, log_len);
    cr_assert_eq(read_killed(file, &r, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(r.count, 29);
    free(bytes);
    free(log);
}

Test(journal_damage, no_flipped_bit_of_a_log_gives_a_wrong_fact)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db"), *wal = tempdir_file(&t, "j.db-wal");
    const char *shm = tempdir_file(&t, "j.db-shm");
    struct reading r;
    char *bytes, *log;
    size_t len, log_len;
    uint64_t seed = 7;
    killed(file, wal, &bytes, &len, &log, &log_len);
    char *end = memmem(log, log_len, "\"n\":30,", 7);
    cr_assert_not_null(end);
    for (int i = 0; i < 60; i++) {
        struct err e = ERR_INIT;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t at =
            i < 32 ? (size_t)i : (size_t)(seed >> 33) % (size_t)(end - log); /* the head, then anywhere */
        log[at] ^= (char)(1 << (seed >> 30 & 7));
        spill(file, bytes, len);
        spill(wal, log, log_len);
        unlink(shm);
        enum err_code code = read_killed(file, &r, &e);
        cr_assert(!r.wrong, "bit at %zu", at);
        cr_assert(code == ERR_OK || strstr(e.msg, file), "bit at %zu: %s", at, e.msg);
        log[at] ^= (char)(1 << (seed >> 30 & 7));
    }
    free(bytes);
    free(log);
}

/* ---- full disks ---- */

static void unmount(struct tempdir *t)
{
    umount2(t->path, MNT_DETACH);
    tempdir_end(t);
}

static int fill(const char *file)
{
    static char block[4096];
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_geq(fd, 0);
    while (write(fd, block, sizeof block) > 0)
        ;
    int why = errno;
    close(fd);
    return why;
}

Test(journal_damage, a_full_disk_loses_nothing_and_is_left_again)
{
    CLEANUP(unmount) struct tempdir t = tempdir_make();
    if (mount("tmpfs", t.path, "tmpfs", 0, "size=16m") != 0)
        SKIP("a small file system cannot be mounted (not root?)");
    const char *file = tempdir_file(&t, "j.db"), *filler = tempdir_file(&t, "filler");
    struct journal *j = journal_make(file);
    struct reading r = { .count = 0 }, again = { .count = 0 };
    struct err e = ERR_INIT;
    append_facts(j, 10);
    cr_assert_eq(fill(filler), ENOSPC);
    enum append_result result = APPEND_OK;
    for (int i = 0; i < 1000 && result == APPEND_OK;
         i++) /* there may be room in what the files hold already */
        result = append_batch(j, 64, &e);
    cr_assert_eq(result, APPEND_FULL, "%d: %s", result, e.msg);
    cr_assert_not_null(strstr(e.msg, "free some space"), "%s", e.msg);
    int64_t kept = journal_last_seq(j);
    cr_assert_eq(append_batch(j, 64, &e), APPEND_FULL);
    cr_assert_eq(journal_last_seq(j), kept);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_OK, "%s", e.msg);
    cr_assert(r.last == kept && !r.wrong, "it can be read while the disk is full");

    unlink(filler);
    cr_assert_eq(journal_probe(j, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(append_batch(j, 8, &e), APPEND_OK, "%s", e.msg);
    journal_close(j);
    j = journal_make(file);
    cr_assert_eq(journal_read(j, 1, take_fact, &again, &e), ERR_OK, "%s", e.msg);
    cr_assert(again.last == kept + 8 && !again.wrong);
    journal_close(j);
}

Test(journal_damage, a_disk_full_from_the_start_is_told_at_opening)
{
    CLEANUP(unmount) struct tempdir t = tempdir_make();
    if (mount("tmpfs", t.path, "tmpfs", 0, "size=320k") != 0)
        SKIP("a small file system cannot be mounted (not root?)");
    struct journal *j = NULL;
    struct err e = ERR_INIT;
    fill(tempdir_file(&t, "filler"));
    cr_assert_eq(journal_open(&j, tempdir_file(&t, "j.db"), NULL, &e), ERR_FULL, "%s", e.msg);
    cr_assert_null(j);
    unlink(tempdir_file(&t, "filler"));
    CLEANUP(journal_closep) struct journal *later = journal_make(tempdir_file(&t, "j.db"));
    append_facts(later, 1);
}

/* ---- faults on purpose ---- */

#ifdef HEALD_FAULT_POINTS
Test(journal_damage, an_injected_full_disk_appends_nothing)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    setenv("HEALD_FAULT", "fail:journal-append:2+3", 1);
    CLEANUP(journal_closep) struct journal *j = journal_make(tempdir_file(&t, "j.db"));
    struct err e = ERR_INIT;
    cr_assert_eq(append_batch(j, 2, &e), APPEND_OK);
    cr_assert_eq(append_batch(j, 2, &e), APPEND_FULL);
    cr_assert_eq(append_batch(j, 2, &e), APPEND_FULL);
    cr_assert_eq(journal_last_seq(j), 2);
    cr_assert_eq(journal_probe(j, &e), ERR_FULL);
    cr_assert_eq(journal_probe(j, &e), ERR_OK);
    cr_assert_eq(append_batch(j, 2, &e), APPEND_OK);
    cr_assert_eq(journal_last_seq(j), 4);
}

Test(journal_damage, an_unknown_commit_is_found_by_reading_the_tail)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    setenv("HEALD_FAULT", "fail:journal-unknown", 1);
    CLEANUP(journal_closep) struct journal *j = journal_make(tempdir_file(&t, "j.db"));
    struct reading r = { .count = 0 };
    struct err e = ERR_INIT;
    cr_assert_eq(append_batch(j, 2, &e), APPEND_UNKNOWN);
    cr_assert_eq(journal_last_seq(j), 2, "it did happen");
    cr_assert_eq(append_batch(j, 2, &e), APPEND_OK);
    cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_OK);
    cr_assert(r.last == 4 && !r.wrong);
}
#else
Test(journal_damage, injected_faults)
{
    SKIP("fault points are not compiled in");
}
#endif

static void append_for_ever(const char *file, int ready)
{
    struct journal *j = NULL;
    struct err e = ERR_INIT;
    if (journal_open(&j, file, NULL, &e) != ERR_OK)
        _exit(1);
    while (append_batch(j, BATCH_MAX, &e) == APPEND_OK) {
        int64_t last = journal_last_seq(j); /* what would be answered with 2xx */
        if (write(ready, &last, sizeof last) != sizeof last)
            break;
    }
    _exit(1);
}

/* kill -9 at any time: every batch that was said to be durable is there, and no batch in part. */
Test(journal_damage, a_kill_leaves_whole_batches)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "j.db");
    uint64_t seed = 42;
    for (int round = 0; round < 15; round++) {
        int told[2], status;
        int64_t last = 0, n;
        cr_assert_eq(pipe(told), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(told[0]);
            append_for_ever(file, told[1]);
        }
        close(told[1]);
        cr_assert_eq(read(told[0], &last, sizeof last), (ssize_t)sizeof last, "the first batch came through");
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        nanosleep(&(struct timespec){ .tv_nsec = (long)(seed >> 33) % 60000000 }, NULL);
        kill(pid, SIGKILL);
        while (read(told[0], &n, sizeof n) == (ssize_t)sizeof n)
            last = n;
        close(told[0]);
        waitpid(pid, &status, 0);
        cr_assert(WIFSIGNALED(status), "it was killed, it did not end by itself");

        struct reading r = { .count = 0 };
        struct err e = ERR_INIT;
        struct journal *j = journal_make(file);
        cr_assert_geq(journal_last_seq(j), last, "round %d lost an answered batch", round);
        cr_assert_eq(journal_last_seq(j) % BATCH_MAX, 0, "round %d left part of a batch", round);
        cr_assert_eq(journal_read(j, 1, take_fact, &r, &e), ERR_OK, "%s", e.msg);
        cr_assert(!r.wrong && r.last == journal_last_seq(j));
        journal_close(j);
    }
}
