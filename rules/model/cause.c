#include "rules/model/cause.h"

#include <stdio.h>
#include <string.h>

static const char *const cause_names[] = {
    [CAUSE_UNKNOWN] = "unknown",
    [CAUSE_NONE] = "none",
    [CAUSE_CRASH] = "crash",
    [CAUSE_OOM] = "oom",
    [CAUSE_IMAGE] = "image",
    [CAUSE_CONFIG] = "config",
    [CAUSE_UNSCHEDULABLE] = "unschedulable",
    [CAUSE_PROBE] = "probe",
    [CAUSE_NOT_READY] = "not_ready",
    [CAUSE_QUOTA] = "quota",
    [CAUSE_FORBIDDEN] = "forbidden",
    [CAUSE_NODE] = "node",
    [CAUSE_CREATING] = "creating",
};
#define CAUSES (sizeof cause_names / sizeof cause_names[0])

const char *cause_name(enum cause c)
{
    return cause_names[c];
}

/* ---- classes ---- */

/* Reasons as Kubernetes (1.24 to 1.34) writes them into waiting states, terminations, phases and conditions.
 */
static const struct {
    const char *reason;
    enum cause cause;
} reasons[] = {
    { "ErrImagePull", CAUSE_IMAGE },
    { "ImagePullBackOff", CAUSE_IMAGE },
    { "InvalidImageName", CAUSE_IMAGE },
    { "ErrImageNeverPull", CAUSE_IMAGE },
    { "ImageInspectError", CAUSE_IMAGE },
    { "RegistryUnavailable", CAUSE_IMAGE },
    { "SignatureValidationFailed", CAUSE_IMAGE },
    { "CreateContainerConfigError", CAUSE_CONFIG },
    { "CreateContainerError", CAUSE_CONFIG },
    { "RunContainerError", CAUSE_CONFIG },
    { "StartError", CAUSE_CONFIG },
    { "ContainerCannotRun", CAUSE_CONFIG },
    { "PreCreateHookError", CAUSE_CONFIG },
    { "PreStartHookError", CAUSE_CONFIG },
    { "PostStartHookError", CAUSE_CONFIG },
    { "OOMKilled", CAUSE_OOM },
    { "Unschedulable", CAUSE_UNSCHEDULABLE },
    { "SchedulerError", CAUSE_UNSCHEDULABLE },
    { "PreemptionByScheduler", CAUSE_UNSCHEDULABLE },
    { "ContainersNotReady", CAUSE_NOT_READY },
    { "ReadinessGatesNotReady", CAUSE_NOT_READY },
    { "ProgressDeadlineExceeded", CAUSE_NOT_READY },
    { "MinimumReplicasUnavailable", CAUSE_NOT_READY },
    { "FailedCreate", CAUSE_FORBIDDEN },
    { "Evicted", CAUSE_NODE },
    { "NodeLost", CAUSE_NODE },
    { "NodeNotReady", CAUSE_NODE },
    { "NodeShutdown", CAUSE_NODE },
    { "Terminated", CAUSE_NODE },
    { "Shutdown", CAUSE_NODE },
    { "TerminationByKubelet", CAUSE_NODE },
    { "DeletionByTaintManager", CAUSE_NODE },
    { "DeletionByPodGC", CAUSE_NODE },
    { "OutOfcpu", CAUSE_NODE },
    { "OutOfmemory", CAUSE_NODE },
    { "OutOfpods", CAUSE_NODE },
    { "OutOfephemeral-storage", CAUSE_NODE },
    { "NodeAffinity", CAUSE_NODE },
    { "NodePorts", CAUSE_NODE },
    { "UnexpectedAdmissionError", CAUSE_NODE },
    { "ContainerStatusUnknown", CAUSE_NODE },
    { "ContainerCreating", CAUSE_CREATING },
    { "PodInitializing", CAUSE_CREATING },
    { "CrashLoopBackOff", CAUSE_CRASH },
    { "Error", CAUSE_CRASH },
    { "Completed", CAUSE_CRASH },
    { "DeadlineExceeded", CAUSE_CRASH },
};

static enum cause of_reason(const char *reason)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(reasons[i].reason, reason) == 0)
            return reasons[i].cause;
    return CAUSE_UNKNOWN;
}

/* 128 + SIGKILL and SIGTERM: somebody killed it. Where there is a probe that the kubelet kills for, it was
 * that; without one it ended by itself, or lost a child for want of memory. */
static bool killed(int32_t exit_code)
{
    return exit_code == 137 || exit_code == 143;
}

enum cause cause_of(const struct evidence *v)
{
    enum cause now = of_reason(v->reason), before = of_reason(v->ended);
    if (now == CAUSE_FORBIDDEN && strstr(v->message, "exceeded quota"))
        return CAUSE_QUOTA;
    if (now != CAUSE_UNKNOWN && now != CAUSE_CRASH)
        return now;
    if (before == CAUSE_CRASH || (before == CAUSE_UNKNOWN && now == CAUSE_CRASH))
        return v->probed && killed(v->exit_code) ? CAUSE_PROBE : CAUSE_CRASH;
    return before;
}

/* ---- fields ---- */

static const char *number_text(int32_t n, char number[EVIDENCE_NUMBER_SIZE])
{
    number[0] = '\0';
    if (n >= 0)
        snprintf(number, EVIDENCE_NUMBER_SIZE, "%d", (int)n);
    return number;
}

const char *evidence_field(const struct evidence *v, const char *name, char number[EVIDENCE_NUMBER_SIZE])
{
    const struct {
        const char *name, *text;
    } texts[] = {
        { "reason", v->reason }, { "ended", v->ended }, { "container", v->container },
        { "pod", v->pod },       { "node", v->node },   { "message", v->message },
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(texts[i].name, name) == 0)
            return texts[i].text;
    if (strcmp(name, "exit_code") == 0)
        return number_text(v->exit_code, number);
    return strcmp(name, "restarts") == 0 ? number_text(v->restarts, number) : NULL;
}

/* ---- the record ---- */

static void write_text(struct json_writer *w, const char *key, const char *text)
{
    if (*text)
        jw_kstring(w, key, text);
}

void evidence_write(struct json_writer *w, const struct evidence *v)
{
    jw_object(w);
    jw_kstring(w, "cause", cause_name(v->cause));
    write_text(w, "reason", v->reason);
    write_text(w, "ended", v->ended);
    if (v->exit_code >= 0)
        jw_kint(w, "exit_code", v->exit_code);
    if (v->restarts >= 0)
        jw_kint(w, "restarts", v->restarts);
    if (v->probed)
        jw_kbool(w, "probed", true);
    write_text(w, "container", v->container);
    write_text(w, "pod", v->pod);
    write_text(w, "node", v->node);
    write_text(w, "message", v->message);
    jw_object_end(w);
}

static int32_t read_number(const struct json *j, const char *key)
{
    int64_t n = json_int(json_get(j, key), -1);
    return n < 0 || n > INT32_MAX ? -1 : (int32_t)n;
}

void evidence_read(struct evidence *ret, const struct json *j)
{
    struct evidence v = EVIDENCE_INIT;
    const char *cause = json_string(json_get(j, "cause"), "");
    for (size_t i = 0; i < CAUSES; i++)
        if (strcmp(cause_names[i], cause) == 0)
            v.cause = (enum cause)i;
    v.exit_code = read_number(j, "exit_code");
    v.restarts = read_number(j, "restarts");
    v.probed = json_bool(json_get(j, "probed"), false);
    text_copy(v.reason, sizeof v.reason, json_string(json_get(j, "reason"), ""));
    text_copy(v.ended, sizeof v.ended, json_string(json_get(j, "ended"), ""));
    text_copy(v.container, sizeof v.container, json_string(json_get(j, "container"), ""));
    text_copy(v.pod, sizeof v.pod, json_string(json_get(j, "pod"), ""));
    text_copy(v.node, sizeof v.node, json_string(json_get(j, "node"), ""));
    text_copy(v.message, sizeof v.message, json_string(json_get(j, "message"), ""));
    *ret = v;
}

void evidence_clean(struct evidence *v)
{
    text_clean(v->reason, sizeof v->reason, v->reason, strlen(v->reason));
    text_clean(v->ended, sizeof v->ended, v->ended, strlen(v->ended));
    text_clean(v->container, sizeof v->container, v->container, strlen(v->container));
    text_clean(v->pod, sizeof v->pod, v->pod, strlen(v->pod));
    text_clean(v->node, sizeof v->node, v->node, strlen(v->node));
    text_clean(v->message, sizeof v->message, v->message, strlen(v->message));
}

/* ---- for people ---- */

void evidence_say(char *ret, size_t size, const struct evidence *v)
{
    struct buf b = BUF_INIT;
    buf_adds(&b, cause_name(v->cause));
    const char *sep = ":";
    if (*v->container) {
        buf_addf(&b, "%s container \"%s\"", sep, v->container);
        sep = " of";
    }
    if (*v->pod) {
        buf_addf(&b, "%s pod \"%s\"", sep, v->pod);
        sep = " on";
    }
    if (*v->node)
        buf_addf(&b, "%s node \"%s\"", sep, v->node);
    if (*v->reason)
        buf_addf(&b, "%s %s", *v->pod || *v->node ? "," : ":", v->reason);
    if (*v->ended) {
        buf_addf(&b, "%s %s", *v->reason ? " after" : ",", v->ended);
        if (v->exit_code >= 0)
            buf_addf(&b, " (exit code %d)", (int)v->exit_code);
    }
    if (v->restarts > 0)
        buf_addf(&b, ", %d restart%s", (int)v->restarts, v->restarts == 1 ? "" : "s");
    if (*v->message)
        buf_addf(&b, ": %s", v->message);
    text_copy(ret, size, buf_text(&b));
    buf_release(&b);
}
