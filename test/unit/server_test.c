/* test/unit/server_test.c - the listener over real sockets: routes, bodies, limits of time and size, its end.
 */
#include <criterion/criterion.h>
#include <malloc.h>
#include <pthread.h>

#include "rules/base/json.h"
#include "test/kit/listener.h"

#define PATH "/webhook/alertmanager"

static struct listener make(const char *more)
{
    struct buf text = BUF_INIT;
    buf_addf(&text, LISTENER_SOURCE LISTENER_OPERATORS "%s", more);
    struct listener w = listener_make(buf_text(&text));
    buf_release(&text);
    return w;
}

static double metric(struct listener *w, enum metric id, const char *a, const char *b)
{
    if (id == METRIC_IN_FLIGHT) /* as it was when somebody looked last */
        cr_assert_eq(ask_status(w->port, "GET", "/metrics", "", NULL), 200);
    return metrics_value(w->metrics, id, a, b);
}

/* ---- routes ---- */

Test(server, open_paths_answer_anybody)
{
    CLEANUP(listener_end) struct listener w = make("");
    static const char *const paths[] = { "/health", "/-/healthy", "/ready", "/-/ready", "/metrics" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        cr_assert_eq(ask_status(w.port, "GET", paths[i], "", NULL), 200, "%s", paths[i]);
        cr_assert_eq(ask_status(w.port, "HEAD", paths[i], "", NULL), 200, "%s", paths[i]);
    }
}

Test(server, health_does_not_depend_on_the_loop_and_ready_does)
{
    CLEANUP(listener_end) struct listener w = make("");
    double_mode(w.loop, DOUBLE_NOT_READY);
    cr_assert_eq(ask_status(w.port, "GET", "/health", "", NULL), 200);
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply r = client_ask(fd, "GET", "/ready", "", NULL, 0);
    cr_assert_eq(r.status, 503);
    cr_assert_str_not_empty(reply_header(&r, "Retry-After"));
    cr_assert_not_null(strstr(buf_text(&r.body), "the double is not ready"));
    close(fd);
}

Test(server, head_has_the_headers_and_no_body)
{
    CLEANUP(listener_end) struct listener w = make("");
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply head = client_ask(fd, "HEAD", "/health", "", NULL, 0);
    CLEANUP(reply_release) struct reply get = client_ask(fd, "GET", "/health", "", NULL, 0);
    cr_assert_str_eq(reply_header(&head, "Content-Length"), "3");
    cr_assert_str_eq(buf_text(&get.body), "ok\n", "the connection goes on after HEAD");
    close(fd);
}

Test(server, unknown_paths_and_methods_are_refused)
{
    CLEANUP(listener_end) struct listener w = make("");
    static const char *const paths[] = { "/health/",        "/Health", "/webhook", "/webhook/alertmanager/",
                                         "/api/v1/pause/x", "//health" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        cr_assert_eq(ask_status(w.port, "GET", paths[i], "", NULL), 404, "%s", paths[i]);
    cr_assert_eq(ask_status(w.port, "DELETE", "/health", "", NULL), 405);
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply intake = client_ask(fd, "GET", PATH, "", NULL, 0);
    CLEANUP(reply_release) struct reply open = client_ask(fd, "POST", "/health", "", "x", 1);
    cr_assert_eq(intake.status, 405);
    cr_assert_str_eq(reply_header(&intake, "Allow"), "POST");
    cr_assert_eq(open.status, 405);
    cr_assert_str_eq(reply_header(&open, "Allow"), "GET, HEAD");
    close(fd);
}

Test(server, problems_are_whole_json_whatever_was_sent)
{
    CLEANUP(listener_end) struct listener w = make("");
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    int fd = client_connect(w.port);
    CLEANUP(reply_release)
    struct reply r =
        deliver(fd, AS_SOURCE,
                "{\"alerts\":[{\"status\":"
                "\"a\\\"\\u0001xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\u00fc\"}]}");
    cr_assert_eq(r.status, 400);
    cr_assert_eq(json_parse(&doc, buf_text(&r.body), r.body.len, &e), ERR_OK, "%s in %s", e.msg,
                 buf_text(&r.body));
    cr_assert_eq(json_int(json_get(json_root(doc), "status"), 0), 400);
    cr_assert_not_null(strstr(json_string(json_get(json_root(doc), "detail"), ""), "alerts[0].status"));
    close(fd);
}

/* ---- deliveries ---- */

Test(server, a_delivery_is_answered_once_it_is_durable)
{
    CLEANUP(listener_end) struct listener w = make("");
    double_mode(w.loop, DOUBLE_HOLDS);
    int fd = client_connect(w.port);
    char c;
    struct buf text = BUF_INIT;
    buf_addf(&text, "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Content-Length: %zu\r\n\r\n%s",
             strlen(DELIVERY), DELIVERY);
    client_send_bytes(fd, text.ptr, text.len);
    cr_assert(EVENTUALLY(double_held(w.loop) == 1));
    cr_assert_lt(recv(fd, &c, 1, MSG_DONTWAIT), 0, "no answer before the commit");
    cr_assert_eq(double_committed(w.loop), 0u);
    double_release(w.loop);
    CLEANUP(reply_release) struct reply r = client_read(fd, false);
    cr_assert_eq(r.status, 200);
    cr_assert_eq(double_committed(w.loop), 1u);
    cr_assert_eq(metric(&w, METRIC_DELIVERIES, "am", "accepted"), 1);
    buf_release(&text);
    close(fd);
}

Test(server, forced_labels_are_set_whatever_was_sent)
{
    CLEANUP(listener_end) struct listener w = make("");
    int fd = client_connect(w.port);
    CLEANUP(reply_release)
    struct reply r =
        deliver(fd, AS_SOURCE,
                "{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"startsAt\":\"2026-08-20T09:15:00Z\","
                "\"labels\":{\"alertname\":\"X\",\"cluster\":\"somebody else's\"}}]}");
    char *cluster = double_label(w.loop, 0, "cluster");
    cr_assert_eq(r.status, 200);
    cr_assert_str_eq(cluster, "local");
    free(cluster);
    close(fd);
}

Test(server, what_cannot_be_committed_now_is_503)
{
    CLEANUP(listener_end) struct listener w = make("");
    static const enum double_mode modes[] = { DOUBLE_FAILS, DOUBLE_REFUSES, DOUBLE_NOT_READY };
    int fd = client_connect(w.port);
    for (size_t i = 0; i < 3; i++) {
        double_mode(w.loop, modes[i]);
        CLEANUP(reply_release) struct reply r = deliver(fd, AS_SOURCE, DELIVERY);
        cr_assert_eq(r.status, 503, "mode %d", (int)modes[i]);
        cr_assert_str_not_empty(reply_header(&r, "Retry-After"));
    }
    cr_assert_eq(metric(&w, METRIC_DELIVERIES, "am", "unavailable"), 2);
    double_mode(w.loop, DOUBLE_COMMITS);
    CLEANUP(reply_release) struct reply r = deliver(fd, AS_SOURCE, DELIVERY);
    cr_assert_eq(r.status, 200);
    cr_assert_eq(double_committed(w.loop), 1u);
    close(fd);
}

Test(server, a_delivery_of_repeats_is_answered_without_the_loop)
{
    CLEANUP(listener_end) struct listener w = make("");
    int fd = client_connect(w.port);
    double_mode(w.loop, DOUBLE_KNOWS);
    for (int i = 0; i < 2; i++) {
        CLEANUP(reply_release) struct reply r = deliver(fd, AS_SOURCE, DELIVERY);
        cr_assert_eq(r.status, 200);
    }
    cr_assert_eq(double_slices(w.loop), 0u);
    double_mode(w.loop, DOUBLE_COMMITS);
    CLEANUP(reply_release) struct reply r = deliver(fd, AS_SOURCE, DELIVERY);
    cr_assert_eq(r.status, 200);
    cr_assert_eq(double_slices(w.loop), 1u);
    cr_assert_eq(metric(&w, METRIC_DELIVERIES, "am", "accepted"), 3);
    cr_assert_eq(metric(&w, METRIC_IN_FLIGHT, NULL, NULL), 0, "what was held is given back");
    close(fd);
}

/* `count` alerts, then `tail`. */
static struct buf many(size_t count, const char *tail)
{
    struct buf b = BUF_INIT;
    buf_adds(&b, "{\"version\":\"4\",\"alerts\":[");
    for (size_t i = 0; i < count; i++)
        buf_addf(&b,
                 "%s{\"status\":\"firing\",\"labels\":{\"n\":\"%zu\"},\"startsAt\":\"2026-08-20T09:15:00Z\"}",
                 i ? "," : "", i);
    buf_adds(&b, tail);
    return b;
}

Test(server, a_body_that_fits_one_slice_is_all_or_nothing)
{
    CLEANUP(listener_end) struct listener w = make("");
    CLEANUP(buf_release) struct buf bad = many(SLICE_ALERTS_MAX - 1, ",{}]}");
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply r = deliver(fd, AS_SOURCE, buf_text(&bad));
    cr_assert_eq(r.status, 400);
    cr_assert_not_null(strstr(buf_text(&r.body), "alerts[499]"), "%s", buf_text(&r.body));
    cr_assert_eq(double_slices(w.loop), 0u);
    cr_assert_eq(metric(&w, METRIC_DELIVERIES, "am", "refused"), 1);
    close(fd);
}

Test(server, a_big_body_is_committed_in_slices_in_order)
{
    CLEANUP(listener_end) struct listener w = make("");
    CLEANUP(buf_release) struct buf body = many(5000, "]}");
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply r = deliver(fd, AS_SOURCE, buf_text(&body));
    cr_assert_eq(r.status, 200);
    cr_assert_eq(double_committed(w.loop), 5000u);
    cr_assert_geq(double_slices(w.loop), 5u);
    for (size_t i = 0; i < 5000; i += 499) {
        char *n = double_label(w.loop, i, "n"), want[16];
        snprintf(want, sizeof want, "%zu", i);
        cr_assert_str_eq(n, want);
        free(n);
    }
    close(fd);
}

Test(server, a_big_body_waits_for_its_slices)
{
    CLEANUP(listener_end) struct listener w = make("");
    CLEANUP(buf_release) struct buf body = many(3000, "]}");
    double_mode(w.loop, DOUBLE_HOLDS);
    int fd = client_connect(w.port);
    struct buf head = BUF_INIT;
    buf_addf(&head, "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Content-Length: %zu\r\n\r\n",
             body.len);
    client_send_bytes(fd, head.ptr, head.len);
    client_send_bytes(fd, body.ptr, body.len); /* fits the socket's buffers */
    size_t seen = 0;
    while (double_committed(w.loop) < 3000) {
        cr_assert(EVENTUALLY(double_held(w.loop) == 1), "%zu committed", double_committed(w.loop));
        cr_assert_eq(double_slices(w.loop), ++seen, "one slice at a time");
        size_t before = double_committed(w.loop);
        double_release(w.loop);
        cr_assert(EVENTUALLY(double_committed(w.loop) > before));
    }
    CLEANUP(reply_release) struct reply r = client_read(fd, false);
    cr_assert_eq(r.status, 200);
    cr_assert_geq(seen, 5u);
    buf_release(&head);
    close(fd);
}

Test(server, a_big_body_whose_slice_fails_is_503)
{
    CLEANUP(listener_end) struct listener w = make("");
    CLEANUP(buf_release) struct buf body = many(3000, "]}");
    double_mode(w.loop, DOUBLE_FAILS);
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply r = deliver(fd, AS_SOURCE, buf_text(&body));
    cr_assert_eq(r.status, 503);
    cr_assert_eq(double_slices(w.loop), 1u, "nothing is tried after the first failure");
    cr_assert_eq(double_committed(w.loop), 0u);
    double_mode(w.loop, DOUBLE_COMMITS);
    CLEANUP(reply_release) struct reply again = deliver(fd, AS_SOURCE, buf_text(&body));
    cr_assert_eq(again.status, 200, "the same connection goes on");
    close(fd);
}

Test(server, deliveries_beyond_the_bytes_in_flight_are_503)
{
    CLEANUP(listener_end) struct listener w = make("limits = { in_flight = \"1MiB\"; };\n");
    double_mode(w.loop, DOUBLE_HOLDS);
    char *padded = malloc(60001);
    memset(padded, 'x', 60000);
    padded[60000] = '\0';
    struct buf body = BUF_INIT;
    buf_addf(
        &body,
        "{\"ignored\":\"%.40000s\",\"version\":\"4\",\"alerts\":[" ALERT_TEXT("X") "],\"y\":\"%.40000s\"}",
        padded, padded);
    int fds[32];
    size_t held = 0;
    for (; held < 32 && metric(&w, METRIC_IN_FLIGHT, NULL, NULL) <= 1048576; held++) {
        fds[held] = client_connect(w.port);
        struct buf text = BUF_INIT;
        buf_addf(&text, "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Content-Length: %zu\r\n\r\n%s",
                 body.len, body.ptr);
        client_send_bytes(fds[held], text.ptr, text.len);
        buf_release(&text);
        cr_assert(EVENTUALLY(double_held(w.loop) == held + 1));
    }
    cr_assert_lt(held, 32u);
    cr_assert_eq(ask_status(w.port, "POST", PATH, AS_SOURCE, DELIVERY), 503);
    cr_assert_eq(metric(&w, METRIC_LIMITS, "in_flight", NULL), 1);
    double_release(w.loop);
    for (size_t i = 0; i < held; i++) {
        CLEANUP(reply_release) struct reply r = client_read(fds[i], false);
        cr_assert_eq(r.status, 200);
        close(fds[i]);
    }
    cr_assert_eq(metric(&w, METRIC_IN_FLIGHT, NULL, NULL), 0);
    free(padded);
    buf_release(&body);
}

/* ---- how a request may look ---- */

Test(server, requests_may_come_byte_by_byte_and_pipelined)
{
    CLEANUP(listener_end) struct listener w = make("");
    struct buf text = BUF_INIT;
    for (int i = 0; i < 3; i++)
        buf_addf(&text,
                 "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Content-Length: %zu\r\n\r\n" DELIVERY
                 "GET /health HTTP/1.1\r\nHost: h\r\n\r\n",
                 strlen(DELIVERY));
    int slow = client_connect(w.port), fast = client_connect(w.port);
    client_send_bytes(fast, text.ptr, text.len);
    for (size_t i = 0; i < text.len; i++)
        client_send_bytes(slow, text.ptr + i, 1);
    for (int i = 0; i < 6; i++) {
        CLEANUP(reply_release) struct reply a = client_read(fast, false);
        CLEANUP(reply_release) struct reply b = client_read(slow, false);
        cr_assert_eq(a.status, 200);
        cr_assert_eq(b.status, 200);
        cr_assert_str_eq(buf_text(&a.body), i % 2 ? "ok\n" : "{}\n");
    }
    cr_assert_eq(double_committed(w.loop), 6u);
    buf_release(&text);
    close(slow);
    close(fast);
}

Test(server, a_body_may_be_chunked)
{
    CLEANUP(listener_end) struct listener w = make("");
    int fd = client_connect(w.port);
    struct buf text = BUF_INIT;
    buf_adds(&text, "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Transfer-Encoding: chunked\r\n\r\n");
    for (const char *p = DELIVERY; *p; p += strlen(p) < 7 ? strlen(p) : 7)
        buf_addf(&text, "%zx\r\n%.7s\r\n", strlen(p) < 7 ? strlen(p) : 7, p);
    buf_adds(&text, "0\r\n\r\n");
    client_send_bytes(fd, text.ptr, text.len);
    CLEANUP(reply_release) struct reply r = client_read(fd, false);
    cr_assert_eq(r.status, 200);
    cr_assert_eq(double_committed(w.loop), 1u);
    buf_release(&text);
    close(fd);
}

Test(server, a_client_that_waits_for_continue_gets_it_or_its_refusal)
{
    CLEANUP(listener_end) struct listener w = make("");
    struct buf text = BUF_INIT;
    int good = client_connect(w.port), bad = client_connect(w.port);
    buf_addf(&text,
             "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE
             "Expect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
             strlen(DELIVERY));
    client_send_bytes(good, text.ptr, text.len);
    CLEANUP(reply_release) struct reply go = client_read(good, false);
    cr_assert_eq(go.status, 100);
    client_send_bytes(good, DELIVERY, strlen(DELIVERY));
    CLEANUP(reply_release) struct reply r = client_read(good, false);
    cr_assert_eq(r.status, 200);
    buf_clear(&text);
    buf_adds(&text, "POST " PATH " HTTP/1.1\r\nHost: h\r\n" JSON_TYPE
                    "Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n");
    client_send_bytes(bad, text.ptr, text.len);
    CLEANUP(reply_release) struct reply no = client_read(bad, false);
    cr_assert_eq(no.status, 401, "before a byte of the body");
    buf_release(&text);
    close(good);
    close(bad);
}

Test(server, deliveries_are_json)
{
    CLEANUP(listener_end) struct listener w = make("");
    static const struct {
        const char *type;
        int status;
    } cases[] = {
        { "Content-Type: application/json; charset=utf-8\r\n", 200 },
        { "Content-Type: Application/JSON\r\n", 200 },
        { "", 415 },
        { "Content-Type: text/plain\r\n", 415 },
        { "Content-Type: application/jsonx\r\n", 415 },
        { "Content-Type: application/x-www-form-urlencoded\r\n", 415 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char extra[200];
        snprintf(extra, sizeof extra, "Authorization: Bearer am-secret\r\n%s", cases[i].type);
        cr_assert_eq(ask_status(w.port, "POST", PATH, extra, DELIVERY), cases[i].status, "%s", cases[i].type);
    }
}

/* ---- limits ---- */

Test(server, a_refused_body_is_read_to_its_end_and_the_connection_goes_on)
{
    CLEANUP(listener_end) struct listener w = make("");
    CLEANUP(buf_release) struct buf body = many(20000, "]}"); /* much more than the sockets hold */
    int fd = client_connect(w.port);
    CLEANUP(reply_release) struct reply no = deliver(fd, JSON_TYPE, buf_text(&body));
    cr_assert_eq(no.status, 401);
    CLEANUP(reply_release) struct reply yes = deliver(fd, AS_SOURCE, DELIVERY);
    cr_assert_eq(yes.status, 200);
    cr_assert_eq(double_committed(w.loop), 1u);
    close(fd);
}

Test(server, a_body_over_the_limit_is_413)
{
    CLEANUP(listener_end) struct listener w = make("limits = { body = \"10KiB\"; };\n");
    CLEANUP(buf_release) struct buf body = many(200, "]}");
    struct buf text = BUF_INIT;
    int announced = client_connect(w.port), chunked = client_connect(w.port), giant = client_connect(w.port);
    CLEANUP(reply_release) struct reply a = deliver(announced, AS_SOURCE, buf_text(&body));
    cr_assert_eq(a.status, 413);
    buf_addf(&text,
             "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE
             "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
             body.len, body.ptr);
    client_send_bytes(chunked, text.ptr, text.len);
    CLEANUP(reply_release) struct reply c = client_read(chunked, false);
    cr_assert_eq(c.status, 413);
    buf_clear(&text);
    buf_adds(&text,
             "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Content-Length: 99999999999999\r\n\r\n");
    client_send_bytes(giant, text.ptr, text.len);
    CLEANUP(reply_release) struct reply g = client_read(giant, false);
    cr_assert_eq(g.status, 413, "at once");
    cr_assert(client_is_closed(giant));
    cr_assert_eq(double_slices(w.loop), 0u);
    cr_assert_eq(metric(&w, METRIC_LIMITS, "body", NULL), 3);
    buf_release(&text);
    close(announced);
    close(chunked);
    close(giant);
}

Test(server, an_endless_chunked_body_is_cut_off)
{
    CLEANUP(listener_end) struct listener w = make("limits = { body = \"10KiB\"; };\n");
    static char chunk[1024 + 8];
    int fd = client_connect(w.port);
    static const char head[] =
        "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Transfer-Encoding: chunked\r\n\r\n";
    memset(chunk, ' ', sizeof chunk);
    memcpy(chunk, "400\r\n", 5);
    memcpy(chunk + 5 + 1024, "\r\n", 2);
    client_send_bytes(fd, head, strlen(head));
    int sent = 0;
    while (sent < 100000 && client_send_bytes(fd, chunk, 5 + 1024 + 2))
        sent++;
    cr_assert_lt(sent, 100000);
    close(fd);
}

Test(server, limits_of_an_alert_are_counted_by_name)
{
    CLEANUP(listener_end) struct listener w = make("limits = { labels = 1; };\n");
    int fd = client_connect(w.port);
    CLEANUP(reply_release)
    struct reply r =
        deliver(fd, AS_SOURCE, "{\"version\":\"4\",\"alerts\":[{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}]}");
    cr_assert_eq(r.status, 400);
    cr_assert_not_null(strstr(buf_text(&r.body), "limits.labels"), "%s", buf_text(&r.body));
    cr_assert_eq(metric(&w, METRIC_LIMITS, "labels", NULL), 1);
    close(fd);
}

Test(server, dripped_headers_have_their_time, .timeout = 60)
{
    CLEANUP(listener_end) struct listener w = make("limits = { header_time = \"1s\"; };\n");
    int silent = client_connect(w.port), dripping = client_connect(w.port);
    client_send_bytes(dripping, "GET /health HTTP/1.1\r\nX: ", 25);
    for (int i = 0; i < 400 && metric(&w, METRIC_LIMITS, "header_time", NULL) < 2; i++) {
        client_send_bytes(dripping, "y", 1);
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    }
    cr_assert_eq(metric(&w, METRIC_LIMITS, "header_time", NULL), 2);
    cr_assert(client_is_closed(silent));
    cr_assert(client_is_closed(dripping));
    close(silent);
    close(dripping);
}

Test(server, a_dripped_body_has_its_time, .timeout = 60)
{
    CLEANUP(listener_end) struct listener w = make("limits = { body_time = \"1s\"; };\n");
    int fd = client_connect(w.port);
    static const char head[] =
        "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Content-Length: 100000\r\n\r\n";
    client_send_bytes(fd, head, strlen(head));
    for (int i = 0; i < 400 && metric(&w, METRIC_LIMITS, "body_time", NULL) < 1; i++) {
        client_send_bytes(fd, " ", 1);
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    }
    cr_assert_eq(metric(&w, METRIC_LIMITS, "body_time", NULL), 1);
    cr_assert(client_is_closed(fd));
    close(fd);
}

Test(server, time_that_the_commit_takes_does_not_count, .timeout = 60)
{
    CLEANUP(listener_end) struct listener w = make("limits = { body_time = \"1s\"; };\n");
    double_mode(w.loop, DOUBLE_HOLDS);
    int fd = client_connect(w.port);
    struct buf text = BUF_INIT;
    buf_addf(&text, "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Content-Length: %zu\r\n\r\n%s",
             strlen(DELIVERY), DELIVERY);
    client_send_bytes(fd, text.ptr, text.len);
    cr_assert(EVENTUALLY(double_held(w.loop) == 1));
    nanosleep(&(struct timespec){ .tv_sec = 3 }, NULL); /* several sweeps */
    double_release(w.loop);
    CLEANUP(reply_release) struct reply r = client_read(fd, false);
    cr_assert_eq(r.status, 200);
    buf_release(&text);
    close(fd);
}

Test(server, idle_connections_make_room_when_all_are_used, .timeout = 60)
{
    CLEANUP(listener_end) struct listener w = make("limits = { connections = 4; };\n");
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = client_connect(w.port);
        CLEANUP(reply_release) struct reply r = client_ask(fds[i], "GET", "/health", "", NULL, 0);
        cr_assert_eq(r.status, 200);
    }
    cr_assert_eq(ask_status(w.port, "POST", PATH, AS_SOURCE, DELIVERY), 200);
    cr_assert_geq(metric(&w, METRIC_LIMITS, "connections", NULL), 1);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

Test(server, hostile_bodies_leave_memory_flat, .timeout = 60)
{
    CLEANUP(listener_end) struct listener w = make("");
    CLEANUP(buf_release) struct buf deep = BUF_INIT;
    CLEANUP(buf_release) struct buf ignored = BUF_INIT;
    buf_adds(&ignored, "{\"x\":[0");
    for (int i = 0; i < 200000; i++) {
        buf_adds(&deep, "[");
        buf_adds(&ignored, ",{\"a\":\"some text\"}");
    }
    buf_adds(&ignored, "]}");
    size_t first = 0, last = 0;
    for (int round = 0; round < 20; round++) {
        cr_assert_eq(ask_status(w.port, "POST", PATH, AS_SOURCE, buf_text(&deep)), 400);
        cr_assert_eq(ask_status(w.port, "POST", PATH, AS_SOURCE, buf_text(&ignored)), 400);
        cr_assert_eq(ask_status(w.port, "POST", PATH, AS_SOURCE, "garbage"), 400);
        cr_assert(EVENTUALLY(metric(&w, METRIC_CONNECTIONS, NULL, NULL) == 0));
        last = mallinfo2().uordblks;
        first = round == 2 ? last : first;
    }
    cr_assert_lt(last, first + 65536, "%zu bytes after three rounds, %zu at the end", first, last);
    cr_assert_eq(metric(&w, METRIC_IN_FLIGHT, NULL, NULL), 0);
}

/* ---- its end ---- */

Test(server, clients_that_leave_are_forgotten)
{
    CLEANUP(listener_end) struct listener w = make("");
    double_mode(w.loop, DOUBLE_HOLDS);
    int fd = client_connect(w.port);
    struct buf text = BUF_INIT;
    buf_addf(&text, "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Content-Length: %zu\r\n\r\n%s",
             strlen(DELIVERY), DELIVERY);
    client_send_bytes(fd, text.ptr, text.len);
    cr_assert(EVENTUALLY(double_held(w.loop) == 1));
    close(fd);
    double_release(w.loop);
    cr_assert(EVENTUALLY(metric(&w, METRIC_CONNECTIONS, NULL, NULL) == 0));
    cr_assert_eq(double_committed(w.loop), 1u);
    buf_release(&text);
}

Test(server, a_quiet_listener_finishes_what_it_has)
{
    struct listener w = make("");
    double_mode(w.loop, DOUBLE_HOLDS);
    int fd = client_connect(w.port);
    struct buf text = BUF_INIT;
    buf_addf(&text, "POST " PATH " HTTP/1.1\r\nHost: h\r\n" AS_SOURCE "Content-Length: %zu\r\n\r\n%s",
             strlen(DELIVERY), DELIVERY);
    client_send_bytes(fd, text.ptr, text.len);
    cr_assert(EVENTUALLY(double_held(w.loop) == 1));
    server_quiesce(w.server);
    int late = client_connect(w.port);
    struct reply none = { .status = 0 };
    if (late >= 0)
        none = client_ask(late, "GET", "/health", "Connection: close\r\n", NULL, 0);
    listener_end(&w);
    CLEANUP(reply_release) struct reply r = client_read(fd, false);
    cr_assert_eq(r.status, 200, "answered before the end");
    cr_assert_str_eq(reply_header(&r, "Connection"), "close");
    cr_assert_eq(none.status, 0, "nobody new is taken");
    cr_assert(client_is_closed(fd));
    reply_release(&none);
    buf_release(&text);
    close(fd);
    close(late);
}

static void *hammer(void *arg)
{
    int port = *(int *)arg;
    static const char text[] =
        "POST /api/v1/pause HTTP/1.1\r\nHost: h\r\n" AS_ACTOR "Content-Length: 14\r\n\r\n{\"reason\":\"r\"}";
    int fd = client_connect(port);
    while (client_send_bytes(fd, text, strlen(text))) {
        struct reply r = client_read(fd, false);
        reply_release(&r);
        if (!r.status)
            break;
    }
    close(fd);
    return NULL;
}

Test(server, words_of_operators_at_its_end_are_answered_or_cut_off, .timeout = 60)
{
    for (int round = 0; round < 20; round++) {
        struct listener w = make("");
        pthread_t threads[4];
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, hammer, &w.port);
        cr_assert(EVENTUALLY(double_pauses(w.loop) > 10));
        listener_end(&w);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
}

Test(server, a_port_that_is_taken_is_said)
{
    CLEANUP(listener_end) struct listener w = make("");
    struct server *second = NULL;
    struct err e = ERR_INIT;
    char at[32];
    snprintf(at, sizeof at, "127.0.0.1:%d", w.port);
    cr_assert_eq(settings_override(w.settings, NULL, NULL, at, &e), ERR_OK);
    cr_assert_eq(server_new(&second, w.settings, w.loop, w.metrics, &e), ERR_IO);
    cr_assert_null(second);
    cr_assert_not_null(strstr(e.msg, at), "%s", e.msg);
    cr_assert_not_null(strstr(e.msg, "in use"), "%s", e.msg);
}
