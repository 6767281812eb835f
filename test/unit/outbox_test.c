/* test/unit/outbox_test.c - telling in order, again and again, without holding anybody up.
 *
 * actions/http is replaced by a Grafana in this file: the linker takes these functions before the library's.
 */
#include "receiver/runtime/outbox.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actions/http/http.h"
#include "test/kit/fault.h"
#include "test/kit/tempdir.h"

#define CALLS_MAX 2000
#define DEADLINE_S 30 /* generous: no test is decided by time */

struct call {
    char method[8], bearer[64], incident[32], outcome[32];
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct call calls[CALLS_MAX];
    size_t calls_len;
    bool shut;   /* calls wait until it is opened */
    int away;    /* so many calls find no connection */
    long status; /* other than 0: every call about `victim` gets this */
    char victim[32];
    char made[64][32]; /* incidents that have an annotation; the index is its id */
    size_t made_len;
    char told[CALLS_MAX][48]; /* "incident revision id" */
    size_t told_len;
    bool sent_no_retry; /* every write said no_retry_on_reuse */
} world = { .mutex = PTHREAD_MUTEX_INITIALIZER,
            .changed = PTHREAD_COND_INITIALIZER,
            .made_len = 1,
            .sent_no_retry = true };

struct http {
    int nothing;
};

enum err_code http_new(struct http **ret, struct err *e)
{
    *ret = calloc(1, sizeof **ret);
    return *ret ? ERR_OK : err_set(e, ERR_NOMEM, "no memory");
}

struct http *http_free(struct http *h)
{
    free(h);
    return NULL;
}

void http_answer_release(struct http_answer *a)
{
    buf_release(&a->body);
}

/* Which incident is a call about? Its tag is in the path or in the body; a DELETE is not needed here. */
static void read_call(struct call *c, const struct http_endpoint *at, const struct http_request *r)
{
    const char *tag = r->body ? strstr(r->body, "\"incident:") : strstr(r->path, "incident%3A");
    const char *outcome = r->body ? strstr(r->body, "\"outcome:") : NULL;
    cr_assert_not_null(tag, "%s %s", r->method, r->path);
    snprintf(c->method, sizeof c->method, "%s", r->method);
    snprintf(c->bearer, sizeof c->bearer, "%s", at->bearer ? at->bearer : "");
    sscanf(tag + (r->body ? 10 : 11), "%31[^\"&]", c->incident);
    if (outcome)
        sscanf(outcome + 9, "%31[^\"]", c->outcome);
}

static size_t id_of(const char *incident)
{
    for (size_t i = 1; i < world.made_len; i++)
        if (!strcmp(world.made[i], incident))
            return i;
    return 0;
}

static void answer(const struct call *c, struct http_answer *ret)
{
    size_t id = id_of(c->incident);
    ret->status = 200;
    if (world.status && !strcmp(c->incident, world.victim))
        ret->status = world.status;
    else if (!strcmp(c->method, "GET") && id)
        buf_addf(&ret->body, "[{\"id\":%zu,\"tags\":[\"heald\",\"incident:%s\"]}]", id, c->incident);
    else if (!strcmp(c->method, "GET"))
        buf_adds(&ret->body, "[]");
    if (!strcmp(c->method, "POST") && ret->status == 200) {
        cr_assert_lt(world.made_len, 64u);
        strcpy(world.made[world.made_len], c->incident);
        buf_addf(&ret->body, "{\"id\":%zu}", world.made_len++);
    }
}

enum err_code http_send(struct http *h, const struct http_endpoint *at, const struct http_request *r,
                        struct http_answer *ret, struct err *e)
{
    (void)h;
    pthread_mutex_lock(&world.mutex);
    cr_assert_lt(world.calls_len, (size_t)CALLS_MAX);
    struct call *c = &world.calls[world.calls_len++];
    read_call(c, at, r);
    world.sent_no_retry &= r->no_retry_on_reuse || !strcmp(r->method, "GET");
    pthread_cond_broadcast(&world.changed);
    while (world.shut)
        pthread_cond_wait(&world.changed, &world.mutex);
    bool away = world.away > 0;
    if (away)
        world.away--;
    else
        answer(c, ret);
    pthread_mutex_unlock(&world.mutex);
    return away ? err_set(e, ERR_UNAVAILABLE, "no connection") : ERR_OK;
}

static void on_told(void *ctx, const char *incident, int64_t revision, int64_t id)
{
    cr_assert_eq(ctx, (void *)&world);
    pthread_mutex_lock(&world.mutex);
    snprintf(world.told[world.told_len++], sizeof world.told[0], "%s %lld %lld", incident,
             (long long)revision, (long long)id);
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mutex);
}

/* Wait until *number is at least `least`. */
static void await(const size_t *number, size_t least, const char *what)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += DEADLINE_S;
    int rc = 0;
    pthread_mutex_lock(&world.mutex);
    while (*number < least && rc == 0)
        rc = pthread_cond_timedwait(&world.changed, &world.mutex, &t);
    pthread_mutex_unlock(&world.mutex);
    cr_assert_eq(rc, 0, "%s: %zu, waited for %zu", what, *number, least);
}

static void set_shut(bool shut)
{
    pthread_mutex_lock(&world.mutex);
    world.shut = shut;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mutex);
}

static struct metrics *metrics;

static struct outbox *make(const char *token_file)
{
    struct outbox *o = NULL;
    struct err e = ERR_INIT;
    struct outbox_settings s = { .url = "http://grafana.test", .token_file = token_file };
    metrics = metrics_new();
    cr_assert_eq(outbox_new(&o, &s, metrics, on_told, &world, &e), ERR_OK, "%s", e.msg);
    return o;
}

static void end(struct outbox **o)
{
    set_shut(false);
    outbox_free(*o, 0);
    metrics_free(metrics);
}

static enum err_code push(struct outbox *o, const char *incident, int64_t revision, const char *outcome,
                          struct err *e)
{
    struct outbox_message m = { .annotation = { .incident = incident,
                                                .start_ms = 1000,
                                                .end_ms = 2000,
                                                .outcome = outcome,
                                                .title = "t" },
                                .revision = revision };
    return outbox_push(o, &m, e);
}

static void push_ok(struct outbox *o, const char *incident, int64_t revision, const char *outcome)
{
    struct err e = ERR_INIT;
    cr_assert_eq(push(o, incident, revision, outcome, &e), ERR_OK, "%s", e.msg);
}

static void await_depth(struct outbox *o, size_t depth)
{
    for (int i = 0; i < DEADLINE_S * 100 && outbox_depth(o) != depth; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    cr_assert_eq(outbox_depth(o), depth);
}

static void await_empty(struct outbox *o)
{
    await_depth(o, 0);
}

Test(outbox, a_message_is_told_and_forgotten)
{
    CLEANUP(end) struct outbox *o = make(NULL);
    char incident[] = "first";
    push_ok(o, incident, 3, "open");
    memset(incident, 'x', 5); /* it was copied */
    await(&world.told_len, 1, "told");
    await_empty(o);
    cr_assert_str_eq(world.told[0], "first 3 1");
    cr_assert_eq(metrics_value(metrics, METRIC_ANNOTATIONS, "told", NULL), 1);
    cr_assert_eq(metrics_value(metrics, METRIC_OUTBOX_DEPTH, NULL, NULL), 0);
    cr_assert(world.sent_no_retry, "a write is never sent twice by itself");
}

Test(outbox, incidents_are_told_in_the_order_they_came)
{
    CLEANUP(end) struct outbox *o = make(NULL);
    set_shut(true);
    push_ok(o, "a", 1, "open");
    push_ok(o, "b", 1, "open");
    push_ok(o, "c", 1, "open");
    set_shut(false);
    await(&world.told_len, 3, "told");
    cr_assert(world.told[0][0] == 'a' && world.told[1][0] == 'b' && world.told[2][0] == 'c');
}

Test(outbox, a_newer_revision_takes_the_place_of_what_waits)
{
    CLEANUP(end) struct outbox *o = make(NULL);
    set_shut(true);
    push_ok(o, "a", 1, "open");
    await(&world.calls_len, 1, "calls");
    push_ok(o, "a", 2, "open"); /* while 1 is under way */
    push_ok(o, "a", 4, "refused");
    push_ok(o, "a", 3, "open"); /* late, and older */
    cr_assert_eq(outbox_depth(o), 1);
    set_shut(false);
    await(&world.told_len, 2, "told");
    await_empty(o);
    cr_assert_str_eq(world.told[0], "a 1 1");
    cr_assert_str_eq(world.told[1], "a 4 1");
    cr_assert_eq(world.told_len, 2);
    cr_assert_str_eq(world.calls[world.calls_len - 1].outcome, "refused");
}

Test(outbox, the_next_revision_knows_the_id_of_the_one_under_way)
{
    CLEANUP(end) struct outbox *o = make(NULL);
    set_shut(true);
    push_ok(o, "a", 1, "open");
    await(&world.calls_len, 1, "calls");
    push_ok(o, "a", 2, "open");
    set_shut(false);
    await(&world.told_len, 2, "told");
    cr_assert_eq(world.calls_len, 3, "GET, POST, and a PATCH without a search");
    cr_assert_str_eq(world.calls[2].method, "PATCH");
}

Test(outbox, a_push_never_waits_for_grafana)
{
    CLEANUP(end) struct outbox *o = make(NULL);
    set_shut(true);
    for (int i = 0; i < 50; i++) {
        char incident[16];
        snprintf(incident, sizeof incident, "i%d", i);
        push_ok(o, incident, 1, "open");
    }
    cr_assert_eq(outbox_depth(o), 50);
    cr_assert_eq(world.told_len, 0, "all pushes came back before anything was told");
    set_shut(false);
    await(&world.told_len, 50, "told");
}

Test(outbox, grafana_away_is_tried_again_until_it_is_back)
{
    CLEANUP(end) struct outbox *o = make(NULL);
    world.away = 3;
    push_ok(o, "a", 1, "open");
    await(&world.told_len, 1, "told");
    await_empty(o);
    cr_assert_eq(metrics_value(metrics, METRIC_ANNOTATIONS, "unavailable", NULL), 3);
    cr_assert_eq(metrics_value(metrics, METRIC_ANNOTATIONS, "told", NULL), 1);
    cr_assert_eq(world.told_len, 1);
}

Test(outbox, one_that_fails_holds_nobody_up)
{
    CLEANUP(end) struct outbox *o = make(NULL);
    strcpy(world.victim, "bad");
    world.status = 503;
    push_ok(o, "bad", 1, "open");
    push_ok(o, "good", 1, "open");
    await(&world.told_len, 1, "told");
    cr_assert_str_eq(world.told[0], "good 1 1");
    await_depth(o, 1);
}

Test(outbox, credentials_refused_are_tried_again_for_ever)
{
    CLEANUP(end) struct outbox *o = make(NULL);
    pthread_mutex_lock(&world.mutex);
    strcpy(world.victim, "a");
    world.status = 401;
    pthread_mutex_unlock(&world.mutex);
    push_ok(o, "a", 1, "open");
    await(&world.calls_len, 3, "calls");
    pthread_mutex_lock(&world.mutex);
    world.status = 0;
    pthread_mutex_unlock(&world.mutex);
    await(&world.told_len, 1, "told");
    cr_assert_geq(metrics_value(metrics, METRIC_ANNOTATIONS, "refused", NULL), 2);
}

Test(outbox, refused_content_is_dropped_until_there_is_another)
{
    CLEANUP(end) struct outbox *o = make(NULL);
    strcpy(world.victim, "a");
    world.status = 400;
    push_ok(o, "a", 1, "open");
    await(&world.calls_len, 1, "calls");
    await_empty(o);
    cr_assert_eq(metrics_value(metrics, METRIC_ANNOTATIONS, "invalid", NULL), 1);
    push_ok(o, "a", 1, "open"); /* the loop does not know that it was dropped */
    cr_assert_eq(outbox_depth(o), 0);
    world.status = 0;
    push_ok(o, "a", 2, "open");
    await(&world.told_len, 1, "told");
    cr_assert_str_eq(world.told[0], "a 2 1");
}

Test(outbox, what_was_told_already_is_said_again_without_a_call)
{
    CLEANUP(end) struct outbox *o = make(NULL);
    push_ok(o, "a", 5, "open");
    await(&world.told_len, 1, "told");
    await_empty(o);
    size_t calls = world.calls_len;
    push_ok(o, "a", 5, "open"); /* the journal was full when the loop was to write it down */
    await(&world.told_len, 2, "told");
    cr_assert_str_eq(world.told[1], "a 5 1");
    cr_assert_eq(world.calls_len, calls);
    cr_assert_eq(metrics_value(metrics, METRIC_ANNOTATIONS, "told", NULL), 1);
}

Test(outbox, what_waits_is_bounded)
{
    CLEANUP(end) struct outbox *o = make(NULL);
    struct err e = ERR_INIT;
    char incident[16];
    set_shut(true);
    world.away = CALLS_MAX;
    for (unsigned i = 0; i < OUTBOX_WAITING_MAX; i++) {
        snprintf(incident, sizeof incident, "i%u", i);
        push_ok(o, incident, 1, "open");
    }
    cr_assert_eq(push(o, "one more", 1, "open", &e), ERR_LIMIT);
    cr_assert_not_null(strstr(e.msg, "500 incidents wait"), "%s", e.msg);
    cr_assert_eq(metrics_value(metrics, METRIC_LIMITS, "outbox", NULL), 1);
    push_ok(o, "i7", 2, "open"); /* a known one may still say something newer */
}

static void write_token(const char *file, const char *token)
{
    FILE *f = fopen(file, "w");
    cr_assert_not_null(f);
    fputs(token, f);
    fclose(f);
}

Test(outbox, the_token_is_read_before_every_message)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "token");
    write_token(file, "glsa_one\n");
    CLEANUP(end) struct outbox *o = make(file);
    push_ok(o, "a", 1, "open");
    await(&world.told_len, 1, "told");
    write_token(file, "glsa_two");
    push_ok(o, "b", 1, "open");
    await(&world.told_len, 2, "told");
    cr_assert_str_eq(world.calls[0].bearer, "glsa_one");
    cr_assert_str_eq(world.calls[2].bearer, "glsa_two");
}

Test(outbox, a_missing_or_broken_token_file_is_waited_for)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    const char *file = tempdir_file(&t, "token");
    CLEANUP(end) struct outbox *o = make(file);
    push_ok(o, "a", 1, "open");
    for (int i = 0;
         i < DEADLINE_S * 100 && metrics_value(metrics, METRIC_ANNOTATIONS, "unavailable", NULL) < 1; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    cr_assert_eq(world.calls_len, 0, "nothing is sent without the token");
    write_token(file, "two\nlines");
    double before = metrics_value(metrics, METRIC_ANNOTATIONS, "unavailable", NULL);
    for (int i = 0;
         i < DEADLINE_S * 100 && metrics_value(metrics, METRIC_ANNOTATIONS, "unavailable", NULL) <= before;
         i++)
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    cr_assert_eq(world.calls_len, 0);
    write_token(file, "glsa_late");
    await(&world.told_len, 1, "told");
    cr_assert_str_eq(world.calls[0].bearer, "glsa_late");
}

Test(outbox, ending_tries_once_more_what_waits)
{
    struct outbox *o = make(NULL);
    world.away = 1;
    push_ok(o, "a", 1, "open");
    await(&world.calls_len, 1, "calls");
    push_ok(o, "b", 1, "open");
    cr_assert_null(outbox_free(o, DEADLINE_S * 1000ll));
    cr_assert_eq(world.told_len, 2);
    metrics_free(metrics);
}

Test(outbox, ending_does_not_wait_for_what_fails)
{
    struct outbox *o = make(NULL);
    world.away = CALLS_MAX;
    push_ok(o, "a", 1, "open");
    push_ok(o, "b", 1, "open");
    await(&world.calls_len, 2, "calls");
    cr_assert_null(outbox_free(o, 3600 * 1000ll));
    cr_assert_leq(world.calls_len, 4, "each once more, then the end");
    cr_assert_eq(world.told_len, 0);
    metrics_free(metrics);
}

Test(outbox, ending_at_once_sends_nothing_more)
{
    struct outbox *o = make(NULL);
    world.away = CALLS_MAX;
    push_ok(o, "a", 1, "open");
    await(&world.calls_len, 1, "calls");
    cr_assert_null(outbox_free(o, 0));
    cr_assert_leq(world.calls_len, 2);
    cr_assert_null(outbox_free(NULL, 0));
    metrics_free(metrics);
}

Test(outbox, want_of_memory_is_told)
{
    struct outbox_settings s = { .url = "u", .token_file = "t", .ca_file = "c", .dashboard_uid = "d" };
    unsigned n = 0;
    bool hit;
    do {
        struct outbox *o = NULL;
        fault_malloc_at(++n);
        enum err_code code = outbox_new(&o, &s, NULL, on_told, &world, NULL);
        hit = fault_hit();
        cr_assert_eq(code, hit ? ERR_NOMEM : ERR_OK);
        cr_assert_eq(o == NULL, hit);
        for (unsigned k = 1; o && k < 3; k++) {
            fault_malloc_at(k);
            cr_assert_eq(push(o, "a", 1, "open", NULL), ERR_NOMEM);
            cr_assert(fault_hit());
            cr_assert_eq(outbox_depth(o), 0);
        }
        outbox_free(o, 0);
    } while (hit);
    cr_assert_gt(n, 5u);
}
