/* Words of operators, and whoever else waits until something is durable. */
#include <stdlib.h>
#include <string.h>

#include "receiver/runtime/log.h"
#include "receiver/runtime/loop_internal.h"

/* Takes the item over. */
static enum err_code wait_for(struct loop *l, struct item *it, struct waiter *w, struct err *e)
{
    *w = (struct waiter){ .finished = false };
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->done, NULL);
    it->waiter = w;
    enum err_code code = loop_post_when_ready(l, it, e);
    if (code)
        item_free(it);
    pthread_mutex_lock(&w->lock);
    while (!code && !w->finished)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->lock);
    if (!code && w->refused)
        return err_set(e, w->refused, "%s", w->why.msg);
    if (!code && !w->committed)
        code = err_set(e, ERR_UNAVAILABLE, "the journal cannot be written: nothing was changed");
    return code;
}

void waiter_finish(struct waiter *w, bool committed)
{
    pthread_mutex_lock(&w->lock);
    w->finished = true;
    w->committed = committed;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

/* The core thread: a word that is not taken changes nothing, and its sender hears why. */
enum err_code take_word(struct loop *l, struct item *it, struct err *e)
{
    struct waiter *w = it->waiter;
    int64_t now_ms = clock_now_ms(l->parts.clock);
    if (it->for_ms)
        it->input.until_ms = now_ms + it->for_ms;
    w->refused = engine_word(l->engine, l->policy, now_ms, &it->input, &w->why);
    if (w->refused)
        return ERR_OK;
    size_t before = l->batch.facts_len;
    enum err_code code = turn_input(l, &it->input, e);
    memcpy(w->incident, it->input.incident, sizeof w->incident);
    for (size_t k = before; k < l->batch.facts_len; k++)
        if (l->batch.facts[k].kind == FACT_INCIDENT_OPENED)
            memcpy(w->incident, l->batch.facts[k].incident, sizeof w->incident);
    return code;
}

enum err_code loop_word(struct loop *l, const struct input *in, int64_t for_ms,
                        char ret_incident[INCIDENT_ID_SIZE], struct err *e)
{
    struct waiter w;
    struct item *it = item_new(ITEM_OPERATOR);
    if (!it)
        return err_set(e, ERR_NOMEM, "no memory");
    it->input = *in;
    it->for_ms = for_ms;
    enum err_code code = wait_for(l, it, &w, e);
    if (!code && ret_incident)
        memcpy(ret_incident, w.incident, sizeof w.incident);
    return code;
}

/* Between two turns: nothing else writes to the journal but its keeper, which is told. */
enum err_code take_finalize(struct loop *l, struct item *it)
{
    struct waiter *w = it->waiter;
    if (journal_version(l->parts.journal) == JOURNAL_SCHEMA_VERSION)
        return ERR_OK;
    w->refused = journal_finalize(l->parts.journal, &w->why);
    if (w->refused)
        return ERR_OK;
    log_warn("the journal is of this release now", "who", it->input.who, NULL);
    if (l->keeper)
        keeper_finalized(l->keeper);
    return ERR_OK;
}

enum err_code loop_finalize(struct loop *l, const char *who, struct err *e)
{
    struct waiter w;
    struct item *it = item_new(ITEM_FINALIZE);
    if (!it)
        return err_set(e, ERR_NOMEM, "no memory");
    text_copy(it->input.who, sizeof it->input.who, who);
    return wait_for(l, it, &w, e);
}

enum err_code loop_reload(struct loop *l, struct buf *ret_errors, struct err *e)
{
    struct policy *p = NULL;
    struct waiter w;
    enum err_code code = loop_ready(l, e);
    if (!code)
        code = loop_policy_load(l, &p, ret_errors, e);
    metrics_add(l->parts.metrics, METRIC_RELOADS, code ? "failure" : "success", NULL, 1);
    pthread_mutex_lock(&l->lock);
    text_copy(l->policy_error, sizeof l->policy_error, code && e ? e->msg : "");
    pthread_mutex_unlock(&l->lock);
    if (code)
        return code;
    struct item *it = item_new(ITEM_POLICY);
    if (!it) {
        policy_free(p);
        return err_set(e, ERR_NOMEM, "no memory");
    }
    it->policy = p;
    it->input.kind = INPUT_POLICY;
    memcpy(it->input.text, p->hash, sizeof p->hash);
    return wait_for(l, it, &w, e);
}

void loop_look(struct loop *l, void (*look)(void *ctx, const struct policy *p), void *ctx)
{
    pthread_mutex_lock(&l->policy_lock);
    look(ctx, l->policy);
    pthread_mutex_unlock(&l->policy_lock);
}
