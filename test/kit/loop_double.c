/* test/kit/loop_double.c - see loop_double.h: a stand-in for the loop, without journal and engine. */
#include "test/kit/loop_double.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct held {
    struct slice slice;
    struct held *next;
};
struct loop {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    enum double_mode mode;
    bool stop;
    unsigned turns; /* double_release() has been called that often */
    struct held *first, *last;
    size_t held, slices, pauses, reloads;
    struct alert *committed;
    size_t committed_len;
    struct buf word;
    struct policy none; /* without a rule */
    const struct policy *policy;
};

/* Takes what the slice's alerts hold. */
static bool keep(struct loop *l, struct slice *s)
{
    struct alert *more = realloc(l->committed, (l->committed_len + s->len) * sizeof *more);
    if (!more)
        return false;
    memcpy(more + l->committed_len, s->alerts, s->len * sizeof *more);
    l->committed = more;
    l->committed_len += s->len;
    memset(s->alerts, 0, s->len * sizeof *s->alerts);
    return true;
}

static void finish(struct loop *l, struct held *h)
{
    bool good = l->mode != DOUBLE_FAILS && keep(l, &h->slice);
    pthread_mutex_unlock(&l->lock);
    h->slice.done(h->slice.ctx, good ? SLICE_COMMITTED : SLICE_UNAVAILABLE);
    free(h);
    pthread_mutex_lock(&l->lock);
}

static void *run(void *arg)
{
    struct loop *l = arg;
    unsigned seen = 0;
    pthread_mutex_lock(&l->lock);
    while (!l->stop || l->first) {
        if (!l->first || (l->mode == DOUBLE_HOLDS && seen == l->turns && !l->stop)) {
            pthread_cond_wait(&l->wake, &l->lock);
            continue;
        }
        struct held *h = l->first;
        l->first = h->next;
        if (!l->first)
            seen = l->turns;
        l->held--;
        finish(l, h);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

struct loop *double_new(void)
{
    struct loop *l = calloc(1, sizeof *l);
    l->policy = &l->none;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    pthread_create(&l->thread, NULL, run, l);
    return l;
}

struct loop *double_free(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->wake);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    for (size_t i = 0; i < l->committed_len; i++)
        alert_release(&l->committed[i]);
    free(l->committed);
    buf_release(&l->word);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
    return NULL;
}

void double_mode(struct loop *l, enum double_mode mode)
{
    pthread_mutex_lock(&l->lock);
    l->mode = mode;
    pthread_cond_broadcast(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

void double_release(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->turns++;
    pthread_cond_broadcast(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

static size_t peek(struct loop *l, const size_t *field)
{
    pthread_mutex_lock(&l->lock);
    size_t n = *field;
    pthread_mutex_unlock(&l->lock);
    return n;
}

size_t double_slices(struct loop *l)
{
    return peek(l, &l->slices);
}

size_t double_held(struct loop *l)
{
    return peek(l, &l->held);
}

size_t double_committed(struct loop *l)
{
    return peek(l, &l->committed_len);
}

size_t double_pauses(struct loop *l)
{
    return peek(l, &l->pauses);
}

size_t double_reloads(struct loop *l)
{
    return peek(l, &l->reloads);
}

char *double_label(struct loop *l, size_t index, const char *name)
{
    pthread_mutex_lock(&l->lock);
    char *ret = strdup(index < l->committed_len ? alert_label(&l->committed[index], name) : "");
    pthread_mutex_unlock(&l->lock);
    return ret;
}

char *double_word(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    char *ret = strdup(buf_text(&l->word));
    pthread_mutex_unlock(&l->lock);
    return ret;
}

/* ---- what receiver/runtime/loop.h promises ---- */

enum err_code loop_submit(struct loop *l, struct slice *s, struct err *e)
{
    struct held *h = calloc(1, sizeof *h);
    pthread_mutex_lock(&l->lock);
    bool refused = !h || l->mode == DOUBLE_REFUSES;
    l->slices++;
    if (!refused) {
        h->slice = *s;
        if (l->first)
            l->last->next = h;
        else
            l->first = h;
        l->last = h;
        l->held++;
        pthread_cond_broadcast(&l->wake);
    }
    pthread_mutex_unlock(&l->lock);
    if (refused)
        free(h);
    return refused ? err_set(e, ERR_UNAVAILABLE, "the double refuses") : ERR_OK;
}

bool loop_repeats(struct loop *l, const struct alert *alerts, size_t len)
{
    pthread_mutex_lock(&l->lock);
    bool yes = l->mode == DOUBLE_KNOWS;
    pthread_mutex_unlock(&l->lock);
    (void)alerts;
    return yes && len > 0;
}

/* Held: until the next double_release(). */
static void wait_for_turn(struct loop *l)
{
    unsigned seen = l->turns;
    while (l->mode == DOUBLE_HOLDS && l->turns == seen && !l->stop)
        pthread_cond_wait(&l->wake, &l->lock);
}

enum err_code loop_word(struct loop *l, const struct input *in, int64_t for_ms,
                        char ret_incident[INCIDENT_ID_SIZE], struct err *e)
{
    static const char *const names[] = {
        [WORD_APPROVE] = "approve", [WORD_DENY] = "deny", [WORD_CANCEL] = "cancel", [WORD_RETRY] = "retry"
    };
    pthread_mutex_lock(&l->lock);
    wait_for_turn(l);
    bool good = l->mode != DOUBLE_FAILS;
    if (good) {
        l->pauses += in->kind == INPUT_PAUSE;
        buf_clear(&l->word);
        if (in->kind == INPUT_WORD)
            buf_addf(&l->word, "%s %s (%s %s) ", names[in->word], in->incident, in->groups, in->hash);
        else if (in->kind == INPUT_HEAL)
            buf_addf(&l->word, "heal %s/%s/%s by %s%s ", in->target.namespace, in->target.kind,
                     in->target.name, in->name, in->plan);
        else if (in->scope != PAUSE_EVERYWHERE)
            buf_addf(&l->word, "%s %s for %lld ms ", pause_scope_name(in->scope), in->name,
                     (long long)for_ms);
        buf_addf(&l->word, "%s: %s", in->who, in->text);
        if (in->kind == INPUT_WORD || in->kind == INPUT_HEAL)
            snprintf(ret_incident, INCIDENT_ID_SIZE, "%s", in->kind == INPUT_WORD ? in->incident : "0new");
    }
    pthread_mutex_unlock(&l->lock);
    if (good && strcmp(in->incident, "0gone") == 0)
        return err_set(e, ERR_NOT_FOUND, "there is no such incident");
    if (good && strcmp(in->incident, "0late") == 0)
        return err_set(e, ERR_INVALID, "it is too late");
    return good ? ERR_OK : err_set(e, ERR_UNAVAILABLE, "the double fails");
}

enum err_code loop_finalize(struct loop *l, const char *who, struct err *e)
{
    (void)l;
    (void)who;
    (void)e;
    return ERR_OK;
}

enum err_code loop_reload(struct loop *l, struct buf *ret_errors, struct err *e)
{
    pthread_mutex_lock(&l->lock);
    wait_for_turn(l);
    bool good = l->mode != DOUBLE_FAILS;
    l->reloads++;
    pthread_mutex_unlock(&l->lock);
    if (good)
        return ERR_OK;
    buf_adds(ret_errors, "policy.cfg:3: unknown key\n");
    return err_set(e, ERR_INVALID, "policy.cfg has errors");
}

void loop_look(struct loop *l, void (*look)(void *ctx, const struct policy *p), void *ctx)
{
    pthread_mutex_lock(&l->lock);
    look(ctx, l->policy);
    pthread_mutex_unlock(&l->lock);
}

void double_policy(struct loop *l, const struct policy *p)
{
    pthread_mutex_lock(&l->lock);
    l->policy = p;
    pthread_mutex_unlock(&l->lock);
}

enum err_code loop_ready(struct loop *l, struct err *e)
{
    pthread_mutex_lock(&l->lock);
    bool ready = l->mode != DOUBLE_NOT_READY;
    pthread_mutex_unlock(&l->lock);
    return ready ? ERR_OK : err_set(e, ERR_UNAVAILABLE, "the double is not ready");
}

void loop_status(struct loop *l, struct buf *ret)
{
    (void)l;
    buf_adds(ret, "{\"version\":\"double\"}");
}
