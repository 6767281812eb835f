/* A turn of the core: inputs are decided one by one, their facts go into one transaction, then effects start.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "receiver/journal/keep.h"
#include "receiver/runtime/fault.h"
#include "receiver/runtime/log.h"
#include "receiver/runtime/loop_internal.h"

static bool grow(void **array, size_t *cap, size_t len, size_t size)
{
    if (len < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 16;
    void *p = realloc(*array, more * size);
    if (!p)
        return false;
    *array = p;
    *cap = more;
    return true;
}

/* ---- replay ---- */

static void replay_skipped(void *ctx, const char *why)
{
    struct loop *l = ctx;
    metrics_add(l->parts.metrics, METRIC_SNAPSHOTS, "damaged", NULL, 1);
    log_error("a snapshot of the journal is passed over", "reason", why, NULL);
}

static void replay_ended(void *ctx, const struct ended *i)
{
    report_ended(ctx, i);
}

enum err_code loop_replay(struct loop *l, struct err *e)
{
    struct replay_hooks hooks = { .ctx = l, .skipped = replay_skipped };
    struct engine *g = NULL;
    struct journal *j = l->parts.journal;
    pthread_mutex_lock(&l->engine_lock);
    l->engine = engine_free(l->engine); /* not two of them at one time */
    l->recent_len = 0;
    enum err_code code = keep_ended(j, RECENT_MAX, replay_ended, l, e);
    if (!code)
        code = replay_journal(&g, j, &hooks, &l->replayed, e);
    if (!code)
        l->engine = g;
    l->durable_seq = code ? -1 : engine_last_seq(g);
    pthread_mutex_unlock(&l->engine_lock);
    return code;
}

/* ---- batch ---- */

static void batch_drop_facts(struct batch *b, size_t from)
{
    while (b->facts_len > from)
        fact_release(&b->facts[--b->facts_len]);
}

/* The turn counts for nothing. */
static void batch_drop(struct batch *b)
{
    batch_drop_facts(b, b->facts_durable);
    b->counted_len = b->counted_durable;
    b->len = 0;
    buf_clear(&b->text);
}

static void batch_committed(struct batch *b)
{
    b->facts_durable = b->facts_len;
    b->counted_durable = b->counted_len;
    b->len = 0;
    buf_clear(&b->text);
}

void batch_release(struct batch *b)
{
    batch_drop_facts(b, 0);
    buf_release(&b->text);
    free(b->rows);
    free(b->out);
    free(b->facts);
    free(b->counted);
}

static bool batch_text(struct loop *l, const struct fact *f, struct err *e)
{
    struct batch *b = &l->batch;
    const char *text = NULL;
    size_t len = 0;
    if (fact_write(l->writer, f, &text, &len, &l->blob, e) != ERR_OK ||
        !grow((void **)&b->rows, &b->cap, b->len, sizeof *b->rows))
        return false;
    struct row_at *r = &b->rows[b->len++];
    *r =
        (struct row_at){ .text = b->text.len, .len = len, .seq = f->seq, .at_ms = f->at_ms, .kind = f->kind };
    memcpy(r->incident, f->incident, sizeof r->incident);
    buf_add(&b->text, text, len + 1);
    if (l->blob.len) {
        r->blob = b->text.len;
        r->blob_len = l->blob.len;
        buf_add(&b->text, buf_text(&l->blob), l->blob.len + 1);
    }
    return buf_ok(&b->text);
}

/* Keep what logs and metrics want to see after the commit; the fact is moved or released. */
static bool batch_keep(struct batch *b, struct fact *f)
{
    if (f->kind != FACT_ALERT) {
        if (!grow((void **)&b->facts, &b->facts_cap, b->facts_len, sizeof *b->facts))
            return false;
        b->facts[b->facts_len++] = *f;
        memset(f, 0, sizeof *f);
        return true;
    }
    if (!grow((void **)&b->counted, &b->counted_cap, b->counted_len, sizeof *b->counted))
        return false;
    struct counted *c = &b->counted[b->counted_len++];
    memcpy(c->source, f->u.alert.alert.source, sizeof c->source);
    c->disposition = f->u.alert.disposition;
    return true;
}

static bool keep_effects(struct loop *l)
{
    struct decision *d = &l->decision;
    for (size_t i = 0; i < d->effects_len; i++) {
        if (!grow((void **)&l->pending, &l->pending_cap, l->pending_len, sizeof *l->pending))
            return false;
        l->pending[l->pending_len++] = d->effects[i];
        memset(&d->effects[i], 0, sizeof d->effects[i]);
        if (l->pending_len == PENDING_MAX)
            metrics_add(l->parts.metrics, METRIC_LIMITS, "pending", NULL, 1);
    }
    return true;
}

enum err_code turn_input(struct loop *l, const struct input *in, struct err *e)
{
    struct input with = *in;
    with.wall_ms = clock_wall_ms(l->parts.clock);
    with.random = l->random = l->random * 6364136223846793005u + 1442695040888963407u;
    with.random ^= with.random >> 29;
    pthread_mutex_lock(&l->engine_lock);
    enum err_code code =
        engine_turn(l->engine, l->policy, clock_now_ms(l->parts.clock), &with, &l->decision, e);
    pthread_mutex_unlock(&l->engine_lock);
    bool ok = !code;
    for (size_t i = 0; ok && i < l->decision.facts_len; i++)
        ok = batch_text(l, &l->decision.facts[i], e) && batch_keep(&l->batch, &l->decision.facts[i]);
    ok = ok && keep_effects(l);
    decision_clear(&l->decision);
    l->spoiled = l->spoiled || !ok;
    if (!ok && !code)
        code = err_set(e, ERR_NOMEM, "no memory for a turn's facts");
    return code;
}

/* What is due waits with its incident while enough waits for a worker: that takes less memory than questions
 * do, and what is asked then is judged on what is true then. An answer wakes the loop. */
int64_t turn_next_deadline(const struct loop *l)
{
    return l->pending_len < PENDING_MAX ? engine_next_deadline(l->engine) : INT64_MAX;
}

void turn_timers(struct loop *l)
{
    /* what was just decided may want to look at once: a few rounds, then the next turn */
    struct input in = { .kind = INPUT_TIMER };
    for (int i = 0; i < 4 && turn_next_deadline(l) <= clock_now_ms(l->parts.clock); i++)
        if (turn_input(l, &in, NULL) != ERR_OK)
            return;
}

/* ---- repeats ---- */

/* What is recorded but not committed yet may still be lost: then the queue tells. */
bool loop_repeats(struct loop *l, const struct alert *alerts, size_t len)
{
    if (pthread_mutex_trylock(&l->engine_lock) != 0)
        return false;
    bool yes = l->engine && engine_last_seq(l->engine) == l->durable_seq;
    for (size_t i = 0; yes && i < len; i++)
        yes = engine_repeats(l->engine, &alerts[i], &l->repeat_key);
    pthread_mutex_unlock(&l->engine_lock);
    return yes;
}

/* ---- commit ---- */

static void set_durable(struct loop *l)
{
    pthread_mutex_lock(&l->engine_lock);
    l->durable_seq = engine_last_seq(l->engine);
    pthread_mutex_unlock(&l->engine_lock);
}

static void drop_effects(struct loop *l, size_t from)
{
    while (l->pending_len > from)
        effect_release(&l->pending[--l->pending_len]);
}

static void broken(struct loop *l, const char *why)
{
    pthread_mutex_lock(&l->lock);
    bool new = !l->broken;
    l->broken = true;
    text_copy(l->broken_why, sizeof l->broken_why, why);
    pthread_mutex_unlock(&l->lock);
    if (new)
        log_error("journal cannot be written: deliveries are answered 503, nothing is done", "error", why,
                  NULL);
}

/* Nothing of the turn counts: throw the engine away and rebuild it from what is durable. */
static void rebuild(struct loop *l)
{
    struct err e = ERR_INIT;
    batch_drop(&l->batch);
    decision_clear(&l->decision);
    drop_effects(l, 0);
    l->spoiled = false;
    if (loop_replay(l, &e) != ERR_OK)
        broken(l, e.msg);
    l->must_start = true;
}

static enum append_result append(struct loop *l, struct err *e)
{
    struct batch *b = &l->batch;
    if (b->len > b->out_cap) {
        struct journal_row *more = realloc(b->out, b->len * sizeof *more);
        if (!more) {
            err_set(e, ERR_NOMEM, "no memory for a turn's facts");
            return APPEND_FULL;
        }
        b->out = more;
        b->out_cap = b->len;
    }
    for (size_t i = 0; i < b->len; i++) {
        const struct row_at *r = &b->rows[i];
        b->out[i] = (struct journal_row){ .seq = r->seq,
                                          .at_ms = r->at_ms,
                                          .kind = fact_kind_name(r->kind),
                                          .incident = r->incident,
                                          .text = b->text.ptr + r->text,
                                          .len = r->len,
                                          .blob = r->blob_len ? b->text.ptr + r->blob : NULL,
                                          .blob_len = r->blob_len };
    }
    return journal_append(l->parts.journal, 1, b->rows[0].seq - 1, b->out, b->len, e);
}

static const char *const append_names[] = { "ok", "conflict", "full", "unknown" };

/* Hand effects to free workers, in order. Before the commit only those that read. */
static void dispatch(struct loop *l, bool reads_only)
{
    size_t left = 0;
    pthread_mutex_lock(&l->lock);
    bool draining = l->draining;
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->pending_len; i++) {
        struct effect *f = &l->pending[i];
        if (f->kind == EFFECT_OBSERVE && !engine_wants(l->engine, f)) {
            effect_release(f); /* asked again, or its incident has ended */
            continue;
        }
        if (!draining && l->workers && (f->kind == EFFECT_OBSERVE || !reads_only) &&
            workers_start(l->workers, f))
            continue;
        if (left != i)
            l->pending[left] = *f;
        left++;
    }
    l->pending_len = left;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool turn_commit(struct loop *l)
{
    struct err e = ERR_INIT;
    if (l->spoiled) {
        rebuild(l);
        return false;
    }
    if (l->batch.len > 0) {
        dispatch(
            l,
            true); /* they read while the disk writes; should the commit fail, nobody wants their answers */
        double began = now_s();
        enum append_result r = append(l, &e);
        metrics_observe(l->parts.metrics, METRIC_COMMIT, now_s() - began);
        if (r != APPEND_OK) {
            metrics_add(l->parts.metrics, METRIC_JOURNAL_ERRORS, append_names[r], NULL, 1);
            broken(l, e.msg);
            rebuild(l);
            return false;
        }
        set_durable(l);
        report_points(l);
        batch_committed(&l->batch);
    }
    dispatch(l, false);
    return true;
}

void turn_report(struct loop *l)
{
    struct batch *b = &l->batch;
    report_facts(l);
    batch_drop_facts(b, 0);
    b->facts_durable = b->counted_len = b->counted_durable = 0;
}

bool turn_report_may_wait(const struct loop *l)
{
    const struct batch *b = &l->batch;
    for (size_t i = 0; i < b->facts_len; i++)
        if (b->facts[i].kind != FACT_INCIDENT_OPENED)
            return false;
    return b->facts_len + b->counted_len < REPORTS_MAX;
}
