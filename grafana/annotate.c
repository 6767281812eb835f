/* grafana/annotate.c - find, create, change, and tidy up one incident's annotation.
 * Source: Grafana HTTP API, annotations (/api/annotations). A POST is not idempotent, so one is only sent
 * after a search by the incident's tag found nothing; PATCH leaves alone what is empty or 0; an unknown id is
 * 404, in some releases 500. */
#include "grafana/annotate.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SEARCH_LIMIT 100
#define REASON_SIZE 160
#define SEARCH_MARGIN_MS                                                                                     \
    (30ll * 24 * 60 * 60 *                                                                                   \
     1000) /* around the incident: its region may have been drawn from an earlier start */

/* A call's answer, sorted. */
enum answer { ANSWER_OK, ANSWER_GONE, ANSWER_FAILED };

struct session {
    const struct grafana_transport *t;
    const struct annotation *a;
    struct json_writer *w;
    struct buf body; /* of the last answer */
    long status;
    int64_t found[SEARCH_LIMIT]; /* ids, the lowest first */
    size_t found_len;
};

/* ---- requests ---- */

/* What Grafana says in its own words, {"message": "..."}, as ": ..."; "" when nothing. */
static void reason(const struct session *s, char ret[REASON_SIZE])
{
    struct json_doc *doc = NULL;
    char message[REASON_SIZE - 2] = "";
    if (json_parse(&doc, buf_text(&s->body), s->body.len, NULL) == ERR_OK)
        text_copy(message, sizeof message, json_string(json_get(json_root(doc), "message"), ""));
    json_free(doc);
    snprintf(ret, REASON_SIZE, "%s%s", *message ? ": " : "", message);
}

static enum err_code refuse(const struct session *s, const char *what, struct err *e)
{
    char why[REASON_SIZE];
    reason(s, why);
    if (s->status == 401 || s->status == 403)
        return err_set(
            e, ERR_REFUSED,
            "grafana refuses to %s (%ld)%s; give a token that may read, create, write and delete annotations",
            what, s->status, why);
    if (s->status == 400 || s->status == 413 || s->status == 422)
        return err_set(e, ERR_INVALID, "grafana refuses the content on \"%s\" (%ld)%s", what, s->status, why);
    if (s->status >= 500 || s->status == 429 || s->status == 408)
        return err_set(e, ERR_UNAVAILABLE, "grafana cannot %s now (%ld)%s", what, s->status, why);
    return err_set(e, ERR_UNAVAILABLE, "grafana answers %ld to \"%s\"%s; is its url right?", s->status, what,
                   why);
}

static enum err_code send(struct session *s, const char *method, const char *path, const char *body,
                          size_t len, struct err *e)
{
    s->status = 0;
    buf_clear(&s->body);
    return s->t->send(s->t->ctx, method, path, body, len, &s->status, &s->body, e);
}

/* A call about one id. 404, and 500 twice, mean that it is gone. */
static enum err_code send_about(struct session *s, const char *method, int64_t id, const char *body,
                                size_t len, bool *ret_gone, struct err *e)
{
    char path[64];
    snprintf(path, sizeof path, "/api/annotations/%lld", (long long)id);
    enum err_code code = send(s, method, path, body, len, e);
    if (code == ERR_OK && s->status == 500)
        code = send(s, method, path, body, len, e);
    if (code == ERR_OK)
        *ret_gone = s->status == 404 || s->status == 405 || s->status == 500;
    return code;
}

/* ---- what it says ---- */

static const char *content(struct session *s, bool create, size_t *ret_len, struct err *e)
{
    const struct annotation *a = s->a;
    struct buf text = BUF_INIT;
    int64_t start_ms = a->start_ms > 0 ? a->start_ms : 1; /* 0 would be the server's now */
    int64_t end_ms = a->end_ms > start_ms ? a->end_ms : start_ms;
    annotation_text(&text, a);
    jw_reset(s->w);
    jw_object(s->w);
    jw_kint(s->w, "time", start_ms);
    jw_kint(s->w, "timeEnd", end_ms);
    jw_kstring(s->w, "text", buf_text(&text));
    jw_key(s->w, "tags");
    annotation_tags(s->w, a, NULL);
    if (create && a->dashboard_uid && *a->dashboard_uid)
        jw_kstring(s->w, "dashboardUID", a->dashboard_uid);
    jw_object_end(s->w);
    const char *json = buf_ok(&text) ? jw_text(s->w, ret_len) : NULL;
    buf_release(&text);
    if (!json)
        err_set(e, ERR_NOMEM, "no memory for the annotation of incident \"%s\"", a->incident);
    return json;
}

static enum err_code create(struct session *s, int64_t *ret_id, struct err *e)
{
    size_t len;
    const char *json = content(s, true, &len, e);
    if (!json)
        return ERR_NOMEM;
    enum err_code code = send(s, "POST", "/api/annotations", json, len, e);
    if (code != ERR_OK)
        return code;
    if (s->status != 200)
        return refuse(s, "create an annotation", e);
    struct json_doc *doc = NULL;
    int64_t id = 0;
    if (json_parse(&doc, buf_text(&s->body), s->body.len, NULL) == ERR_OK)
        id = json_int(json_get(json_root(doc), "id"), 0);
    json_free(doc);
    if (id <= 0)
        return err_set(e, ERR_UNKNOWN, "grafana's answer to a new annotation names no id");
    *ret_id = id;
    return ERR_OK;
}

/* `method` is PATCH; PUT where a server or proxy knows no PATCH. */
static enum err_code change(struct session *s, const char *method, int64_t id, bool *ret_gone, struct err *e)
{
    size_t len;
    bool gone = false;
    const char *json = content(s, false, &len, e);
    if (!json)
        return ERR_NOMEM;
    enum err_code code = send_about(s, method, id, json, len, &gone, e);
    if (code == ERR_OK && !gone && s->status != 200)
        return refuse(s, "change an annotation", e);
    if (code == ERR_OK)
        *ret_gone = gone;
    return code;
}

/* ---- finding ---- */

static void add_encoded(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c))
            buf_addc(out, (char)c);
        else
            buf_addf(out, "%%%02X", c);
    }
}

/* Does the element carry heald's tag and exactly this incident's? Somebody's note that quotes the incident is
 * not ours to change. */
static bool is_ours(const struct json *element, const char *incident_tag)
{
    bool heald = false, incident = false;
    for (const struct json *tag = json_first(json_get(element, "tags")); tag; tag = json_next(tag)) {
        heald |= !strcmp(json_string(tag, ""), "heald");
        incident |= !strcmp(json_string(tag, ""), incident_tag);
    }
    return heald && incident;
}

static void insert_id(struct session *s, int64_t id)
{
    size_t at = s->found_len;
    if (id <= 0 || at == SEARCH_LIMIT)
        return;
    while (at > 0 && s->found[at - 1] > id) {
        s->found[at] = s->found[at - 1];
        at--;
    }
    s->found[at] = id;
    s->found_len++;
}

static enum err_code take_found(struct session *s, const char *incident_tag, struct err *e)
{
    struct json_doc *doc = NULL;
    if (json_parse(&doc, buf_text(&s->body), s->body.len, e) != ERR_OK ||
        json_type(json_root(doc)) != JSON_ARRAY) {
        json_free(doc);
        return err_set(e, ERR_UNAVAILABLE, "grafana's list of annotations cannot be read; is its url right?");
    }
    for (const struct json *element = json_first(json_root(doc)); element; element = json_next(element))
        if (is_ours(element, incident_tag))
            insert_id(s, json_int(json_get(element, "id"), 0));
    json_free(doc);
    return ERR_OK;
}

static enum err_code search(struct session *s, struct err *e)
{
    struct buf path = BUF_INIT, tag = BUF_INIT;
    const struct annotation *a = s->a;
    int64_t from_ms =
        a->start_ms > SEARCH_MARGIN_MS ? a->start_ms - SEARCH_MARGIN_MS : 1; /* 0 counts as not given */
    int64_t last_ms = a->end_ms > a->start_ms ? a->end_ms : a->start_ms;
    s->found_len = 0;
    buf_addf(&tag, "incident:%s", a->incident);
    buf_addf(&path,
             "/api/annotations?type=annotation&limit=%d&from=%lld&to=%lld&tags=heald&tags=", SEARCH_LIMIT,
             (long long)from_ms, (long long)(last_ms + SEARCH_MARGIN_MS));
    add_encoded(&path, buf_text(&tag));
    enum err_code code = ERR_NOMEM;
    if (buf_ok(&path) && buf_ok(&tag))
        code = send(s, "GET", path.ptr, NULL, 0, e);
    else
        err_set(e, ERR_NOMEM, "no memory for a search of annotations");
    if (code == ERR_OK)
        code = s->status == 200 ? take_found(s, tag.ptr, e) : refuse(s, "search annotations", e);
    buf_release(&path);
    buf_release(&tag);
    return code;
}

/* All that were found but the one that is kept. */
static enum err_code delete_others(struct session *s, int64_t keep, struct err *e)
{
    for (size_t i = 0; i < s->found_len; i++) {
        bool gone = false;
        if (s->found[i] == keep)
            continue;
        enum err_code code = send_about(s, "DELETE", s->found[i], NULL, 0, &gone, e);
        if (code != ERR_OK)
            return code;
        if (!gone && s->status != 200)
            return refuse(s, "delete a second annotation", e);
    }
    return ERR_OK;
}

/* ---- the whole ---- */

/* The found one is there for sure: where PATCH says it is not, PATCH itself is missing. */
static enum err_code change_found(struct session *s, int64_t id, struct err *e)
{
    bool gone = true;
    enum err_code code = change(s, "PATCH", id, &gone, e);
    if (code == ERR_OK && gone && s->status != 500)
        code = change(s, "PUT", id, &gone, e);
    if (code == ERR_OK && gone)
        return err_set(e, ERR_UNAVAILABLE, "grafana lists annotation %lld but cannot change it (%ld)",
                       (long long)id, s->status);
    return code;
}

/* What the search found: the lowest id speaks, the others (an earlier race) go. */
static enum err_code tell_found(struct session *s, int64_t *ret_id, struct err *e)
{
    int64_t id = s->found[0];
    enum err_code code = change_found(s, id, e);
    if (code == ERR_OK)
        code = delete_others(s, id, e);
    if (code == ERR_OK)
        *ret_id = id;
    return code;
}

/* With the id known one PATCH says it all. The outcome is searched for even so: it is the last word, and a
 * POST whose answer was lost may have come in late. */
static enum err_code tell(struct session *s, int64_t id, int64_t *ret_id, struct err *e)
{
    bool gone = true, open = !strcmp(s->a->outcome, "open");
    enum err_code code = id > 0 && open ? change(s, "PATCH", id, &gone, e) : ERR_OK;
    if (code == ERR_OK && gone) {
        code = search(s, e);
        if (code == ERR_OK && s->found_len > 0)
            return tell_found(s, ret_id, e);
        if (code == ERR_OK && id > 0 && !open)
            code = change(s, "PATCH", id, &gone, e);
        if (code == ERR_OK && gone)
            return create(s, ret_id, e);
    }
    if (code == ERR_OK)
        *ret_id = id;
    return code;
}

enum err_code grafana_annotate(const struct grafana_transport *t, const struct annotation *a, int64_t id,
                               int64_t *ret_id, struct err *e)
{
    assert(a->incident && *a->incident && a->outcome && *a->outcome);
    struct session s = { .t = t, .a = a, .body = BUF_INIT };
    enum err_code code = json_writer_new(&s.w, e);
    if (code == ERR_OK)
        code = tell(&s, id, ret_id, e);
    json_writer_free(s.w);
    buf_release(&s.body);
    return code;
}
