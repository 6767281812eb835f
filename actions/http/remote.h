/* actions/http/remote.h - an HTTP service that heald only reads from: where it is, and as whom it is asked.
 *
 * Prometheus, Loki, Alertmanager, and the hosts of HTTP probes. Immutable: any thread may ask. */
#ifndef ACTIONS_HTTP_REMOTE_H
#define ACTIONS_HTTP_REMOTE_H

#include "actions/http/http.h"

struct remote;

/* `what` is its name in messages: "prometheus". token_file NULL: no credentials; it is read anew for each
 * call, so that a rotated token is used at once. ca_file NULL: the system's. tenant NULL: no X-Scope-OrgID.
 * ERR_INVALID: the url begins with neither http:// nor https://; ERR_NOMEM. */
enum err_code remote_new(struct remote **ret, const char *what, const char *url, const char *token_file,
                         const char *ca_file, const char *tenant, struct err *e);
struct remote *remote_free(struct remote *r);
static inline void remote_freep(struct remote **r)
{
    *r = remote_free(*r);
}
const char *remote_what(const struct remote *r);
const char *remote_url(const struct remote *r);

/* GET `request->path` behind its url; method and credentials are set here. ERR_OK: an answer with any status.
 * Errors as http_send(); a token file that cannot be read is ERR_IO or ERR_INVALID. */
enum err_code remote_get(const struct remote *r, struct http *h, const struct http_request *request,
                         struct http_answer *ret, struct err *e);

/* The same for an API that answers in JSON: another status than 200 is ERR_UNAVAILABLE with the beginning of
 * what it said, and so is a body that is no JSON (not UTF-8 either). *ret is the caller's. */
struct json_doc;
enum err_code remote_get_json(const struct remote *r, struct http *h, const struct http_request *request,
                              struct json_doc **ret, struct err *e);

#endif
