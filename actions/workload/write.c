/* actions/workload/write.c */
#include "actions/workload/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules/base/timetext.h"

void write_say(struct act_report *ret, enum act_result result, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    text_copy(ret->reason, sizeof ret->reason, text);
    ret->result = result;
}

const char *write_hint(char ret[WRITE_HINT_SIZE], const struct intent *i, unsigned index)
{
    char time[TIME_TEXT_SIZE];
    switch (index) {
    case 0:
        snprintf(ret, WRITE_HINT_SIZE, "%s", i->incident);
        return "heald.dev/incident";
    case 1:
        snprintf(ret, WRITE_HINT_SIZE, "%s", i->step);
        return "heald.dev/step";
    case 2:
        snprintf(ret, WRITE_HINT_SIZE, "%s", time_format_seconds(time, i->at_ms));
        return "heald.dev/at";
    default:
        snprintf(ret, WRITE_HINT_SIZE, "%s, attempt %u", i->action, i->attempt);
        return "heald.dev/reason";
    }
}

void write_hints(struct json_writer *w, const struct intent *i)
{
    char value[WRITE_HINT_SIZE];
    for (unsigned k = 0; k < WRITE_HINTS; k++) {
        const char *name = write_hint(value, i, k);
        jw_kstring(w, name, value);
    }
}

const char *write_resource(const char *kind)
{
    static const char *const names[][2] = {
        { "Deployment", "deployments.apps" },
        { "StatefulSet", "statefulsets.apps" },
        { "DaemonSet", "daemonsets.apps" },
        { "ReplicaSet", "replicasets.apps" },
        { "Pod", "pods" },
        { "ControllerRevision", "controllerrevisions.apps" },
        { "HorizontalPodAutoscaler", "horizontalpodautoscalers.autoscaling" },
        { "CronJob", "cronjobs.batch" },
        { "Job", "jobs.batch" },
        { "Node", "nodes" },
        { "PersistentVolumeClaim", "persistentvolumeclaims" },
    };
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (strcmp(names[k][0], kind) == 0)
            return names[k][1];
    return kind;
}

static void report_no_answer(struct act_report *ret, enum err_code code, const char *why)
{
    if (ret->sent_ms != 0 && code != ERR_UNAVAILABLE) {
        write_say(ret, ACT_UNKNOWN, "sent, but no answer to trust: %s", why);
    } else if (code == ERR_INVALID || code == ERR_REFUSED || code == ERR_LIMIT) {
        write_say(ret, ACT_FAILED, "not sent: %s", why);
    } else {
        write_say(ret, ACT_RETRY, "not sent: %s", why);
        ret->retry_ms = WRITE_RETRY_MS;
    }
}

static void report_refusal(struct act_report *ret, long status, const char *why, const char *grant,
                           const char *namespace)
{
    if (status == 403)
        write_say(ret, ACT_FAILED, "403 Forbidden: grant heald \"%s\" in namespace \"%s\": %s", grant,
                  namespace, why);
    else if (status == 404)
        write_say(ret, ACT_FAILED, "404 Not Found: it is gone: %s", why);
    else
        write_say(ret, ACT_FAILED, "%ld: %s", status, why);
}

void write_report(struct act_report *ret, enum err_code code, const struct kube_reply *reply,
                  const struct err *error, const char *grant, const char *namespace)
{
    long status = reply->status;
    memset(ret, 0, sizeof *ret);
    ret->sent_ms = reply->sent_ms;
    if (code == ERR_OK && status >= 200 && status < 300) {
        write_say(ret, ACT_DONE, "%s", ""); /* the rest goes without saying */
    } else if (status == 0) {
        report_no_answer(ret, code, error->msg);
    } else if (status == 409 || code == ERR_CONFLICT) {
        write_say(ret, ACT_CONFLICT, "%ld Conflict: %s", status, error->msg);
    } else if (status == 429 || (status == 503 && reply->retry_after_ms >= 0)) {
        write_say(ret, ACT_RETRY, "%ld: %s", status, error->msg);
        ret->retry_ms = reply->retry_after_ms > 0 ? reply->retry_after_ms : WRITE_RETRY_MS;
    } else if (status >= 500 || status == 408 || status < 300) {
        write_say(ret, ACT_UNKNOWN, "%ld: whether it took effect is not known: %s", status, error->msg);
    } else {
        report_refusal(ret, status, error->msg, grant, namespace);
    }
}

void write_read_failed(struct act_report *ret, enum err_code code, const struct err *error, const char *what)
{
    memset(ret, 0, sizeof *ret);
    if (code == ERR_NOT_FOUND || code == ERR_REFUSED || code == ERR_INVALID) {
        write_say(ret, ACT_FAILED, "%s cannot be read: %s", what, error->msg);
    } else {
        write_say(ret, ACT_RETRY, "%s cannot be read now: %s", what, error->msg);
        ret->retry_ms = WRITE_RETRY_MS;
    }
}

static enum err_code write_path(struct buf *path, const struct intent *i, const struct write *what,
                                struct err *e)
{
    bool collection = strcmp(what->verb, "create") == 0 && !what->subresource;
    enum err_code code = kube_path(path, what->kind, i->target.namespace, collection ? NULL : what->name,
                                   what->subresource, e);
    if (code != ERR_OK)
        return code;
    if (strcmp(what->verb, "patch") == 0)
        http_query(path, "fieldManager", "heald");
    return buf_ok(path) ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a path");
}

long write_send(const struct action_context *c, const struct intent *i, const struct write *what,
                const struct json_writer *body, struct act_report *ret)
{
    struct kube_reply reply = KUBE_REPLY_INIT;
    struct err error = ERR_INIT;
    CLEANUP(buf_release) struct buf path = BUF_INIT_MAX(KUBE_PATH_MAX);
    struct kube_call call = { .verb = what->verb, .content_type = what->content_type };

    memset(ret, 0, sizeof *ret);
    call.body = jw_text(body, &call.body_len);
    if (!call.body) {
        write_say(ret, ACT_FAILED, "not sent: the body could not be written");
        return 0;
    }
    enum err_code code = write_path(&path, i, what, &error);
    if (code == ERR_OK && c->now_ms(c->now_ctx) >= i->expires_ms) {
        write_say(ret, ACT_CONFLICT, "the intent expired before it could be sent");
        return 0;
    }
    call.path = buf_text(&path);
    if (code == ERR_OK)
        code = kube_call(c->cluster, c->http, &call, &reply, &error);
    write_report(ret, code, &reply, &error, what->grant, i->target.namespace);
    const struct json *template = json_path(json_root(reply.doc), "spec.template");
    if (ret->result == ACT_DONE && json_type(template) == JSON_OBJECT)
        kube_template_hash(ret->template_hash, template);
    long status = reply.status;
    kube_reply_release(&reply);
    return status;
}

static void gone_after_conflict(const struct action_context *c, const struct intent *i,
                                struct act_report *ret)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    enum err_code code = kube_get(c->cluster, c->http, "Pod", i->target.namespace, i->pod_name, &doc, NULL);
    if (code == ERR_OK) {
        const char *uid = json_string(json_path(json_root(doc), "metadata.uid"), "");
        if (*uid != '\0' && strcmp(uid, i->pod_uid) != 0)
            write_say(ret, ACT_DONE, "another pod has the name already");
    } else if (code == ERR_NOT_FOUND) {
        write_say(ret, ACT_DONE, "the pod was gone already");
    }
}

void write_take_pod(const struct action_context *c, const struct intent *i, struct write *what,
                    void (*fill)(struct json_writer *w, const struct intent *i), struct act_report *ret)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    struct err error = ERR_INIT;
    enum err_code code = json_writer_new(&w, &error);
    if (code != ERR_OK) {
        write_report(ret, code, &KUBE_REPLY_INIT, &error, "", "");
        return;
    }
    fill(w, i);
    what->kind = "Pod";
    what->name = i->pod_name;
    what->content_type = "application/json";
    long status = write_send(c, i, what, w, ret);
    if (status == 404)
        write_say(ret, ACT_DONE, "the pod was gone already");
    else if (status == 409)
        gone_after_conflict(c, i, ret);
}
