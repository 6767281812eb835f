/* receiver/runtime/keeper.c */
#include "receiver/runtime/keeper.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "receiver/journal/keep.h"
#include "receiver/runtime/log.h"
#include "receiver/runtime/replay.h"

#define KEEPER_STACK_BYTES ((size_t)512 << 10)
#define DAY_MS (24ll * 60 * 60 * 1000)
#define PAUSE_MS 5 /* between two transactions: the core comes first */

struct keeper {
    struct keeper_parts parts;
    struct journal *j; /* its own connection */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows up to `damage` */
    pthread_cond_t wake;
    bool stop, reopen;
    char damage[256];

    /* the thread's own */
    struct snapshot_mark pending; /* a snapshot whose fact is not there yet; of 0: none */
    int64_t pending_ms;
    int64_t seen_seq; /* at the last look */
    int64_t retry_ms; /* not before: the last one failed */
    bool audited;
};

/* For waiting, whatever the clock of the engine does. */
static int64_t uptime_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool stopped(struct keeper *k, int64_t wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&k->lock);
    while (!k->stop && !k->reopen && wait_ms)
        if (pthread_cond_timedwait(&k->wake, &k->lock, &until) != 0)
            break;
    bool stop = k->stop;
    pthread_mutex_unlock(&k->lock);
    return stop;
}

/* ---- a snapshot ---- */

struct row_at {
    size_t text, len, blob, blob_len;
    char incident[INCIDENT_ID_SIZE];
};

struct making {
    struct keeper *k;
    struct json_writer *w;
    struct buf text, blob;
    struct row_at rows[KEEPER_ROWS_MAX];
    size_t len;
    int64_t of, at_ms, written;
    unsigned char link[CHAIN_SIZE];
};

static enum err_code flush_rows(struct making *m, struct err *e)
{
    struct journal_row rows[KEEPER_ROWS_MAX];
    for (size_t n = 0; n < m->len; n++) {
        const struct row_at *r = &m->rows[n];
        rows[n] = (struct journal_row){ .seq = m->of,
                                        .at_ms = m->at_ms,
                                        .kind = fact_kind_name(FACT_STATE),
                                        .incident = r->incident,
                                        .text = m->text.ptr + r->text,
                                        .len = r->len,
                                        .blob = r->blob_len ? m->text.ptr + r->blob : NULL,
                                        .blob_len = r->blob_len };
    }
    if (m->len == 0)
        return ERR_OK;
    enum err_code code = keep_snapshot_add(m->k->j, m->of, m->written, rows, m->len, m->link, e);
    m->written += (int64_t)m->len;
    m->len = 0;
    buf_clear(&m->text);
    if (!code && stopped(m->k, PAUSE_MS))
        code = err_set(e, ERR_UNAVAILABLE, "heald is shutting down");
    return code;
}

static enum err_code add_part(void *ctx, const struct fact *f, struct err *e)
{
    struct making *m = ctx;
    const char *text = NULL;
    size_t len = 0;
    enum err_code code = fact_write(m->w, f, &text, &len, &m->blob, e);
    if (code)
        return code;
    struct row_at *r = &m->rows[m->len++];
    *r = (struct row_at){ .text = m->text.len, .len = len };
    memcpy(r->incident, f->incident, sizeof r->incident);
    buf_add(&m->text, text, len + 1);
    if (m->blob.len) {
        r->blob = m->text.len;
        r->blob_len = m->blob.len;
        buf_add(&m->text, buf_text(&m->blob), m->blob.len + 1);
    }
    if (!buf_ok(&m->text))
        return err_set(e, ERR_NOMEM, "no memory for a snapshot");
    return m->len == KEEPER_ROWS_MAX || m->text.len > KEEPER_BATCH_BYTES ? flush_rows(m, e) : ERR_OK;
}

/* Engine time since when an incident is open; INT64_MAX: none is. */
static int64_t oldest_open_ms(const struct engine *g)
{
    char id[1][INCIDENT_ID_SIZE];
    struct incident_view v;
    return engine_open(g, id, 1) && engine_incident(g, id[0], &v) ? v.opened_ms : INT64_MAX;
}

/* Up to which fact there is no need to keep them. `floor`: the older snapshot that stays. */
static enum err_code choose_trim(struct keeper *k, const struct engine *g, int64_t floor, int64_t *ret,
                                 struct err *e)
{
    int64_t open_ms = oldest_open_ms(g), before_ms = engine_last_at_ms(g) - k->parts.retain_ms, trim = 0;
    enum err_code code = keep_older(k->j, before_ms < open_ms ? before_ms : open_ms, &trim, e);
    if (code)
        return code;
    int64_t bytes = keep_bytes(k->j), first = journal_first_seq(k->j), count = engine_last_seq(g) - first;
    if (bytes > k->parts.journal_bytes) { /* down to three quarters, as if all were of one size */
        int64_t less =
            first + (int64_t)((double)count * (1 - 0.75 * (double)k->parts.journal_bytes / (double)bytes));
        trim = less > trim ? less : trim;
        metrics_add(k->parts.metrics, METRIC_LIMITS, "journal", NULL, 1);
        log_warn("the journal is larger than limits.journal: facts are removed before `retain` is over",
                 NULL);
    }
    *ret = trim < floor ? trim : floor;
    return ERR_OK;
}

static enum err_code write_snapshot(struct making *m, const struct engine *g, struct err *e)
{
    m->of = engine_last_seq(g);
    m->at_ms = engine_last_at_ms(g);
    enum err_code code = json_writer_new(&m->w, e);
    if (!code)
        code = keep_link(m->k->j, m->of, m->link, e);
    if (!code)
        code = engine_snapshot(g, add_part, m, e);
    return code ? code : flush_rows(m, e);
}

static enum err_code make(struct making *m, struct snapshot_mark *ret, struct err *e)
{
    struct keeper *k = m->k;
    struct replay_hooks hooks = { .ctx = m };
    struct snapshot_mark marks[MARKS_MAX];
    struct replayed how;
    CLEANUP(engine_freep) struct engine *g = NULL;
    size_t len = 0;
    int64_t trim = 0;
    enum err_code code = replay_marks(k->j, marks, &len, e);
    if (!code)
        code = replay_journal(&g, k->j, &hooks, &how, e);
    if (!code && len && engine_last_seq(g) <= marks[0].of)
        return err_set(e, ERR_UNAVAILABLE, "nothing has happened since the last snapshot");
    if (!code)
        code = choose_trim(k, g, len ? marks[0].of : engine_last_seq(g), &trim, e);
    if (!code)
        code = write_snapshot(m, g, e);
    if (code)
        return code;
    *ret = (struct snapshot_mark){ .of = m->of, .rows = m->written };
    chain_text(m->link, ret->link);
    if (trim >= journal_first_seq(k->j)) {
        unsigned char link[CHAIN_SIZE];
        ret->trim = trim;
        code = keep_link(k->j, trim, link, e);
        chain_text(link, ret->trim_link);
    }
    return code;
}

static void make_snapshot(struct keeper *k)
{
    struct making *m = calloc(1, sizeof *m);
    struct snapshot_mark mark = { .of = 0 };
    struct err e = ERR_INIT;
    if (!m)
        return;
    m->k = k;
    enum err_code code = make(m, &mark, &e);
    json_writer_free(m->w);
    buf_release(&m->text);
    buf_release(&m->blob);
    free(m);
    malloc_trim(0); /* the second engine */
    keep_checkpoint(k->j);
    if (code == ERR_UNAVAILABLE)
        return;
    metrics_add(k->parts.metrics, METRIC_SNAPSHOTS, code ? "failed" : "written", NULL, 1);
    if (code) {
        log_error("a snapshot of the journal cannot be made", "error", e.msg, NULL);
        k->retry_ms = uptime_ms() + KEEPER_RETRY_MS;
        return;
    }
    k->pending = mark;
    k->pending_ms = uptime_ms();
    k->parts.made(k->parts.ctx, &mark);
}

/* ---- removal ---- */

static bool is_kept(const struct keeper *k, int64_t of, const struct snapshot_mark *marks, size_t len)
{
    for (size_t n = 0; n < len; n++)
        if (marks[n].of == of)
            return true;
    return of == k->pending.of;
}

/* Snapshots that no fact names, or that two newer ones follow. */
static void drop_snapshots(struct keeper *k, const struct snapshot_mark *marks, size_t len)
{
    struct err e = ERR_INIT;
    for (int64_t of = keep_snapshot_next(k->j, 1); of; of = keep_snapshot_next(k->j, of + 1)) {
        int64_t gone = is_kept(k, of, marks, len) ? 0 : 1;
        while (gone > 0 && !stopped(k, PAUSE_MS))
            if (keep_snapshot_drop(k->j, of, KEEPER_ROWS_MAX, &gone, &e) != ERR_OK) {
                log_warn("an old snapshot cannot be removed", "error", e.msg, NULL);
                return;
            }
    }
}

static bool is_damaged(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    bool yes = k->damage[0] != '\0';
    pthread_mutex_unlock(&k->lock);
    return yes;
}

static void trim(struct keeper *k, int64_t up_to)
{
    struct err e = ERR_INIT;
    int64_t gone = 1, all = 0;
    if (is_damaged(k))
        return;
    for (int n = 1; gone > 0 && !stopped(k, PAUSE_MS); n++) {
        if (keep_trim(k->j, up_to, KEEPER_ROWS_MAX, &gone, &e) != ERR_OK) {
            log_warn("old facts cannot be removed", "error", e.msg, NULL);
            return;
        }
        all += gone;
        if (n % 16 == 0)
            keep_checkpoint(k->j);
    }
    if (!all)
        return;
    keep_checkpoint(k->j);
    char count[24];
    snprintf(count, sizeof count, "%lld", (long long)all);
    log_info("old facts were removed", "facts", count, NULL);
}

/* Rows of incidents, of which too many are closed and gone from the facts. */
static void forget(struct keeper *k)
{
    struct err e = ERR_INIT;
    int64_t gone = 1;
    while (gone > 0 && !stopped(k, PAUSE_MS))
        if (keep_forget(k->j, INCIDENTS_KEPT_MAX, KEEPER_ROWS_MAX, &gone, &e) != ERR_OK) {
            log_warn("old incidents cannot be forgotten", "error", e.msg, NULL);
            return;
        }
}

/* ---- what no start reads ---- */

static enum err_code look_at(void *ctx, const struct journal_row *row, struct err *e)
{
    struct keeper *k = ctx;
    if (row->seq % 10000 == 0 && stopped(k, 0))
        return err_set(e, ERR_UNAVAILABLE, "heald is shutting down");
    return ERR_OK;
}

static void audit(struct keeper *k)
{
    struct err e = ERR_INIT;
    enum err_code code = journal_read(k->j, 1, look_at, k, &e);
    if (!code || code == ERR_UNAVAILABLE)
        return;
    metrics_set(k->parts.metrics, METRIC_JOURNAL_DAMAGED, NULL, NULL, 1);
    log_error("the journal is damaged where no start reads it: heald goes on, and removes nothing", "error",
              e.msg, NULL);
    pthread_mutex_lock(&k->lock);
    text_copy(k->damage, sizeof k->damage, e.msg);
    pthread_mutex_unlock(&k->lock);
}

/* ---- looking ---- */

/* Are there facts that are older than they have to be, by more than a day (of a short time: a quarter)? */
static bool trim_due(struct keeper *k, int64_t now_ms)
{
    int64_t slack_ms = k->parts.retain_ms / 4 < DAY_MS ? k->parts.retain_ms / 4 : DAY_MS, seq = 0;
    return keep_older(k->j, now_ms - k->parts.retain_ms - slack_ms, &seq, NULL) == ERR_OK &&
           seq >= journal_first_seq(k->j);
}

static bool snapshot_due(struct keeper *k, const struct snapshot_mark *newest)
{
    int64_t last = journal_last_seq(k->j);
    int64_t behind = last - (newest ? newest->of : 0), more = last - k->seen_seq;
    if (uptime_ms() < k->retry_ms)
        return false;
    bool first_look = k->seen_seq == 0, large = keep_bytes(k->j) > k->parts.journal_bytes;
    k->seen_seq = last;
    if (!first_look && more > KEEPER_BUSY_FACTS && behind < KEEPER_BUSY_TIMES * k->parts.snapshot_facts)
        return false;
    return behind >= k->parts.snapshot_facts || (large && behind >= k->parts.snapshot_facts / 8) ||
           (behind > 1 && trim_due(k, clock_now_ms(k->parts.clock)));
}

/* Is its fact still to come? A turn may have failed with it: then it is told again. */
static bool pending(struct keeper *k, const struct snapshot_mark *newest)
{
    if (k->pending.of <= (newest ? newest->of : 0))
        k->pending.of = 0;
    if (k->pending.of && uptime_ms() > k->pending_ms + KEEPER_RETRY_MS) {
        k->pending_ms = uptime_ms();
        k->parts.made(k->parts.ctx, &k->pending);
    }
    return k->pending.of != 0;
}

static void look(struct keeper *k)
{
    struct snapshot_mark marks[MARKS_MAX];
    struct err e = ERR_INIT;
    size_t len = 0;
    if (journal_version(k->j) < 2)
        return;
    if (replay_marks(k->j, marks, &len, &e) != ERR_OK) {
        log_warn("the journal's snapshots cannot be looked for", "error", e.msg, NULL);
        return;
    }
    if (!k->audited && len)
        audit(k);
    k->audited = true;
    keep_older(k->j, 0, &(int64_t){ 0 }, NULL); /* what is first and last now */
    if (!pending(k, len ? &marks[0] : NULL) && snapshot_due(k, len ? &marks[0] : NULL))
        make_snapshot(k);
    drop_snapshots(k, marks, len);
    if (len) {
        trim(k, marks[0].trim);
        forget(k);
    }
    metrics_set(k->parts.metrics, METRIC_JOURNAL_BYTES, NULL, NULL, (double)keep_bytes(k->j));
    metrics_set(k->parts.metrics, METRIC_JOURNAL_FIRST, NULL, NULL, (double)journal_first_seq(k->j));
    metrics_set(k->parts.metrics, METRIC_SNAPSHOT, NULL, NULL, len ? (double)marks[0].of : 0);
}

/* ---- life ---- */

static void reopen(struct keeper *k)
{
    struct journal *j = NULL;
    struct err e = ERR_INIT;
    pthread_mutex_lock(&k->lock);
    bool wanted = k->reopen;
    k->reopen = false;
    pthread_mutex_unlock(&k->lock);
    if (!wanted)
        return;
    if (journal_open_beside(&j, k->parts.journal, &e) != ERR_OK) {
        log_error("the journal cannot be kept small", "error", e.msg, NULL);
        return;
    }
    journal_close(k->j);
    k->j = j;
}

static void *keeper_main(void *arg)
{
    struct keeper *k = arg;
    if (journal_version(k->j) < 2)
        log_warn(
            "the journal is kept as the release before can read it: no snapshots are made and nothing is "
            "removed until \"heald finalize-upgrade\"",
            NULL);
    do {
        reopen(k);
        look(k);
    } while (!stopped(k, k->parts.look_ms));
    return NULL;
}

enum err_code keeper_new(struct keeper **ret, const struct keeper_parts *parts, struct err *e)
{
    struct keeper *k = calloc(1, sizeof *k);
    pthread_condattr_t clock;
    pthread_attr_t small;
    if (!k)
        return err_set(e, ERR_NOMEM, "no memory");
    k->parts = *parts;
    enum err_code code = journal_open_beside(&k->j, parts->journal, e);
    if (code) {
        free(k);
        return code;
    }
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->wake, &clock);
    pthread_condattr_destroy(&clock);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, KEEPER_STACK_BYTES);
    bool started = pthread_create(&k->thread, &small, keeper_main, k) == 0;
    pthread_attr_destroy(&small);
    if (!started) {
        k->stop = true;
        journal_close(k->j);
        free(k);
        return err_set(e, ERR_IO, "the keeper's thread could not be started");
    }
    *ret = k;
    return ERR_OK;
}

void keeper_finalized(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    k->reopen = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
}

void keeper_damage(struct keeper *k, char ret[256])
{
    pthread_mutex_lock(&k->lock);
    memcpy(ret, k->damage, sizeof k->damage);
    pthread_mutex_unlock(&k->lock);
}

struct keeper *keeper_free(struct keeper *k)
{
    if (!k)
        return NULL;
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->lock);
    journal_close(k->j);
    free(k);
    return NULL;
}
