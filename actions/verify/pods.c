/* actions/verify/pods.c */
#include "actions/verify/pods.h"

#include <stdio.h>
#include <string.h>

#include "actions/verify/status.h"
#include "rules/base/timetext.h"

static void earlier(int64_t *ms, int64_t other_ms)
{
    if (other_ms > 0 && (*ms == 0 || other_ms < *ms))
        *ms = other_ms;
}

static void clean(char *ret, size_t size, const char *text)
{
    text_clean(ret, size, text, strlen(text));
}

/* What is known of a trouble: its reason and message as the status says them. */
static struct evidence evidence_of(const struct json *pod, const char *reason, const char *message)
{
    struct evidence v = EVIDENCE_INIT;
    clean(v.pod, sizeof v.pod, status_text(pod, "metadata.name"));
    clean(v.node, sizeof v.node, status_text(pod, "spec.nodeName"));
    clean(v.reason, sizeof v.reason, reason);
    clean(v.message, sizeof v.message, message);
    return v;
}

/* Record a trouble: a worse one takes text and evidence over, the earliest sign is kept. */
static void note(struct pod_look *look, enum pod_trouble trouble, int64_t since_ms, const struct evidence *v,
                 const char *what)
{
    earlier(&look->since_ms, since_ms);
    if (trouble <= look->trouble)
        return;
    look->trouble = trouble;
    look->evidence = *v;
    struct buf text = BUF_INIT;
    buf_addf(&text, "pod \"%s\": %s", v->pod, what);
    text_copy(look->text, sizeof look->text, buf_text(&text));
    buf_release(&text);
}

/* A container failed at that time; 0: it is not said when, so it counts as now. */
static void fail(struct pod_look *look, int64_t ms, int64_t now_ms)
{
    look->failed = true;
    ms = ms > 0 ? ms : now_ms;
    look->failed_ms = ms > look->failed_ms ? ms : look->failed_ms;
}

static bool starting(const char *waiting)
{
    return *waiting == '\0' || strcmp(waiting, "ContainerCreating") == 0 ||
           strcmp(waiting, "PodInitializing") == 0;
}

/* " after OOMKilled (exit code 137)", or "". */
static void say_ended(char *ret, size_t size, const struct json *terminated)
{
    ret[0] = '\0';
    if (terminated)
        snprintf(ret, size, " after %.40s (exit code %d)", status_text(terminated, "reason"),
                 (int)status_number(terminated, "exitCode", 255));
}

struct container {                        /* one container's status, taken apart */
    const char *name, *waiting, *message; /* "" where there is none */
    const struct json *terminated, *last; /* state.terminated, lastState.terminated */
    int32_t restarts;
};

/* Does the kubelet kill this container when a probe of it fails? */
static bool probed(const struct json *pod, const char *path, const char *name)
{
    const struct json *containers = json_path(pod, path);
    for (const struct json *c = json_first(containers); c; c = json_next(c))
        if (strcmp(status_text(c, "name"), name) == 0)
            return json_get(c, "livenessProbe") || json_get(c, "startupProbe");
    return false;
}

/* `ended` is the termination that speaks, or NULL. What the container said at its end tells more than how
 * long the kubelet waits now. */
static struct evidence evidence_of_container(const struct json *pod, const struct container *c,
                                             const struct json *ended)
{
    const char *said = status_text(ended, "message");
    struct evidence v = evidence_of(pod, c->waiting, *said ? said : c->message);
    clean(v.container, sizeof v.container, c->name);
    v.restarts = c->restarts;
    v.probed = probed(pod, "spec.containers", c->name) || probed(pod, "spec.initContainers", c->name);
    if (ended) {
        clean(v.ended, sizeof v.ended, status_text(ended, "reason"));
        v.exit_code = status_number(ended, "exitCode", -1);
    }
    return v;
}

static void look_waiting(struct pod_look *look, const struct container *c, const struct json *pod,
                         int64_t now_ms)
{
    char what[256], after[80];
    int64_t made_ms = status_time(json_path(pod, "metadata.creationTimestamp"));
    struct evidence v = evidence_of_container(pod, c, c->last);
    if (!starting(c->waiting)) {
        say_ended(after, sizeof after, c->last);
        snprintf(what, sizeof what, "container \"%.63s\" waits in %.60s%s, %d restarts", c->name, c->waiting,
                 after, (int)c->restarts);
        note(look, POD_ERROR, c->last ? 0 : made_ms, &v, what);
        fail(look, status_time(json_get(c->last, "finishedAt")), now_ms);
    } else if (made_ms > 0 && now_ms - made_ms >= POD_CREATE_PATIENCE_MS && *c->waiting != '\0' &&
               !status_is(status_condition(pod, "PodScheduled"), "False")) {
        snprintf(what, sizeof what, "container \"%.63s\" is still in %.60s", c->name, c->waiting);
        note(look, POD_STUCK, made_ms, &v, what);
    }
}

static void look_ended(struct pod_look *look, const struct container *c, const struct json *pod, bool init,
                       int64_t now_ms)
{
    char what[256], after[80];
    if (c->terminated && status_number(c->terminated, "exitCode", 255) != 0) {
        say_ended(after, sizeof after, c->terminated);
        snprintf(what, sizeof what, "container \"%.63s\" ended%s", c->name, after);
        int64_t finished_ms = status_time(json_get(c->terminated, "finishedAt"));
        struct evidence v = evidence_of_container(pod, c, c->terminated);
        note(look, POD_ERROR, finished_ms, &v, what);
        fail(look, finished_ms, now_ms);
    }
    if (!c->last || c->restarts == 0)
        return;
    int64_t ended_ms = status_time(json_get(c->last, "finishedAt"));
    fail(look, ended_ms, now_ms);
    bool done = init && c->terminated && status_number(c->terminated, "exitCode", 255) == 0;
    if (done || now_ms - ended_ms >= POD_RESTART_RECENT_MS)
        return; /* it runs well since, or has done its work */
    say_ended(after, sizeof after, c->last);
    snprintf(what, sizeof what, "container \"%.63s\" was restarted%s, %d restarts", c->name, after,
             (int)c->restarts);
    struct evidence v = evidence_of_container(pod, c, c->last);
    note(look, POD_RESTARTED, status_time(json_get(c->last, "finishedAt")), &v, what);
}

static void look_containers(struct pod_look *look, const struct json *pod, const char *path, bool init,
                            int64_t now_ms)
{
    const struct json *statuses = json_path(pod, path);
    for (const struct json *s = json_first(statuses); s; s = json_next(s)) {
        struct container c = {
            .name = status_text(s, "name"),
            .waiting = status_text(s, "state.waiting.reason"),
            .message = status_text(s, "state.waiting.message"),
            .terminated = json_path(s, "state.terminated"),
            .last = json_path(s, "lastState.terminated"),
            .restarts = status_number(s, "restartCount", 0),
        };
        if (json_type(c.terminated) != JSON_OBJECT)
            c.terminated = NULL;
        if (json_type(c.last) != JSON_OBJECT)
            c.last = NULL;
        if (json_path(s, "state.waiting"))
            look_waiting(look, &c, pod, now_ms);
        look_ended(look, &c, pod, init, now_ms);
    }
}

/* The kubelet says why a pod is not ready. Kubernetes' node controller says it of all pods of a node that it
 * has lost, without a reason and while the containers still count as ready. */
static const char *unready_reason(const struct json *pod, const struct json *ready)
{
    const char *reason = status_text(ready, "reason");
    bool lost = *reason == '\0' && status_is(status_condition(pod, "ContainersReady"), "True");
    return lost ? "NodeNotReady" : reason;
}

static void look_unready(struct pod_look *look, const struct json *pod, int64_t now_ms)
{
    const struct json *ready = status_condition(pod, "Ready");
    int64_t since_ms = status_time(json_get(ready, "lastTransitionTime"));
    int64_t start_ms = status_time(json_path(pod, "status.startTime"));
    if (!ready || status_is(ready, "True") || since_ms == 0)
        return;
    bool was_ready = start_ms > 0 && since_ms - start_ms >= POD_READY_FLIP_MS;
    bool broken = look->trouble >= POD_STUCK;
    if (!was_ready && !broken && now_ms - since_ms < POD_START_PATIENCE_MS)
        return; /* it is starting */
    char what[128], time[TIME_TEXT_SIZE];
    snprintf(what, sizeof what, "not ready since %s", time_format_seconds(time, since_ms));
    struct evidence v = evidence_of(pod, unready_reason(pod, ready), status_text(ready, "message"));
    note(look, POD_UNREADY, since_ms, &v, what);
}

static void look_scheduling(struct pod_look *look, const struct json *pod)
{
    const struct json *scheduled = status_condition(pod, "PodScheduled");
    const char *reason = status_text(scheduled, "reason");
    if (!status_is(scheduled, "False") || strcmp(reason, "SchedulingGated") == 0)
        return;
    char what[OBSERVATION_TEXT_SIZE];
    snprintf(what, sizeof what, "not scheduled (%.40s): %.120s", reason, status_text(scheduled, "message"));
    struct evidence v = evidence_of(pod, reason, status_text(scheduled, "message"));
    note(look, POD_STUCK, status_time(json_get(scheduled, "lastTransitionTime")), &v, what);
}

/* Why the pod as a whole ended or is to end. */
static const char *end_reason(const struct json *pod)
{
    const char *reason = status_text(pod, "status.reason");
    return *reason ? reason : status_text(status_condition(pod, "DisruptionTarget"), "reason");
}

/* Evicted, preempted, out of a node's resources, node shut down, deadline exceeded. */
static void look_failed(struct pod_look *look, const struct json *pod)
{
    char what[OBSERVATION_TEXT_SIZE];
    const struct json *target = status_condition(pod, "DisruptionTarget");
    const char *reason = end_reason(pod);
    snprintf(what, sizeof what, "failed (%.60s): %.100s", *reason ? reason : "no reason given",
             status_text(pod, "status.message"));
    struct evidence v = evidence_of(pod, reason, status_text(pod, "status.message"));
    note(look, POD_FAILED, status_time(json_get(target, "lastTransitionTime")), &v, what);
}

void pod_look(struct pod_look *ret, const struct json *pod, int64_t now_ms)
{
    memset(ret, 0, sizeof *ret);
    ret->evidence = EVIDENCE_INIT;
    const char *phase = status_text(pod, "status.phase");
    /* deletionTimestamp is when the grace period ends */
    int64_t ends_ms = status_time(json_path(pod, "metadata.deletionTimestamp"));
    if (*status_text(pod, "metadata.deletionTimestamp") != '\0') {
        ret->gone = true;
        struct evidence v = evidence_of(pod, end_reason(pod), status_text(pod, "status.message"));
        if (ends_ms > 0 && now_ms - ends_ms >= POD_START_PATIENCE_MS)
            note(ret, POD_ENDING, ends_ms, &v, "its deletion does not end");
        return;
    }
    if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0) {
        ret->gone = true;
        if (strcmp(phase, "Failed") == 0)
            look_failed(ret, pod);
        return;
    }
    look_containers(ret, pod, "status.initContainerStatuses", true, now_ms);
    look_containers(ret, pod, "status.containerStatuses", false, now_ms);
    look_scheduling(ret, pod);
    look_unready(ret, pod, now_ms);
}

void pod_count(struct observation *ret, enum pod_trouble *worst, const struct pod_look *look, bool present)
{
    if (present && !look->gone && look->failed) {
        ret->new_pods_failed = true;
        if (look->failed_ms > ret->new_pods_failed_ms)
            ret->new_pods_failed_ms = look->failed_ms;
    }
    if (look->trouble == POD_WELL || (look->trouble == POD_FAILED && ret->ready >= ret->desired))
        return;
    ret->fault = true;
    earlier(&ret->trouble_ms, look->since_ms);
    if (look->trouble > *worst) {
        *worst = look->trouble;
        text_copy(ret->fault_text, sizeof ret->fault_text, look->text);
        ret->evidence = look->evidence;
        ret->evidence.cause = cause_of(&look->evidence);
    }
}
