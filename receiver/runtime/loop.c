/* The loop's queue, thread and life. */
#include "receiver/runtime/loop.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "receiver/journal/copy.h"
#include "receiver/runtime/loop_internal.h"

#define LOOP_STACK_BYTES ((size_t)512 << 10)
#define OUTBOX_GRACE_MS 3000

/* ---- queue ---- */

/* True: the thread sleeps. It is woken after the lock was left, or it would wait for that at once. */
static bool append_item(struct loop *l, struct item *it)
{
    it->next = NULL;
    if (l->tail)
        l->tail->next = it;
    else
        l->head = it;
    l->tail = it;
    bool asleep = l->asleep;
    l->asleep = false;
    return asleep;
}

static enum err_code ready_locked(const struct loop *l, struct err *e)
{
    if (l->draining || l->stop)
        return err_set(e, ERR_UNAVAILABLE, "heald is shutting down");
    if (l->broken)
        return err_set(e, ERR_UNAVAILABLE, "the journal cannot be written: %s", l->broken_why);
    return ERR_OK;
}

/* Takes the item over. */
static void loop_post(struct loop *l, struct item *it)
{
    pthread_mutex_lock(&l->lock);
    bool asleep = append_item(l, it);
    pthread_mutex_unlock(&l->lock);
    if (asleep)
        pthread_cond_signal(&l->wake);
}

enum err_code loop_post_when_ready(struct loop *l, struct item *it, struct err *e)
{
    pthread_mutex_lock(&l->lock);
    enum err_code code = ready_locked(l, e);
    bool asleep = !code && append_item(l, it);
    pthread_mutex_unlock(&l->lock);
    if (asleep)
        pthread_cond_signal(&l->wake);
    return code;
}

struct item *item_new(enum item_kind kind)
{
    struct item *it = calloc(1, sizeof *it);
    if (it)
        it->kind = kind;
    return it;
}

void item_free(struct item *it)
{
    free(it->answer);
    free(it->workload);
    policy_free(it->policy);
    free(it);
}

enum err_code loop_submit(struct loop *l, struct slice *s, struct err *e)
{
    struct item *it = item_new(ITEM_SLICE);
    if (!it)
        return err_set(e, ERR_UNAVAILABLE, "no memory for a delivery");
    it->slice = *s;
    enum err_code code = loop_post_when_ready(l, it, e);
    if (code)
        free(it);
    return code;
}

/* A worker's answer: its slot is the worker itself, so this cannot overflow. Without memory the question is
 * asked again after QUESTION_LOST_MS, a write's after a restart of the engine; that must not be, so it is
 * tried until there is memory. */
static void on_answer(void *ctx, const struct answer *a)
{
    struct item *it = NULL;
    struct answer *copy = NULL;
    while (!(it = it ? it : item_new(ITEM_ANSWER)) || !(copy = copy ? copy : malloc(sizeof *copy)))
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    *copy = *a;
    it->answer = copy;
    loop_post(ctx, it);
}

static void post_watch(struct loop *l, enum item_kind kind, const struct watch_workload *w)
{
    struct item *it = item_new(kind);
    struct watch_workload *copy = malloc(sizeof *copy);
    pthread_mutex_lock(&l->lock);
    bool room = l->watch_items < WATCH_ITEMS_MAX;
    l->watch_items += room && it && copy;
    pthread_mutex_unlock(&l->lock);
    if (!room || !it || !copy) {
        free(it);
        free(copy);
        return; /* well comes again within a minute; verification looks by itself */
    }
    *copy = *w;
    it->workload = copy;
    loop_post(l, it);
}

static void on_well(void *ctx, const struct watch_workload *w)
{
    post_watch(ctx, ITEM_WELL, w);
}

static void on_changed(void *ctx, const struct watch_workload *w)
{
    post_watch(ctx, ITEM_CHANGED, w);
}

static void on_watch_log(void *ctx, bool warning, const char *message)
{
    (void)ctx;
    log_line(warning ? LOG_WARN : LOG_INFO, message, "part", "watch", NULL);
}

static void on_told(void *ctx, const char *incident, int64_t revision, int64_t annotation_id)
{
    struct item *it = item_new(ITEM_TOLD);
    if (!it)
        return; /* told again: the annotation is found by its tag */
    it->input = (struct input){ .kind = INPUT_TOLD, .revision = revision, .annotation_id = annotation_id };
    text_copy(it->input.incident, sizeof it->input.incident, incident);
    loop_post(ctx, it);
}

static void on_snapshot(void *ctx, const struct snapshot_mark *mark)
{
    struct item *it = item_new(ITEM_SNAPSHOT);
    if (!it)
        return; /* made again */
    it->input = (struct input){ .kind = INPUT_SNAPSHOT, .snapshot = *mark };
    loop_post(ctx, it);
}

enum err_code loop_ready(struct loop *l, struct err *e)
{
    pthread_mutex_lock(&l->lock);
    enum err_code code = ready_locked(l, e);
    pthread_mutex_unlock(&l->lock);
    return code;
}

void loop_status(struct loop *l, struct buf *ret)
{
    pthread_mutex_lock(&l->lock);
    buf_adds(ret, buf_text(&l->snapshot));
    pthread_mutex_unlock(&l->lock);
}

/* ---- the thread ---- */

static enum err_code take_slice(struct loop *l, struct item *it, struct err *e)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; !code && i < it->slice.len; i++) {
        struct input in = { .kind = INPUT_ALERT, .alert = &it->slice.alerts[i] };
        code = turn_input(l, &in, e);
    }
    return code;
}

static enum err_code take_answer(struct loop *l, const struct answer *a, struct err *e)
{
    struct input in = { .kind = a->kind == EFFECT_ACT ? INPUT_ACTED : INPUT_OBSERVATION,
                        .token = a->token,
                        .error = a->error,
                        .observation = &a->observation,
                        .report = a->report };
    memcpy(in.incident, a->incident, sizeof in.incident);
    memcpy(in.text, a->text, sizeof in.text);
    return turn_input(l, &in, e);
}

static enum err_code take_watch(struct loop *l, const struct item *it, struct err *e)
{
    struct input in = { .kind = it->kind == ITEM_WELL ? INPUT_WELL : INPUT_CHANGED,
                        .target = it->workload->target,
                        .since_ms = it->workload->well_since_ms };
    memcpy(in.template_hash, it->workload->template_hash, sizeof in.template_hash);
    return turn_input(l, &in, e);
}

static enum err_code take_policy(struct loop *l, struct item *it, struct err *e)
{
    pthread_mutex_lock(&l->policy_lock);
    policy_free(l->policy);
    l->policy = it->policy;
    pthread_mutex_unlock(&l->policy_lock);
    it->policy = NULL;
    l->policy_loaded_ms = clock_wall_ms(l->parts.clock);
    for (size_t i = 0; l->fleet && i < l->fleet->len; i++)
        watch_set_well_for(l->fleet->members[i].watch, policy_shortest_well_ms(l->policy));
    metrics_set(l->parts.metrics, METRIC_RELOAD_TIME, NULL, NULL, (double)l->policy_loaded_ms / 1000);
    log_info("policy loaded", "hash", l->policy->hash, NULL);
    return turn_input(l, &it->input, e);
}

static enum err_code take_item(struct loop *l, struct item *it, struct err *e)
{
    switch (it->kind) {
    case ITEM_SLICE:
        return take_slice(l, it, e);
    case ITEM_ANSWER:
        return take_answer(l, it->answer, e);
    case ITEM_WELL:
    case ITEM_CHANGED:
        return take_watch(l, it, e);
    case ITEM_POLICY:
        return take_policy(l, it, e);
    case ITEM_OPERATOR:
        l->snapshot_ms = 0;
        return take_word(l, it, e);
    case ITEM_FINALIZE:
        return take_finalize(l, it);
    case ITEM_TOLD:
    case ITEM_SNAPSHOT:
        break;
    }
    return turn_input(l, &it->input, e);
}

static void answer_item(struct loop *l, struct item *it, bool committed)
{
    if (it->kind == ITEM_SLICE && it->slice.done)
        it->slice.done(it->slice.ctx, committed ? SLICE_COMMITTED : SLICE_UNAVAILABLE);
    if (it->waiter)
        waiter_finish(it->waiter, committed);
    if (it->kind == ITEM_WELL || it->kind == ITEM_CHANGED) {
        pthread_mutex_lock(&l->lock);
        l->watch_items--;
        pthread_mutex_unlock(&l->lock);
    }
    item_free(it);
}

/* Senders first: nobody waits for logs. */
static void answer_slices(struct item *items, bool committed)
{
    for (struct item *it = items; it; it = it->next)
        if (it->kind == ITEM_SLICE && it->slice.done) {
            it->slice.done(it->slice.ctx, committed ? SLICE_COMMITTED : SLICE_UNAVAILABLE);
            it->slice.done = NULL;
        }
}

/* Take items off the queue for one turn. */
static struct item *next_items(struct loop *l)
{
    struct item *first = l->head, *last = NULL;
    size_t alerts = 0;
    for (struct item *it = first; it; it = it->next) {
        if (last && alerts + it->slice.len > TURN_ALERTS_MAX)
            break;
        alerts += it->slice.len;
        last = it;
    }
    if (last) {
        l->head = last->next;
        l->tail = l->head ? l->tail : NULL;
        last->next = NULL;
    }
    return first;
}

static void put_back(struct loop *l, struct item *rest)
{
    struct item *last = rest;
    while (last->next)
        last = last->next;
    pthread_mutex_lock(&l->lock);
    last->next = l->head;
    l->head = rest;
    l->tail = l->tail ? l->tail : last;
    pthread_mutex_unlock(&l->lock);
}

/* By how much, 0 when it did not. */
static int64_t jumped(struct loop *l)
{
    struct input in = { .kind = INPUT_JUMPED };
    if (clock_jumped(l->parts.clock, &in.by_ms))
        turn_input(l, &in, NULL);
    return in.by_ms;
}

/* What waits in the queue comes before logs: the answer of a worker, which is on the way to a write. */
static bool report_may_wait(struct loop *l, const struct item *items)
{
    for (const struct item *it = items; it; it = it->next)
        if (it->kind != ITEM_SLICE)
            return false;
    pthread_mutex_lock(&l->lock);
    bool more = l->head != NULL;
    pthread_mutex_unlock(&l->lock);
    return more && turn_report_may_wait(l);
}

static void turn(struct loop *l, struct item *items)
{
    struct err e = ERR_INIT;
    enum err_code code = ERR_OK;
    int64_t began = clock_now_ms(l->parts.clock);
    struct item *it = items;
    if (l->must_start) {
        struct input in = { .kind = INPUT_STARTED };
        l->must_start = turn_input(l, &in, NULL) != ERR_OK;
    }
    int64_t jumped_ms = jumped(l);
    for (; !code && it; it = it->next) {
        code = take_item(l, it, &e);
        if (it->next && clock_now_ms(l->parts.clock) - began > TURN_MS_MAX) {
            put_back(l, it->next);
            it->next = NULL;
        }
    }
    if (!code)
        turn_timers(l);
    else
        log_error("turn dropped", "error", e.msg, NULL);
    bool committed = turn_commit(l) && !code;
    if (committed && jumped_ms)
        clock_jump_recorded(l->parts.clock, jumped_ms);
    answer_slices(items, committed);
    if (!report_may_wait(l, items)) {
        turn_report(l);
        report_untold(l);
        report_snapshot(l);
    }
    for (it = items; it;) { /* a waiting operator sees what was done in /status */
        struct item *next = it->next;
        answer_item(l, it, committed);
        it = next;
    }
}

/* A journal that could not be written: is it again? Then the engine is what the journal says. */
static void probe(struct loop *l)
{
    struct err e = ERR_INIT;
    int64_t now = clock_now_ms(l->parts.clock);
    if (now < l->probe_ms)
        return;
    l->probe_ms = now + PROBE_MS;
    if (journal_probe(l->parts.journal, &e) != ERR_OK || loop_replay(l, &e) != ERR_OK)
        return;
    l->must_start = true;
    pthread_mutex_lock(&l->lock);
    l->broken = false;
    pthread_mutex_unlock(&l->lock);
    log_info("journal can be written again", NULL);
}

static void wait_for_work(struct loop *l, bool broken)
{
    int64_t now = clock_now_ms(l->parts.clock);
    int64_t next = broken ? now + PROBE_MS : turn_next_deadline(l);
    if (l->snapshot_old && l->snapshot_ms + SNAPSHOT_MS < next)
        next = l->snapshot_ms + SNAPSHOT_MS;
    int64_t pause = next <= now         ? 0
                    : next - now < 1000 ? next - now
                                        : 1000; /* the clock is slewed and may jump: look every second */
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += pause / 1000;
    until.tv_nsec += pause % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    l->asleep = pause > 0;
    if (pause)
        pthread_cond_timedwait(&l->wake, &l->lock, &until);
    l->asleep = false;
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        if (!l->head && !l->stop)
            wait_for_work(l, l->broken);
        if (l->stop && !l->head)
            break;
        struct item *items = next_items(l);
        bool broken = l->broken;
        pthread_mutex_unlock(&l->lock);
        if (broken)
            probe(l);
        turn(l, items);
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- life ---- */

static enum err_code first_turn(struct loop *l, struct err *e)
{
    struct input in = { .kind = INPUT_INSTALLED };
    int64_t by_ms = 0;
    enum err_code code = l->parts.journal_created ? turn_input(l, &in, e) : ERR_OK;
    in.kind = INPUT_POLICY;
    memcpy(in.text, l->policy->hash, sizeof l->policy->hash);
    if (!code)
        code = turn_input(l, &in, e);
    if (!code && clock_doubtful(l->parts.clock, &by_ms) && !engine_paused(l->engine, NULL, NULL)) {
        in = (struct input){ .kind = INPUT_PAUSE, .who = "heald" };
        text_copy(
            in.text, sizeof in.text,
            "the wall clock and the journal's last fact lie too far apart: check the clock, then resume");
        code = turn_input(l, &in, e);
    }
    bool restored = journal_restored(l->parts.journal);
    if (!code && restored) {
        in = (struct input){ .kind = INPUT_PAUSE, .who = "heald" };
        text_copy(in.text, sizeof in.text,
                  "the journal was restored: what was done since its copy was made is not known");
        code = turn_input(l, &in, e);
    }
    if (!code && !turn_commit(l))
        code = err_set(e, ERR_IO, "journal: %s", l->broken_why);
    if (!code && restored)
        code = journal_note_restored(l->parts.journal, e);
    turn_report(l);
    l->must_start = true;
    return code;
}

static enum err_code load(struct loop *l, struct buf *ret_errors, struct err *e)
{
    enum err_code code = json_writer_new(&l->writer, e);
    if (!code)
        code = loop_policy_load(l, &l->policy, ret_errors, e);
    if (!code)
        code = loop_replay(l, e);
    if (!code)
        code = first_turn(l, e);
    return code;
}

enum err_code loop_new(struct loop **ret, const struct loop_parts *parts, struct buf *ret_errors,
                       struct err *e)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(e, ERR_NOMEM, "no memory for the loop");
    l->parts = *parts;
    l->started_ms = clock_wall_ms(parts->clock);
    l->policy_loaded_ms = l->started_ms;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->engine_lock, NULL);
    pthread_mutex_init(&l->files_lock, NULL);
    pthread_mutex_init(&l->policy_lock, NULL);
    if (gnutls_rnd(GNUTLS_RND_NONCE, &l->random, sizeof l->random) < 0)
        l->random = (uint64_t)l->started_ms;
    enum err_code code = load(l, ret_errors, e);
    if (code) {
        loop_free(l);
        return code;
    }
    *ret = l;
    return ERR_OK;
}

static enum err_code start_outbox(struct loop *l, struct err *e)
{
    const struct endpoint_settings *g = &l->parts.settings->grafana;
    if (!g->url)
        return ERR_OK;
    struct outbox_settings s = { .url = g->url, .token_file = g->token_file, .ca_file = g->ca_file };
    return outbox_new(&l->outbox, &s, l->parts.metrics, on_told, l, e);
}

static enum err_code start_keeper(struct loop *l, struct err *e)
{
    const struct settings *s = l->parts.settings;
    struct keeper_parts parts = { .journal = l->parts.journal,
                                  .clock = l->parts.clock,
                                  .metrics = l->parts.metrics,
                                  .retain_ms = s->retain_ms,
                                  .journal_bytes = s->limits.journal_bytes,
                                  .snapshot_facts = s->limits.snapshot_facts,
                                  .look_ms = KEEPER_LOOK_MS,
                                  .made = on_snapshot,
                                  .ctx = l };
    return keeper_new(&l->keeper, &parts, e);
}

enum err_code loop_start(struct loop *l, struct err *e)
{
    struct watch_hooks hooks = { .ctx = l, .well = on_well, .changed = on_changed, .log = on_watch_log };
    enum err_code code = fleet_new(&l->fleet, l->parts.settings, l->parts.clock, l->parts.metrics, &hooks, e);
    if (!code)
        code = workers_new(&l->workers, (size_t)l->parts.settings->limits.workers, l->fleet, on_answer, l, e);
    if (!code)
        code = start_outbox(l, e);
    if (code)
        return code;
    for (size_t i = 0; i < l->fleet->len; i++)
        watch_set_well_for(l->fleet->members[i].watch, policy_shortest_well_ms(l->policy));
    l->snapshot_old = true;
    report_untold(l); /* what a crash left untold */
    report_snapshot(l);
    code = start_keeper(l, e); /* before the core, which looks at it */
    if (code)
        return code;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, LOOP_STACK_BYTES);
    l->thread_started = pthread_create(&l->thread, &small, loop_main, l) == 0;
    pthread_attr_destroy(&small);
    if (!l->thread_started)
        return err_set(e, ERR_IO, "the core thread could not be started");
    return fleet_start(l->fleet, e);
}

void loop_stop(struct loop *l, int64_t drain_ms)
{
    pthread_mutex_lock(&l->lock);
    l->draining = true;
    pthread_mutex_unlock(&l->lock);
    struct workers *w = l->workers;
    int64_t until = clock_now_ms(l->parts.clock) + drain_ms;
    while (w && workers_busy(w) && clock_now_ms(l->parts.clock) < until)
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    if (l->thread_started)
        pthread_join(l->thread, NULL);
    l->thread_started = false;
    l->keeper = keeper_free(l->keeper);
    l->outbox = outbox_free(l->outbox, OUTBOX_GRACE_MS);
    l->workers = workers_free(w, 0);
    l->fleet = fleet_free(l->fleet);
}

struct loop *loop_free(struct loop *l)
{
    if (!l)
        return NULL;
    if (l->thread_started || l->fleet || l->workers)
        loop_stop(l, 0);
    while (l->head) { /* answers that came after the end */
        struct item *it = l->head;
        l->head = it->next;
        answer_item(l, it, false);
    }
    for (size_t i = 0; i < l->pending_len; i++)
        effect_release(&l->pending[i]);
    free(l->pending);
    batch_release(&l->batch);
    decision_release(&l->decision);
    buf_release(&l->blob);
    buf_release(&l->snapshot);
    json_writer_free(l->writer);
    policy_free(l->policy);
    free(l->sources);
    engine_free(l->engine);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    pthread_mutex_destroy(&l->engine_lock);
    pthread_mutex_destroy(&l->files_lock);
    file_watch_release(&l->policy_files);
    pthread_mutex_destroy(&l->policy_lock);
    buf_release(&l->repeat_key);
    free(l);
    return NULL;
}
