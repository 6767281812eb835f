/* receiver/rehearse/stage.h - internal to receiver/rehearse: the simulated cluster of one test. It stands in
 * for Kubernetes, Prometheus and Loki: a workload is a template, a number of pods and whether it is broken;
 * what is seen of it is an observation as actions/observe.c would make it. Pure. */
#ifndef RECEIVER_REHEARSE_STAGE_H
#define RECEIVER_REHEARSE_STAGE_H

#include "receiver/rehearse/script.h"
#include "rules/engine/engine.h"

#define STAGE_TEMPLATES_MAX 10
#define STAGE_ALERTS_MAX 256
#define STAGE_ANSWERS_MAX 64
#define STAGE_EVALUATE_MS 15000 /* Prometheus' interval */
#define STAGE_RESOLVE_MS 30000  /* from well to the alert's resolution at heald */

struct stage_object {
    const struct script_object *script;
    struct target target;
    int32_t desired;
    char template[HASH_SIZE], restarted_at[32];
    char history[STAGE_TEMPLATES_MAX][HASH_SIZE]; /* newest first */
    size_t history_len;
    int64_t template_ms;               /* since when it stands there; wall time, as all times here */
    int64_t rolled_ms;                 /* until when it is being rolled out */
    const struct script_event *broken; /* NULL: well */
    bool worse;                        /* none of its pods is available any more */
    bool ignored;
    char owner[256];
    uint64_t sum;               /* of its template, when a manifest gave it */
    int64_t broken_ms, well_ms; /* since; 0: not */
    uint32_t pod;               /* its first pod's number */
    uint64_t version;
    char changed[CHANGE_SIZE]; /* what an action that sets fields made of it last; "" nothing */
};

struct stage_alert {
    const struct script_event *script;
    int64_t active_ms;
    bool firing;      /* at Prometheus */
    bool told;        /* its last state was delivered */
    int64_t quiet_ms; /* when it resolves by itself; 0: not yet known */
};

struct stage {
    const char *folder; /* of manifests */
    const struct script_test *test;
    bool prometheus;
    int64_t now_ms; /* wall time, which is engine time too */
    struct stage_object objects[SCRIPT_OBJECTS_MAX];
    size_t objects_len;
    struct stage_alert alerts[STAGE_ALERTS_MAX];
    size_t alerts_len;
    const struct script_event *answers[STAGE_ANSWERS_MAX]; /* newest of each query */
    size_t answers_len;
};

/* ERR_INVALID names the object; ERR_NOT_FOUND the manifest. `folder` is the script's. */
enum err_code stage_begin(struct stage *s, const struct script *script, const struct script_test *t,
                          const char *folder, struct err *e);
/* An event that changes the cluster or its neighbours. The object that it changed, or NULL. ERR_INVALID:
 * there is no such object. */
enum err_code stage_event(struct stage *s, const struct script_event *v, struct stage_object **ret,
                          struct err *e);
/* Time has come to now_ms: rollouts end. True: an object has become well or ceased to be. */
bool stage_settle(struct stage *s);
/* When stage_settle() changes something next; INT64_MAX: never by itself. */
int64_t stage_next_ms(const struct stage *s);

/* What a worker would answer. */
enum err_code stage_observe(const struct stage *s, const struct effect *f, struct observation *ret,
                            struct err *e);
void stage_act(struct stage *s, const struct intent *n, struct act_report *ret);

struct stage_object *stage_find(struct stage *s, const char *name); /* "namespace/name" */
bool stage_is_well(const struct stage *s, const struct stage_object *o);

/* manifest.c: what a Kubernetes object in YAML or JSON says of itself; strings replace those of the script.
 */
enum err_code manifest_read(struct script_object *ret, const char *folder, struct err *e);

#endif
