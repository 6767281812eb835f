/* receiver/runtime/outbox.c - a queue by incident and the thread that empties it.
 *
 *   waiting --due--> under way --ok--> told, gone          a newer revision takes the waiting one's place at
 * any time ^                 |---400--> dropped, gone
 *      +----backoff------+
 */
#include "receiver/runtime/outbox.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "actions/http/http.h"
#include "receiver/runtime/fault.h"
#include "receiver/runtime/log.h"
#include "receiver/runtime/outbox_letter.h"

#define STACK_BYTES ((size_t)128 << 10)
#define TOKEN_MAX 4096u
#define ANSWER_MAX (1u << 20) /* a list of SEARCH_LIMIT annotations is far below */
#define SETTLED_MAX 64u /* the last ones told or dropped: the loop may push them again before it knows */

struct entry { /* one incident with something to tell */
    struct entry *next;
    char incident[INCIDENT_ID_SIZE];
    struct letter *letter; /* waiting; NULL while it is under way and nothing newer came */
    int64_t revision;      /* the newest accepted */
    int64_t due_ms;        /* monotonic */
    unsigned attempts;     /* failed in a row */
    bool under_way;
    bool last_try; /* has had its turn since stopping began */
};

struct settled {
    char incident[INCIDENT_ID_SIZE];
    int64_t revision;
    int64_t annotation_id; /* 0: Grafana refused the content */
};

struct outbox {
    char *url, *token_file, *ca_file, *dashboard_uid; /* NULL where not given */
    struct metrics *metrics;
    void (*told)(void *ctx, const char *incident, int64_t revision, int64_t annotation_id);
    void *ctx;
    pthread_t thread;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct entry *first; /* in the order in which incidents came */
    size_t len;
    struct settled settled[SETTLED_MAX];
    size_t settled_next;
    bool stopping;
    int64_t stop_ms;

    /* the thread's own */
    struct http *http;
    uint64_t random;
    char token[TOKEN_MAX + 1];
    int64_t retry_after_ms; /* Grafana's wish in the last answer; -1 none */
};

static int64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the queue; the mutex is held ---- */

static struct entry *find(struct outbox *o, const char *incident)
{
    struct entry *n = o->first;
    while (n && strcmp(n->incident, incident) != 0)
        n = n->next;
    return n;
}

static struct settled *find_settled(struct outbox *o, const char *incident)
{
    for (size_t i = 0; i < SETTLED_MAX; i++)
        if (strcmp(o->settled[i].incident, incident) == 0)
            return &o->settled[i];
    return NULL;
}

static void settle(struct outbox *o, const char *incident, int64_t revision, int64_t annotation_id)
{
    struct settled *s = find_settled(o, incident);
    if (!s)
        s = &o->settled[o->settled_next++ % SETTLED_MAX];
    text_copy(s->incident, sizeof s->incident, incident);
    s->revision = revision;
    s->annotation_id = annotation_id;
}

static void show_depth(struct outbox *o)
{
    metrics_set(o->metrics, METRIC_OUTBOX_DEPTH, NULL, NULL, (double)o->len);
}

static struct entry *append(struct outbox *o, const char *incident)
{
    struct entry *n = calloc(1, sizeof *n), **at = &o->first;
    if (!n)
        return NULL;
    text_copy(n->incident, sizeof n->incident, incident);
    while (*at)
        at = &(*at)->next;
    *at = n;
    o->len++;
    show_depth(o);
    return n;
}

static void take_out(struct outbox *o, struct entry *gone)
{
    struct entry **at = &o->first;
    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    free(gone->letter);
    free(gone);
    o->len--;
    show_depth(o);
}

/* The first that may be tried now; else NULL, and *ret_wait_ms says until when there is none. */
static struct entry *pick(const struct outbox *o, int64_t now_ms, int64_t *ret_until_ms)
{
    int64_t until_ms = INT64_MAX;
    for (struct entry *n = o->first; n; n = n->next) {
        if (o->stopping ? !n->last_try : n->due_ms <= now_ms)
            return n;
        if (!o->stopping && n->due_ms < until_ms)
            until_ms = n->due_ms;
    }
    *ret_until_ms = until_ms;
    return NULL;
}

/* ---- one delivery; the mutex is not held ---- */

/* The token file may change at any time: it is read before every message. */
static enum err_code read_token(struct outbox *o, struct err *e)
{
    o->token[0] = '\0';
    if (!o->token_file)
        return ERR_OK;
    int fd = open(o->token_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(e, ERR_IO, "cannot read grafana's token file \"%s\": %s", o->token_file,
                       strerror(errno));
    ssize_t n = read(fd, o->token, TOKEN_MAX);
    close(fd);
    while (n > 0 && strchr(" \t\r\n", o->token[n - 1]))
        n--;
    o->token[n > 0 ? n : 0] = '\0';
    if (n <= 0 || strlen(o->token) != (size_t)n || strpbrk(o->token, "\r\n"))
        return err_set(e, ERR_INVALID, "grafana's token file \"%s\" does not hold one token", o->token_file);
    return ERR_OK;
}

static enum err_code transport(void *ctx, const char *method, const char *path, const char *body,
                               size_t body_len, long *ret_status, struct buf *ret_body, struct err *e)
{
    struct outbox *o = ctx;
    bool write = strcmp(method, "GET") != 0;
    struct http_endpoint at = { .base_url = o->url,
                                .ca_file = o->ca_file,
                                .bearer = *o->token ? o->token : NULL };
    struct http_request r = { .method = method,
                              .path = path,
                              .content_type = body ? "application/json" : NULL,
                              .body = body,
                              .body_len = body_len };
    r.timeout_ms = OUTBOX_CALL_MS;
    r.answer_max = ANSWER_MAX;
    r.no_retry_on_reuse = write;
    struct http_answer answer = HTTP_ANSWER_INIT;
    enum err_code code = http_send(o->http, &at, &r, &answer, e);
    if (write)
        fault_point("annotation-sent");
    if (code == ERR_OK) {
        *ret_status = answer.status;
        o->retry_after_ms = answer.retry_after_ms;
        buf_add(ret_body, answer.body.ptr, answer.body.len);
    }
    http_answer_release(&answer);
    return code;
}

static enum err_code send_letter(struct outbox *o, const struct letter *l, int64_t *ret_id, struct err *e)
{
    struct grafana_transport t = { .ctx = o, .send = transport };
    struct annotation a = l->message.annotation;
    if (l->delivered) {
        *ret_id = l->message.annotation_id;
        return ERR_OK;
    }
    o->retry_after_ms = -1;
    enum err_code code = read_token(o, e);
    if (code != ERR_OK)
        return ERR_UNAVAILABLE; /* the file may be put right at any time */
    a.dashboard_uid = o->dashboard_uid;
    code = grafana_annotate(&t, &a, l->message.annotation_id, ret_id, e);
    explicit_bzero(o->token, sizeof o->token);
    if (code == ERR_OK)
        fault_point("annotation-answered");
    return code;
}

/* Twice as long after every failure, and somewhere in the upper half of it, so that many do not come back
 * together. */
static int64_t backoff_ms(struct outbox *o, unsigned attempts)
{
    int64_t most_ms = OUTBOX_BACKOFF_MIN_MS;
    for (unsigned i = 1; i < attempts && most_ms < OUTBOX_BACKOFF_MAX_MS; i++)
        most_ms *= 2;
    if (o->retry_after_ms > most_ms)
        most_ms = o->retry_after_ms;
    if (most_ms > OUTBOX_BACKOFF_MAX_MS)
        most_ms = OUTBOX_BACKOFF_MAX_MS;
    o->random = o->random * 6364136223846793005u + 1442695040888963407u;
    return most_ms / 2 + (int64_t)((o->random >> 33) % (uint64_t)(most_ms / 2 + 1));
}

static void log_failure(const struct entry *n, const struct letter *l, enum err_code code,
                        const struct err *e)
{
    char attempts[16];
    snprintf(attempts, sizeof attempts, "%u", n->attempts);
    if (code == ERR_INVALID)
        log_error("annotation dropped", "incident", l->message.annotation.incident, "error", e->msg, NULL);
    else if ((n->attempts & (n->attempts - 1)) == 0) /* the 1st, 2nd, 4th, 8th, ... time */
        log_warn("annotation not delivered, trying again", "incident", l->message.annotation.incident,
                 "attempt", attempts, "error", e->msg, NULL);
}

/* ---- the thread ---- */

static void put_back(struct outbox *o, struct entry *n, struct letter *l, enum err_code code,
                     const struct err *e)
{
    n->attempts++;
    n->due_ms = monotonic_ms() + backoff_ms(o, n->attempts);
    log_failure(n, l, code, e);
    if (n->letter)
        free(l); /* a newer one says it all */
    else
        n->letter = l;
}

/* It needs no more telling, by success or by refusal. */
static void finish(struct outbox *o, struct entry *n, struct letter *l, int64_t annotation_id)
{
    settle(o, n->incident, l->message.revision, annotation_id);
    free(l);
    n->attempts = 0;
    n->due_ms = 0;
    if (!n->letter) {
        take_out(o, n);
        return;
    }
    n->last_try = false;
    if (annotation_id)
        n->letter->message.annotation_id = annotation_id;
}

/* The mutex is held at the beginning and at the end. */
static void deliver(struct outbox *o, struct entry *n)
{
    struct letter *l = TAKE(n->letter);
    struct err e = ERR_INIT;
    int64_t id = 0;
    n->under_way = true;
    n->last_try = o->stopping;
    pthread_mutex_unlock(&o->mutex);
    enum err_code code = send_letter(o, l, &id, &e);
    if (!l->delivered)
        metrics_add(o->metrics, METRIC_ANNOTATIONS, code == ERR_OK ? "told" : err_code_name(code), NULL, 1);
    if (code == ERR_OK)
        o->told(o->ctx, l->message.annotation.incident, l->message.revision, id);
    pthread_mutex_lock(&o->mutex);
    n->under_way = false;
    if (code == ERR_OK) {
        finish(o, n, l, id);
    } else if (code == ERR_INVALID) {
        log_failure(n, l, code, &e);
        finish(o, n, l, 0);
    } else {
        put_back(o, n, l, code, &e);
    }
}

static void wait_until(struct outbox *o, int64_t until_ms)
{
    struct timespec t = { .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000 };
    if (until_ms == INT64_MAX)
        pthread_cond_wait(&o->changed, &o->mutex);
    else
        pthread_cond_timedwait(&o->changed, &o->mutex, &t);
}

static void *run(void *ctx)
{
    struct outbox *o = ctx;
    pthread_mutex_lock(&o->mutex);
    for (;;) {
        int64_t now_ms = monotonic_ms(), until_ms = 0;
        if (o->stopping && now_ms >= o->stop_ms)
            break;
        struct entry *n = pick(o, now_ms, &until_ms);
        if (n)
            deliver(o, n);
        else if (o->stopping)
            break;
        else
            wait_until(o, until_ms);
    }
    pthread_mutex_unlock(&o->mutex);
    return NULL;
}

/* ---- outside ---- */

static bool copy_settings(struct outbox *o, const struct outbox_settings *s)
{
    o->url = strdup(s->url);
    o->token_file = s->token_file ? strdup(s->token_file) : NULL;
    o->ca_file = s->ca_file ? strdup(s->ca_file) : NULL;
    o->dashboard_uid = s->dashboard_uid ? strdup(s->dashboard_uid) : NULL;
    return o->url && !s->token_file == !o->token_file && !s->ca_file == !o->ca_file &&
           !s->dashboard_uid == !o->dashboard_uid;
}

static struct outbox *release(struct outbox *o)
{
    while (o->first)
        take_out(o, o->first);
    http_free(o->http);
    pthread_cond_destroy(&o->changed);
    pthread_mutex_destroy(&o->mutex);
    free(o->url);
    free(o->token_file);
    free(o->ca_file);
    free(o->dashboard_uid);
    free(o);
    return NULL;
}

/* Signals are for the main thread. */
static int start_thread(struct outbox *o)
{
    pthread_attr_t attr;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&o->thread, &attr, run, o);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc == 0)
        pthread_setname_np(o->thread, "outbox");
    return rc;
}

enum err_code outbox_new(struct outbox **ret, const struct outbox_settings *s, struct metrics *m,
                         void (*told)(void *ctx, const char *incident, int64_t revision,
                                      int64_t annotation_id),
                         void *ctx, struct err *e)
{
    assert(s->url && told);
    struct outbox *o = calloc(1, sizeof *o);
    if (!o)
        return err_set(e, ERR_NOMEM, "no memory for the outbox");
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&o->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&o->mutex, NULL);
    o->metrics = m;
    o->told = told;
    o->ctx = ctx;
    if (getrandom(&o->random, sizeof o->random, GRND_NONBLOCK) < 0)
        o->random = (uint64_t)monotonic_ms(); /* it only spreads retries */
    enum err_code code =
        copy_settings(o, s) ? http_new(&o->http, e) : err_set(e, ERR_NOMEM, "no memory for the outbox");
    int rc = code == ERR_OK ? start_thread(o) : 0;
    if (rc != 0)
        code = err_set(e, ERR_NOMEM, "cannot start the outbox's thread: %s", strerror(rc));
    if (code != ERR_OK) {
        release(o);
        return code;
    }
    *ret = o;
    return ERR_OK;
}

/* Does Grafana know this revision, or nobody want to? Then *ret is to be said again, or nothing (NULL). */
static bool settled_already(struct outbox *o, const struct outbox_message *m, int64_t *ret_id)
{
    const struct settled *s = find_settled(o, m->annotation.incident);
    if (!s || s->revision < m->revision)
        return false;
    *ret_id = s->annotation_id;
    return true;
}

static enum err_code push(struct outbox *o, const struct outbox_message *m, struct err *e)
{
    int64_t settled_id = 0;
    struct entry *n = find(o, m->annotation.incident);
    if (n && n->revision >= m->revision)
        return ERR_OK;
    bool settled = settled_already(o, m, &settled_id);
    if (settled && settled_id == 0)
        return ERR_OK;
    if (!n && o->len >= OUTBOX_WAITING_MAX) {
        metrics_add(o->metrics, METRIC_LIMITS, "outbox", NULL, 1);
        return err_set(e, ERR_LIMIT, "%zu incidents wait to be told to grafana; this one comes later",
                       o->len);
    }
    struct letter *l = letter_new(m);
    if (l && !n)
        n = append(o, m->annotation.incident);
    if (!l || !n) {
        free(l);
        return err_set(e, ERR_NOMEM, "no memory for the annotation of incident \"%s\"",
                       m->annotation.incident);
    }
    if (settled) {
        l->delivered = true;
        l->message.annotation_id = settled_id;
    }
    if (n->letter && l->message.annotation_id == 0)
        l->message.annotation_id = n->letter->message.annotation_id;
    free(n->letter);
    n->letter = l;
    n->revision = m->revision;
    return ERR_OK;
}

enum err_code outbox_push(struct outbox *o, const struct outbox_message *m, struct err *e)
{
    assert(m->annotation.incident && *m->annotation.incident);
    pthread_mutex_lock(&o->mutex);
    enum err_code code = push(o, m, e);
    pthread_cond_signal(&o->changed);
    pthread_mutex_unlock(&o->mutex);
    return code;
}

size_t outbox_depth(struct outbox *o)
{
    pthread_mutex_lock(&o->mutex);
    size_t len = o->len;
    pthread_mutex_unlock(&o->mutex);
    return len;
}

struct outbox *outbox_free(struct outbox *o, int64_t wait_ms)
{
    if (!o)
        return NULL;
    pthread_mutex_lock(&o->mutex);
    o->stopping = true;
    o->stop_ms = monotonic_ms() + wait_ms;
    pthread_cond_signal(&o->changed);
    pthread_mutex_unlock(&o->mutex);
    pthread_join(o->thread, NULL);
    return release(o);
}
