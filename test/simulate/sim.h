/* test/simulate/sim.h - a whole world in one thread and in one's own time: workloads that really break,
 * controllers that take time, an API server whose answers get lost and whose writes land late, Prometheus and
 * Alertmanager, people who deploy and repair, and heald's core, which crashes, loses commits and gets other
 * policies. Everything follows from the seed.
 *
 * What goes wrong in a world is a mishap: the nth of its kind draws its chances from (seed, kind, n) alone,
 * so that a story can be told without one of them and the others stay as they were. */
#ifndef TEST_SIMULATE_SIM_H
#define TEST_SIMULATE_SIM_H

#include <stdio.h>

#include "receiver/runtime/clock.h"
#include "rules/engine/engine.h"
#include "test/simulate/model.h"

#define SIM_START_MS 1800000000000ll
#define SECOND_MS 1000ll
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define OBJECTS 16
#define REVISIONS 6
#define SERIES_PER_OBJECT 3
#define SERIES (OBJECTS * SERIES_PER_OBJECT)
#define WORKERS 8
#define EVALUATE_MS 15000      /* Prometheus */
#define WRITE_LATE_MS 9000     /* a write takes effect within this time after its first byte, or never */
#define PROGRESS_SECONDS 120   /* of every workload */
#define ENDS_MS (30 * HOUR_MS) /* after the last mishap every incident has ended */

/* ---- chance ---- */
struct chance {
    uint64_t state;
};
uint64_t chance_next(struct chance *c);
int64_t chance_in(struct chance *c, int64_t min, int64_t max); /* both included */
bool chance_one_in(struct chance *c, int64_t n);

/* ---- mishaps ---- */
enum mishap {
    MISHAP_FAULT,   /* something breaks */
    MISHAP_DEPLOY,  /* a person deploys a good version */
    MISHAP_STRANGE, /* an alert that is to come to nothing */
    MISHAP_FLAP,    /* Prometheus restarts: resolved, and firing again as it was */
    MISHAP_MOVED,   /* startsAt changes */
    MISHAP_UNSENT,  /* Alertmanager loses a `resolved` */
    MISHAP_SLOW,    /* a call takes long */
    MISHAP_WRITE,   /* a write is refused, lost, late, or nobody hears of it */
    MISHAP_OUTAGE,  /* the API server or Prometheus is away */
    MISHAP_CRASH,   /* kill -9 at any time */
    MISHAP_COMMIT,  /* a commit fails, or heald dies around it */
    MISHAP_POLICY,  /* another policy */
    MISHAP_PAUSE,   /* an operator pauses heald, and resumes it */
    MISHAP_WORD,    /* operators say something */
    MISHAP_SILENCE, /* somebody silences alerts */
    MISHAP_CLOCK,   /* the wall clock of heald's machine is set */
    MISHAP_DISK,    /* the disk is full for a while */
    MISHAP_GAP,     /* a watch's version is too old (410): it begins anew */
    MISHAP_TOKEN,   /* heald's token ends (401) before the next one is known */
    MISHAP_FORGETS, /* Alertmanager restarts: it tells anew what fires, and never what ended meanwhile */
    MISHAP_LAGS,    /* the other Alertmanager of a pair lags: it says again what was so before */
    MISHAP_PAIR,    /* both of a pair deliver the same */
    MISHAP_AGAIN,   /* a write reaches the API server twice */
    MISHAPS_
};
#define MISHAPS_OF_OBJECT_MAX 256
#define STORY_MISHAPS_MAX (OBJECTS * MISHAPS_OF_OBJECT_MAX) /* of one kind; later ones happen always */

/* What a seed is told without. (Or which mishaps were due in it.) */
struct story {
    uint64_t seed;
    uint64_t without[MISHAPS_][STORY_MISHAPS_MAX / 64];
};
const char *mishap_name(enum mishap m);
bool story_without(const struct story *s, enum mishap m, uint32_t n);
void story_set(struct story *s, enum mishap m, uint32_t n, bool without);

/* ---- events ---- */
enum event_kind {
    EVENT_OBJECT,   /* something about an object may have changed by itself */
    EVENT_FAULT,    /* something breaks */
    EVENT_REPAIR,   /* a person repairs an object, if need be */
    EVENT_DEPLOY,   /* a person deploys a good version */
    EVENT_WORD,     /* operators say something */
    EVENT_SILENCE,  /* somebody silences the alerts of an object */
    EVENT_WATCH,    /* the watch reports what is well */
    EVENT_EVALUATE, /* Prometheus */
    EVENT_DELIVER,  /* Alertmanager sends a series' state */
    EVENT_STRANGE,  /* alerts that are to come to nothing */
    EVENT_READ,     /* a worker's read reaches the API server */
    EVENT_SEND,     /* a worker sends a write */
    EVENT_LAND,     /* a write reaches the API server's storage */
    EVENT_ANSWER,   /* a worker has its answer */
    EVENT_TELL,     /* the outbox delivers annotations */
    EVENT_CRASH,    /* heald dies now; index 1: around one of its next commits, or that commit fails */
    EVENT_START,    /* heald starts */
    EVENT_POLICY,
    EVENT_PAUSE,
    EVENT_RESUME,
    EVENT_OUTAGE, /* of the API server or of Prometheus: begins or ends */
    EVENT_CLOCK,  /* the wall clock of heald's machine is set wrong, or right again */
    EVENT_DISK,   /* the disk is full */
    EVENT_GAP,    /* the watch begins anew */
    EVENT_TOKEN,  /* heald's token ends */
    EVENT_FORGET, /* Alertmanager restarts */
};
struct job;
struct event {
    int64_t at_ms;
    uint64_t order;
    enum event_kind kind;
    int index;
    struct job *job; /* READ, SEND, LAND, ANSWER */
};

/* ---- the cluster ---- */
struct revision_of {
    unsigned version;
    bool bad;
    char hash[HASH_SIZE];
};
struct object {
    struct target target;
    int64_t version_of_object;                  /* resourceVersion */
    struct revision_of now, history[REVISIONS]; /* newest first */
    char restarted_at[32];
    int64_t template_ms, seen_ms, done_ms; /* last change; seen by its controller; rolled out */
    int64_t template_wall_ms;              /* the change, on heald's wall clock */
    char template_by[INCIDENT_ID_SIZE];    /* whose write it was; "" a person's */
    int32_t desired, needed;
    bool hangs, sick_pod, terminating;
    int64_t silenced_until_ms;
    int64_t hangs_until_ms; /* INT64_MAX: until it is restarted */
    unsigned pod;
    struct chance chance;          /* of its own: what happens to others changes nothing here */
    int64_t well_ms, well_wall_ms; /* since; 0 not. In true time, and on heald's wall clock */
    int64_t landed_ms;             /* heald's last write */
    bool said_well;                /* the present template was reported as well */
    bool repair_due;
};

/* ---- alerts ---- */
struct series {
    enum alert_state state;
    int64_t active_ms, starts_ms, deliver_ms;
    bool sent, sent_firing, twice; /* delivered ever; its last delivered state; flaps */
    bool again;                    /* the last delivery was not accepted */
    struct chance chance;
    bool unsent; /* Alertmanager has forgotten it */
    int lags;    /* 1: the other of a pair says firing once more; 2: and then resolved */
};

/* ---- what workers do ---- */
struct truth {  /* of the object, at the moment it was read */
    int object; /* -1: none */
    int64_t asked_ms, read_ms, well_ms, landed_ms;
    enum alert_state alert;
    int64_t foreign_until_ms; /* somebody's rollout is not complete: its deadline */
    char template_by[INCIDENT_ID_SIZE], hash[HASH_SIZE], uid[UID_SIZE];
    int64_t template_ms;
    bool fault, terminating, owned, scaled, silenced, unheard, braked, kept_up; /* by a PodDisruptionBudget */
    int32_t desired, ready;
};
struct job {
    struct effect effect;
    struct chance *chance; /* its object's */
    int about;             /* that object; OBJECTS: none */
    uint32_t process;
    bool sent;  /* a write whose worker waits for it */
    bool again; /* it has a twin: one of the two is refused, and the answer may be that one's */
    struct act_report report;
    enum err_code error;
    struct observation seen;
    struct truth truth;
};

struct landing {
    struct intent intent;
    int64_t at_ms; /* true time */
    bool again;
};

/* ---- invariants, each one test ---- */
enum check {
    CHECK_SOUND,
    CHECK_MOVES,
    CHECK_REASONS,
    CHECK_REPLAY,
    CHECK_SNAPSHOT,
    CHECK_ALERT_KEPT,
    CHECK_ALERT_ONCE,
    CHECK_INTENT_FIRST,
    CHECK_ONE_EFFECT,
    CHECK_ONE_AT_A_TIME,
    CHECK_WRITTEN,
    CHECK_MODE,
    CHECK_PAUSED,
    CHECK_SCOPE,
    CHECK_FRESH,
    CHECK_FIRING,
    CHECK_FOREIGN,
    CHECK_EXPLAINED,
    CHECK_WINDOW,
    CHECK_BLAST,
    CHECK_AVAILABLE,
    CHECK_SHARED,
    CHECK_DEPENDS,
    CHECK_COOLDOWN,
    CHECK_ATTEMPTS,
    CHECK_BUDGET,
    CHECK_RUNNING,
    CHECK_STORM,
    CHECK_BREAKER,
    CHECK_APPROVAL,
    CHECK_STEPS,
    CHECK_ROLLBACK,
    CHECK_PROVEN,
    CHECK_HEALED,
    CHECK_UNTOUCHED,
    CHECK_AWAKE,
    CHECK_DEADLINE,
    CHECK_ENDS,
    CHECKS_
};

#define NAMES_MAX 96
struct counted { /* how often, by name */
    char names[NAMES_MAX][32];
    uint64_t n[NAMES_MAX];
};
void count_name(struct counted *c, const char *name, uint64_t n);
uint64_t counted_of(const struct counted *c, const char *name);

struct stats { /* plain data: it goes through a pipe */
    uint64_t seen[CHECKS_], failed[CHECKS_];
    struct counted guards, passed, moves, facts, outcomes, writes, dispositions, mishaps, steps, words;
    uint64_t turns, lost_commits, late, landed, replayed, alerts, incidents, hours;
    uint64_t first_seed; /* of a failure */
    enum check first_check;
    char first_failure[512];
};

struct row {
    enum fact_kind kind;
    int64_t seq, at_ms;
    char incident[INCIDENT_ID_SIZE];
    size_t text, len, blob, blob_len;
};

struct accepted {
    struct alert alert;
    int series; /* -1: of none */
};

enum doom { DOOM_NONE, DOOM_LOST, DOOM_UNKNOWN, DOOM_BEFORE, DOOM_AFTER, DOOM_ANSWERED };

struct sim {
    struct story story;
    struct chance chance; /* of what is no mishap in the cluster and among workers */
    struct chance heald_chance;
    uint32_t mishaps[MISHAPS_][OBJECTS + 1]; /* so many were due */
    struct story *due;                       /* which these were; NULL: nobody asks */
    int64_t now_ms;                          /* true time */
    int64_t quiet_ms; /* since then nothing new breaks: all incidents must end; 0 not yet */
    int faults_left;
    bool storms; /* much breaks at once */
    FILE *trace; /* the timeline goes there; NULL: nowhere */
    bool failed;
    struct stats *stats;

    struct event *events; /* heap */
    size_t events_len, events_cap;
    uint64_t order;

    struct object objects[OBJECTS];
    unsigned versions, uids, policies;
    struct series series[SERIES];
    int64_t evaluated_ms;
    bool api_away, prometheus_away, alertmanager_away, braked; /* what the brakes ask for holds */
    int64_t commit_again_ms, disk_full_until_ms, token_wrong_until_ms;
    int window_from, window_to; /* minutes of the day, of the policy in force; UTC */

    /* heald */
    bool up, prometheus, alertmanager, in_turn, spoiled, must_start;
    int64_t jumped_ms; /* told in this turn, 0: none */
    uint32_t process;
    struct clock *clock;
    int64_t wall_off_ms;
    int64_t started_ms; /* this process; engine time */
    int64_t watch_ms;   /* since when this process watches without a gap */
    int64_t knows_ms;   /* since when it knows templates: a gap forgets none */
    enum doom doom;
    enum fact_kind doom_kind; /* it strikes at a commit with such a fact; 0: at any */
    struct engine *g, *shadow;
    struct policy *p;
    char policy_hash[HASH_SIZE];
    struct source sources[2];
    const struct source *source_list[2];
    struct matcher may, only;
    struct decision d;
    struct json_writer *writer;
    struct buf blob, journal, digest, other;
    struct row *rows; /* the journal; what follows `committed` is the batch */
    size_t rows_len, rows_cap, committed;
    size_t committed_bytes, checked;
    unsigned turns_checked;
    struct accepted *accepted; /* of the batch */
    size_t accepted_len, accepted_cap;
    struct effect *pending; /* effects without a free worker; those of the batch come last */
    size_t pending_len, pending_cap, working, writing;
    const struct job *judging; /* whose answer is the input */

    struct model *model;      /* of the journal and the batch */
    struct alerts_told *told; /* what was accepted from senders */
    struct wished {
        char hash[FACT_BOUND_SIZE], template_hash[HASH_SIZE], policy[HASH_SIZE];
    } * wishes; /* what was asked of persons, as it was then */
    size_t wishes_len, wishes_cap;
    char groups[OPERATOR_GROUPS_SIZE]; /* of who speaks */
    struct landing *landings;          /* every write that took effect */
    size_t landings_len, landings_cap;
};

/* world.c: one seed from its beginning to its end, or to its first failure. */
void world_run(const struct story *story, FILE *trace, struct stats *ret, struct story *ret_due);
/* Room for one more element, of which *cap are allocated. Never NULL. */
void *sim_grow(void *array, size_t *cap, size_t len, size_t size);
/* A line of the timeline. */
void say(const struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The next mishap of this kind is due (_of: with this object): does it happen? Its chances, in any case. */
bool mishap(struct sim *s, enum mishap m, struct chance *ret);
bool mishap_of(struct sim *s, enum mishap m, int object, struct chance *ret);

/* events.c */
void event_add(struct sim *s, int64_t at_ms, enum event_kind kind, int index, struct job *job);
struct event event_take(struct sim *s);

/* cluster.c */
void cluster_begin(struct sim *s);
void object_refresh(struct sim *s, int index);
void object_template(struct sim *s, int index, unsigned version, bool bad, const char *restarted_at,
                     const char *by);
int object_find(const struct sim *s, const char *namespace, const char *name); /* -1: none */
void cluster_event(struct sim *s, const struct event *e);

/* alerts.c */
void alerts_begin(struct sim *s);
void alerts_event(struct sim *s, const struct event *e);
void alerts_refused(struct sim *s, int series); /* the delivery was not answered 2xx */
enum alert_state alerts_state(const struct sim *s, int object, const char *alertname, int64_t *ret_active_ms);
bool alerts_over(const struct sim *s); /* nothing fires, and everybody was told */

/* api.c */
void api_start(struct sim *s, struct effect *f); /* moves the effect */
void api_event(struct sim *s, const struct event *e);
void job_free(struct job *j);

/* policies.c: a policy, by chance */
void policy_draw(struct sim *s, struct chance *c);

/* heald.c */
int64_t heald_wall(const struct sim *s);
int64_t heald_now(struct sim *s); /* engine time */
void heald_begin(struct sim *s);
void heald_end(struct sim *s);
void heald_input(struct sim *s, struct input in); /* into the batch; nothing while it is down */
void heald_commit(struct sim *s);                 /* at the end of an event */
void heald_timer(struct sim *s);
int64_t heald_next_ms(struct sim *s); /* true time of the next timer; INT64_MAX: none */
void heald_event(struct sim *s, const struct event *e);

/* check.c */
void check(struct sim *s, enum check c, bool holds, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
const char *check_name(enum check c);
void count_guards(struct sim *s, const char *refused, bool undo);
void check_fact(struct sim *s, const struct fact *f); /* before it is folded into the model */
void check_replay(struct sim *s);
void check_turn(struct sim *s); /* after each event */
void check_end(struct sim *s);

/* check_alert.c */
struct alerts_told;
struct alerts_told *told_new(void);
struct alerts_told *told_free(struct alerts_told *t);
void told_unsure(struct sim *s, const struct alert *a); /* its sender had no 2xx */
void check_alert(struct sim *s, const struct alert *a, const struct known *before, bool repeats, size_t rows);
void check_accepted(struct sim *s); /* the batch is durable, and its senders were answered */
void check_alerts_kept(struct sim *s);

/* check_intent.c: may this write be? */
void check_intent(struct sim *s, const struct fact *f, const struct course *c);

/* check_limits.c: for what was done and happened before? */
void check_limits(struct sim *s, const struct intent *n, const struct course *c, int64_t now_ms);

/* check_object.c: for what the object is, and what goes on around it? */
void check_object(struct sim *s, const struct intent *n, const struct course *c, const struct truth *t);

/* check_time.c: no state lasts longer than it may. */
void check_deadline(struct sim *s, const struct course *c);

/* check_people.c */
void check_yes(struct sim *s, const struct intent *n, const struct course *c, const struct truth *t);
void check_asked(struct sim *s, const struct fact *f);
void check_word(struct sim *s, const struct fact *f, const struct course *c);
void check_step(struct sim *s, const struct fact *f, const struct course *c);

/* people.c */
void people_event(struct sim *s, const struct event *e);

/* check_write.c: did it happen, and did it help? */
void check_written(struct sim *s, const struct fact *f, const struct course *c);
void check_verdict(struct sim *s, const struct fact *f, const struct course *c);
void check_closed(struct sim *s, const struct fact *f, const struct course *c);
void check_proven(struct sim *s, const struct fact *f);
void check_landing(struct sim *s, const struct job *j);

#endif
