/* rules/model/action.h - what the core must know of an action to decide it: its name, parameters, and the
 * proof that it happened. The table of all actions is actions/catalogue.c; it is handed to the core at start,
 * which itself knows no Kubernetes. */
#ifndef RULES_MODEL_ACTION_H
#define RULES_MODEL_ACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/model/target.h"

#define ACTION_NAME_SIZE 32
#define STEP_PATH_SIZE 112 /* 8 levels of "otherwise.63." */
#define INCIDENT_ID_SIZE 24
#define ACTION_PARAMS_MAX 8
#define CHANGE_SIZE 512          /* text of the exact change of a PROOF_CHANGE */
#define ENVIRONMENT_NAME_SIZE 72 /* a policy's names have at most 64 bytes */

enum action_risk { RISK_READ, RISK_GENTLE, RISK_DISRUPTIVE, RISK_DANGEROUS };

/* What shows in the cluster that a write happened. Annotations of heald are hints for people, never proof. */
enum action_proof {
    PROOF_RESTARTED_AT,  /* the journalled restartedAt stands in the template */
    PROOF_TEMPLATE_HASH, /* the template has the intended hash */
    PROOF_REPLICAS,      /* spec.replicas is the intended number */
    PROOF_POD_GONE,      /* that uid is gone or terminating */
    PROOF_CHANGE, /* each field of the intent's change has its new value; what was to be made is there */
};

enum param_type { PARAM_INT, PARAM_CHOICE, PARAM_TEXT };

struct action_param {
    const char *name; /* NULL ends the list */
    enum param_type type;
    bool required;
    int64_t min, max;         /* PARAM_INT; of a PARAM_TEXT its bytes */
    const char *choices;      /* PARAM_CHOICE: "last_stable|previous" */
    const char *default_text; /* NULL: none; a text then is "" */
    const char *help;         /* one sentence for the reference */
};

struct action_spec {
    const char *name; /* "restart" */
    const char *help; /* one sentence */
    enum action_risk risk;
    enum action_proof proof;
    unsigned needs;    /* enum observe_need, beyond the workload, to decide it */
    const char *verbs; /* RBAC: "get,patch apps/deployments,statefulsets; create pods/eviction" */
    const char
        *changes;      /* fields that its patch may change: "spec.paused,spec.template.spec.containers[].env";
                          a key with dots stands in braces; NULL: it patches no object, at most a subresource */
    const char *kinds; /* of targets that it is for: "Deployment|StatefulSet"; NULL: every workload */
    bool rolls;        /* PROOF_CHANGE: it changes the pod template, so that new pods roll out */
    const char *listed;  /* a PARAM_TEXT whose value must stand in the environment's `patch`, which says what
                            it  changes; NULL: none */
    const char *undo;    /* what undo does, for the reference; NULL: it cannot be put back */
    const char *example; /* a step of a plan, for the reference */
    struct action_param params[ACTION_PARAMS_MAX + 1];
};

/* Longest time between the first byte of a write being sent and it taking effect or being refused: an absent
 * proof is believed only after this has passed since the write may have been sent. */
#define LONGEST_CALL_MS 10000
/* A write is begun no later than this after its intent was decided. */
#define INTENT_EXPIRES_MS 15000

/* The recorded decision to do one write: enough to do it, and to ask afterwards whether it happened. Plain
 * data. */
struct intent {
    char incident[INCIDENT_ID_SIZE];
    char step[STEP_PATH_SIZE]; /* path in the plan: "steps.0.then.0" */
    uint32_t attempt;          /* of the step: retries count up from 1 */
    uint32_t
        write; /* of the attempt, from 1: a conflict, an absent proof or "try again later" decides again */
    char action[ACTION_NAME_SIZE];
    enum action_proof proof;
    struct target target;
    char environment[ENVIRONMENT_NAME_SIZE]; /* whose budget this is taken from */
    int64_t at_ms;                           /* engine time of the decision */
    int64_t expires_ms;                      /* engine time after which the first byte must not be sent */

    /* the object as it was when this was decided: precondition of the write, and of deciding it again */
    char resource_version[RESOURCE_VERSION_SIZE];
    char old_template_hash[HASH_SIZE];
    char
        old_plain_hash[HASH_SIZE]; /* without the annotation of a restart; "" in journals of older releases */
    int64_t old_template_since_ms; /* wall time since when it stood there; 0: at the watch's first sight
                                      already */
    int32_t old_replicas;

    /* what to write, by proof */
    char restarted_at[32];           /* PROOF_RESTARTED_AT */
    char template_hash[HASH_SIZE];   /* PROOF_TEMPLATE_HASH, */
    char revision[OBJECT_NAME_SIZE]; /* and where that template is: ReplicaSet or ControllerRevision */
    int32_t replicas;                /* PROOF_REPLICAS */
    char pod_name[OBJECT_NAME_SIZE]; /* PROOF_POD_GONE */
    char pod_uid[UID_SIZE];
    char change[CHANGE_SIZE]; /* PROOF_CHANGE: actions/change.h says how it is written */
    int32_t rolls;            /* 1: that changes the pod template */

    int32_t old_available; /* replicas that were available: fewer afterwards is worse */
    int32_t undo;          /* 1: this puts back what the step had changed */
};

enum act_result {
    ACT_DONE,     /* the API server said so */
    ACT_CONFLICT, /* precondition failed (409, or 422 of a test): nothing was written; read and decide again
                   */
    ACT_RETRY,    /* refused before it was processed (429, 503 with Retry-After, no connection): again after
                     retry_ms */
    ACT_FAILED,   /* refused for good (403, 404, 422, expired intent): nothing was written */
    ACT_UNKNOWN,  /* sent, and no answer to trust: ask the cluster before anything else */
};

struct act_report {
    enum act_result result;
    int64_t retry_ms;              /* ACT_RETRY: wait at least this long */
    int64_t sent_ms;               /* wall time of the first byte; 0 when none was sent */
    char template_hash[HASH_SIZE]; /* ACT_DONE: of the pod template as it was written; "" when the answer did
                                      not show it */
    char reason[256];              /* for people: "403 Forbidden: ..." */
};

#endif
