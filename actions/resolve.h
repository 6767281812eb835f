/* actions/resolve.h - internal to observe(): from an alert's labels to the object they mean, following only
 * controller references. */
#ifndef ACTIONS_RESOLVE_H
#define ACTIONS_RESOLVE_H

#include "actions/observe.h"

struct resolved {
    char kind[KIND_SIZE];
    struct json_doc *workload; /* the object itself, just read */
    struct json_doc *pod;      /* NULL unless the labels named a pod that is still there */
    char names[OBSERVATION_FOUND_MAX][OBJECT_NAME_SIZE]; /* what a selector found, in order */
    uint32_t names_len;
};
#define RESOLVED_INIT ((struct resolved){ .workload = NULL })
void resolved_release(struct resolved *r);

/* Errors as observe(). */
enum err_code resolve(const struct observer *o, struct http *h, const struct observe_request *r,
                      struct resolved *ret, struct err *e);

/* Is this pod controlled by the workload, directly or through a ReplicaSet that is (one GET)? ERR_REFUSED
 * when not. */
enum err_code resolve_pod_of(const struct observer *o, struct http *h, const struct json *pod,
                             const struct target *t, struct err *e);

/* May the chain go from this child to this parent: same uid as the reference says, and a selector that
 * matches the child's labels? ERR_REFUSED says which. Pure. */
enum err_code resolve_link(const struct json *child, const struct json *parent, struct err *e);

/* {alertname="x", pod="y"} for messages, cut to fit. */
#define LABELS_TEXT_SIZE 300
const char *resolve_labels_text(char ret[LABELS_TEXT_SIZE], const struct map *labels);

/* A read failed: what observe() says of it. What is not found, refused, invalid or out of memory stays that;
 * all else may pass by itself. */
enum err_code resolve_read_error(struct err *e, enum err_code code);

#endif
