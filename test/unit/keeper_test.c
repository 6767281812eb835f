/* test/unit/keeper_test.c - the journal kept small while it grows: what a start makes of it is the same as
 * from all facts, bit for bit. */
#include "receiver/runtime/keeper.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "receiver/journal/keep.h"
#include "receiver/runtime/replay.h"
#include "test/kit/engine_kit.h"
#include "test/kit/journal_kit.h"

#define HOUR_MS (60ll * 60 * 1000)

static struct engine_kit k;
static struct tempdir t;
static const char *file;
static struct journal *j;
static struct keeper *keeper;
static struct clock *engine_clock;
static struct metrics *metrics;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct snapshot_mark made;

static char held[FACT_BODY_MAX + 1]; /* an alert's fact: its incident's comes in the same batch */
static struct journal_row batch[2];

static void append_fact(void *ctx, const struct fact *f, const char *text, size_t len, const struct buf *blob)
{
    (void)ctx;
    struct err e = ERR_INIT;
    size_t n = batch[0].text ? 1 : 0;
    if (f->seq != journal_last_seq(j) + 1 + (int64_t)n)
        return;
    batch[n] = (struct journal_row){ .seq = f->seq,
                                     .at_ms = f->at_ms,
                                     .kind = fact_kind_name(f->kind),
                                     .incident = n || f->kind != FACT_ALERT ? f->incident : "",
                                     .text = text,
                                     .len = len,
                                     .blob = blob->len ? blob->ptr : NULL,
                                     .blob_len = blob->len };
    if (f->kind == FACT_ALERT && f->u.alert.disposition == ALERT_OPENED) {
        static char id[INCIDENT_ID_SIZE];
        memcpy(id, f->incident, sizeof id);
        memcpy(held, text, len + 1);
        batch[0].text = held;
        batch[0].incident = id;
        return;
    }
    batch[n].incident = f->incident;
    cr_assert_eq(journal_append(j, 1, batch[0].seq - 1, batch, n + 1, &e), APPEND_OK, "%s", e.msg);
    batch[0].text = NULL;
}

static int64_t kit_clock(void *ctx)
{
    (void)ctx;
    return __atomic_load_n(&k.now_ms, __ATOMIC_RELAXED);
}

static void on_made(void *ctx, const struct snapshot_mark *mark)
{
    (void)ctx;
    pthread_mutex_lock(&lock);
    made = *mark;
    pthread_mutex_unlock(&lock);
}

/* The kit's facts go into a journal from its first one on. */
static void begin(void)
{
    t = tempdir_make();
    file = tempdir_file(&t, "j.db");
    j = journal_make(file);
    engine_kit_open_with(&k, KIT_POLICY("mode = 'observe';", "", KIT_RESTART), append_fact, NULL);
    engine_clock = clock_new(0, &(struct clock_sources){ kit_clock, kit_clock, NULL });
    metrics = metrics_new();
}

static void end(void)
{
    keeper = keeper_free(keeper);
    engine_kit_close(&k);
    j = journal_close(j);
    clock_free(engine_clock);
    metrics_free(metrics);
    tempdir_end(&t);
}

TestSuite(keeper, .init = begin, .fini = end, .timeout = 60);

static void keep(int64_t snapshot_facts, int64_t retain_ms, int64_t bytes)
{
    struct err e = ERR_INIT;
    struct keeper_parts parts = { .journal = j,
                                  .clock = engine_clock,
                                  .metrics = metrics,
                                  .retain_ms = retain_ms,
                                  .journal_bytes = bytes,
                                  .snapshot_facts = snapshot_facts,
                                  .look_ms = 5,
                                  .made = on_made };
    cr_assert_eq(keeper_new(&keeper, &parts, &e), ERR_OK, "%s", e.msg);
}

/* An incident from its alert to its end, some minutes later. */
static void incident(int n)
{
    char labels[128];
    snprintf(labels, sizeof labels, "alertname=Crash,namespace=shop,deployment=web,n=%d", n);
    kit_alert(&k, labels, ALERT_FIRING, k.wall_ms);
    kit_observe(&k, NULL);
    kit_alert(&k, labels, ALERT_RESOLVED, k.wall_ms);
    kit_wait(&k, 10 * 60000);
}

/* Wait until a snapshot was made, and append its fact; its number, 0: none came. */
static int64_t take_snapshot(void)
{
    struct snapshot_mark mark = { .of = 0 };
    for (int n = 0; n < 4000 && !mark.of; n++) {
        pthread_mutex_lock(&lock);
        mark = made;
        made.of = 0;
        pthread_mutex_unlock(&lock);
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
    if (mark.of)
        kit_turn(&k, (struct input){ .kind = INPUT_SNAPSHOT, .snapshot = mark });
    return mark.of;
}

static bool await(const char *sql, int64_t wanted)
{
    for (int n = 0; n < 4000; n++) {
        if (ask_journal(file, sql) == wanted)
            return true;
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
    return false;
}

static void skipped(void *ctx, const char *why)
{
    snprintf(ctx, 256, "%s", why);
}

/* What a start would make of the journal; `ret_why`: why a snapshot was passed over. */
static struct replayed start_again(const char *wanted, char ret_why[256])
{
    CLEANUP(buf_release) struct buf digest = BUF_INIT;
    struct engine *g = NULL;
    struct replayed how = { 0 };
    struct err e = ERR_INIT;
    struct replay_hooks hooks = { .ctx = ret_why, .skipped = skipped };
    ret_why[0] = '\0';
    cr_assert_eq(replay_journal(&g, j, &hooks, &how, &e), ERR_OK, "%s", e.msg);
    engine_digest(g, &digest);
    cr_assert_str_eq(buf_text(&digest), wanted);
    engine_free(g);
    return how;
}

Test(keeper, a_start_from_a_snapshot_gives_the_same_state)
{
    CLEANUP(buf_release) struct buf live = BUF_INIT;
    char why[256];
    keep(60, 1000 * HOUR_MS, 1 << 30);
    for (int n = 0; n < 30; n++)
        incident(n);
    int64_t of = take_snapshot();
    cr_assert_gt(of, 0);
    incident(100);
    engine_digest(k.g, &live);
    struct replayed how = start_again(buf_text(&live), why);
    cr_expect_eq(how.snapshot, of);
    cr_expect_eq(how.facts, engine_last_seq(k.g) - of);
    cr_expect_str_eq(why, "");
    cr_expect_eq(journal_first_seq(j), 1, "nothing is old");
}

Test(keeper, old_facts_go_and_a_line_of_each_incident_stays)
{
    CLEANUP(buf_release) struct buf live = BUF_INIT;
    char why[256];
    struct err e = ERR_INIT;
    for (int n = 0; n < 30; n++) /* five hours */
        incident(n);
    keep(50, HOUR_MS, 1 << 30);
    for (int n = 0; n < 8; n++) {
        cr_assert_gt(take_snapshot(), 0);
        for (int m = 0; m < 10; m++)
            incident(100 + n * 10 + m);
    }
    int64_t last = take_snapshot();
    cr_assert_gt(last, 0);
    cr_assert(await("SELECT min(seq) > 1 FROM fact", 1), "old facts are removed");
    cr_assert(await("SELECT count(DISTINCT id >> 24) <= 3 FROM snapshot", 1),
              "two snapshots stay, and one whose fact is to come");
    cr_expect_eq(ask_journal(file, "SELECT count(*) FROM incident WHERE outcome <> 'open' AND name <> ''"),
                 110);
    keeper = keeper_free(keeper);
    engine_digest(k.g, &live);
    struct replayed how = start_again(buf_text(&live), why);
    cr_expect_eq(how.snapshot, last);
    struct reading all = { .wrong = false };
    cr_expect_eq(journal_read(j, 1, take_fact, &all, &e), ERR_OK, "%s", e.msg);
    cr_expect_eq(all.first, journal_first_seq(j));
}

Test(keeper, a_journal_that_is_too_large_gives_up_facts_before_their_time)
{
    int64_t most = 1 << 20;
    keep(200, 1000 * HOUR_MS, most);
    for (int n = 0; n < 12; n++) {
        for (int m = 0; m < 60; m++)
            incident(n * 100 + m);
        cr_assert_gt(take_snapshot(), 0);
    }
    cr_assert(await("SELECT min(seq) > 1 FROM fact", 1));
    cr_expect_gt(metrics_value(metrics, METRIC_LIMITS, "journal", NULL), 0);
}

Test(keeper, the_facts_of_an_open_incident_stay)
{
    kit_wait(&k, HOUR_MS);
    kit_alert(&k, "alertname=Crash,namespace=shop,deployment=web,first=1", ALERT_FIRING, k.wall_ms);
    int64_t open_seq = ask_journal(file, "SELECT min(seq) FROM fact WHERE kind = 'incident_opened'");
    for (int n = 0; n < 40; n++) {
        kit_alert(&k, "alertname=Else,namespace=shop", n % 2 ? ALERT_RESOLVED : ALERT_FIRING, k.wall_ms);
        kit_wait(&k, HOUR_MS / 4);
    }
    cr_assert_eq(engine_open_incidents(k.g), 1);
    keep(20, HOUR_MS, 1 << 30);
    for (int n = 0; n < 3; n++) {
        cr_assert_gt(take_snapshot(), 0);
        for (int m = 0; m < 30; m++) {
            kit_alert(&k, "alertname=Else,namespace=shop", m % 2 ? ALERT_RESOLVED : ALERT_FIRING, k.wall_ms);
            kit_wait(&k, 60000);
        }
    }
    cr_assert_gt(take_snapshot(), 0);
    cr_assert(await("SELECT min(seq) > 1 FROM fact", 1));
    cr_expect_leq(ask_journal(file, "SELECT min(seq) FROM fact"), open_seq);
}

Test(keeper, a_damaged_snapshot_is_passed_over)
{
    CLEANUP(buf_release) struct buf live = BUF_INIT;
    char why[256], sql[128];
    keep(40, 1000 * HOUR_MS, 1 << 30);
    int64_t of[2];
    for (int s = 0; s < 2; s++) {
        for (int n = 0; n < 30; n++)
            incident(s * 100 + n);
        of[s] = take_snapshot();
        cr_assert_gt(of[s], 0);
    }
    keeper = keeper_free(keeper);
    engine_digest(k.g, &live);
    snprintf(sql, sizeof sql, "UPDATE snapshot SET body = body || ' ' WHERE id = (%lld << 24) + 1",
             (long long)of[1]);
    meddle(file, sql);
    struct replayed how = start_again(buf_text(&live), why);
    cr_expect_eq(how.snapshot, of[0]);
    cr_expect_not_null(strstr(why, "is damaged at row 1"), "%s", why);
    meddle(file, "DELETE FROM snapshot WHERE id % 16777216 = 2");
    how = start_again(buf_text(&live), why);
    cr_expect_eq(how.snapshot, 0, "all facts are there still");
}

Test(keeper, without_a_snapshot_and_without_the_first_facts_nothing_is_made_up)
{
    struct engine *g = NULL;
    struct replayed how;
    struct err e = ERR_INIT;
    char why[256];
    for (int n = 0; n < 40; n++)
        incident(n);
    keep(40, HOUR_MS, 1 << 30);
    for (int n = 0; n < 3; n++) {
        cr_assert_gt(take_snapshot(), 0);
        for (int m = 0; m < 20; m++)
            incident(100 + n * 100 + m);
    }
    cr_assert(await("SELECT min(seq) > 1 FROM fact", 1));
    keeper = keeper_free(keeper);
    meddle(file, "DELETE FROM snapshot WHERE id % 16777216 = 2");
    struct replay_hooks hooks = { .ctx = why, .skipped = skipped };
    cr_expect_eq(replay_journal(&g, j, &hooks, &how, &e), ERR_INVALID);
    cr_expect_not_null(strstr(e.msg, "restore a backup"), "%s", e.msg);
    cr_expect_null(g);
}

Test(keeper, damage_that_no_start_reads_is_told_and_stops_the_removal)
{
    char damage[256] = "";
    keep(40, 1000 * HOUR_MS, 1 << 30);
    for (int n = 0; n < 40; n++)
        incident(n);
    cr_assert_gt(take_snapshot(), 0);
    keeper = keeper_free(keeper);
    meddle(file, "UPDATE fact SET body = replace(body, 'shop', 'chop') WHERE seq = 9");
    keep(40, HOUR_MS, 1 << 30);
    for (int n = 0; n < 4000 && !damage[0]; n++) {
        keeper_damage(keeper, damage);
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
    cr_expect_not_null(strstr(damage, "damaged at fact 9"), "%s", damage);
    cr_expect_eq(metrics_value(metrics, METRIC_JOURNAL_DAMAGED, NULL, NULL), 1);
    for (int n = 0; n < 3; n++) {
        for (int m = 0; m < 20; m++)
            incident(100 + n * 100 + m);
        take_snapshot();
    }
    cr_expect_eq(ask_journal(file, "SELECT min(seq) FROM fact"), 1, "it is evidence now");
}
