/* rules/model/fact.h - one immutable record in the journal; the engine's state is the fold of all facts.
 *
 * A fact is versioned JSON of at most FACT_BODY_MAX bytes; anything larger travels beside it as a blob, which
 * the journal stores by SHA-256 in the same batch. In memory a fact is a typed struct: the engine decides and
 * applies structs, the journal keeps the text, and fact_parse(fact_write(f)) equals f (test/unit/fact_test.c
 * holds every kind to it). */
#ifndef RULES_MODEL_FACT_H
#define RULES_MODEL_FACT_H

#include <stdint.h>

#include "rules/base/json.h"
#include "rules/model/action.h"
#include "rules/model/alert.h"
#include "rules/model/cause.h"

#define FACT_BODY_MAX 4096u                /* bytes of a fact's JSON text */
#define TEMPLATE_OVERWRITTEN "overwritten" /* in place of a hash: what heald wrote is not there any more */
#define FACT_VERSION 1                     /* what this release writes; "v" in the text */
#define FACT_TEXT_SIZE 256                 /* reasons and names inside facts */
#define FACT_BLOB_MAX (1u << 20)
#define FACT_ORDER_SIZE 32
#define FACT_BOUND_SIZE 40
#define FACT_NOTIFY_SIZE 512 /* what a person is told at once */

enum fact_kind {
    FACT_INSTALLED = 1,   /* a journal begins: installation id; the kill switch is on */
    FACT_PAUSED,          /* kill switch on: who, why */
    FACT_RESUMED,         /* kill switch off */
    FACT_TIME_JUMPED,     /* the wall clock and engine time disagree: by how much */
    FACT_ALERT,           /* an alert, or another state of a known one, and what came of it */
    FACT_SEEN,            /* last-seen times of repeated alerts, at most every 10 minutes */
    FACT_INCIDENT_OPENED, /* rule, alert, and the resolved plan tree */
    FACT_RESOLVED,        /* the incident's target, environment and mode */
    FACT_MERGED,          /* same rule, same target: this incident's alerts go to another one */
    FACT_REFUSED,         /* a guard said no or not now: guard, numbers, when to ask again */
    FACT_INTENT,          /* one write is decided */
    FACT_WRITTEN,         /* what became of it: done, conflict, absent, failed, unknown */
    FACT_VERDICT,         /* of a step: fixed, not fixed, unknown */
    FACT_CLOSED,          /* the incident's outcome */
    FACT_TOLD,            /* the annotation says revision n of the incident */
    FACT_PROVEN,          /* a template of a workload is proven well */
    FACT_POLICY,          /* another policy is in force: its hash */
    FACT_STEP,            /* a step that writes nothing: it began to wait, was ranked, ended */
    FACT_NOTIFY,          /* a person is to be told: receiver and text */
    FACT_ENDING,          /* the outcome is known; cleanup and report are left */
    FACT_ASKED,           /* a person's yes is asked for: who, how many, until when, for exactly what */
    FACT_WORD,            /* an operator's word on an incident */
    FACT_STATE,           /* of a snapshot: a part of the state, as it was after the fact with its number */
    FACT_SNAPSHOT,        /* a snapshot of the state after an earlier fact is whole; facts up to one may go */
    FACT_KIND_END_
};

enum alert_disposition {                 /* what came of an alert */
                         ALERT_OPENED,   /* an incident */
                         ALERT_ATTACHED, /* to an open incident */
                         ALERT_NO_RULE,  /* no rule matches */
                         ALERT_IGNORED,  /* an ignore pattern matches */
                         ALERT_REFUSED_, /* outside the source's `only`, too old, from the future */
                         ALERT_CLEARED,  /* resolved */
                         ALERT_HELD,     /* fires again with the same startsAt: waits for a second delivery */
};

enum refusal_scope {
    REFUSED_LATER, /* not now: asked again */
    REFUSED_STEP,  /* never for this step: the plan goes on behind it */
};
enum write_state {
    WRITE_OPEN,
    WRITE_DONE,
    WRITE_CONFLICT,
    WRITE_ABSENT,
    WRITE_FAILED,
    WRITE_UNKNOWN,
    WRITE_RETRY
};
/* Where incidents take turns. */
enum site_kind {
    SITE_NONE,
    SITE_ALL, /* all clusters */
    SITE_CLUSTER,
    SITE_ENVIRONMENT,
    SITE_RULE,
    SITE_ALERT, /* of the incidents that one alert opened by one rule */
    SITE_END_
};
enum step_event {
    STEP_BEGAN,  /* it waits, until a time at most */
    STEP_ENDED,  /* with a result */
    STEP_RANKED, /* `choose`: in which order its branches are tried */
};
enum pause_scope { PAUSE_EVERYWHERE, PAUSE_ENVIRONMENT, PAUSE_RULE, PAUSE_NAMESPACE };
enum word { WORD_APPROVE, WORD_DENY, WORD_CANCEL, WORD_RETRY };
enum verdict { VERDICT_NONE, VERDICT_FIXED, VERDICT_NOT_FIXED, VERDICT_UNKNOWN };
enum outcome {
    OUTCOME_OPEN,
    OUTCOME_HEALED,
    OUTCOME_CLEARED,
    OUTCOME_NOT_HEALED,
    OUTCOME_ESCALATED,
    OUTCOME_REFUSED,
    OUTCOME_CANCELLED,
    OUTCOME_OBSERVED,
    OUTCOME_UNKNOWN,
};

struct snapshot_mark {
    int64_t of;         /* the last fact that is folded into it */
    int64_t rows;       /* its facts (FACT_STATE) */
    char link[72];      /* the hash chain over them, from that fact on; hexadecimal */
    int64_t trim;       /* facts up to this one are removed; 0: none so far */
    char trim_link[72]; /* the link of that one, from which the chain goes on */
};

struct fact {
    enum fact_kind kind;
    int64_t seq;   /* set by the journal when read, and by the engine when decided: last applied + 1 */
    int64_t at_ms; /* engine time */
    char incident[INCIDENT_ID_SIZE]; /* "" where none */
    union {
        struct {
            char id[40];
        } installed;
        struct {
            char who[64];
            char reason[FACT_TEXT_SIZE];
            enum pause_scope scope;
            char name[ENVIRONMENT_NAME_SIZE]; /* of that environment, rule or namespace; "" everywhere */
            int64_t until_ms;                 /* PAUSED: engine time; 0: until a person resumes */
        } paused, resumed;
        struct {
            int64_t by_ms;
            int64_t wall_ms; /* the wall clock after it */
        } jumped;
        struct {                /* blob: the alert's labels and annotations when the text would be too long */
            struct alert alert; /* owned */
            enum alert_disposition disposition;
            char reason[FACT_TEXT_SIZE];
        } alert;
        struct {        /* blob when long: JSON array of [source, fingerprint hex, last seen ms] */
            char *text; /* owned */
        } seen;
        struct { /* blob: the plan when long */
            char rule[FACT_TEXT_SIZE];
            char source[SOURCE_NAME_SIZE];
            char *plan;                    /* JSON text of the resolved plan; owned */
            int64_t starts_ms;             /* of the alert */
            char beside[INCIDENT_ID_SIZE]; /* not "": opened by the same alert as that one, which has it */
            int32_t target_index;          /* in the rule's targets */
            char who[64];                  /* not "": begun by hand, for `target`, without an alert */
            char reason[FACT_TEXT_SIZE];
            struct target target;
        } opened;
        struct {
            struct target target;
            char environment[FACT_TEXT_SIZE]; /* "" none */
            int mode;                         /* enum mode: the stricter of environment's and rule's */
            int32_t changed;                  /* 1: its template had changed before the trouble began */
            char former[INCIDENT_ID_SIZE];    /* the last incident of the rule and target; "" none lately */
            int32_t times;                    /* with this one, within 6 h; 0: not counted */
            struct evidence
                evidence; /* of the first look; its cause is unknown when the pods were not read */
        } resolved;
        struct {
            char into[INCIDENT_ID_SIZE];
        } merged;
        struct {
            char step[STEP_PATH_SIZE];
            char guard[48];
            char reason[FACT_TEXT_SIZE];
            enum refusal_scope scope;
            int64_t again_ms;    /* REFUSED_LATER: when; 0: when something changes */
            enum site_kind site; /* it waits for its turn there */
            int32_t urgency;     /* of one that waits for its turn: 1, the worst, to 4; 0: not said */
        } refused;
        struct intent intent;
        struct {
            char step[STEP_PATH_SIZE];
            char action[ACTION_NAME_SIZE];
            uint32_t attempt, write;
            enum write_state state;
            int64_t again_ms;              /* WRITE_RETRY: not before */
            int64_t wall_ms;               /* wall time by which it had happened, or was known not to have */
            char template_hash[HASH_SIZE]; /* WRITE_DONE: the pod template as it was written, where known */
            char reason[FACT_TEXT_SIZE];
        } written;
        struct {
            char step[STEP_PATH_SIZE];
            char action[ACTION_NAME_SIZE];
            uint32_t attempt;
            enum verdict verdict;
            int32_t worse;                     /* 1: not fixed, and worse than before the write */
            int64_t repaired_ms, confirmed_ms; /* wall time; by the cluster, by the alert; 0 not */
            char reason[FACT_TEXT_SIZE];
        } verdict;
        struct {
            enum outcome outcome;
            int64_t wall_ms; /* when, as alerts' senders count time */
            char reason[FACT_TEXT_SIZE];
        } closed, ending;
        struct {
            char step[STEP_PATH_SIZE];
            enum step_event event;
            int result;                  /* ENDED: enum step_result */
            int64_t until_ms;            /* BEGAN: no longer than that */
            char order[FACT_ORDER_SIZE]; /* RANKED: "2,0,1" */
            char reason[FACT_TEXT_SIZE];
        } step;
        struct {
            char step[STEP_PATH_SIZE]; /* "" when no step of the plan says so */
            char receiver[ENVIRONMENT_NAME_SIZE];
            char text[FACT_NOTIFY_SIZE];
        } notify;
        struct {
            char step[STEP_PATH_SIZE];
            char guard[48];                   /* "gate", "approval" */
            char role[ENVIRONMENT_NAME_SIZE]; /* "": whoever may approve at all */
            int32_t wanted;                   /* so many persons */
            int64_t until_ms;                 /* expires to no */
            char hash[FACT_BOUND_SIZE];       /* of what is asked for: any change voids a yes */
            char reason[FACT_TEXT_SIZE];      /* what is asked for, for people */
            char changed_by[64];              /* who changed the target last, as it claims; "" not known */
        } asked;
        struct {
            enum word word;
            char who[64];
            char hash[FACT_BOUND_SIZE]; /* APPROVE, DENY: what was asked for */
            char reason[FACT_TEXT_SIZE];
        } word;
        struct {
            int64_t revision;
            int64_t annotation_id;
        } told;
        struct {
            struct target target;
            char template_hash[HASH_SIZE];
            int64_t since_ms;
        } proven;
        struct {
            char hash[HASH_SIZE];
        } policy;
        struct { /* blob when long: the JSON object */
            char part[16];
            char *text; /* owned */
        } state;
        struct snapshot_mark snapshot;
    } u;
};

void fact_release(struct fact *f); /* frees what is owned; f is zeroed */
/* Bytes that are not UTF-8 (a text from outside that was cut) become '?', so that the fact can be written.
 * Alerts are checked at the door. */
void fact_clean(struct fact *f);

/* An intent as an object of its own, and back. */
void intent_write(struct json_writer *w, const struct intent *n);
enum err_code intent_read(struct intent *ret, const char *incident, const struct json *j, struct err *e);

/* The kind's word in the journal: "alert", "incident_opened", ... */
const char *fact_kind_name(enum fact_kind kind);
const char *disposition_name(enum alert_disposition d);
const char *write_state_name(enum write_state s);
const char *verdict_name(enum verdict v);
const char *outcome_name(enum outcome o);
const char *word_name(enum word w);
const char *pause_scope_name(enum pause_scope scope); /* "everywhere", "environment", ... */
const char *step_result_name(int result);             /* enum step_result */

/* The JSON text to store (valid until the writer's next use), and the blob beside it (NULL when none; valid
 * as long as f). ERR_LIMIT when even so the text is too long (a bug: fixed sizes forbid it). */
enum err_code fact_write(struct json_writer *w, const struct fact *f, const char **ret_text, size_t *ret_len,
                         struct buf *blob, struct err *e);

/* Back from the journal. ERR_VERSION for a kind or version that this release does not know, naming seq, kind
 * and what to do; ERR_INVALID for text that is not such a fact. Never skips. *ret is to be released; blob
 * NULL when the row has none. */
enum err_code fact_parse(struct fact *ret, int64_t seq, int64_t at_ms, const char *kind, const char *incident,
                         const char *text, size_t len, const char *blob, size_t blob_len, struct err *e);

#endif
