/* receiver/decode/event.h - bodies that tell of one run of something: pipelines, jobs, deployments, events.
 *
 * Each such source is one table of paths into its body, one table of labels made of them, and one function
 * that judges whether the run went wrong or well (a file each: github.c, gitlab.c, ...). What comes of a body
 * is at most one alert: firing when the run went wrong; resolved when it went well, with the labels that all
 * runs share, so that it ends what an earlier run opened; none when it is not over, or is nothing that heald
 * looks at. */
#ifndef RECEIVER_DECODE_EVENT_H
#define RECEIVER_DECODE_EVENT_H

#include "receiver/decode/fields.h"
#include "receiver/runtime/settings.h"

#define EVENT_ID_SIZE 128 /* of a delivery; longer ones are cut */

enum event_verdict { EVENT_IGNORED, EVENT_FAILED, EVENT_SUCCEEDED };
enum label_role {
    LABEL_SHARED, /* the same for all runs of the same thing */
    LABEL_RUN,    /* of this run */
    LABEL_NOTE,   /* an annotation */
    LABEL_LINE,   /* an annotation: its first line */
};
#define LABEL_FROM_MAX 6
struct event_label {
    const char *name;
    enum label_role role;
    uint8_t
        from[LABEL_FROM_MAX]; /* fields: the first one that is there; 0 ends, and none at all is `given` */
    const char *help;         /* for the reference */
};

struct event; /* a body that was read */
struct event_outcome {
    enum event_verdict verdict;
    const char *alertname;  /* NULL: nothing */
    const char *conclusion; /* as the sender calls it */
    int64_t at_ms;          /* when the run ended; 0: now */
};

/* What one kind of source sends. Fields are numbered from 1. */
struct event_spec {
    const char *const *paths; /* by field; [0] is not used */
    size_t paths_len;
    const struct event_label *labels; /* ends with a name of NULL */
    void (*judge)(const struct event *v, struct event_outcome *ret);
    const char *id_headers[2];                   /* with the delivery's id; the first one that is there */
    uint8_t id_field;                            /* the same in the body; 0: there is none */
    const char *credential, *looks_at, *answers; /* for the reference */
};
extern const struct event_spec event_github, event_gitlab, event_jenkins, event_azure, event_circleci,
    event_argocd;
/* alertname, source, conclusion: what every such source sets. For the reference. */
extern const struct event_label event_common[];

/* The request's headers, while it is decoded. NULL: it has none of that name. */
struct headers {
    const char *(*get)(void *ctx, const char *name);
    void *ctx;
};
const char *headers_get(const struct headers *h, const char *name); /* "" when absent */

/* Markdown: how each type of source sends, is known and answered, and the labels that it gives. */
void sources_reference(struct buf *out);

/* ---- for the judges ---- */
const char *event_field(const struct event *v, unsigned field); /* "" when absent */
const char *event_header(const struct event *v, const char *name);
bool event_is(const struct event *v, unsigned field, const char *text);
int64_t event_time(const struct event *v, unsigned field); /* 0: absent, or no time */
/* Is the word one of "success|succeeded|..."? Capital letters do not count. */
bool event_word(const char *word, const char *list);

/* ---- for the decoder ---- */
const struct event_spec *event_spec_of(enum source_kind kind); /* NULL: it sends no events of a fixed shape */
struct event_reader;
/* All but ret is borrowed for its life. */
enum err_code event_new(struct event_reader **ret, const struct source_settings *source,
                        const struct headers *headers, const struct limits *limits, struct err *e);
struct event_reader *event_free(struct event_reader *r); /* NULL is fine; returns NULL */
enum err_code event_feed(struct event_reader *r, const char *bytes, size_t len, struct err *e);
/* The body has ended. *ret_some: *ret is an alert, the caller's. */
enum err_code event_end(struct event_reader *r, int64_t now_ms, struct alert *ret, bool *ret_some,
                        struct err *e);
const char *event_id(const struct event_reader *r);    /* of the delivery, "" none; after event_end() */
const char *event_limit(const struct event_reader *r); /* as alertmanager_limit() */

#endif
