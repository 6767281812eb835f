/* receiver/runtime/outbox_letter.h - one message on its way to Grafana: a copy in one piece of memory. */
#ifndef RECEIVER_RUNTIME_OUTBOX_LETTER_H
#define RECEIVER_RUNTIME_OUTBOX_LETTER_H

#include "receiver/runtime/outbox.h"

struct letter {
    struct outbox_message message; /* its pointers lead into this letter */
    bool delivered;                /* Grafana has it already: only `told` is to be called again */
};

/* A deep copy; NULL without memory. Free with free(). */
struct letter *letter_new(const struct outbox_message *m);

#endif
