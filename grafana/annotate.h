/* grafana/annotate.h - one region annotation per incident, changed in place as the incident goes on.
 * Source: Grafana HTTP API, annotations (/api/annotations), Grafana 9 to 13. Knows no sockets: requests go
 * through `struct grafana_transport`. */
#ifndef GRAFANA_ANNOTATE_H
#define GRAFANA_ANNOTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/base/buf.h"
#include "rules/base/err.h"
#include "rules/base/json.h"

#define ANNOTATION_TAGS_MAX                                                                                  \
    500u /* bytes of the JSON text of the tag list: Grafana's default [annotations] tags_length */
#define ANNOTATION_TAG_VALUE_MAX 100u /* bytes of a tag's key and of its value */
#define ANNOTATION_TEXT_MAX 4000u     /* bytes */

/* What is to be said about an incident at one moment. Borrowed pointers; "" where not known. */
struct annotation {
    const char *incident; /* id: the tag by which the annotation is found again */
    int64_t start_ms;     /* first alert */
    int64_t end_ms;       /* outcome; while open: start_ms (a point) */
    const char *outcome;  /* "open" or an outcome */
    const char *rule, *environment, *namespace, *workload, *cluster;
    const char *title;        /* one line: "rolled back shop/checkout to its last proven template" */
    const char *const *lines; /* what happened, in order */
    size_t lines_len;
    const char
        *dashboard_uid; /* NULL or "": an organisation annotation, found on any dashboard by its tags */
};

struct grafana_transport {
    void *ctx;
    /* Send method + path ("/api/annotations?tags=..."), JSON body or NULL. ERR_OK with any status; errors as
     * actions/http's: UNAVAILABLE, UNKNOWN, LIMIT. */
    enum err_code (*send)(void *ctx, const char *method, const char *path, const char *body, size_t body_len,
                          long *ret_status, struct buf *ret_body, struct err *e);
};

/* Bring Grafana to say exactly this. `id` is the annotation's id when known, else 0: then it is searched by
 * the incident's tag before one is created, so that a crash or a lost answer never makes a second. Gone (404,
 * or 500 on an unknown id): searched, then created again. On success *ret_id is set. ERR_UNAVAILABLE,
 * ERR_UNKNOWN  try again later ERR_REFUSED                   401, 403: credentials ERR_INVALID Grafana
 * refuses the content (400) More than one found (an earlier race): the lowest id is kept, the others are
 * deleted. */
enum err_code grafana_annotate(const struct grafana_transport *t, const struct annotation *a, int64_t id,
                               int64_t *ret_id, struct err *e);

/* ---- for tests and for heald's own use ---- */
/* HTML-escaped, cut on a UTF-8 boundary, at most ANNOTATION_TEXT_MAX. */
void annotation_text(struct buf *ret, const struct annotation *a);
/* Tags within ANNOTATION_TAGS_MAX: incident and outcome always; of the others the least needed are left out,
 * values cut to 100 bytes. `dropped` counts them. */
void annotation_tags(struct json_writer *w, const struct annotation *a, size_t *ret_dropped);

#endif
