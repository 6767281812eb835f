/* actions/job/make_job.c - start a run of a CronJob now, or a failed Job once more: a new Job, named after
 * the attempt, so that a second write of the same attempt finds it there. */
#include <stdio.h>
#include <string.h>

#include "actions/change.h"
#include "actions/workload/write.h"

/* ---- may it be made? ---- */

static bool has_condition(const struct json *job, const char *type)
{
    const struct json *list = json_path(job, "status.conditions");
    for (const struct json *c = json_first(list); c; c = json_next(c))
        if (strcmp(json_string(json_get(c, "type"), ""), type) == 0)
            return strcmp(json_string(json_get(c, "status"), ""), "True") == 0;
    return false;
}

/* A run beside one that is under way, where that is not wanted. */
static bool in_the_way(struct change_draft *d, const struct json *cronjob)
{
    const char *policy = json_string(json_path(cronjob, "spec.concurrencyPolicy"), "Allow");
    if (strcmp(policy, "Allow") == 0 || json_len(json_path(cronjob, "status.active")) == 0)
        return false;
    draft_refuse(d, "a run of it is under way, and its concurrencyPolicy is %s", policy);
    return true;
}

void prepare_run_cronjob_now(const struct change_ask *a, struct change_draft *d)
{
    if (json_bool(json_path(a->object, "spec.suspend"), false))
        draft_refuse(d, "it is suspended");
    else if (!in_the_way(d, a->object)) {
        draft_make(d, a, "Job", a->target->name);
        draft_say(d, "a run of it is started now");
    }
}

/* Its CronJob, if it has one: did a later run go well already? False: refused, or not read. */
static bool still_wanted(const struct change_ask *a, struct change_draft *d)
{
    CLEANUP(json_freep) struct json_doc *cronjob = NULL;
    const struct json *owner = kube_controller_of(a->object);
    struct err e = ERR_INIT;
    if (!owner)
        return true;
    if (strcmp(json_string(json_get(owner, "kind"), ""), "CronJob") != 0) {
        draft_refuse(d, "it belongs to %s \"%s\", which makes its jobs itself",
                     json_string(json_get(owner, "kind"), ""), json_string(json_get(owner, "name"), ""));
        return false;
    }
    enum err_code code = kube_get(a->cluster, a->http, "CronJob", a->target->namespace,
                                  json_string(json_get(owner, "name"), ""), &cronjob, &e);
    const char *well = json_string(json_path(json_root(cronjob), "status.lastSuccessfulTime"), "");
    const char *began = json_string(json_path(a->object, "status.startTime"), "");
    if (code == ERR_REFUSED || code == ERR_NOT_FOUND)
        draft_refuse(d, "its CronJob cannot be read: %s", e.msg);
    else if (code)
        draft_unread(d, code, &e);
    else if (strcmp(well, began) > 0) /* both are RFC 3339 in UTC, to the second */
        draft_refuse(d, "a later run went well, at %s", well);
    else
        return !in_the_way(d, json_root(cronjob));
    return false;
}

void prepare_rerun_job(const struct change_ask *a, struct change_draft *d)
{
    if (has_condition(a->object, "Complete"))
        draft_refuse(d, "it went well");
    else if (!has_condition(a->object, "Failed"))
        draft_refuse(d, "it has not failed: it may still go well");
    else if (still_wanted(a, d)) {
        draft_make(d, a, "Job", a->target->name);
        draft_say(d, "a new job is made from it; the failed one stays");
    }
}

/* ---- making it ---- */

/* What the job controller adds. */
static bool generated(const char *label)
{
    return strcmp(label, "controller-uid") == 0 || strcmp(label, "job-name") == 0 ||
           strcmp(label, "batch.kubernetes.io/controller-uid") == 0 ||
           strcmp(label, "batch.kubernetes.io/job-name") == 0;
}

static void write_labels(struct json_writer *w, const struct json *labels)
{
    jw_object(w);
    for (const struct json *l = json_first(labels); l; l = json_next(l))
        if (!generated(json_name(l))) {
            jw_key(w, json_name(l));
            jw_node(w, l);
        }
    jw_object_end(w);
}

static void write_template(struct json_writer *w, const struct json *template)
{
    jw_object(w);
    for (const struct json *m = json_first(template); m; m = json_next(m)) {
        jw_key(w, json_name(m));
        if (strcmp(json_name(m), "metadata") != 0) {
            jw_node(w, m);
            continue;
        }
        jw_object(w);
        for (const struct json *x = json_first(m); x; x = json_next(x)) {
            if (strcmp(json_name(x), "creationTimestamp") == 0)
                continue;
            jw_key(w, json_name(x));
            if (strcmp(json_name(x), "labels") == 0)
                write_labels(w, x);
            else
                jw_node(w, x);
        }
        jw_object_end(w);
    }
    jw_object_end(w);
}

static void write_spec(struct json_writer *w, const struct json *spec)
{
    jw_object(w);
    for (const struct json *m = json_first(spec); m; m = json_next(m)) {
        if (strcmp(json_name(m), "selector") == 0 || strcmp(json_name(m), "manualSelector") == 0)
            continue; /* is made for each job */
        jw_key(w, json_name(m));
        if (strcmp(json_name(m), "template") == 0)
            write_template(w, m);
        else
            jw_node(w, m);
    }
    jw_object_end(w);
}

/* A run counts among its CronJob's, as one that was started on time. */
static void write_owner(struct json_writer *w, const struct json *source, bool cronjob)
{
    const struct json *owner = cronjob ? NULL : kube_controller_of(source);
    if (!cronjob && !owner)
        return;
    jw_key(w, "ownerReferences");
    jw_array(w);
    jw_object(w);
    jw_kstring(w, "apiVersion", "batch/v1");
    jw_kstring(w, "kind", "CronJob");
    jw_kstring(w, "name",
               json_string(owner ? json_get(owner, "name") : json_path(source, "metadata.name"), ""));
    jw_kstring(w, "uid", json_string(owner ? json_get(owner, "uid") : json_path(source, "metadata.uid"), ""));
    jw_kbool(w, "controller", true);
    jw_object_end(w);
    jw_array_end(w);
}

static void job_body(struct json_writer *w, const struct intent *i, const struct json *source,
                     const char *name)
{
    bool cronjob = strcmp(i->target.kind, "CronJob") == 0;
    const struct json *of = cronjob ? json_path(source, "spec.jobTemplate") : source;
    jw_object(w);
    jw_kstring(w, "apiVersion", "batch/v1");
    jw_kstring(w, "kind", "Job");
    jw_key(w, "metadata");
    jw_object(w);
    jw_kstring(w, "name", name);
    jw_key(w, "labels");
    write_labels(w, json_path(of, "metadata.labels"));
    jw_key(w, "annotations");
    jw_object(w);
    jw_kstring(w, "cronjob.kubernetes.io/instantiate", "manual");
    write_hints(w, i);
    jw_object_end(w);
    write_owner(w, source, cronjob);
    jw_object_end(w);
    jw_key(w, "spec");
    write_spec(w, json_get(of, "spec"));
    jw_object_end(w);
}

/* The target as it was decided on. False: *ret says why not. */
static bool read_source(const struct action_context *c, const struct intent *i, struct json_doc **ret_source,
                        struct act_report *ret)
{
    const struct target *t = &i->target;
    struct err error = ERR_INIT;
    enum err_code code = kube_get(c->cluster, c->http, t->kind, t->namespace, t->name, ret_source, &error);
    if (code != ERR_OK) {
        write_read_failed(ret, code, &error, t->name);
        return false;
    }
    const struct json *metadata = json_get(json_root(*ret_source), "metadata");
    if (strcmp(json_string(json_get(metadata, "uid"), ""), t->uid) == 0 &&
        strcmp(json_string(json_get(metadata, "resourceVersion"), ""), i->resource_version) == 0)
        return true;
    write_say(ret, ACT_CONFLICT, "%s \"%s\" was changed since it was decided", t->kind, t->name);
    return false;
}

static void create(const struct action_context *c, const struct intent *i, const char *name,
                   const struct json_writer *w, struct act_report *ret)
{
    CLEANUP(json_freep) struct json_doc *there = NULL;
    struct write what = {
        .verb = "create",
        .kind = "Job",
        .name = name,
        .content_type = "application/json",
        .grant = "create jobs.batch",
    };
    long status = write_send(c, i, &what, w, ret);
    if (status == 409 &&
        kube_get(c->cluster, c->http, "Job", i->target.namespace, name, &there, NULL) == ERR_OK)
        write_say(ret, ACT_DONE, "it was made already");
}

void action_make_job(const struct action_context *c, const struct intent *i, struct act_report *ret)
{
    CLEANUP(json_freep) struct json_doc *source = NULL;
    CLEANUP(json_freep) struct json_doc *change = NULL;
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    struct err error = ERR_INIT;
    memset(ret, 0, sizeof *ret);
    enum err_code code = json_parse(&change, i->change, strlen(i->change), &error);
    if (code == ERR_OK)
        code = json_writer_new(&w, &error);
    if (code != ERR_OK) {
        write_report(ret, code, &KUBE_REPLY_INIT, &error, "", "");
        return;
    }
    const char *name = json_string(json_path(json_root(change), "make.name"), "");
    if (!read_source(c, i, &source, ret))
        return;
    job_body(w, i, json_root(source), name);
    create(c, i, name, w, ret);
}
