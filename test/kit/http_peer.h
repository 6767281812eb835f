/* test/kit/http_peer.h - an HTTP/1.1 server that can misbehave, on 127.0.0.1 and a port of its own. Itself
 * tested in kit_peer_test.c.
 *
 * Answers are scripted before or while it runs; every request is recorded as it came. One thread serves all
 * connections; every function may be called from any other. Failures of the peer itself abort: a test without
 * its peer says nothing. */
#ifndef TEST_KIT_HTTP_PEER_H
#define TEST_KIT_HTTP_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_CONNECTIONS_MAX 32u
#define PEER_ANSWERS_MAX 256u
#define PEER_REQUESTS_MAX 4096u
#define PEER_PATIENCE_MS 20000 /* a deadline for what has to happen, never a measure */

enum peer_way {
    PEER_ANSWER,       /* answer, and keep the connection */
    PEER_ANSWER_CLOSE, /* answer, and close the connection without having said so */
    PEER_CLOSE_READ,   /* read the request whole, then close without an answer */
    PEER_CLOSE_UNREAD, /* close as soon as the connection is made, before a byte was read (such answers match
                          connections) */
    PEER_CUT,          /* announce the whole body, send half of it, then close */
    PEER_SILENT,       /* read the request, never answer, keep the connection open */
    PEER_STREAM,       /* answer chunked: the body first, then whatever http_peer_feed gives, until
                          http_peer_end_streams */
};

struct peer_answer {
    const char *match; /* part of the request's first line, as "GET /api/v1/pods"; NULL: any request */
    enum peer_way way;
    int status;          /* 0: 200 */
    const char *headers; /* further lines, each ended by \r\n; NULL: none */
    const char *body;    /* NULL: empty; copied */
    int64_t delay_ms;    /* between request and answer */
    bool always;         /* not used up by one request */
};

struct http_peer;

struct http_peer *http_peer_new(void);
struct http_peer *http_peer_free(struct http_peer *p);
static inline void http_peer_freep(struct http_peer **p)
{
    *p = http_peer_free(*p);
}
const char *http_peer_url(const struct http_peer *p); /* "http://127.0.0.1:40001" */

/* Add an answer; a request takes the first that is left and matches. None left: 500 "nothing is scripted". */
void http_peer_script(struct http_peer *p, const struct peer_answer *a);
/* Requests read whole so far; request i as it came, or "" when there is none: valid until http_peer_free. */
size_t http_peer_requests(struct http_peer *p);
const char *http_peer_request(struct http_peer *p, size_t i);
size_t http_peer_connections(struct http_peer *p); /* accepted so far */
/* How many requests had this in their first line. */
size_t http_peer_count(struct http_peer *p, const char *match);
/* Wait until at least n requests had it; false: not within PEER_PATIENCE_MS. */
bool http_peer_wait(struct http_peer *p, const char *match, size_t n);

/* Send a chunk on every open stream whose request line holds `match`; end them (orderly, or by closing the
 * connection). */
void http_peer_feed(struct http_peer *p, const char *match, const char *text);
void http_peer_end_streams(struct http_peer *p, const char *match, bool orderly);

#endif
