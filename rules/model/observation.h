/* rules/model/observation.h - what was read about a target at one time: what guards and verification judge.
 *
 * Made by actions/observe.c, judged by rules/engine. Plain data without pointers, so it crosses threads by
 * value. Times are ms since the epoch in wall time of the machine that reads (or the API server's own, where
 * it says so); 0 means: not known. Texts are for people, cut to fit. */
#ifndef RULES_MODEL_OBSERVATION_H
#define RULES_MODEL_OBSERVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/base/err.h"
#include "rules/model/action.h"
#include "rules/model/cause.h"
#include "rules/model/probe.h"
#include "rules/model/target.h"

#define OBSERVATION_TEXT_SIZE 192
#define OBSERVATION_FOUND_MAX 16     /* objects that a selector may find */
#define OBSERVATION_REVISIONS_MAX 16 /* newest first; older ones are not looked at */

/* What the core wants to know; each costs requests. The workload itself (one GET when labels name it) is
 * always read. */
enum observe_need {
    OBSERVE_HISTORY = 1 << 0,  /* ReplicaSets / ControllerRevisions: one list */
    OBSERVE_PODS = 1 << 1,     /* the workload's pods: one list; gives fault, trouble_ms, failing pods */
    OBSERVE_ALERT = 1 << 2,    /* the alert at Prometheus, when one is configured: rules and alerts API */
    OBSERVE_POD = 1 << 3,      /* the single pod that the alert's labels name */
    OBSERVE_SILENCED = 1 << 4, /* the alert at Alertmanager, when one is configured: one GET */
    OBSERVE_HPA = 1 << 5,      /* HorizontalPodAutoscalers of the namespace: one list */
    OBSERVE_PDB = 1 << 6,      /* PodDisruptionBudgets of the namespace: one list */
    OBSERVE_CHANGE = 1 << 7, /* what the action that is asked about would change; may cost a GET or a list */
};

enum alert_state {
    ALERT_STATE_UNKNOWN, /* not asked, not to be had, rule unhealthy or not evaluated lately */
    ALERT_STATE_INACTIVE,
    ALERT_STATE_PENDING,
    ALERT_STATE_FIRING,
};

/* Of the alerts of this name that belong to the target, at Alertmanager. It forgets in a restart, and lets
 * alerts expire when Prometheus is away: ABSENT alone proves nothing. */
enum alertmanager_state {
    ALERTMANAGER_UNKNOWN, /* not asked, not to be had */
    ALERTMANAGER_ABSENT,
    ALERTMANAGER_ACTIVE,   /* at least one is neither silenced, inhibited nor muted */
    ALERTMANAGER_SILENCED, /* all are */
};

/* What an action would change now. */
enum change_state {
    CHANGE_UNKNOWN, /* not asked, or not to be had now, as its text says */
    CHANGE_POSSIBLE,
    CHANGE_IMPOSSIBLE, /* and why */
};
/* What has become of an intent's change. */
enum change_proof {
    CHANGE_NOT_ASKED,
    CHANGE_THERE,  /* every field has its new value */
    CHANGE_ABSENT, /* every field is as it was when it was decided */
    CHANGE_OTHER,  /* neither: somebody else changed it */
};

struct revision {
    char name[OBJECT_NAME_SIZE]; /* ReplicaSet or ControllerRevision */
    int64_t number;              /* Kubernetes' own; it moves: never an identity */
    char template_hash[HASH_SIZE];
};

struct observation {
    int64_t at_ms;  /* when reading began */
    unsigned needs; /* which parts below were read */

    /* what a selector found, by name; the first one is the target */
    uint32_t found_len; /* 0: it was not looked for by a selector */
    char found[OBSERVATION_FOUND_MAX][OBJECT_NAME_SIZE];

    /* the workload, or an object of another kind: then what speaks of replicas is 1 of 1 while it is well, 0
     * while it is not, and its spec stands for the template */
    struct target target; /* resolved, with uid */
    char resource_version[RESOURCE_VERSION_SIZE];
    char template_hash[HASH_SIZE]; /* SHA-256 of the canonical pod template without generated labels */
    char plain_hash[HASH_SIZE]; /* the same without the annotation of a restart: a restart leaves it as it was
                                 */
    char restarted_at[32];      /* template annotation kubectl.kubernetes.io/restartedAt, "" when absent */
    int32_t desired, updated, ready, available, total; /* replicas; for DaemonSets scheduled counts */
    int32_t progress_deadline_seconds;                 /* 600 for kinds that have none */
    bool observed_generation_current;
    bool paused;    /* Deployment .spec.paused */
    bool on_delete; /* StatefulSet/DaemonSet strategy OnDelete: a new template starts nothing by itself */
    bool rollout_complete;                  /* contracts of kubectl rollout status, for the kind */
    bool deadline_exceeded;                 /* condition Progressing says ProgressDeadlineExceeded */
    bool terminating;                       /* deletionTimestamp set */
    char conditions[OBSERVATION_TEXT_SIZE]; /* of its status, as far as they fit: " Available=True
                                               Progressing=False " */
    bool ignored;                           /* heald.dev/ignore: "true" on the workload or its namespace */
    char changed_by[64]; /* who changed it last, as it claims itself: annotation heald.dev/changed-by, else
                            the field manager of its newest change that is not heald's; "": it does not say */
    char owner[OBSERVATION_TEXT_SIZE]; /* "" or who else manages it: "Argo CD application x", "Helm release
                                          y", "controller Rollout/z" */

    /* the watch's view, continuous since it began */
    bool watched;              /* this workload is under watch now, without a gap */
    int64_t template_since_ms; /* when the watch saw the present template for the first time; 0: it stood
                                  there when the watch began */
    int64_t well_since_ms;     /* well at every event since then; 0: not well now */
    char not_well[OBSERVATION_TEXT_SIZE]; /* why not, "" when well */

    /* OBSERVE_PODS */
    bool fault; /* the cluster's own status shows something wrong with target or pods */
    char fault_text[OBSERVATION_TEXT_SIZE];
    bool new_pods_failed; /* a pod of the present template restarted after a failure, or waits in an error */
    int64_t new_pods_failed_ms; /* when that was the last time: an old pod's old restart says nothing about a
                                   new write */
    int64_t trouble_ms;         /* earliest failing container's finish or unready condition */
    struct evidence evidence;   /* of what fault_text speaks of; its cause is CAUSE_NONE without a fault */

    /* OBSERVE_HISTORY, newest first by number */
    uint32_t revisions_len;
    struct revision revisions[OBSERVATION_REVISIONS_MAX];

    /* OBSERVE_ALERT */
    bool prometheus;            /* one is configured */
    enum alert_state alert;     /* of this rule, for anything that resolves to the target */
    int64_t alert_active_ms;    /* earliest activeAt among them */
    int64_t alert_evaluated_ms; /* the rule's lastEvaluation */
    int64_t alert_settle_ms;    /* longest range window of the query + keep_firing_for + 2 evaluations; 0: not
                                   to be had */
    int64_t alert_interval_ms;  /* evaluation interval of the rule's group */
    char alert_text[OBSERVATION_TEXT_SIZE];

    /* OBSERVE_POD */
    bool pod_found;
    bool pod_terminating;
    char pod_name[OBJECT_NAME_SIZE];
    char pod_uid[UID_SIZE];

    /* OBSERVE_SILENCED */
    bool alertmanager; /* one is configured */
    enum alertmanager_state silenced;
    char silenced_text[OBSERVATION_TEXT_SIZE]; /* by which silence, or why it is not known */

    /* OBSERVE_HPA */
    bool hpa_known; /* false: not asked, or not to be read, as hpa_text says */
    bool hpa;       /* a HorizontalPodAutoscaler scales it */
    int32_t hpa_least, hpa_most;
    char hpa_text[OBSERVATION_TEXT_SIZE]; /* its name, or why it is not known */

    /* OBSERVE_PDB */
    bool pdb_known;
    bool pdb; /* a PodDisruptionBudget selects its pods */
    int32_t
        pdb_allowed; /* disruptions allowed now; the least of several budgets; 0 while it is not current */
    char pdb_text[OBSERVATION_TEXT_SIZE]; /* its name and numbers, or why it is not known */

    /* OBSERVE_CHANGE */
    enum change_state change;
    uint64_t change_key;                    /* of the question that this answers: change_key() */
    char change_text[CHANGE_SIZE];          /* CHANGE_POSSIBLE: exactly what, for the intent */
    char change_say[OBSERVATION_TEXT_SIZE]; /* the same for people, or why it is not possible */
    enum change_proof change_proof;         /* of the intent's change, when there is one */

    /* the effect's probes, in their order */
    uint32_t probes_len;
    struct probe_answer probes[PROBES_MAX];
};

#endif
