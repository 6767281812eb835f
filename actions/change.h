/* actions/change.h - actions that set fields: what exactly one would change is one text, which the intent
 * records, the write sends as one JSON patch, the cluster is asked for as the proof, and undo puts back.
 *
 *   {"on": {"kind": "HorizontalPodAutoscaler", "name": "web", "uid": "..."},      where it is not the target
 *    "notes": true,                                    the object has annotations, to which heald's are added
 *    "tests": [["/spec/template/spec/containers/0/name", "app"]],
 *    "set": [["/spec/minReplicas", 2, 4]]}             JSON pointer, old value, new value; null: absent
 *   {"make": {"kind": "Job", "name": "import-heald-0a1b2c3d4e"}}    or an object to be made from the target
 *
 * An action's file decides it from the object as it was just read (its `prepare`), and never writes. */
#ifndef ACTIONS_CHANGE_H
#define ACTIONS_CHANGE_H

#include "actions/kube/kube.h"
#include "rules/model/observation.h"

struct change_ask { /* nothing owned */
    struct cluster *cluster;
    struct http *http;
    const struct target *target;
    const struct json *object; /* the target, as just read */
    const struct json *params; /* of the action: {"name": "LOG_LEVEL", "value": "info"} */
    const struct json *proven; /* hashes of templates that were proven well, newest first */
    const char *id;            /* of this attempt at this step: what is made is named after it */
    int64_t now_ms;            /* wall time */
};

const char *change_text(const struct change_ask *a, const char *param); /* "" when absent */
int64_t change_int(const struct change_ask *a, const char *param);

struct change_draft; /* what the action makes of it: fields, or why not */

/* Set the field at this JSON pointer to a JSON text; NULL takes it away. Its parent must be there. */
void draft_set(struct change_draft *d, const char *path, const char *value);
void draft_set_text(struct change_draft *d, const char *path, const char *text);
void draft_set_int(struct change_draft *d, const char *path, int64_t n);
/* Set an annotation of the object, whether it has any or not. */
void draft_annotate(struct change_draft *d, const char *name, const char *value);
/* The field has to be still as it was read. */
void draft_test(struct change_draft *d, const char *path);
/* The change is on another object of the target's namespace than the target: said before any field. The
 * document goes over to the draft. */
void draft_on(struct change_draft *d, const char *kind, struct json_doc *object);
/* Make an object in the target's namespace instead of setting fields. It is named after `base` and this
 * attempt, so that it is made once. */
void draft_make(struct change_draft *d, const struct change_ask *a, const char *kind, const char *base);
/* For people: "LOG_LEVEL of container \"app\" from \"debug\" to \"info\"". */
void draft_say(struct change_draft *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* It is not possible, for good: the step is ruled out with this reason. */
void draft_refuse(struct change_draft *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What it needs to know could not be read: it may be possible later. */
void draft_unread(struct change_draft *d, enum err_code code, const struct err *e);

typedef void change_prepare(const struct change_ask *a, struct change_draft *d);

/* Ask an action what it would change: fills change, change_text, change_say. Errors: what could not be read;
 * ERR_NOMEM. */
enum err_code change_look(const struct change_ask *a, change_prepare *prepare, struct observation *ret,
                          struct err *e);
/* What has become of the intent's change (of an undo: the other way round): fills change_proof. */
enum err_code change_prove(const struct change_ask *a, const struct intent *n, struct observation *ret,
                           struct err *e);

/* The node at a JSON pointer; NULL: there is none. */
const struct json *json_pointer(const struct json *root, const char *path);

/* ---- what several actions look for ---- */

/* "/spec/template/spec/containers/1" of the container with that name; "" is the only one. False: refused.
 * That the container stands there is tested by the write. */
#define CONTAINER_PATH_SIZE 64
bool change_container(const struct change_ask *a, struct change_draft *d, char ret[CONTAINER_PATH_SIZE],
                      const struct json **ret_container);
/* A quantity of Kubernetes ("512Mi", "1500m") in thousandths of its unit; false: it is none, or too large. */
bool quantity_parse(const char *text, int64_t *ret_milli);
/* As Kubernetes itself writes it back: "1Gi", "1500m". */
#define QUANTITY_SIZE 32
const char *quantity_format(char ret[QUANTITY_SIZE], int64_t milli, bool bytes);

change_prepare prepare_cordon, prepare_uncordon, prepare_taint, prepare_untaint, prepare_suspend_cronjob,
    prepare_resume_cronjob, prepare_run_cronjob_now, prepare_rerun_job, prepare_expand_pvc;
change_prepare prepare_pause_rollout, prepare_resume_rollout, prepare_set_resources, prepare_set_env,
    prepare_set_hpa, prepare_set_image, prepare_patch;

#endif
