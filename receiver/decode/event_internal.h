/* receiver/decode/event_internal.h - what the files of events share: event.c is the alert, mapped.c what
 * heald.cfg says about a body of any shape. */
#ifndef RECEIVER_DECODE_EVENT_INTERNAL_H
#define RECEIVER_DECODE_EVENT_INTERNAL_H

#include "receiver/decode/event.h"

struct event {
    const struct event_spec *spec; /* NULL: by the source's own map */
    const struct source_settings *source;
    const struct headers *headers;
    const struct limits *limits;
    struct fields *fields;
    char id[EVENT_ID_SIZE];
    const char *limit;
};
int64_t event_time_of(const char *text); /* 0: none */
/* Put a label or an annotation, within the limits. Nothing happens with an empty value, and with a run's
 * label of an alert that is over. */
enum err_code event_put(struct event *v, struct alert *a, enum label_role role, const char *name,
                        const char *value, struct err *e);

#endif
