/* actions/http/easy.h - internal to actions/: a libcurl easy handle with everything set but who takes the
 * bytes.
 *
 * http.c sends one request after the other with it; the watch hands several of them to one curl multi handle.
 */
#ifndef ACTIONS_HTTP_EASY_H
#define ACTIONS_HTTP_EASY_H

#include <curl/curl.h>

#include "actions/http/http.h"

struct http_easy {
    CURL *curl;
    char error[CURL_ERROR_SIZE];
    struct buf url;
    struct curl_slist *headers, *connect_to;
};

enum err_code http_easy_init(struct http_easy *x, struct err *e);
void http_easy_release(struct http_easy *x);

/* Forget the request before, and set this one: address, credentials, headers, times, limits. The body of the
 * request, the write function and everything about the answer are the caller's. What `at` and `r` point to
 * may go once this returns. */
enum err_code http_easy_prepare(struct http_easy *x, const struct http_endpoint *at,
                                const struct http_request *r, struct err *e);
/* Why the last transfer failed: never empty. */
const char *http_easy_why(const struct http_easy *x, CURLcode rc);
/* Retry-After of the last answer in ms; -1 when absent. */
int64_t http_easy_retry_after_ms(const struct http_easy *x);

#endif
