/* actions/kube/watch_stream.h - internal to actions/kube: one stream of the watch: a list page by page, then
 * events line by line.
 *
 * Knows what to ask next and what the answer means; carries no bytes itself, so it runs on recorded ones. One
 * thread uses a stream. now_ms is wall time, which goes into the table. */
#ifndef ACTIONS_KUBE_WATCH_STREAM_H
#define ACTIONS_KUBE_WATCH_STREAM_H

#include "actions/kube/watch_table.h"

#define STREAM_PAGE 50 /* objects a page: keeps the peak of memory small */
#define STREAM_PAGE_BYTES_MAX (32u << 20)
#define STREAM_PAUSE_MIN_MS 200
#define STREAM_PAUSE_MAX_MS 10000
#define STREAM_PAUSE_ASKED_MS 60000 /* more is not granted to a server that asks for it */
#define STREAM_SECONDS_MIN 300      /* the server ends a watch after a random time from here ... */
#define STREAM_SECONDS_MAX 600      /* ... to here */
#define STREAM_LOG_EVERY_MS 60000   /* a lasting trouble is told this often */

struct stream {
    struct watch_table *table;
    const struct watch_hooks *hooks;
    const char *namespace; /* NULL: all */
    size_t scope;
    enum watch_kind kind;

    bool watching;  /* the list is done */
    bool begun;     /* the list has begun */
    bool connected; /* the watch in flight was accepted */
    bool expired;   /* an event said that the version is too old */
    bool broken;    /* a line could not be used */
    char version[RESOURCE_VERSION_SIZE];
    struct buf token; /* of the next page */
    struct buf bytes; /* of the page, of the line, or of an error's body */

    int64_t connected_ms, pause_ms;
    int64_t told_ms;   /* when trouble was last logged */
    unsigned failures; /* in a row */
    bool full;         /* was told that the table is full */
};

void stream_init(struct stream *s, struct watch_table *t, const struct watch_hooks *hooks,
                 const char *namespace, size_t scope, enum watch_kind kind);
void stream_release(struct stream *s);

/* What to ask now. `random` chooses how long the watch lasts. */
enum err_code stream_path(const struct stream *s, struct buf *ret, uint64_t random, struct err *e);
const char *stream_accept(const struct stream *s);
const char *stream_verb(const struct stream *s); /* "list" or "watch" */

/* The head of an answer came. */
void stream_head(struct stream *s, long status, int64_t now_ms);
/* Bytes of the body. False: end the transfer. */
bool stream_bytes(struct stream *s, long status, const char *bytes, size_t len, int64_t now_ms);

/* How a transfer ended. */
struct stream_end {
    bool whole;             /* an answer came, and whole */
    long status;            /* 0: none */
    int64_t retry_after_ms; /* -1: not said */
    const char *why;        /* when not whole */
};
/* The transfer is over. Returns after how many ms the next may begin, jittered by `random`. */
int64_t stream_ended(struct stream *s, const struct stream_end *end, uint64_t random, int64_t now_ms);

#endif
