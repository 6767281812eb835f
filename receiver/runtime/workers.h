/* receiver/runtime/workers.h - a pool of threads that carry out effects, with blocking calls, so that an
 * action reads as a straight line.
 *
 * Two lanes: verification never takes the last worker, so that a hung cluster's verifications cannot keep a
 * write from starting. The pool never queues: workers_start() says whether a worker was free. A worker's
 * answer is handed to `answer` on its own thread. */
#ifndef RECEIVER_RUNTIME_WORKERS_H
#define RECEIVER_RUNTIME_WORKERS_H

#include "receiver/runtime/fleet.h"
#include "rules/engine/engine.h"

#define WORKERS_MAX 64
#define WORKER_STACK_BYTES ((size_t)256 << 10)

struct workers;

struct answer { /* of one effect; plain data */
    enum effect_kind kind;
    char incident[INCIDENT_ID_SIZE];
    uint64_t token;
    enum err_code error;
    char text[FACT_TEXT_SIZE];
    struct observation observation;
    struct act_report report;
};

enum err_code workers_new(struct workers **ret, size_t count, struct fleet *f,
                          void (*answer)(void *ctx, const struct answer *a), void *ctx, struct err *e);
/* Take the effect over (its memory moves) and carry it out. False: no worker of its lane is free; the effect
 * is still the caller's. Thread-safe. */
bool workers_start(struct workers *w, struct effect *f);
size_t workers_busy(struct workers *w);
/* Wait for running effects up to wait_ms, then free; a call still under way after that is ended within about
 * a second. */
struct workers *workers_free(struct workers *w, int64_t wait_ms);

#endif
