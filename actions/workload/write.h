/* actions/workload/write.h - internal to actions/workload: what all writes share, from the hints to the one
 * mapping of answers. */
#ifndef ACTIONS_WORKLOAD_WRITE_H
#define ACTIONS_WORKLOAD_WRITE_H

#include "actions/catalogue.h"
#include "rules/base/json.h"

#define WRITE_RETRY_MS 1000 /* where the server does not say how long to wait */
#define WRITE_HINTS 4u      /* heald.dev/incident, /step, /at, /reason */

/* Hints for people, never proof. `index` is 0..WRITE_HINTS-1; the value goes to ret, the annotation's name is
 * returned. */
#define WRITE_HINT_SIZE 256
const char *write_hint(char ret[WRITE_HINT_SIZE], const struct intent *i, unsigned index);
/* All hints as members of the object that is open in w: "heald.dev/incident": "...", ... */
void write_hints(struct json_writer *w, const struct intent *i);

struct write {
    const char *verb;        /* "patch", "delete" */
    const char *kind, *name; /* of the object in the intent's namespace */
    const char *subresource; /* NULL or "scale" */
    const char *content_type;
    const char *grant; /* RBAC that a 403 asks for: "patch deployments.apps" */
};

/* Send the write once, unless the intent has expired, and report. `body` is what the writer holds; a failed
 * writer is ACT_FAILED. Returns the status of the answer, 0 when there was none. */
long write_send(const struct action_context *c, const struct intent *i, const struct write *what,
                const struct json_writer *body, struct act_report *ret);

/* What an answer to a write means: `code` and `error` are what kube_call returned. Pure.
 *   2xx                                           done
 *   409, a failed test (ERR_CONFLICT)             conflict
 *   429; 503 with Retry-After; no connection      retry
 *   5xx else, 408, no answer after sending, an answer that is no whole answer   unknown
 *   anything else                                 failed, a 403 with what to grant */
void write_report(struct act_report *ret, enum err_code code, const struct kube_reply *reply,
                  const struct err *error, const char *grant, const char *namespace);

/* A read before the write failed: nothing was written, so 404 and 403 fail, everything else is tried again.
 */
void write_read_failed(struct act_report *ret, enum err_code code, const struct err *error, const char *what);

/* "deployments.apps" for "Deployment"; the kind itself where it is not known. */
const char *write_resource(const char *kind);

/* Take the intent's pod away by a write whose body `fill` says. A pod that is gone already is done; a
 * conflict usually says that another pod has the name by now: that is looked at, then the proof is there. */
void write_take_pod(const struct action_context *c, const struct intent *i, struct write *what,
                    void (*fill)(struct json_writer *w, const struct intent *i), struct act_report *ret);

void write_say(struct act_report *ret, enum act_result result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
