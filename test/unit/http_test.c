/* test/unit/http_test.c - HTTP out, against a peer that misbehaves. */
#include "actions/http/http.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "test/kit/http_peer.h"

struct fixture {
    struct http_peer *peer;
    struct http *http;
    struct http_answer answer;
    struct http_endpoint at;
    struct err e;
};

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){ .peer = http_peer_new(), .answer = HTTP_ANSWER_INIT, .e = ERR_INIT };
    cr_assert_eq(http_global_init(&f->e), ERR_OK);
    cr_assert_eq(http_new(&f->http, &f->e), ERR_OK);
    f->at.base_url = http_peer_url(f->peer);
}

static void close_fixture(struct fixture *f)
{
    http_answer_release(&f->answer);
    http_free(f->http);
    http_peer_free(f->peer);
}

static enum err_code send_to(struct fixture *f, const char *method, const char *body)
{
    struct http_request r = {
        .method = method,
        .path = "/x",
        .content_type = body ? "application/json" : NULL,
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .timeout_ms = 2000,
        .no_retry_on_reuse = strcmp(method, "GET") != 0,
    };
    return http_send(f->http, &f->at, &r, &f->answer, &f->e);
}

static void script(struct fixture *f, enum peer_way way, const char *body)
{
    http_peer_script(f->peer, &(struct peer_answer){ .way = way, .body = body });
}

/* ---- what goes wrong ---- */

Test(http, no_connection_is_unavailable_and_nothing_was_sent)
{
    struct fixture f;
    open_fixture(&f);
    f.at.base_url = "http://127.0.0.1:1";
    cr_assert_eq(send_to(&f, "PATCH", "{}"), ERR_UNAVAILABLE);
    cr_assert_eq(f.answer.sent_ms, 0);
    cr_assert_eq(f.answer.status, 0);
    cr_assert_not_null(strstr(f.e.msg, "http://127.0.0.1:1"), "'%s' names the host", f.e.msg);
    close_fixture(&f);
}

Test(http, tls_to_a_plain_server_is_unavailable_and_nothing_was_sent)
{
    struct fixture f;
    char url[64];
    open_fixture(&f);
    snprintf(url, sizeof url, "https%s", http_peer_url(f.peer) + 4);
    f.at.base_url = url;
    cr_assert_eq(send_to(&f, "PATCH", "{}"), ERR_UNAVAILABLE);
    cr_assert_eq(f.answer.sent_ms, 0);
    cr_assert_eq(http_peer_requests(f.peer), 0);
    close_fixture(&f);
}

Test(http, a_write_whose_answer_is_lost_is_unknown_and_sent_once)
{
    static const enum peer_way ways[] = { PEER_CLOSE_READ, PEER_CUT };
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        open_fixture(&f);
        script(&f, ways[i], "{\"a\":1}");
        cr_assert_eq(send_to(&f, "PATCH", "{}"), ERR_UNKNOWN);
        cr_assert_gt(f.answer.sent_ms, 0);
        cr_assert_eq(f.answer.status, 0);
        cr_assert_eq(http_peer_requests(f.peer), 1);
        close_fixture(&f);
    }
}

/* libcurl repeats by itself what died on a connection that was kept alive. */
Test(http, a_write_is_not_repeated_when_a_kept_alive_connection_dies)
{
    static const char *const bodies[] = { "{}", NULL };
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        open_fixture(&f);
        script(&f, PEER_ANSWER, "first");
        script(&f, PEER_CLOSE_READ, NULL);
        script(&f, PEER_ANSWER, "never asked for");
        cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK);
        cr_assert_eq(send_to(&f, i ? "DELETE" : "PATCH", bodies[i]), ERR_UNKNOWN);
        cr_assert_gt(f.answer.sent_ms, 0);
        cr_assert_eq(http_peer_requests(f.peer), 2, "the write came once");
        close_fixture(&f);
    }
}

Test(http, a_read_is_repeated_when_a_kept_alive_connection_dies)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_ANSWER, "first");
    script(&f, PEER_CLOSE_READ, NULL);
    script(&f, PEER_ANSWER, "second");
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK);
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK, "%s", f.e.msg);
    cr_assert_str_eq(buf_text(&f.answer.body), "second");
    close_fixture(&f);
}

Test(http, a_write_goes_out_although_the_server_closed_the_idle_connection)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_ANSWER_CLOSE, "first");
    script(&f, PEER_ANSWER, "second");
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK);
    usleep(20000); /* the end of the connection has arrived */
    cr_assert_eq(send_to(&f, "PATCH", "{}"), ERR_OK, "%s", f.e.msg);
    cr_assert_str_eq(buf_text(&f.answer.body), "second");
    cr_assert_eq(http_peer_requests(f.peer), 2);
    close_fixture(&f);
}

Test(http, silence_ends_at_the_time_limit)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_SILENT, NULL);
    struct http_request r = { .method = "PATCH",
                              .path = "/x",
                              .body = "{}",
                              .body_len = 2,
                              .timeout_ms = 100,
                              .no_retry_on_reuse = true };
    cr_assert_eq(http_send(f.http, &f.at, &r, &f.answer, &f.e), ERR_UNKNOWN);
    cr_assert_gt(f.answer.sent_ms, 0);
    close_fixture(&f);
}

static void *abort_when_sent(void *ctx)
{
    struct fixture *f = ctx;
    while (http_peer_requests(f->peer) == 0)
        usleep(1000);
    http_abort(f->http);
    return NULL;
}

Test(http, an_abort_ends_the_call_under_way_and_refuses_later_ones, .timeout = 60)
{
    struct fixture f;
    pthread_t other;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .way = PEER_SILENT, .always = true });
    struct http_request r = { .method = "PATCH",
                              .path = "/x",
                              .body = "{}",
                              .body_len = 2,
                              .timeout_ms = 120000,
                              .no_retry_on_reuse = true };
    cr_assert_eq(pthread_create(&other, NULL, abort_when_sent, &f), 0);
    cr_assert_eq(http_send(f.http, &f.at, &r, &f.answer, &f.e), ERR_UNKNOWN);
    pthread_join(other, NULL);
    cr_assert_not_null(strstr(f.e.msg, "shutting down"), "%s", f.e.msg);
    cr_assert_eq(http_send(f.http, &f.at, &r, &f.answer, &f.e), ERR_REFUSED);
    cr_assert_eq(http_peer_requests(f.peer), 1, "nothing is sent after it");
    close_fixture(&f);
}

Test(http, an_answer_over_the_limit_is_refused)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_ANSWER, "123456789");
    script(&f, PEER_ANSWER, "12345678");
    struct http_request r = { .method = "GET", .path = "/x", .answer_max = 8 };
    cr_assert_eq(http_send(f.http, &f.at, &r, &f.answer, &f.e), ERR_LIMIT);
    cr_assert_not_null(strstr(f.e.msg, "8 bytes"), "%s", f.e.msg);
    cr_assert_eq(http_send(f.http, &f.at, &r, &f.answer, &f.e), ERR_OK, "the limit itself fits");
    cr_assert_str_eq(buf_text(&f.answer.body), "12345678");
    close_fixture(&f);
}

Test(http, redirects_are_answers)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .status = 302, .headers = "Location: /elsewhere\r\n" });
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK);
    cr_assert_eq(f.answer.status, 302);
    cr_assert_eq(http_peer_requests(f.peer), 1);
    close_fixture(&f);
}

Test(http, the_environments_proxy_is_not_looked_at)
{
    struct fixture f;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    open_fixture(&f);
    script(&f, PEER_ANSWER, "direct");
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK, "%s", f.e.msg);
    close_fixture(&f);
}

Test(http, a_token_with_a_line_break_is_refused_unsent)
{
    struct fixture f;
    open_fixture(&f);
    f.at.bearer = "abc\r\nX-Remote-User: admin";
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_INVALID);
    cr_assert_not_null(strstr(f.e.msg, "line break"), "%s", f.e.msg);
    cr_assert_null(strstr(f.e.msg, "abc"), "credentials are not shown: %s", f.e.msg);
    cr_assert_eq(http_peer_connections(f.peer), 0);
    close_fixture(&f);
}

Test(http, other_protocols_are_refused)
{
    struct fixture f;
    open_fixture(&f);
    f.at.base_url = "file:///etc/hostname";
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_UNAVAILABLE);
    cr_assert_eq(f.answer.body.len, 0);
    close_fixture(&f);
}

/* ---- what goes right ---- */

Test(http, a_request_says_what_it_was_given)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_ANSWER, "{}");
    f.at.bearer = "secret-token";
    f.at.tenant = "team-a";
    struct http_request r = { .method = "PATCH",
                              .path = "/a?b=c",
                              .content_type = "application/merge-patch+json",
                              .accept = "text/x",
                              .body = "{\"a\":1}",
                              .body_len = 7 };
    cr_assert_eq(http_send(f.http, &f.at, &r, &f.answer, &f.e), ERR_OK);
    const char *seen = http_peer_request(f.peer, 0);
    static const char *const wanted[] = { "PATCH /a?b=c HTTP/1.1\r\n",
                                          "\r\nAuthorization: Bearer secret-token\r\n",
                                          "\r\nX-Scope-OrgID: team-a\r\n",
                                          "\r\nAccept: text/x\r\n",
                                          "\r\nContent-Type: application/merge-patch+json\r\n",
                                          "\r\nContent-Length: 7\r\n",
                                          "\r\nUser-Agent: heald/",
                                          "\r\n\r\n{\"a\":1}" };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        cr_assert_not_null(strstr(seen, wanted[i]), "%s is not in:\n%s", wanted[i], seen);
    cr_assert_null(strstr(seen, "Expect"), "bodies are sent at once");
    cr_assert_null(strstr(seen, "Transfer-Encoding"));
    close_fixture(&f);
}

Test(http, credentials_of_one_request_are_not_in_the_next)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .always = true });
    f.at.bearer = "secret-token";
    cr_assert_eq(send_to(&f, "PATCH", "{}"), ERR_OK);
    f.at.bearer = NULL;
    f.at.user_password = "name:word";
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK);
    f.at.user_password = NULL;
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK);
    cr_assert_null(strstr(http_peer_request(f.peer, 1), "secret-token"));
    cr_assert_not_null(strstr(http_peer_request(f.peer, 1), "\r\nAuthorization: Basic bmFtZTp3b3Jk\r\n"));
    cr_assert_null(strstr(http_peer_request(f.peer, 2), "Authorization"));
    cr_assert_eq(strncmp(http_peer_request(f.peer, 1), "GET ", 4), 0);
    cr_assert_null(strstr(http_peer_request(f.peer, 1), "Content-"), "nor its body");
    cr_assert_eq(http_peer_connections(f.peer), 1, "the connection is kept");
    close_fixture(&f);
}

Test(http, a_base_with_a_path_and_slashes_is_a_prefix)
{
    struct fixture f;
    char url[96];
    open_fixture(&f);
    script(&f, PEER_ANSWER, "");
    snprintf(url, sizeof url, "%s/k8s/clusters/c-1//", http_peer_url(f.peer));
    f.at.base_url = url;
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK);
    cr_assert_eq(http_peer_count(f.peer, "GET /k8s/clusters/c-1/x HTTP/1.1"), 1);
    close_fixture(&f);
}

Test(http, a_server_name_is_said_but_not_dialled)
{
    struct fixture f;
    open_fixture(&f);
    script(&f, PEER_ANSWER, "");
    f.at.server_name = "kubernetes.example";
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK, "%s", f.e.msg);
    cr_assert_not_null(strstr(http_peer_request(f.peer, 0), "\r\nHost: kubernetes.example:"));
    close_fixture(&f);
}

struct retry_after {
    char value[40];
    int64_t least_ms, most_ms;
};

ParameterizedTestParameters(http, retry_after_is_read)
{
    static struct retry_after cases[] = {
        { "", -1, -1 },
        { "Retry-After: 7\r\n", 7000, 7000 },
        { "Retry-After: soon\r\n", -1, -1 },
        { "Retry-After: -4\r\n", -1, -1 },
    };
    return cr_make_param_array(struct retry_after, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct retry_after *c, http, retry_after_is_read)
{
    struct fixture f;
    open_fixture(&f);
    http_peer_script(f.peer, &(struct peer_answer){ .status = 429, .headers = c->value });
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK);
    cr_assert(f.answer.retry_after_ms >= c->least_ms && f.answer.retry_after_ms <= c->most_ms, "%ld",
              (long)f.answer.retry_after_ms);
    close_fixture(&f);
}

Test(http, retry_after_may_be_a_date)
{
    struct fixture f;
    char line[80];
    time_t then = time(NULL) + 100;
    open_fixture(&f);
    strftime(line, sizeof line, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime(&then));
    http_peer_script(f.peer, &(struct peer_answer){ .status = 503, .headers = line });
    cr_assert_eq(send_to(&f, "GET", NULL), ERR_OK);
    cr_assert(f.answer.retry_after_ms > 0 && f.answer.retry_after_ms <= 100000, "%ld",
              (long)f.answer.retry_after_ms);
    close_fixture(&f);
}

/* ---- paths ---- */

Test(http, what_is_no_segment_is_refused)
{
    static const char *const bad[] = { "", ".", ".." };
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(buf_release) struct buf path = BUF_INIT;
        struct err e = ERR_INIT;
        cr_assert_eq(http_path(&path, bad[i], &e), ERR_INVALID);
        cr_assert_eq(path.len, 0);
    }
}

Test(http, a_segment_stays_one_whatever_it_holds)
{
    static const char *const cases[][2] = { { "../../secrets", "/..%2F..%2Fsecrets" },
                                            { "a?b#c", "/a%3Fb%23c" },
                                            { "100%", "/100%25" },
                                            { "a b\n", "/a%20b%0A" },
                                            { "\xc3\xa9", "/%C3%A9" },
                                            { "web-0.x_y~z", "/web-0.x_y~z" } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(buf_release) struct buf path = BUF_INIT;
        cr_assert_eq(http_path(&path, cases[i][0], NULL), ERR_OK);
        cr_assert_str_eq(buf_text(&path), cases[i][1]);
    }
}

Test(http, queries_are_encoded_and_joined)
{
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    buf_adds(&path, "/pods");
    http_query(&path, "labelSelector", "a=b,c in (d)");
    http_query(&path, "limit", "5");
    cr_assert_str_eq(buf_text(&path), "/pods?labelSelector=a%3Db%2Cc%20in%20%28d%29&limit=5");
}
