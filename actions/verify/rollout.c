/* actions/verify/rollout.c */
#include "actions/verify/rollout.h"

#include <stdio.h>
#include <string.h>

#include "actions/kube/kube.h"
#include "actions/verify/object.h"
#include "actions/verify/status.h"

static bool progress_deadline_exceeded(const struct json *object)
{
    return strcmp(status_text(status_condition(object, "Progressing"), "reason"),
                  "ProgressDeadlineExceeded") == 0;
}

static void read_deployment(const struct json *object, struct observation *o)
{
    o->desired = status_number(object, "spec.replicas", 1);
    o->updated = status_number(object, "status.updatedReplicas", 0);
    o->ready = status_number(object, "status.readyReplicas", 0);
    o->available = status_number(object, "status.availableReplicas", 0);
    o->total = status_number(object, "status.replicas", 0);
    o->progress_deadline_seconds =
        status_number(object, "spec.progressDeadlineSeconds", ROLLOUT_DEADLINE_DEFAULT_SECONDS);
    o->paused = json_bool(json_path(object, "spec.paused"), false);
    o->deadline_exceeded = progress_deadline_exceeded(object);
    o->rollout_complete = o->observed_generation_current && !o->deadline_exceeded &&
                          o->updated >= o->desired && o->total <= o->updated && o->available >= o->updated;
}

/* With OnDelete nothing replaces pods by itself, and kubectl gives no answer: complete is when all pods are
 * new. */
static void read_statefulset(const struct json *object, struct observation *o)
{
    o->desired = status_number(object, "spec.replicas", 1);
    o->updated = status_number(object, "status.updatedReplicas", 0);
    o->ready = status_number(object, "status.readyReplicas", 0);
    o->available = status_number(object, "status.availableReplicas", 0);
    o->total = status_number(object, "status.replicas", 0);
    const struct json *rolling = json_path(object, "spec.updateStrategy.rollingUpdate");
    bool replaced;
    if (o->on_delete)
        replaced = o->updated >= o->desired;
    else if (rolling)
        replaced = o->updated >= o->desired - status_number(rolling, "partition", 0);
    else
        replaced = strcmp(status_text(object, "status.updateRevision"),
                          status_text(object, "status.currentRevision")) == 0;
    o->rollout_complete = o->observed_generation_current &&
                          json_int(json_path(object, "status.observedGeneration"), 0) > 0 &&
                          o->ready >= o->desired && replaced;
}

static void read_daemonset(const struct json *object, struct observation *o)
{
    o->desired = status_number(object, "status.desiredNumberScheduled", 0);
    o->updated = status_number(object, "status.updatedNumberScheduled", 0);
    o->ready = status_number(object, "status.numberReady", 0);
    o->available = status_number(object, "status.numberAvailable", 0);
    o->total = status_number(object, "status.currentNumberScheduled", 0);
    o->rollout_complete =
        o->observed_generation_current && o->updated >= o->desired && o->available >= o->desired;
}

static enum err_code read_template(const struct json *object, struct observation *o, struct err *e)
{
    const struct json *template = json_path(object, "spec.template");
    if (json_type(template) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "%s \"%s\" came without a pod template", o->target.kind,
                       o->target.name);
    kube_template_hash(o->template_hash, template);
    kube_template_plain_hash(o->plain_hash, template);
    if (o->template_hash[0] == '\0' || o->plain_hash[0] == '\0')
        return err_set(e, ERR_NOMEM, "no memory for the hash of a pod template");
    /* A longer value is not ours: cut, it can equal no restartedAt that was journalled. */
    text_copy(o->restarted_at, sizeof o->restarted_at,
              status_annotation(template, "kubectl.kubernetes.io/restartedAt"));
    return ERR_OK;
}

enum err_code rollout_read(const struct json *object, const char *kind, struct observation *ret,
                           struct err *e)
{
    enum err_code code = object_read(object, kind, ret, e);
    if (code == ERR_OK)
        code = read_template(object, ret, e);
    if (code != ERR_OK)
        return code;

    ret->observed_generation_current = json_int(json_path(object, "metadata.generation"), 0) <=
                                       json_int(json_path(object, "status.observedGeneration"), 0);
    ret->on_delete = strcmp(status_text(object, "spec.updateStrategy.type"), "OnDelete") == 0;
    ret->progress_deadline_seconds = ROLLOUT_DEADLINE_DEFAULT_SECONDS;
    if (strcmp(kind, "Deployment") == 0)
        read_deployment(object, ret);
    else if (strcmp(kind, "StatefulSet") == 0)
        read_statefulset(object, ret);
    else if (strcmp(kind, "DaemonSet") == 0)
        read_daemonset(object, ret);
    else
        return err_set(e, ERR_INVALID, "kind \"%s\" has no rollout", kind);
    return ERR_OK;
}

bool rollout_fault(const struct json *object, int64_t now_ms, char ret_text[OBSERVATION_TEXT_SIZE],
                   struct evidence *ret_evidence, int64_t *ret_ms)
{
    const struct json *progressing = status_condition(object, "Progressing");
    const struct json *failure = status_condition(object, "ReplicaFailure");
    const struct json *available = status_condition(object, "Available");
    int64_t down_ms = status_time(json_get(available, "lastTransitionTime"));
    if (status_is(failure, "True")) {
        object_say(ret_text, "pods cannot be made", status_text(failure, "message"));
        object_evidence(ret_evidence, failure);
        *ret_ms = status_time(json_get(failure, "lastTransitionTime"));
        return true;
    }
    if (progress_deadline_exceeded(object)) {
        /* The deadline passes long after the trouble began: its own time says nothing about that. */
        object_say(ret_text, "the rollout exceeded its progress deadline",
                   status_text(progressing, "message"));
        object_evidence(ret_evidence, progressing);
        *ret_ms = 0;
        return true;
    }
    if (status_is(available, "False") && down_ms > 0 && now_ms - down_ms >= ROLLOUT_UNAVAILABLE_MS) {
        object_say(ret_text, "too few pods are available", status_text(available, "message"));
        object_evidence(ret_evidence, available);
        *ret_ms = down_ms;
        return true;
    }
    return false;
}
