/* test/kit/api_stub.h - an HTTP server that answers what a test laid down for a method and path, and
 * remembers what it was asked. For whole calls with well-formed answers; a thread of its own. Tested by its
 * users: what is not laid down is 404. */
#ifndef TEST_KIT_API_STUB_H
#define TEST_KIT_API_STUB_H

#include <stddef.h>

#define STUB_ANSWERS_MAX 32
#define STUB_REQUESTS_MAX 64

struct stub_request {
    char method[16];
    char target[1024]; /* path with query, as it came */
    char content_type[96], authorization[128], tenant[64];
    char body[16384];
};

struct api_stub;
struct api_stub *api_stub_new(void); /* a failure ends the test */
struct api_stub *api_stub_free(struct api_stub *s);
const char *api_stub_url(const struct api_stub *s); /* "http://127.0.0.1:1234" */

/* Answer this method and path (without query) so. Several for the same: in order, the last one for ever.
 * retry_after NULL: no header. Texts are copied, single quotes in the body become double ones. */
void api_stub_answer(struct api_stub *s, const char *method, const char *path, unsigned status,
                     const char *retry_after, const char *body);

size_t api_stub_count(struct api_stub *s);
/* The n-th request from 0; a request that never came ends the test. */
const struct stub_request *api_stub_request(struct api_stub *s, size_t n);

#endif
