/* actions/change.c - what an action would change, and what has become of it. */
#include "actions/change.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct change_draft {
    const struct json *object; /* what is changed */
    const char *kind;          /* NULL: the target */
    struct json_doc *other;    /* of that kind; NULL: the target */
    struct buf tests, sets;    /* "[path,value],[path,value]" */
    bool notes;
    const char *make_kind; /* NULL: fields are set */
    char make_name[OBJECT_NAME_SIZE];
    enum change_state state;
    enum err_code unread;
    struct err why_unread;
    char said[OBSERVATION_TEXT_SIZE];
    struct json_writer *w; /* for quoting */
};

const char *change_text(const struct change_ask *a, const char *param)
{
    return json_string(json_get(a->params, param), "");
}

int64_t change_int(const struct change_ask *a, const char *param)
{
    return json_int(json_get(a->params, param), 0);
}

/* ---- JSON pointers ---- */

static const struct json *child(const struct json *at, const char *key, size_t len)
{
    char name[OBJECT_NAME_SIZE + 64];
    size_t n = 0;
    for (size_t k = 0; k < len && n < sizeof name - 1; k++) {
        bool escaped = key[k] == '~' && k + 1 < len;
        char c = key[k];
        if (escaped)
            c = (char)(key[++k] == '1' ? '/' : '~');
        name[n++] = c;
    }
    name[n] = '\0';
    if (json_type(at) != JSON_ARRAY)
        return json_get(at, name);
    char *end;
    unsigned long index = strtoul(name, &end, 10);
    return *end == '\0' && end != name ? json_at(at, index) : NULL;
}

const struct json *json_pointer(const struct json *root, const char *path)
{
    const struct json *at = root;
    while (at && *path == '/') {
        size_t len = strcspn(path + 1, "/");
        at = child(at, path + 1, len);
        path += 1 + len;
    }
    return at;
}

/* ---- a draft ---- */

static void say(struct change_draft *d, enum change_state state, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));
static void say(struct change_draft *d, enum change_state state, const char *fmt, va_list args)
{
    char text[1024];
    if (d->state == CHANGE_IMPOSSIBLE || d->unread)
        return; /* the first reason is the one */
    vsnprintf(text, sizeof text, fmt, args);
    text_clean(d->said, sizeof d->said, text, strlen(text));
    d->state = state;
}

void draft_say(struct change_draft *d, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(d, CHANGE_POSSIBLE, fmt, args);
    va_end(args);
}

void draft_refuse(struct change_draft *d, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(d, CHANGE_IMPOSSIBLE, fmt, args);
    va_end(args);
}

void draft_unread(struct change_draft *d, enum err_code code, const struct err *e)
{
    if (d->unread)
        return;
    d->unread = code;
    d->why_unread = *e;
}

/* Paths are made by heald, but for names in them. */
static bool path_fits(struct change_draft *d, const char *path)
{
    for (const char *c = path; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ') {
            draft_refuse(d, "the path \"%s\" has a character that no field's name has", path);
            return false;
        }
    return true;
}

static void add_value(struct buf *out, const struct json *j)
{
    buf_addc(out, ',');
    if (j)
        json_write(out, j, false);
    else
        buf_adds(out, "null");
}

void draft_test(struct change_draft *d, const char *path)
{
    if (!path_fits(d, path))
        return;
    buf_addf(&d->tests, "%s[\"%s\"", d->tests.len ? "," : "", path);
    add_value(&d->tests, json_pointer(d->object, path));
    buf_addc(&d->tests, ']');
}

void draft_set(struct change_draft *d, const char *path, const char *value)
{
    if (!path_fits(d, path))
        return;
    buf_addf(&d->sets, "%s[\"%s\"", d->sets.len ? "," : "", path);
    add_value(&d->sets, json_pointer(d->object, path));
    buf_addf(&d->sets, ",%s]", value ? value : "null");
}

void draft_set_text(struct change_draft *d, const char *path, const char *text)
{
    jw_reset(d->w);
    jw_string(d->w, text);
    const char *quoted = jw_text(d->w, NULL);
    if (quoted)
        draft_set(d, path, quoted);
    else
        draft_refuse(d, "a value cannot be written as JSON");
}

void draft_set_int(struct change_draft *d, const char *path, int64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)n);
    draft_set(d, path, text);
}

void draft_annotate(struct change_draft *d, const char *name, const char *value)
{
    char path[160];
    const char *slash = strchr(name, '/');
    if (d->notes) {
        snprintf(path, sizeof path, "/metadata/annotations/%.*s%s%s", slash ? (int)(slash - name) : 0, name,
                 slash ? "~1" : "", slash ? slash + 1 : name);
        if (value)
            draft_set_text(d, path, value);
        else
            draft_set(d, path, NULL);
        return;
    }
    jw_reset(d->w);
    jw_object(d->w);
    jw_kstring(d->w, name, value ? value : "");
    jw_object_end(d->w);
    draft_set(d, "/metadata/annotations", jw_text(d->w, NULL));
    d->notes = true; /* from then on it has some */
}

static void begin(struct change_draft *d, const struct json *object)
{
    d->object = object;
    d->notes = json_len(json_path(object, "metadata.annotations")) > 0;
}

void draft_on(struct change_draft *d, const char *kind, struct json_doc *object)
{
    json_free(d->other);
    d->other = object;
    begin(d, json_root(object));
    d->kind = kind;
}

#define MAKE_BASE_MAX 40 /* with the rest below 63, as a Job's pods want it */

void draft_make(struct change_draft *d, const struct change_ask *a, const char *kind, const char *base)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = a->id; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    d->make_kind = kind;
    snprintf(d->make_name, sizeof d->make_name, "%.*s-heald-%010llx", MAKE_BASE_MAX, base,
             (unsigned long long)(hash & 0xffffffffffu));
}

/* ---- asking an action ---- */

/* False: it is longer than an intent may hold. */
static bool draft_text(const struct change_draft *d, char ret[CHANGE_SIZE])
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    if (d->make_kind) {
        buf_addf(&text, "{\"make\":{\"kind\":\"%s\",\"name\":\"%s\"}}", d->make_kind, d->make_name);
        return buf_ok(&text) && text_copy(ret, CHANGE_SIZE, buf_text(&text));
    }
    buf_addc(&text, '{');
    if (d->kind)
        buf_addf(&text, "\"on\":{\"kind\":\"%s\",\"name\":\"%s\",\"uid\":\"%s\"},", d->kind,
                 json_string(json_path(d->object, "metadata.name"), ""),
                 json_string(json_path(d->object, "metadata.uid"), ""));
    if (d->notes)
        buf_adds(&text, "\"notes\":true,");
    if (d->tests.len)
        buf_addf(&text, "\"tests\":[%s],", buf_text(&d->tests));
    buf_addf(&text, "\"set\":[%s]}", buf_text(&d->sets));
    return buf_ok(&text) && buf_ok(&d->tests) && buf_ok(&d->sets) &&
           text_copy(ret, CHANGE_SIZE, buf_text(&text));
}

enum err_code change_look(const struct change_ask *a, change_prepare *prepare, struct observation *ret,
                          struct err *e)
{
    struct change_draft d = { .state = CHANGE_UNKNOWN };
    enum err_code code = json_writer_new(&d.w, e);
    if (code)
        return code;
    begin(&d, a->object);
    prepare(a, &d);
    if (d.unread) {
        code = err_set(e, d.unread, "%s", d.why_unread.msg);
    } else {
        if (d.state == CHANGE_POSSIBLE && d.sets.len == 0 && !d.make_kind)
            draft_refuse(&d, "everything is as this action would make it already");
        if (d.state == CHANGE_POSSIBLE && !draft_text(&d, ret->change_text))
            draft_refuse(&d, "the change is longer than %d bytes", CHANGE_SIZE - 1);
        ret->change = d.state;
        text_copy(ret->change_say, sizeof ret->change_say, d.said);
    }
    json_writer_free(d.w);
    json_free(d.other);
    buf_release(&d.tests);
    buf_release(&d.sets);
    return code;
}

/* ---- what became of it ---- */

/* A null stands for a field that is not there. */
static bool stands(const struct json *object, const char *path, const struct json *value)
{
    const struct json *now = json_pointer(object, path);
    bool empty = json_type(value) == JSON_STRING && json_string_len(value) == 0; /* is left out */
    if (json_type(value) == JSON_NULL || (empty && json_type(now) == JSON_NULL))
        return json_type(now) == JSON_NULL;
    return json_equal(now, value);
}

static enum change_proof prove(const struct json *change, const struct json *object, bool undo)
{
    bool there = true, absent = true;
    const struct json *sets = json_get(change, "set"), *tests = json_get(change, "tests");
    for (const struct json *t = json_first(tests); t; t = json_next(t))
        if (!stands(object, json_string(json_at(t, 0), ""), json_at(t, 1)))
            return CHANGE_OTHER;
    for (const struct json *s = json_first(sets); s; s = json_next(s)) {
        const char *path = json_string(json_at(s, 0), "");
        absent = absent && stands(object, path, json_at(s, undo ? 2 : 1));
        there = there && stands(object, path, json_at(s, undo ? 1 : 2));
    }
    return there ? CHANGE_THERE : absent ? CHANGE_ABSENT : CHANGE_OTHER;
}

enum err_code change_prove(const struct change_ask *a, const struct intent *n, struct observation *ret,
                           struct err *e)
{
    CLEANUP(json_freep) struct json_doc *change = NULL;
    CLEANUP(json_freep) struct json_doc *other = NULL;
    enum err_code code = json_parse(&change, n->change, strlen(n->change), e);
    if (code)
        return err_wrap(e, code, "the change of an intent");
    const struct json *on = json_get(json_root(change), "on"), *make = json_get(json_root(change), "make"),
                      *object = a->object;
    if (make) {
        code = kube_get(a->cluster, a->http, json_string(json_get(make, "kind"), ""), a->target->namespace,
                        json_string(json_get(make, "name"), ""), &other, e);
        if (code && code != ERR_NOT_FOUND)
            return code;
        ret->change_proof = code ? CHANGE_ABSENT : CHANGE_THERE;
        if (code && e)
            *e = ERR_INIT;
        return ERR_OK;
    }
    if (on) {
        const char *name = json_string(json_get(on, "name"), "");
        code = kube_get(a->cluster, a->http, json_string(json_get(on, "kind"), ""), a->target->namespace,
                        name, &other, e);
        object = json_root(other);
        if (code && code != ERR_NOT_FOUND)
            return code;
        const char *uid = json_string(json_path(object, "metadata.uid"), "");
        if (code || strcmp(uid, json_string(json_get(on, "uid"), "")) != 0) {
            if (e)
                *e = ERR_INIT;
            ret->change_proof = CHANGE_OTHER; /* it is gone */
            return ERR_OK;
        }
    }
    ret->change_proof = prove(json_root(change), object, n->undo != 0);
    return ERR_OK;
}
