/* actions/workload/rollback.c - put back a template that the workload had before, from its ReplicaSet or
 * ControllerRevision.
 *
 * Only the template goes back: annotations of the old ReplicaSet are never copied. */
#include <stdio.h>
#include <string.h>

#include "actions/workload/write.h"

/* What controllers add to a template's labels; as in kube_template_hash. */
static bool generated(const char *label)
{
    return strcmp(label, "pod-template-hash") == 0 || strcmp(label, "controller-revision-hash") == 0 ||
           strcmp(label, "controller.kubernetes.io/hash") == 0;
}

static void write_metadata(struct json_writer *w, const struct json *metadata)
{
    jw_object(w);
    for (const struct json *m = json_first(metadata); m; m = json_next(m)) {
        jw_key(w, json_name(m));
        if (strcmp(json_name(m), "labels") != 0 || json_type(m) != JSON_OBJECT) {
            jw_node(w, m);
            continue;
        }
        jw_object(w);
        for (const struct json *l = json_first(m); l; l = json_next(l))
            if (!generated(json_name(l))) {
                jw_key(w, json_name(l));
                jw_node(w, l);
            }
        jw_object_end(w);
    }
    jw_object_end(w);
}

/* The template as a user would write it: without generated labels, and without a ControllerRevision's
 * "$patch". */
static void write_template(struct json_writer *w, const struct json *template)
{
    jw_object(w);
    for (const struct json *m = json_first(template); m; m = json_next(m)) {
        if (strcmp(json_name(m), "$patch") == 0)
            continue;
        jw_key(w, json_name(m));
        if (strcmp(json_name(m), "metadata") == 0 && json_type(m) == JSON_OBJECT)
            write_metadata(w, m);
        else
            jw_node(w, m);
    }
    jw_object_end(w);
}

static void operation(struct json_writer *w, const char *op, const char *path)
{
    jw_object(w);
    jw_kstring(w, "op", op);
    jw_kstring(w, "path", path);
    jw_key(w, "value");
}

static void test_equal(struct json_writer *w, const char *path, const char *value)
{
    operation(w, "test", path);
    jw_string(w, value);
    jw_object_end(w);
}

/* "add" needs the parent: without any annotation yet, the object of annotations is what is added. */
static void add_hints(struct json_writer *w, const struct intent *i, bool has_annotations)
{
    char value[WRITE_HINT_SIZE], path[96];
    if (!has_annotations) {
        operation(w, "add", "/metadata/annotations");
        jw_object(w);
        write_hints(w, i);
        jw_object_end(w);
        jw_object_end(w);
        return;
    }
    for (unsigned k = 0; k < WRITE_HINTS; k++) {
        const char *name = write_hint(value, i, k);
        snprintf(path, sizeof path, "/metadata/annotations/heald.dev~1%s", strchr(name, '/') + 1);
        operation(w, "add", path);
        jw_string(w, value);
        jw_object_end(w);
    }
}

static void rollback_body(struct json_writer *w, const struct intent *i, const struct json *template,
                          bool has_annotations)
{
    jw_array(w);
    test_equal(w, "/metadata/uid", i->target.uid);
    test_equal(w, "/metadata/resourceVersion", i->resource_version);
    operation(w, "replace", "/spec/template");
    write_template(w, template);
    jw_object_end(w);
    add_hints(w, i, has_annotations);
    jw_array_end(w);
}

/* The template in a revision of the target, or NULL with a report. */
static const struct json *revision_template(const struct json *revision, const struct intent *i,
                                            struct act_report *ret)
{
    const struct json *template = json_path(
        revision, strcmp(i->target.kind, "Deployment") == 0 ? "spec.template" : "data.spec.template");
    const char *owner = json_string(json_get(kube_controller_of(revision), "uid"), "");
    char hash[HASH_SIZE];
    if (strcmp(owner, i->target.uid) != 0) {
        write_say(ret, ACT_FAILED, "revision \"%s\" does not belong to %s \"%s\"", i->revision,
                  i->target.kind, i->target.name);
        return NULL;
    }
    if (json_type(template) != JSON_OBJECT) {
        write_say(ret, ACT_FAILED, "revision \"%s\" has no pod template", i->revision);
        return NULL;
    }
    kube_template_hash(hash, template);
    if (strcmp(hash, i->template_hash) != 0) {
        write_say(
            ret, ACT_FAILED,
            "revision \"%s\" holds another template than the intended one: its hash is %.12s, not %.12s",
            i->revision, hash, i->template_hash);
        return NULL;
    }
    return template;
}

/* Read revision and target. False: *ret says why not. */
static bool rollback_read(const struct action_context *c, const struct intent *i,
                          struct json_doc **ret_revision, struct json_doc **ret_object,
                          struct act_report *ret)
{
    const struct target *t = &i->target;
    const char *kind = strcmp(t->kind, "Deployment") == 0 ? "ReplicaSet" : "ControllerRevision";
    struct err error = ERR_INIT;
    enum err_code code = kube_get(c->cluster, c->http, kind, t->namespace, i->revision, ret_revision, &error);
    if (code != ERR_OK) {
        write_read_failed(ret, code, &error, i->revision);
        return false;
    }
    code = kube_get(c->cluster, c->http, t->kind, t->namespace, t->name, ret_object, &error);
    if (code != ERR_OK) {
        write_read_failed(ret, code, &error, t->name);
        return false;
    }
    if (strcmp(json_string(json_path(json_root(*ret_object), "metadata.uid"), ""), t->uid) != 0) {
        write_say(ret, ACT_CONFLICT, "%s \"%s\" was made anew since it was decided", t->kind, t->name);
        return false;
    }
    return true;
}

void action_rollback(const struct action_context *c, const struct intent *i, struct act_report *ret)
{
    CLEANUP(json_freep) struct json_doc *revision = NULL;
    CLEANUP(json_freep) struct json_doc *object = NULL;
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    struct err error = ERR_INIT;
    char grant[64];

    memset(ret, 0, sizeof *ret);
    if (!rollback_read(c, i, &revision, &object, ret))
        return;
    const struct json *template = revision_template(json_root(revision), i, ret);
    if (!template)
        return;
    const char *version = json_string(json_path(json_root(object), "metadata.resourceVersion"), "");
    if (strcmp(version, i->resource_version) != 0) {
        write_say(ret, ACT_CONFLICT, "%s \"%s\" was changed since it was decided", i->target.kind,
                  i->target.name);
        return;
    }
    enum err_code code = json_writer_new(&w, &error);
    if (code != ERR_OK) {
        write_report(ret, code, &KUBE_REPLY_INIT, &error, "", "");
        return;
    }
    rollback_body(w, i, template,
                  json_type(json_path(json_root(object), "metadata.annotations")) == JSON_OBJECT);
    snprintf(grant, sizeof grant, "patch %s", write_resource(i->target.kind));
    struct write what = {
        .verb = "patch",
        .kind = i->target.kind,
        .name = i->target.name,
        .content_type = "application/json-patch+json",
        .grant = grant,
    };
    write_send(c, i, &what, w, ret);
}
