/* receiver/runtime/replay.h - an engine made of what a journal says: of its newest snapshot and the facts
 * behind it, or of all facts. */
#ifndef RECEIVER_RUNTIME_REPLAY_H
#define RECEIVER_RUNTIME_REPLAY_H

#include "receiver/journal/journal.h"
#include "rules/engine/engine.h"

struct replay_hooks { /* each may be NULL */
    void *ctx;
    /* A snapshot cannot be used; an older one, or all facts, are. */
    void (*skipped)(void *ctx, const char *why);
};

struct replayed {
    int64_t snapshot; /* that it began with; 0: none, all facts were read */
    int64_t facts;    /* that were read behind it */
};

/* ERR_INVALID: damaged, naming where and what to do; ERR_VERSION: a newer release wrote it. */
enum err_code replay_journal(struct engine **ret, struct journal *j, const struct replay_hooks *hooks,
                             struct replayed *ret_how, struct err *e);

/* What the newest snapshot facts say, newest first; how many. */
#define MARKS_MAX 2
enum err_code replay_marks(struct journal *j, struct snapshot_mark ret[MARKS_MAX], size_t *ret_len,
                           struct err *e);

#endif
