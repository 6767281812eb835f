/* actions/verify/object.c */
#include "actions/verify/object.h"

#include <stdio.h>
#include <string.h>

#include "actions/kube/kube.h"
#include "actions/verify/rollout.h"
#include "actions/verify/status.h"

/* ---- what all have ---- */

static enum err_code read_identity(const struct json *object, const char *kind, struct observation *o,
                                   struct err *e)
{
    struct target *t = &o->target;
    const char *version = status_text(object, "metadata.resourceVersion");
    if (!text_copy(t->kind, sizeof t->kind, kind) ||
        !text_copy(t->namespace, sizeof t->namespace, status_text(object, "metadata.namespace")) ||
        !text_copy(t->name, sizeof t->name, status_text(object, "metadata.name")) ||
        !text_copy(t->uid, sizeof t->uid, status_text(object, "metadata.uid")) ||
        !text_copy(o->resource_version, sizeof o->resource_version, version))
        return err_set(e, ERR_INVALID,
                       "%s \"%s\" has a longer name, uid or resourceVersion than Kubernetes allows", kind,
                       t->name);
    if (*t->uid == '\0' || *o->resource_version == '\0')
        return err_set(e, ERR_INVALID, "%s \"%s\" came without uid or resourceVersion", kind, t->name);
    return ERR_OK;
}

static void read_conditions(const struct json *object, struct observation *o)
{
    const struct json *conditions = json_path(object, "status.conditions");
    size_t len = 0;
    for (const struct json *c = json_first(conditions); c; c = json_next(c)) {
        const char *type = status_text(c, "type"), *status = status_text(c, "status");
        size_t need = strlen(type) + strlen(status) + 3;
        if (len + need >= sizeof o->conditions)
            continue;
        snprintf(o->conditions + len, sizeof o->conditions - len, " %s=%s ", type, status);
        len += need - 1; /* one space stands between two */
    }
}

/* Kinds that say it in other fields than conditions. */
static void add_condition(struct observation *o, const char *type, const char *status)
{
    size_t len = strlen(o->conditions);
    if (*status && len + strlen(type) + strlen(status) + 4 < sizeof o->conditions)
        snprintf(o->conditions + len, sizeof o->conditions - len, "%s%s=%s ", len ? "" : " ", type, status);
}

enum err_code object_read(const struct json *object, const char *kind, struct observation *ret, struct err *e)
{
    enum err_code code = read_identity(object, kind, ret, e);
    if (code != ERR_OK)
        return code;
    ret->terminating = *status_text(object, "metadata.deletionTimestamp") != '\0';
    ret->ignored = status_ignored(object);
    read_conditions(object, ret);
    rollout_owner(ret->owner, object);
    rollout_changed_by(ret->changed_by, sizeof ret->changed_by, object);
    return ERR_OK;
}

void object_say(char ret[OBSERVATION_TEXT_SIZE], const char *what, const char *detail)
{
    char text[2 * OBSERVATION_TEXT_SIZE];
    snprintf(text, sizeof text, *detail ? "%s: %.*s" : "%s%.*s", what, OBSERVATION_TEXT_SIZE, detail);
    text_copy(ret, OBSERVATION_TEXT_SIZE, text);
}

void object_evidence(struct evidence *ret, const struct json *condition)
{
    const char *reason = status_text(condition, "reason"), *message = status_text(condition, "message");
    *ret = EVIDENCE_INIT;
    text_clean(ret->reason, sizeof ret->reason, reason, strlen(reason));
    text_clean(ret->message, sizeof ret->message, message, strlen(message));
    ret->cause = cause_of(ret);
}

/* ---- what is wrong ---- */

static void at_fault(struct observation *o, const char *what, const struct json *condition)
{
    const char *detail = status_text(condition, "message");
    if (o->fault)
        return; /* the first counts */
    o->fault = true;
    object_say(o->fault_text, what, *detail ? detail : status_text(condition, "reason"));
    object_evidence(&o->evidence, condition);
    o->trouble_ms = status_time(json_get(condition, "lastTransitionTime"));
}

/* What is wrong stands in fields, not in a condition. */
static void at_fault_by(struct observation *o, const char *what, const char *reason, int64_t since_ms)
{
    if (o->fault)
        return;
    o->fault = true;
    object_say(o->fault_text, what, "");
    o->evidence = EVIDENCE_INIT;
    text_clean(o->evidence.reason, sizeof o->evidence.reason, reason, strlen(reason));
    o->evidence.cause = cause_of(&o->evidence);
    o->trouble_ms = since_ms;
}

static void judge_job(const struct json *object, struct observation *o)
{
    const struct json *failed = status_condition(object, "Failed");
    o->paused = json_bool(json_path(object, "spec.suspend"), false);
    if (status_is(failed, "True"))
        at_fault(o, "the job failed", failed);
}

/* Its last run has not succeeded, and is not just running. */
static void judge_cronjob(const struct json *object, int64_t now_ms, struct observation *o)
{
    int64_t began_ms = status_time(json_path(object, "status.lastScheduleTime"));
    int64_t good_ms = status_time(json_path(object, "status.lastSuccessfulTime"));
    bool runs = json_len(json_path(object, "status.active")) > 0;
    o->paused = json_bool(json_path(object, "spec.suspend"), false);
    if (began_ms > good_ms && now_ms - began_ms >= OBJECT_RUN_MS)
        at_fault_by(o, runs ? "its run has not ended" : "its last run did not succeed",
                    runs ? "JobActive" : "JobFailed", began_ms);
}

static void judge_node(const struct json *object, struct observation *o)
{
    static const char *const pressures[] = { "MemoryPressure", "DiskPressure", "PIDPressure",
                                             "NetworkUnavailable" };
    const struct json *ready = status_condition(object, "Ready");
    o->paused = json_bool(json_path(object, "spec.unschedulable"), false);
    add_condition(o, "Unschedulable", o->paused ? "True" : "False");
    if (!status_is(ready, "True"))
        at_fault(o, "the node is not ready", ready);
    for (size_t k = 0; k < sizeof pressures / sizeof pressures[0]; k++)
        if (status_is(status_condition(object, pressures[k]), "True"))
            at_fault(o, pressures[k], status_condition(object, pressures[k]));
    if (o->fault)
        o->evidence.cause = CAUSE_NODE;
}

static void judge_hpa(const struct json *object, struct observation *o)
{
    const struct json *limited = status_condition(object, "ScalingLimited");
    const struct json *active = status_condition(object, "ScalingActive");
    const struct json *able = status_condition(object, "AbleToScale");
    if (status_is(able, "False"))
        at_fault(o, "it cannot scale", able);
    if (status_is(active, "False") && strcmp(status_text(active, "reason"), "ScalingDisabled") != 0)
        at_fault(o, "it has no metrics to scale by", active);
    if (status_is(limited, "True") && strcmp(status_text(limited, "reason"), "TooManyReplicas") == 0)
        at_fault(o, "it wants more than its maximum", limited);
}

static void judge_claim(const struct json *object, struct observation *o)
{
    const char *phase = status_text(object, "status.phase");
    add_condition(o, "Phase", phase);
    if (strcmp(phase, "Bound") != 0)
        at_fault_by(o, strcmp(phase, "Lost") == 0 ? "its volume is lost" : "it is not bound to a volume",
                    phase, status_time(json_path(object, "metadata.creationTimestamp")));
}

static void judge_application(const struct json *object, struct observation *o)
{
    const char *health = status_text(object, "status.health.status");
    add_condition(o, "Health", health);
    add_condition(o, "Sync", status_text(object, "status.sync.status"));
    if (strcmp(health, "Degraded") == 0 || strcmp(health, "Missing") == 0)
        at_fault_by(o, strcmp(health, "Missing") == 0 ? "its objects are missing" : "it is degraded", health,
                    status_time(json_path(object, "status.health.lastTransitionTime")));
}

static void set_numbers(struct observation *o)
{
    o->desired = o->total = o->updated = 1;
    o->ready = o->available = o->fault ? 0 : 1;
}

enum err_code object_judge(const struct json *object, int64_t now_ms, struct observation *ret, struct err *e)
{
    const char *kind = ret->target.kind;
    ret->observed_generation_current = ret->rollout_complete = true;
    ret->progress_deadline_seconds = ROLLOUT_DEADLINE_DEFAULT_SECONDS;
    kube_template_hash(ret->template_hash, json_get(object, "spec"));
    if (ret->template_hash[0] == '\0')
        return err_set(e, ERR_NOMEM, "no memory for the hash of a spec");
    memcpy(ret->plain_hash, ret->template_hash, sizeof ret->plain_hash);
    ret->evidence.cause = CAUSE_NONE;
    if (strcmp(kind, "Job") == 0)
        judge_job(object, ret);
    else if (strcmp(kind, "CronJob") == 0)
        judge_cronjob(object, now_ms, ret);
    else if (strcmp(kind, "Node") == 0)
        judge_node(object, ret);
    else if (strcmp(kind, "HorizontalPodAutoscaler") == 0)
        judge_hpa(object, ret);
    else if (strcmp(kind, "PersistentVolumeClaim") == 0)
        judge_claim(object, ret);
    else if (strcmp(kind, "Application") == 0)
        judge_application(object, ret);
    set_numbers(ret);
    return ERR_OK;
}

void object_count_endpoints(const struct json *slice, int32_t *ready, int32_t *all)
{
    const struct json *endpoints = json_get(slice, "endpoints");
    for (const struct json *p = json_first(endpoints); p; p = json_next(p)) {
        *all += 1;
        *ready += json_bool(json_path(p, "conditions.ready"), true); /* absent: ready, says the API */
    }
}

void object_judge_endpoints(const struct json *service, int32_t ready, int32_t all, struct observation *ret)
{
    char text[64];
    if (ready > 0 || json_len(json_path(service, "spec.selector")) == 0)
        return;
    snprintf(text, sizeof text, all ? "none of its %d endpoints is ready" : "it selects no pod", (int)all);
    at_fault_by(ret, text, all ? "NoReadyEndpoints" : "NoEndpoints", 0);
    set_numbers(ret);
}
