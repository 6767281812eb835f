/* receiver/runtime/loop_internal.h - internal to the loop's files: loop.c (queue, thread, life), turn.c
 * (inputs to facts to commit), report.c (what people see). */
#ifndef RECEIVER_RUNTIME_LOOP_INTERNAL_H
#define RECEIVER_RUNTIME_LOOP_INTERNAL_H

#include <pthread.h>

#include "receiver/journal/keep.h"
#include "receiver/runtime/file_stamp.h"
#include "receiver/runtime/keeper.h"
#include "receiver/runtime/loop.h"
#include "receiver/runtime/outbox.h"
#include "receiver/runtime/replay.h"
#include "receiver/runtime/workers.h"

#define RECENT_MAX 20         /* closed incidents shown in /status */
#define WATCH_ITEMS_MAX 4096u /* watch reports waiting; more are dropped, they come again */
#define PENDING_MAX 256u      /* effects that wait for a worker; with so many, timers wait too */
#define REPORTS_MAX 250u      /* facts of turns that others waited behind, reported together */
#define OUTBOX_BATCH 32
#define SNAPSHOT_MS 200 /* /status is at most that old while much is going on */
#define PROBE_MS 1000   /* how often a journal that could not be written is tried again */

enum item_kind {
    ITEM_SLICE,
    ITEM_ANSWER,
    ITEM_WELL,
    ITEM_CHANGED,
    ITEM_TOLD,
    ITEM_OPERATOR,
    ITEM_POLICY,
    ITEM_SNAPSHOT,
    ITEM_FINALIZE
};

struct waiter { /* a thread that waits for its item to be durable */
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
    bool committed;
    enum err_code refused; /* the core does not take the word, for the reason in `why` */
    struct err why;
    char incident[INCIDENT_ID_SIZE]; /* that it is about, or that was begun */
};

struct item {
    enum item_kind kind;
    struct item *next;
    struct slice slice;
    struct answer *answer;           /* owned */
    struct watch_workload *workload; /* owned */
    struct input input;              /* TOLD, OPERATOR, POLICY */
    int64_t for_ms;                  /* OPERATOR: how long to pause; 0: until resumed */
    struct policy *policy;           /* POLICY: owned until swapped in */
    struct waiter *waiter;           /* OPERATOR, POLICY: borrowed */
};

struct recent {
    char id[INCIDENT_ID_SIZE], rule[FACT_TEXT_SIZE], target[TARGET_TEXT_SIZE], reason[FACT_TEXT_SIZE];
    enum outcome outcome;
    uint32_t writes;
    int64_t opened_ms, closed_ms;
};

struct counted { /* alerts of a turn by source and disposition, counted after the commit */
    char source[SOURCE_NAME_SIZE];
    enum alert_disposition disposition;
};

struct batch {       /* the facts of one turn as text, until they are committed */
    struct buf text; /* NUL-ended texts and blobs, one after the other */
    struct row_at {
        size_t text, len, blob, blob_len;
        int64_t seq, at_ms;
        enum fact_kind kind;
        char incident[INCIDENT_ID_SIZE];
    } * rows;
    size_t len, cap;
    struct journal_row *out;
    size_t out_cap;
    struct fact *facts;                         /* all but alerts, typed, for logs and metrics */
    size_t facts_len, facts_cap, facts_durable; /* durable: of turns before, not reported yet */
    struct counted *counted;
    size_t counted_len, counted_cap, counted_durable;
};

struct loop {
    struct loop_parts parts;
    pthread_t thread;
    bool thread_started;

    pthread_mutex_t lock; /* guards the queue and what follows up to `snapshot` */
    pthread_cond_t wake;
    bool asleep; /* the thread waits for `wake` */
    struct item *head, *tail;
    size_t watch_items;
    bool stop, draining, broken; /* broken: the journal cannot be written */
    char broken_why[256];
    char policy_error[512]; /* why the policy file is not the policy in force; "" it is */
    struct buf snapshot;    /* /status */

    pthread_mutex_t files_lock; /* guards policy_files */
    struct file_watch policy_files;

    /* The core thread changes these under the lock, and reads them without. The listener tries the lock, and
     * never waits for it. */
    pthread_mutex_t engine_lock;
    struct engine *engine;
    int64_t durable_seq; /* of the last fact that is committed; -1: the engine is none to be asked */

    /* the listener's thread's own */
    struct buf repeat_key;

    pthread_mutex_t policy_lock; /* the core thread takes it to change `policy`, others to look at it */
    struct policy *policy;

    /* the core thread's own */
    const struct source **sources;
    int64_t policy_loaded_ms;
    struct decision decision;
    struct json_writer *writer;
    struct buf blob;
    struct batch batch;
    struct effect *pending; /* effects that wait for a free worker, in order */
    size_t pending_len, pending_cap;
    uint64_t random;
    int64_t snapshot_ms, probe_ms, started_ms;
    bool snapshot_old;
    bool spoiled;    /* an input could not be decided whole: nothing of the turn may count */
    bool must_start; /* the engine was rebuilt: open questions are to be asked again */
    struct recent recent[RECENT_MAX];
    size_t recent_len; /* ever; index modulo RECENT_MAX */

    struct replayed replayed; /* how the engine was made */
    struct keeper *keeper;
    struct fleet *fleet;
    struct workers *workers;
    struct outbox *outbox; /* NULL: no Grafana */
};

/* loop.c */
struct item *item_new(enum item_kind kind);
void item_free(struct item *it);
/* Takes the item over, unless heald drains or is broken: then it is still the caller's. Looking and posting
 * are one, so that nothing is left behind at the end. */
enum err_code loop_post_when_ready(struct loop *l, struct item *it, struct err *e);

/* words.c */
enum err_code take_word(struct loop *l, struct item *it, struct err *e);
enum err_code take_finalize(struct loop *l, struct item *it);
void waiter_finish(struct waiter *w, bool committed);

/* turn.c */
enum err_code loop_replay(struct loop *l, struct err *e);
/* Decide one input into the turn's batch. */
enum err_code turn_input(struct loop *l, const struct input *in, struct err *e);
/* Commit what was decided; on success start effects. False: nothing of the turn counts, the engine was
 * rebuilt (or the loop is broken). */
bool turn_commit(struct loop *l);
/* After a commit, and after the answers: logs and metrics, which nobody waits for. */
void turn_report(struct loop *l);
/* May that wait for the next turn? Only so much, and only what nobody looks for in the state. */
bool turn_report_may_wait(const struct loop *l);
int64_t turn_next_deadline(const struct loop *l); /* when INPUT_TIMER is wanted next */
void turn_timers(struct loop *l);
void batch_release(struct batch *b);

/* report.c: after a commit */
void report_points(struct loop *l); /* named points of tests, before anything else happens */
void report_facts(struct loop *l);
void report_recent(struct loop *l, const struct fact *f);
void report_ended(struct loop *l, const struct ended *i); /* at the start; the newest first */
void report_snapshot(struct loop *l);
void report_untold(struct loop *l);

/* policy.c: read and parse the policy file; sources and Prometheus are put in. */
enum err_code loop_policy_load(struct loop *l, struct policy **ret, struct buf *ret_errors, struct err *e);
int64_t policy_shortest_well_ms(const struct policy *p);

#endif
