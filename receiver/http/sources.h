/* receiver/http/sources.h - what the listener keeps of each source while it runs: its credential, how much it
 * may send at once, which deliveries it sent, when it was heard last. The listener's thread. */
#ifndef RECEIVER_HTTP_SOURCES_H
#define RECEIVER_HTTP_SOURCES_H

#include "receiver/http/secret.h"
#include "receiver/http/signature.h"
#include "receiver/runtime/metrics.h"
#include "rules/base/json.h"

/* ---- a rate: so many a second, and a burst ---- */
struct rate {
    int64_t thousandths; /* of a delivery, left */
    int64_t since_ms;    /* as of then */
    bool begun;
};
/* Take one at now_ms (a clock that only goes forward). Returns 0, or the ms until there is one. per_second
 * and burst of INT64_MAX: no limit. */
int64_t rate_take(struct rate *r, int64_t per_second, int64_t burst, int64_t now_ms);

/* ---- deliveries that were accepted lately, by source and id ---- */
#define SEEN_MAX 2048u
struct seen { /* starts zeroed */
    unsigned char ids[SEEN_MAX][16];
    size_t next; /* written longest ago */
};
bool seen_has(const struct seen *s, const char *source, const char *id);
void seen_add(struct seen *s, const char *source, const char *id);

/* ---- sources ---- */
struct source_state {
    const struct source_settings *settings;
    struct secret secret;   /* file NULL: none */
    struct signing_key key; /* the same */
    struct rate rate;
    int64_t held_bytes; /* of its deliveries, read and not yet committed */
    int64_t last_ms;    /* wall time of the last delivery that was accepted; 0: none since the start */
    char last[24];      /* what came of the last one that was authenticated: "accepted", "refused", ... */
};
/* Array of len states; NULL: no memory. */
struct source_state *sources_new(const struct source_settings *settings, size_t len);
void sources_free(struct source_state *list, size_t len);
/* An array: name, type, last delivery. */
void sources_write(struct json_writer *w, const struct source_state *list, size_t len);

#endif
