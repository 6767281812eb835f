/* test/unit/peer_test.c - the peer of the tests, looked at through a plain socket. */
#include "test/kit/http_peer.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rules/base/buf.h"

static int dial(const struct http_peer *p)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    at.sin_port = htons((uint16_t)strtoul(strrchr(http_peer_url(p), ':') + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    return fd;
}

static void say(int fd, const char *text)
{
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Read until `text` was seen (true) or the peer closed (false). */
static bool hear(int fd, struct buf *got, const char *text)
{
    while (!strstr(buf_text(got), text)) {
        char bytes[512];
        struct pollfd one = { .fd = fd, .events = POLLIN };
        cr_assert_eq(poll(&one, 1, PEER_PATIENCE_MS), 1, "nothing came; so far: %s", buf_text(got));
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0)
            return false;
        buf_add(got, bytes, (size_t)n);
    }
    return true;
}

#define GET "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

Test(peer, what_is_not_scripted_is_500)
{
    CLEANUP(http_peer_freep) struct http_peer *p = http_peer_new();
    CLEANUP(buf_release) struct buf got = BUF_INIT;
    int fd = dial(p);
    say(fd, GET);
    cr_assert(hear(fd, &got, "nothing is scripted"));
    cr_assert_eq(strncmp(got.ptr, "HTTP/1.1 500 ", 13), 0);
    close(fd);
}

Test(peer, half_a_request_is_none)
{
    CLEANUP(http_peer_freep) struct http_peer *p = http_peer_new();
    CLEANUP(buf_release) struct buf got = BUF_INIT;
    int fd = dial(p);
    say(fd, "PATCH /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
    usleep(20000);
    cr_assert_eq(http_peer_requests(p), 0);
    say(fd, "cd");
    cr_assert(hear(fd, &got, "500"));
    cr_assert_eq(http_peer_requests(p), 1);
    cr_assert_str_eq(http_peer_request(p, 0), "PATCH /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd");
    cr_assert_str_eq(http_peer_request(p, 1), "");
    close(fd);
}

Test(peer, answers_go_in_order_to_what_they_match)
{
    CLEANUP(http_peer_freep) struct http_peer *p = http_peer_new();
    CLEANUP(buf_release) struct buf got = BUF_INIT;
    http_peer_script(p, &(struct peer_answer){ .match = "GET /b", .body = "for b" });
    http_peer_script(
        p, &(struct peer_answer){ .status = 429, .headers = "Retry-After: 7\r\n", .body = "first" });
    http_peer_script(p, &(struct peer_answer){ .body = "always", .always = true });
    int fd = dial(p);
    say(fd, GET GET);
    cr_assert(hear(fd, &got, "always"));
    cr_assert_not_null(strstr(got.ptr, "HTTP/1.1 429 "));
    cr_assert_not_null(strstr(got.ptr, "Retry-After: 7\r\nContent-Length: 5\r\n\r\nfirst"));
    say(fd, "GET /b HTTP/1.1\r\n\r\n" GET);
    cr_assert(hear(fd, &got, "for b"));
    cr_assert_eq(http_peer_connections(p), 1, "connections are kept");
    cr_assert(http_peer_wait(p, "GET /a", 3));
    cr_assert_eq(http_peer_count(p, "GET /b"), 1);
    cr_assert_eq(http_peer_count(p, "Host"), 0, "only first lines are looked at");
    close(fd);
}

Test(peer, closes_as_told)
{
    CLEANUP(http_peer_freep) struct http_peer *p = http_peer_new();
    static const enum peer_way ways[] = { PEER_CLOSE_READ, PEER_CUT, PEER_ANSWER_CLOSE };
    static const char *const left[] = { "", "abc", "abcdef" };
    for (size_t i = 0; i < 3; i++) {
        CLEANUP(buf_release) struct buf got = BUF_INIT;
        http_peer_script(p, &(struct peer_answer){ .way = ways[i], .body = "abcdef" });
        int fd = dial(p);
        say(fd, GET);
        cr_assert_not(hear(fd, &got, "never"));
        const char *body = strstr(buf_text(&got), "\r\n\r\n");
        cr_assert_str_eq(body ? body + 4 : "", left[i]);
        cr_assert_eq(http_peer_requests(p), i + 1);
        close(fd);
    }
    CLEANUP(buf_release) struct buf got = BUF_INIT;
    http_peer_script(p, &(struct peer_answer){ .way = PEER_CLOSE_UNREAD });
    int fd = dial(p);
    cr_assert_not(hear(fd, &got, "never"));
    cr_assert_eq(http_peer_requests(p), 3);
    close(fd);
}

Test(peer, streams_are_fed_and_ended)
{
    CLEANUP(http_peer_freep) struct http_peer *p = http_peer_new();
    CLEANUP(buf_release) struct buf got = BUF_INIT;
    http_peer_script(p, &(struct peer_answer){ .way = PEER_STREAM, .body = "one\n" });
    int fd = dial(p);
    say(fd, GET);
    cr_assert(hear(fd, &got, "4\r\none\n\r\n"));
    http_peer_feed(p, "/b", "not for me");
    http_peer_feed(p, "/a", "two and\n");
    cr_assert(hear(fd, &got, "8\r\ntwo and\n\r\n"));
    http_peer_end_streams(p, "", true);
    cr_assert(hear(fd, &got, "0\r\n\r\n"));
    cr_assert_null(strstr(got.ptr, "not for me"));
    http_peer_script(p, &(struct peer_answer){ .way = PEER_STREAM });
    say(fd, GET);
    cr_assert(http_peer_wait(p, "GET", 2));
    http_peer_end_streams(p, "", false);
    cr_assert_not(hear(fd, &got, "never"), "cut, and at once");
    close(fd);
}

Test(peer, is_late_and_silent_as_told)
{
    CLEANUP(http_peer_freep) struct http_peer *p = http_peer_new();
    CLEANUP(buf_release) struct buf got = BUF_INIT;
    http_peer_script(p, &(struct peer_answer){ .delay_ms = 100, .body = "late" });
    http_peer_script(p, &(struct peer_answer){ .way = PEER_SILENT });
    int fd = dial(p);
    say(fd, GET);
    cr_assert(http_peer_wait(p, "GET", 1));
    cr_assert_eq(recv(fd, (char[8]){ 0 }, 8, MSG_DONTWAIT), -1, "the delay is not over");
    cr_assert(hear(fd, &got, "late"));
    say(fd, GET);
    cr_assert(http_peer_wait(p, "GET", 2));
    usleep(20000);
    cr_assert_eq(recv(fd, (char[8]){ 0 }, 8, MSG_DONTWAIT), -1, "silent");
    close(fd);
}
