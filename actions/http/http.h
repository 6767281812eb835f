/* actions/http/http.h - HTTP out: one kept-alive connection pool per handle, over libcurl (GnuTLS).
 *
 * One thread at a time uses a handle. Requests are bounded in time and in the size of the answer. Redirects
 * are never followed, proxies only when the endpoint says so, no environment variable is looked at. */
#ifndef ACTIONS_HTTP_HTTP_H
#define ACTIONS_HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/base/buf.h"
#include "rules/base/err.h"

#define HTTP_ANSWER_MAX (32u << 20) /* bytes of one answer's body, unless the request says less */
#define HTTP_CONNECT_TIMEOUT_MS 3000
#define HTTP_TIMEOUT_MS 9000 /* of a whole call; less than LONGEST_CALL_MS */

struct http; /* a handle: a curl easy handle and what belongs to it */

/* Where and as whom. All pointers are borrowed for the call; NULL where not used. Files are PEM. */
struct http_endpoint {
    const char *base_url; /* "https://10.0.0.1:6443", may carry a path prefix, no trailing slash needed */
    const char *ca_file;  /* trust only this bundle; NULL: the system's bundle */
    const char *cert_file, *key_file; /* client certificate */
    const char *server_name;          /* for SNI and verification, instead of the host */
    bool insecure;                    /* do not verify the server: only when a kubeconfig says so */
    const char *bearer;               /* token, without "Bearer " */
    const char *user_password;        /* "user:password" for basic authentication */
    const char *tenant;               /* X-Scope-OrgID, or NULL */
};

struct http_request {
    const char *method;       /* "GET", "PATCH", ... */
    const char *path;         /* appended to base_url; already encoded: see http_path() */
    const char *content_type; /* of body */
    const char *accept;       /* NULL: application/json */
    const char *body;         /* NULL: none */
    size_t body_len;
    int64_t timeout_ms;     /* 0: HTTP_TIMEOUT_MS */
    size_t answer_max;      /* 0: HTTP_ANSWER_MAX */
    bool cut;               /* only the first answer_max bytes are wanted: more is no error, and not read */
    bool no_retry_on_reuse; /* set for writes: never send twice, not even when a kept-alive connection turns
                               out dead */
};

struct http_answer {
    long status;            /* 0 when no answer came */
    struct buf body;        /* terminated */
    int64_t retry_after_ms; /* from Retry-After (seconds or date); -1 when absent */
    int64_t sent_ms;        /* wall time at which the first byte of the request may have left; 0: none did (no
                               connection) */
};
#define HTTP_ANSWER_INIT ((struct http_answer){ .retry_after_ms = -1 })

/* Once per process, before any other thread exists. */
enum err_code http_global_init(struct err *e);
void http_global_cleanup(void);

enum err_code http_new(struct http **ret, struct err *e);
struct http *http_free(struct http *h);
static inline void http_freep(struct http **h)
{
    *h = http_free(*h);
}

/* End the call under way within about a second, and refuse every later one (ERR_REFUSED): for the end of the
 * process. The one function that another thread may call meanwhile. */
void http_abort(struct http *h);

/* Send, and read the answer whole. ERR_OK: an answer with any status is in *ret. Otherwise:
 *   ERR_UNAVAILABLE  nothing was sent (no connection, no name, TLS refused)
 *   ERR_UNKNOWN      sent in part or whole, no answer to trust (timeout, reset, cut answer); for GET callers
 * treat it as unavailable ERR_LIMIT        the answer is larger than answer_max The message names host and
 * reason, never credentials. */
enum err_code http_send(struct http *h, const struct http_endpoint *at, const struct http_request *r,
                        struct http_answer *ret, struct err *e);
void http_answer_release(struct http_answer *a);

/* Append "/" and the segment, percent-encoded so that it stays ONE segment whatever it contains ("..", "/",
 * "%", "?"); "." and ".." are refused by ERR_INVALID, as is the empty segment. */
enum err_code http_path(struct buf *path, const char *segment, struct err *e);
/* Append ?name=value or &name=value, both encoded. */
void http_query(struct buf *path, const char *name, const char *value);

#endif
