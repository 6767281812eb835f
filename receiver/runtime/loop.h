/* receiver/runtime/loop.h - the one core thread: turns inputs into facts, commits them, then answers and
 * starts effects.
 *
 * A turn takes inputs until the queue is empty, 1,000 alerts, or 10 ms; all its facts go into ONE journal
 * transaction; only then are deliveries answered and effects handed to workers. If the commit fails nothing
 * is answered 2xx, no effect starts, and the engine is thrown away and rebuilt by replay. The loop never
 * blocks on a queue. */
#ifndef RECEIVER_RUNTIME_LOOP_H
#define RECEIVER_RUNTIME_LOOP_H

#include "receiver/journal/journal.h"
#include "receiver/runtime/clock.h"
#include "receiver/runtime/metrics.h"
#include "receiver/runtime/settings.h"
#include "rules/engine/engine.h"

#define TURN_ALERTS_MAX 1000u
#define TURN_MS_MAX 10
#define SLICE_ALERTS_MAX 500u /* a big delivery is committed in slices while it arrives */

enum slice_result { SLICE_COMMITTED, SLICE_UNAVAILABLE };

/* Part of a delivery. `alerts` stay the sender's, untouched until `done` is called: on the loop's
 * thread, once the slice's facts are durable (or could not be); it must not block. */
struct slice {
    struct alert *alerts; /* borrowed */
    size_t len;
    void (*done)(void *ctx, enum slice_result result);
    void *ctx;
};

struct loop;

struct loop_parts { /* borrowed for the loop's life */
    const struct settings *settings;
    const char *policy_file;
    struct journal *journal;
    bool journal_created;
    struct clock *clock;
    struct metrics *metrics;
};

/* Replays the journal and loads the policy; starts nothing yet. *ret_errors gets the policy's errors
 * (ERR_INVALID). */
enum err_code loop_new(struct loop **ret, const struct loop_parts *parts, struct buf *ret_errors,
                       struct err *e);
/* Start the core thread, the workers, the watches and the outbox. */
enum err_code loop_start(struct loop *l, struct err *e);
/* Accept no more; wait up to drain_ms for writes under way (what waits is parked in the journal), commit,
 * tell what can be told, stop all threads. */
void loop_stop(struct loop *l, int64_t drain_ms);
struct loop *loop_free(struct loop *l);

/* ERR_UNAVAILABLE when heald is draining, or the journal cannot be written: answer 503. Thread-safe. */
enum err_code loop_submit(struct loop *l, struct slice *s, struct err *e);

/* An operator's word (INPUT_PAUSE, RESUME, WORD, HEAL); returns when it is durable, or refused for the
 * reasons of engine_word(). for_ms: how long to pause; 0: until resumed. ret_incident (may be NULL): which
 * incident it is about, or was begun. Thread-safe, blocks. */
enum err_code loop_word(struct loop *l, const struct input *in, int64_t for_ms,
                        char ret_incident[INCIDENT_ID_SIZE], struct err *e);
/* Are these all repeats of alerts that are durable, of which nothing new comes? Then they need not be
 * submitted. False also when that cannot be seen at once. For the listener's one thread; never blocks. */
bool loop_repeats(struct loop *l, const struct alert *alerts, size_t len);

/* Load heald.cfg's reloadable parts and policy.cfg again; on error the running policy stays in force and
 * *ret_errors says why. Thread-safe, blocks. */
enum err_code loop_reload(struct loop *l, struct buf *ret_errors, struct err *e);
/* Is a file of the policy (its own, an included one, a team's) another one than when it was last read? True
 * once for each new state, when it stood still since the call before. Thread-safe. */
bool loop_policy_changed(struct loop *l);

/* Look at the policy in force, on the caller's thread; a reload waits meanwhile. Thread-safe. */
void loop_look(struct loop *l, void (*look)(void *ctx, const struct policy *p), void *ctx);

/* From now on the journal is written as only this release can read it; nothing happens when it is so already.
 * Thread-safe, blocks. */
enum err_code loop_finalize(struct loop *l, const char *who, struct err *e);

/* /ready: ERR_OK, or why not (no policy, journal not writable, draining). Thread-safe, never blocks on the
 * core. */
enum err_code loop_ready(struct loop *l, struct err *e);
/* /status as JSON. Thread-safe. */
void loop_status(struct loop *l, struct buf *ret);

#endif
