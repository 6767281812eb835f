/* Events as they happen (server-sent events): one thread looks at the journal for all who listen, a few times
 * a second while somebody does. A listener's connection is suspended while there is nothing for it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "receiver/http/http_internal.h"

#define STREAMS_MAX 32        /* listeners at one time; a further one gets 503 */
#define STREAM_LOOK_MS 250    /* between two looks */
#define STREAM_ALIVE_MS 15000 /* a line at least that often: a client that has gone is noticed */
#define STREAM_ROWS_MAX 100   /* facts at one time for one listener */
#define STREAM_STACK_BYTES ((size_t)256 * 1024)
#define BLOCK_BYTES 4096

struct stream { /* one listener */
    struct streams *all;
    struct MHD_Connection *mhd;
    int64_t after; /* the last fact that it has */
    char kind[32], incident[INCIDENT_ID_SIZE];
    struct buf namespaces; /* JSON array; empty: all */
    struct buf out;        /* to be sent from `sent` on */
    size_t sent;
    bool waits; /* its connection is suspended */
    bool busy;  /* the thread makes text for it */
    bool gone;  /* the connection has ended */
    int64_t said_ms;
    struct stream *prev, *next;
};

struct streams {
    struct server *server;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct stream *list;
    size_t len;
    bool stop;
    pthread_t thread;
    bool started;
    struct view *view;          /* the thread's own */
    struct json_writer *writer; /* the same */
};

static void stream_free(struct stream *t)
{
    buf_release(&t->namespaces);
    buf_release(&t->out);
    free(t);
}

/* ---- libmicrohttpd's side ---- */

static ssize_t on_read(void *ctx, uint64_t at, char *ret, size_t max)
{
    struct stream *t = ctx;
    struct streams *all = t->all;
    (void)at;
    pthread_mutex_lock(&all->lock);
    size_t n = t->out.len - t->sent < max ? t->out.len - t->sent : max;
    ssize_t result = (ssize_t)n;
    if (n) {
        memcpy(ret, t->out.ptr + t->sent, n);
        t->sent += n;
    } else if (all->stop || !buf_ok(&t->out)) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        t->waits = true;
        MHD_suspend_connection(t->mhd);
    }
    pthread_mutex_unlock(&all->lock);
    return result;
}

static void on_end(void *ctx)
{
    struct stream *t = ctx;
    struct streams *all = t->all;
    pthread_mutex_lock(&all->lock);
    DL_DELETE(all->list, t);
    all->len--;
    t->gone = true;
    bool busy = t->busy;
    pthread_mutex_unlock(&all->lock);
    if (!busy) /* else the thread frees it */
        stream_free(t);
}

bool stream_wanted(const struct request *r)
{
    const char *accept = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Accept");
    return accept && strstr(accept, "text/event-stream");
}

static struct stream *stream_new(struct request *r)
{
    struct stream *t = calloc(1, sizeof *t);
    const char *last = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Last-Event-ID");
    if (!t)
        return NULL;
    t->all = r->server->streams;
    t->mhd = r->mhd;
    t->after = last && strspn(last, "0123456789") == strlen(last) && *last ? strtoll(last, NULL, 10) : -1;
    t->said_ms = monotonic_ms();
    text_copy(t->kind, sizeof t->kind, query_text(r, "kind") ? query_text(r, "kind") : "");
    text_copy(t->incident, sizeof t->incident, query_text(r, "incident") ? query_text(r, "incident") : "");
    api_namespaces(r, &t->namespaces);
    buf_adds(&t->out, "retry: 2000\n\n");
    return t;
}

/* False: there are too many. */
static bool join(struct streams *all, struct stream *t)
{
    pthread_mutex_lock(&all->lock);
    bool room = all->len < STREAMS_MAX && !all->stop;
    if (room) {
        DL_APPEND(all->list, t);
        all->len++;
        pthread_cond_signal(&all->wake);
    }
    pthread_mutex_unlock(&all->lock);
    return room;
}

enum MHD_Result stream_begin(struct request *r)
{
    struct stream *t = stream_new(r);
    if (!t || !join(r->server->streams, t)) {
        if (t)
            stream_free(t);
        metrics_add(r->server->metrics, METRIC_LIMITS, "streams", NULL, 1);
        return answer_problem(r, 503, "too many listen to events already");
    }
    struct MHD_Response *m =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, t, on_end);
    if (!m) {
        on_end(t);
        return MHD_NO;
    }
    connection_phase(r->server, r->connection, PHASE_BUSY);
    MHD_add_response_header(m, "Content-Type", "text/event-stream");
    MHD_add_response_header(m, "Cache-Control", "no-store");
    MHD_add_response_header(m, "X-Accel-Buffering", "no");
    enum MHD_Result ret = MHD_queue_response(r->mhd, 200, m);
    MHD_destroy_response(m);
    return ret;
}

/* ---- the thread's side ---- */

static const char facts_sql[] =
    "SELECT seq, at_ms, fact.kind AS kind, incident, fact.body AS body_json FROM fact WHERE seq > :after"
    " AND (:kind IS NULL OR fact.kind = :kind) AND (:incident IS NULL OR incident = :incident)"
    " AND (:namespaces IS NULL OR incident IN (SELECT id FROM incident WHERE namespace IN"
    " (SELECT value FROM json_each(:namespaces)))) ORDER BY seq LIMIT :limit";

static const struct view_param *params_of(const struct stream *t, struct view_param ret[6])
{
    ret[0] = (struct view_param){ .name = ":after", .number = t->after };
    ret[1] = (struct view_param){ .name = ":kind", .text = t->kind, .null = !t->kind[0] };
    ret[2] = (struct view_param){ .name = ":incident", .text = t->incident, .null = !t->incident[0] };
    ret[3] = (struct view_param){ .name = ":namespaces",
                                  .text = buf_text(&t->namespaces),
                                  .null = !t->namespaces.len };
    ret[4] = (struct view_param){ .name = ":limit", .number = STREAM_ROWS_MAX };
    ret[5] = (struct view_param){ .name = NULL };
    return ret;
}

/* Facts as an array, each to be said as one event. */
static void say_all(struct stream *t, const char *array, struct buf *out)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    if (!array || json_parse(&doc, array, strlen(array), NULL) != ERR_OK)
        return;
    for (const struct json *f = json_first(json_root(doc)); f; f = json_next(f)) {
        t->after = json_int(json_get(f, "seq"), t->after);
        buf_addf(out, "id: %lld\nevent: fact\ndata: ", (long long)t->after);
        json_write(out, f, false);
        buf_adds(out, "\n\n");
    }
}

/* Begin where it left off, or now. */
static enum err_code make_text(struct streams *all, struct stream *t, struct buf *out, struct err *e)
{
    struct view_param params[6];
    size_t rows = 0;
    enum err_code code = view_begin(all->view, e);
    if (!code && t->after < 0)
        code = view_number(all->view, "SELECT max(seq) FROM fact", NULL, 0, &t->after, e);
    jw_reset(all->writer);
    jw_array(all->writer);
    if (!code)
        code = view_rows(all->view, all->writer, facts_sql, params_of(t, params), &rows, e);
    jw_array_end(all->writer);
    view_end(all->view);
    if (!code && rows)
        say_all(t, jw_text(all->writer, NULL), out);
    return code;
}

/* With the lock held, which is given up while the journal is looked at. False: it has ended meanwhile. */
static bool serve(struct streams *all, struct stream *t, bool look)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    struct err e = ERR_INIT;
    if (t->sent == t->out.len && look) {
        t->busy = true;
        pthread_mutex_unlock(&all->lock);
        if (make_text(all, t, &text, &e) != ERR_OK)
            log_warn("events cannot be looked up", "error", e.msg, NULL);
        pthread_mutex_lock(&all->lock);
        t->busy = false;
        if (t->gone) {
            stream_free(t);
            return false;
        }
    }
    int64_t now = monotonic_ms();
    if (!text.len && now > t->said_ms + STREAM_ALIVE_MS)
        buf_adds(&text, ": still here\n\n");
    if (t->sent == t->out.len) {
        buf_clear(&t->out);
        t->sent = 0;
    }
    buf_add(&t->out, buf_text(&text), text.len);
    t->said_ms = text.len ? now : t->said_ms;
    if (t->waits && (t->out.len > t->sent || !buf_ok(&t->out))) {
        t->waits = false;
        MHD_resume_connection(t->mhd);
    }
    return true;
}

/* One that ends changes the list: it is gone through anew. */
static void serve_all(struct streams *all, int64_t *version)
{
    struct stream *t;
    struct err e = ERR_INIT;
    int64_t seen = *version;
    pthread_mutex_unlock(&all->lock);
    bool readable = view_version(all->view, version, &e) == ERR_OK;
    pthread_mutex_lock(&all->lock);
    DL_FOREACH(all->list, t)
    {
        bool look = readable && (seen != *version || t->after < 0 || t->out.len);
        if (!serve(all, t, look))
            break;
    }
}

static void *run(void *arg)
{
    struct streams *all = arg;
    int64_t version = -1;
    pthread_mutex_lock(&all->lock);
    while (!all->stop) {
        if (!all->list) {
            pthread_cond_wait(&all->wake, &all->lock);
            continue;
        }
        serve_all(all, &version);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += STREAM_LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&all->wake, &all->lock, &until);
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

static void end_all(struct streams *all)
{
    struct stream *t;
    pthread_mutex_lock(&all->lock);
    all->stop = true;
    pthread_cond_broadcast(&all->wake);
    pthread_mutex_unlock(&all->lock);
    if (all->started)
        pthread_join(all->thread, NULL);
    pthread_mutex_lock(&all->lock);
    DL_FOREACH(all->list, t)
    {
        if (t->waits)
            MHD_resume_connection(t->mhd);
        t->waits = false;
    }
    pthread_mutex_unlock(&all->lock);
}

static void start_thread(struct streams *all)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STREAM_STACK_BYTES);
    all->started = pthread_create(&all->thread, &small, run, all) == 0;
    pthread_attr_destroy(&small);
}

enum err_code streams_start(struct server *s, struct err *e)
{
    struct streams *all = s->streams = calloc(1, sizeof *all);
    if (!all)
        return err_set(e, ERR_NOMEM, "no memory for those who listen to events");
    all->server = s;
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&all->wake, &attr);
    pthread_condattr_destroy(&attr);
    enum err_code code = view_new(&all->view, s->settings->journal, e);
    if (!code)
        code = json_writer_new(&all->writer, e);
    if (code)
        return code;
    start_thread(all);
    return all->started ? ERR_OK : err_set(e, ERR_IO, "the listener's helper threads could not be started");
}

void streams_stop(struct server *s)
{
    if (s->streams)
        end_all(s->streams);
}

void streams_free(struct server *s)
{
    struct streams *all = s->streams;
    if (!all)
        return;
    view_free(all->view);
    json_writer_free(all->writer);
    pthread_cond_destroy(&all->wake);
    pthread_mutex_destroy(&all->lock);
    free(all);
    s->streams = NULL;
}
