/* receiver/runtime/keeper.h - a thread that keeps the journal small and its start short, while the core goes
 * on: it makes snapshots on an engine of its own (in memory twice for as long as that takes), removes facts
 * that are older than `retain`. Of an incident whose facts are gone its row in the table `incident` stays.
 *
 * A snapshot counts once the fact that names it is durable; facts go only after that, a few at a time. The
 * two newest snapshots stay, and every fact behind the older one: should the newest be damaged, a start goes
 * on from the other. Facts of open incidents stay, unless the journal is larger than it may be. At the start
 * it also reads what the start itself did not: damage there is told, and nothing is removed any more. */
#ifndef RECEIVER_RUNTIME_KEEPER_H
#define RECEIVER_RUNTIME_KEEPER_H

#include "receiver/journal/journal.h"
#include "receiver/runtime/clock.h"
#include "receiver/runtime/metrics.h"
#include "rules/model/fact.h"

#define KEEPER_LOOK_MS 5000             /* how often it looks whether something is to be done */
#define KEEPER_RETRY_MS 600000          /* after a snapshot that could not be made */
#define KEEPER_ROWS_MAX 256u            /* of a snapshot, or facts to remove, in one transaction */
#define KEEPER_BATCH_BYTES (128u << 10) /* of a snapshot's rows in one transaction, about */
#define KEEPER_BUSY_FACTS 2000          /* so many more since the last look: it waits for a calmer time, */
#define KEEPER_BUSY_TIMES 4             /* but not longer than for so many times `snapshot_facts` */
#define INCIDENTS_KEPT_MAX 50000        /* rows of incidents whose facts are gone */

struct keeper;
struct keeper_parts { /* borrowed for its life */
    const struct journal *journal;
    struct clock *clock;
    struct metrics *metrics;
    int64_t retain_ms, journal_bytes, snapshot_facts;
    int64_t look_ms; /* KEEPER_LOOK_MS */
    /* A snapshot is there, whole: its fact is to be appended. On the keeper's thread. */
    void (*made)(void *ctx, const struct snapshot_mark *mark);
    void *ctx;
};

enum err_code keeper_new(struct keeper **ret, const struct keeper_parts *parts, struct err *e);
/* The journal was finalized: snapshots from now on. */
void keeper_finalized(struct keeper *k);
struct keeper *keeper_free(struct keeper *k);

/* What is wrong with facts that no start reads any more; "" nothing that is known. */
void keeper_damage(struct keeper *k, char ret[256]);

#endif
