/* actions/change_write.c - the write of actions that set fields: one JSON patch, which tests what it
 * replaces.
 */
#include <stdio.h>
#include <string.h>

#include "actions/change.h"
#include "actions/workload/write.h"

struct patch {
    struct json_writer *w;
    const struct intent *i;
    const struct json *change;
};

static void operation(const struct patch *p, const char *op, const char *path, const struct json *value)
{
    jw_object(p->w);
    jw_kstring(p->w, "op", op);
    jw_kstring(p->w, "path", path);
    if (value) {
        jw_key(p->w, "value");
        jw_node(p->w, value);
    }
    jw_object_end(p->w);
}

static void text_operation(const struct patch *p, const char *op, const char *path, const char *value)
{
    jw_object(p->w);
    jw_kstring(p->w, "op", op);
    jw_kstring(p->w, "path", path);
    jw_kstring(p->w, "value", value);
    jw_object_end(p->w);
}

/* The server leaves out an empty text. */
static bool is_left_out(const struct json *j)
{
    return json_type(j) == JSON_NULL || (json_type(j) == JSON_STRING && json_string_len(j) == 0);
}

static void set_field(const struct patch *p, const struct json *set)
{
    const char *path = json_string(json_at(set, 0), "");
    const struct json *before = json_at(set, p->i->undo ? 2 : 1), *after = json_at(set, p->i->undo ? 1 : 2);
    bool was = !is_left_out(before), will = json_type(after) != JSON_NULL;
    if (was || (!p->i->rolls && json_type(before) == JSON_NULL))
        operation(p, "test", path, before); /* null: that it is absent */
    if (was || will)
        operation(p, !will ? "remove" : was ? "replace" : "add", path, will ? after : NULL);
}

/* A pod template is one piece: whoever else writes in it, or moves one of its lists, is in conflict. Of other
 * fields, only these have to be as they were. */
static void write_patch(const struct patch *p, const char *uid)
{
    char value[WRITE_HINT_SIZE], path[96];
    jw_array(p->w);
    text_operation(p, "test", "/metadata/uid", uid);
    if (p->i->rolls)
        text_operation(p, "test", "/metadata/resourceVersion", p->i->resource_version);
    for (const struct json *t = json_first(json_get(p->change, "tests")); t; t = json_next(t))
        operation(p, "test", json_string(json_at(t, 0), ""), json_at(t, 1));
    for (const struct json *s = json_first(json_get(p->change, "set")); s; s = json_next(s))
        set_field(p, s);
    for (unsigned k = 0; k < WRITE_HINTS && json_bool(json_get(p->change, "notes"), false); k++) {
        const char *name = write_hint(value, p->i, k);
        snprintf(path, sizeof path, "/metadata/annotations/heald.dev~1%s", strchr(name, '/') + 1);
        text_operation(p, "add", path, value);
    }
    jw_array_end(p->w);
}

void action_change(const struct action_context *c, const struct intent *i, struct act_report *ret)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    CLEANUP(json_freep) struct json_doc *change = NULL;
    struct err error = ERR_INIT;
    char grant[96];
    enum err_code code = json_parse(&change, i->change, strlen(i->change), &error);
    if (code == ERR_OK)
        code = json_writer_new(&w, &error);
    if (code != ERR_OK) {
        write_report(ret, code, &KUBE_REPLY_INIT, &error, "", "");
        return;
    }
    const struct json *on = json_get(json_root(change), "on");
    const struct patch p = { .w = w, .i = i, .change = json_root(change) };
    const char *kind = on ? json_string(json_get(on, "kind"), "") : i->target.kind;
    write_patch(&p, on ? json_string(json_get(on, "uid"), "") : i->target.uid);
    snprintf(grant, sizeof grant, "patch %s", write_resource(kind));
    struct write what = {
        .verb = "patch",
        .kind = kind,
        .name = on ? json_string(json_get(on, "name"), "") : i->target.name,
        .content_type = "application/json-patch+json",
        .grant = grant,
    };
    write_send(c, i, &what, w, ret);
}
