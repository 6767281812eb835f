#include "receiver/runtime/workers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actions/catalogue.h"
#include "receiver/runtime/fault.h"

struct worker {
    struct workers *pool;
    pthread_t thread;
    pthread_cond_t work; /* its own: waking one worker must not wake all */
    struct http *http;
    bool busy;
    struct effect effect;
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t idle;
    bool stop;
    size_t count, started, busy, verifying;
    struct fleet *fleet;
    void (*answer)(void *ctx, const struct answer *a);
    void *ctx;
    struct worker list[];
};

static int64_t wall_ms(void *ctx)
{
    return clock_wall_ms(ctx);
}

static int64_t engine_ms(void *ctx)
{
    return clock_now_ms(ctx);
}

static void count_probes(struct metrics *m, const struct effect *f, const struct observation *o)
{
    static const char *const systems[] = {
        [PROBE_PROMQL] = "promql", [PROBE_LOKI] = "loki", [PROBE_HTTP] = "http"
    };
    for (size_t i = 0; i < f->probes_len && i < o->probes_len; i++)
        if (f->probes[i].kind != PROBE_NONE)
            metrics_add(m, METRIC_PROBES, systems[f->probes[i].kind],
                        o->probes[i].state == PROBE_ANSWERED ? "answered" : "no_data", 1);
}

static enum err_code look(struct worker *w, const struct effect *f, struct observation *ret, struct err *e)
{
    struct member *m = NULL;
    enum err_code code = fleet_member(w->pool->fleet, f->target.cluster, &f->labels, &m, e);
    if (code)
        return code;
    struct target target = f->target;
    text_copy(target.cluster, sizeof target.cluster, cluster_name(m->cluster));
    struct fleet *fleet = w->pool->fleet;
    struct observer o = { .cluster = m->cluster,
                          .namespaces = fleet->namespaces,
                          .watch = m->watch,
                          .systems = { .prometheus = fleet->prometheus,
                                       .loki = fleet->loki,
                                       .hosts = fleet->probe_hosts,
                                       .hosts_len = fleet->probe_hosts_len },
                          .alertmanager = fleet->alertmanager,
                          .now_ms = wall_ms,
                          .now_ctx = fleet->clock };
    struct observe_request r = { .labels = &f->labels,
                                 .from = f->from,
                                 .kind = f->selector_kind,
                                 .selector = f->selector,
                                 .limit = f->limit,
                                 .owner = f->owner[0] ? f->owner : NULL,
                                 .target = &target,
                                 .needs = f->needs,
                                 .pod_uid = f->pod_uid[0] ? f->pod_uid : NULL,
                                 .pod_name = f->pod_name[0] ? f->pod_name : NULL,
                                 .action = f->action,
                                 .ask = f->ask,
                                 .change_key = f->change_key,
                                 .intent = f->intent.write ? &f->intent : NULL,
                                 .probes = f->probes,
                                 .probes_len = f->probes_len };
    fault_point("observe-started");
    code = observe(&o, w->http, &r, ret, e);
    if (code == ERR_OK)
        count_probes(fleet->metrics, f, ret);
    return code;
}

static void act(struct worker *w, const struct effect *f, struct act_report *ret)
{
    struct member *m = NULL;
    struct err e = ERR_INIT;
    const struct action *a = catalogue_find(f->intent.action);
    if (fleet_member(w->pool->fleet, f->intent.target.cluster, NULL, &m, &e) != ERR_OK || !a) {
        *ret = (struct act_report){ .result = ACT_FAILED };
        text_copy(ret->reason, sizeof ret->reason, a ? e.msg : "this release has no such action");
        return;
    }
    struct action_context c = {
        .cluster = m->cluster, .http = w->http, .now_ms = engine_ms, .now_ctx = w->pool->fleet->clock
    };
    a->run(&c, &f->intent, ret);
    fault_point("answer-read");
}

static void carry_out(struct worker *w, struct answer *a)
{
    struct effect *f = &w->effect;
    struct err e = ERR_INIT;
    memset(a, 0, sizeof *a);
    a->kind = f->kind;
    a->token = f->token;
    memcpy(a->incident, f->incident, sizeof a->incident);
    if (f->kind == EFFECT_OBSERVE)
        a->error = look(w, f, &a->observation, &e);
    else
        act(w, f, &a->report);
    text_copy(a->text, sizeof a->text, e.msg);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct workers *p = w->pool;
    struct answer *a = malloc(sizeof *a);
    pthread_mutex_lock(&p->lock);
    while (a && !p->stop) {
        if (!w->busy) {
            pthread_cond_wait(&w->work, &p->lock);
            continue;
        }
        pthread_mutex_unlock(&p->lock);
        carry_out(w, a);
        bool verify = w->effect.lane == LANE_VERIFY;
        effect_release(&w->effect);
        pthread_mutex_lock(&p->lock);
        w->busy = false;
        p->busy--;
        p->verifying -= verify;
        pthread_cond_broadcast(&p->idle);
        pthread_mutex_unlock(&p->lock);
        p->answer(p->ctx, a);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    free(a);
    return NULL;
}

enum err_code workers_new(struct workers **ret, size_t count, struct fleet *f,
                          void (*answer)(void *ctx, const struct answer *a), void *ctx, struct err *e)
{
    if (count < 2 || count > WORKERS_MAX)
        return err_set(e, ERR_INVALID, "limits.workers %zu is not in 2..%d", count, WORKERS_MAX);
    struct workers *p = calloc(1, sizeof *p + count * sizeof p->list[0]);
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for the workers");
    pthread_mutex_init(&p->lock, NULL);
    for (size_t i = 0; i < count; i++)
        pthread_cond_init(&p->list[i].work, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->idle, &attr);
    pthread_condattr_destroy(&attr);
    p->count = count;
    p->fleet = f;
    p->answer = answer;
    p->ctx = ctx;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, WORKER_STACK_BYTES);
    enum err_code code = ERR_OK;
    for (size_t i = 0; !code && i < count; i++) {
        p->list[i].pool = p;
        code = http_new(&p->list[i].http, e);
        if (!code && pthread_create(&p->list[i].thread, &small, worker_main, &p->list[i]) != 0)
            code = err_set(e, ERR_IO, "a worker thread could not be started");
        p->started += !code;
    }
    pthread_attr_destroy(&small);
    if (code) {
        workers_free(p, 0);
        return code;
    }
    *ret = p;
    return ERR_OK;
}

bool workers_start(struct workers *p, struct effect *f)
{
    bool verify = f->lane == LANE_VERIFY;
    pthread_mutex_lock(&p->lock);
    bool free_one = p->busy < p->count && !p->stop && (!verify || p->verifying + 1 < p->count);
    for (size_t i = 0; free_one && i < p->count; i++) {
        struct worker *w = &p->list[i];
        if (w->busy)
            continue;
        w->effect = *f;
        w->busy = true;
        p->busy++;
        p->verifying += verify;
        memset(f, 0, sizeof *f);
        pthread_cond_signal(&w->work);
        break;
    }
    pthread_mutex_unlock(&p->lock);
    return free_one;
}

size_t workers_busy(struct workers *p)
{
    pthread_mutex_lock(&p->lock);
    size_t n = p->busy;
    pthread_mutex_unlock(&p->lock);
    return n;
}

struct workers *workers_free(struct workers *p, int64_t wait_ms)
{
    if (!p)
        return NULL;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    pthread_mutex_lock(&p->lock);
    while (p->busy && pthread_cond_timedwait(&p->idle, &p->lock, &until) == 0)
        ;
    p->stop = true;
    for (size_t i = 0; i < p->count; i++) {
        pthread_cond_signal(&p->list[i].work);
        if (p->list[i].http)
            http_abort(p->list[i].http);
    }
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->count; i++) {
        if (i < p->started)
            pthread_join(p->list[i].thread, NULL);
        effect_release(&p->list[i].effect);
        http_free(p->list[i].http);
        pthread_cond_destroy(&p->list[i].work);
    }
    pthread_cond_destroy(&p->idle);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}
