/* receiver/decode/mapped.h - bodies of any shape: what heald.cfg's `map` of the source says about them.
 * CloudEvents (1.0, binary and structured) have one by default. Source: cloudevents/spec
 * bindings/http-protocol-binding.md. */
#ifndef RECEIVER_DECODE_MAPPED_H
#define RECEIVER_DECODE_MAPPED_H

#include "receiver/decode/event_internal.h"

#define MAPPED_LABELS_MAX 48u /* labels and annotations of one map; fewer than FIELDS_MAX */

/* Words of `status` where the map names none. */
#define MAPPED_FIRING                                                                                        \
    "firing|failed|failure|fail|error|down|critical|alerting|degraded|unhealthy|problem|triggered"
#define MAPPED_RESOLVED "resolved|ok|success|succeeded|passed|up|healthy|recovered|closed"

struct mapped { /* of one body; lives in its reader */
    const char *paths[FIELDS_MAX];
    size_t len;
    bool binary; /* CloudEvents: attributes are headers, the body is `data` */
};
/* What to look for in this body. */
void mapped_begin(struct mapped *m, const struct event *v);
/* The fields of the body that are looked at. */
enum err_code mapped_fields(const struct mapped *m, struct event *v, struct err *e);
/* The body has ended. ERR_INVALID: it lacks what it must have. */
enum err_code mapped_end(const struct mapped *m, struct event *v, int64_t now_ms, struct alert *ret,
                         bool *ret_some, struct err *e);

#endif
