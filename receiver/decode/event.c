/* receiver/decode/event.c - fields of a body made into at most one alert. */
#include "receiver/decode/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "receiver/decode/mapped.h"
#include "rules/base/timetext.h"

const struct event_label event_common[] = {
    { "alertname", LABEL_SHARED, { 0 }, "What went wrong: `PipelineFailed`, `JobFailed`, ..." },
    { "source", LABEL_SHARED, { 0 }, "Name of the source in heald.cfg." },
    { "conclusion", LABEL_RUN, { 0 }, "How it ended, as the sender calls it." },
    { .name = NULL },
};

/* ---- what judges ask ---- */

const char *headers_get(const struct headers *h, const char *name)
{
    const char *value = h && h->get ? h->get(h->ctx, name) : NULL;
    return value ? value : "";
}

const char *event_field(const struct event *v, unsigned field)
{
    const char *value = fields_get(v->fields, field);
    return value ? value : "";
}

const char *event_header(const struct event *v, const char *name)
{
    return headers_get(v->headers, name);
}

bool event_is(const struct event *v, unsigned field, const char *text)
{
    return strcmp(event_field(v, field), text) == 0;
}

bool event_word(const char *word, const char *list)
{
    size_t len = strlen(word);
    for (const char *p = list; len && *p; p += strspn(p, "|")) {
        size_t n = strcspn(p, "|");
        if (n == len && strncasecmp(p, word, n) == 0)
            return true;
        p += n;
    }
    return false;
}

/* "2026-08-20 09:06:41 UTC" and "2026-08-20 11:06:40 +0200", as GitLab writes them, in RFC 3339. */
static void as_rfc3339(char *text, size_t size)
{
    size_t len = strlen(text);
    if (len < 20 || len + 2 > size || text[10] != ' ' || text[19] != ' ')
        return;
    text[10] = 'T';
    if (strcmp(text + 20, "UTC") == 0) {
        memcpy(text + 19, "Z", 2);
    } else if (len == 25) { /* +0200 becomes +02:00 */
        memmove(text + 19, text + 20, 3);
        memmove(text + 23, text + 23, 3);
        text[22] = ':';
    }
}

int64_t event_time_of(const char *text)
{
    int64_t ms = 0;
    char copy[64];
    if (!*text || !text_copy(copy, sizeof copy, text))
        return 0;
    as_rfc3339(copy, sizeof copy);
    return time_parse(&ms, copy, strlen(copy), NULL) == ERR_OK ? ms : 0;
}

int64_t event_time(const struct event *v, unsigned field)
{
    return event_time_of(event_field(v, field));
}

/* ---- the alert ---- */

#define NAME_SIZE 512 /* of a job's or branch's name that is put together */

/* "job/shop/job/checkout/" is the job "shop/checkout". */
static const char *jenkins_job(const char *value, char ret[NAME_SIZE])
{
    size_t len = 0;
    while (strncmp(value, "job/", 4) == 0) {
        size_t n = strcspn(value + 4, "/");
        if (!n || len + n + 2 > NAME_SIZE)
            break;
        if (len)
            ret[len++] = '/';
        memcpy(ret + len, value + 4, n);
        len += n;
        value += 4 + n + (value[4 + n] == '/');
    }
    ret[len] = '\0';
    return ret;
}

/* "LG:refs/heads/main:9f2c...": Azure's branch and commit in one. */
static const char *azure_version(const char *value, bool branch, char ret[NAME_SIZE])
{
    const char *colon = strrchr(value + 3, ':');
    if (!colon)
        return value + 3;
    if (!branch)
        return colon + 1;
    snprintf(ret, NAME_SIZE, "%.*s", (int)(colon - value - 3), value + 3);
    return ret;
}

/* Names as people know them: without what the sender puts around them. */
static const char *plain_name(const char *name, const char *value, char scratch[NAME_SIZE])
{
    static const char *const prefixes[] = { "refs/heads/", "refs/tags/", "origin/" };
    bool branch = strcmp(name, "branch") == 0;
    if (strcmp(name, "job") == 0 && strncmp(value, "job/", 4) == 0)
        return jenkins_job(value, scratch);
    if ((branch || strcmp(name, "commit") == 0) && strncmp(value, "LG:", 3) == 0)
        value = azure_version(value, branch, scratch);
    for (size_t i = 0; branch && i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(value, prefixes[i], strlen(prefixes[i])) == 0)
            return value + strlen(prefixes[i]);
    return value;
}

static enum err_code too_long(struct event *v, const char *limit, const char *name, int64_t most,
                              struct err *e)
{
    v->limit = limit;
    return err_set(e, ERR_LIMIT, "%s \"%.64s\" is longer than limits.%s = %" PRId64 " allows", limit, name,
                   limit, most);
}

enum err_code event_put(struct event *v, struct alert *a, enum label_role role, const char *name,
                        const char *value, struct err *e)
{
    bool note = role == LABEL_NOTE || role == LABEL_LINE;
    size_t len = role == LABEL_LINE ? strcspn(value, "\r\n") : strlen(value);
    struct map *map = note ? &a->annotations : &a->labels;
    if (!len || (!note && role == LABEL_RUN && a->status == ALERT_RESOLVED))
        return ERR_OK; /* that is of all runs, and an empty label is none */
    if (!note && (int64_t)len > v->limits->label_bytes)
        return too_long(v, "label", name, v->limits->label_bytes, e);
    if (note && (int64_t)len > v->limits->annotation_bytes)
        return too_long(v, "annotation", name, v->limits->annotation_bytes, e);
    if ((int64_t)map->len >= v->limits->labels) {
        v->limit = "labels";
        return err_set(e, ERR_LIMIT, "more labels than limits.labels = %" PRId64 " allows",
                       v->limits->labels);
    }
    return map_set_len(map, name, strlen(name), value, len, true, e);
}

static enum err_code put_label(struct event *v, struct alert *a, const struct event_label *l, struct err *e)
{
    const char *value = "";
    char scratch[NAME_SIZE];
    for (size_t i = 0; i < LABEL_FROM_MAX && l->from[i] && !*value; i++)
        value = event_field(v, l->from[i]);
    return event_put(v, a, l->role, l->name, plain_name(l->name, value, scratch), e);
}

static enum err_code make_alert(struct event *v, const struct event_outcome *o, int64_t now_ms,
                                struct alert *ret, struct err *e)
{
    struct alert a = ALERT_INIT;
    text_copy(a.source, sizeof a.source, v->source->scope.name);
    a.event = true;
    a.status = o->verdict == EVENT_SUCCEEDED ? ALERT_RESOLVED : ALERT_FIRING;
    a.starts_ms = o->at_ms ? o->at_ms : now_ms;
    a.ends_ms = a.status == ALERT_RESOLVED ? a.starts_ms : 0;
    enum err_code code = event_put(v, &a, LABEL_SHARED, "alertname", o->alertname, e);
    if (!code)
        code = event_put(v, &a, LABEL_SHARED, "source", a.source, e);
    if (!code && o->conclusion)
        code = event_put(v, &a, LABEL_RUN, "conclusion", o->conclusion, e);
    for (const struct event_label *l = v->spec->labels; !code && l->name; l++)
        code = put_label(v, &a, l, e);
    if (code)
        alert_release(&a);
    else
        *ret = a;
    return code;
}

/* ---- life ---- */

struct event_reader {
    struct event v;
    struct mapped mapped; /* without a spec */
};

const struct event_spec *event_spec_of(enum source_kind kind)
{
    switch (kind) {
    case SOURCE_GITHUB:
        return &event_github;
    case SOURCE_GITLAB:
        return &event_gitlab;
    case SOURCE_JENKINS:
        return &event_jenkins;
    case SOURCE_AZURE:
        return &event_azure;
    case SOURCE_CIRCLECI:
        return &event_circleci;
    case SOURCE_ARGOCD:
        return &event_argocd;
    default:
        return NULL;
    }
}

enum err_code event_new(struct event_reader **ret, const struct source_settings *source,
                        const struct headers *headers, const struct limits *limits, struct err *e)
{
    struct event_reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_NOMEM, "no memory for a decoder");
    r->v = (struct event){
        .source = source, .headers = headers, .limits = limits, .spec = event_spec_of(source->scope.kind)
    };
    enum err_code code;
    mapped_begin(&r->mapped, &r->v);
    if (!r->v.spec)
        code = mapped_fields(&r->mapped, &r->v, e);
    else
        code = fields_new(&r->v.fields, r->v.spec->paths, r->v.spec->paths_len, limits->annotation_bytes,
                          limits->depth, e);
    if (code) {
        event_free(r);
        return code;
    }
    *ret = r;
    return ERR_OK;
}

struct event_reader *event_free(struct event_reader *r)
{
    if (!r)
        return NULL;
    fields_free(r->v.fields);
    free(r);
    return NULL;
}

enum err_code event_feed(struct event_reader *r, const char *bytes, size_t len, struct err *e)
{
    return fields_feed(r->v.fields, bytes, len, e);
}

static void find_id(struct event *v)
{
    const char *id = "";
    for (size_t i = 0; i < 2 && !*id && v->spec->id_headers[i]; i++)
        id = event_header(v, v->spec->id_headers[i]);
    if (!*id && v->spec->id_field)
        id = event_field(v, v->spec->id_field);
    text_copy(v->id, sizeof v->id, id);
}

enum err_code event_end(struct event_reader *r, int64_t now_ms, struct alert *ret, bool *ret_some,
                        struct err *e)
{
    struct event *v = &r->v;
    struct event_outcome o = { .verdict = EVENT_IGNORED };
    enum err_code code = fields_end(v->fields, e);
    if (code)
        return code;
    if (!v->spec)
        return mapped_end(&r->mapped, v, now_ms, ret, ret_some, e);
    find_id(v);
    v->spec->judge(v, &o);
    bool some = o.verdict != EVENT_IGNORED && o.alertname;
    code = some ? make_alert(v, &o, now_ms, ret, e) : ERR_OK;
    if (!code)
        *ret_some = some;
    return code;
}

const char *event_id(const struct event_reader *r)
{
    return r->v.id;
}

const char *event_limit(const struct event_reader *r)
{
    return r->v.limit ? r->v.limit : fields_limit(r->v.fields);
}
