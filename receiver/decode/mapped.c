/* receiver/decode/mapped.c */
#include "receiver/decode/mapped.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "rules/base/json.h"

#define STATUS_MAX 4 /* places where a status may stand */
enum { STATUS = 0, STARTS = STATUS_MAX, ID, CE_VERSION, CE_ID, CE_SOURCE, CE_TYPE, LABELS };
#define ATTRIBUTE_SIZE 2048 /* of a CloudEvents attribute in a header */

static const char *const cloud_status[STATUS_MAX] = { "data.status", "data.result", "data.outcome",
                                                      "data.state" };
static const struct {
    const char *name, *path;
    enum label_role role;
} cloud_labels[] = {
    { "alertname", "type", LABEL_SHARED },        { "origin", "source", LABEL_SHARED },
    { "subject", "subject", LABEL_SHARED },       { "event", "id", LABEL_RUN },
    { "traceparent", "traceparent", LABEL_NOTE },
};
#define CLOUD_LABELS (sizeof cloud_labels / sizeof cloud_labels[0])

static bool is_cloud(const struct event *v)
{
    return v->source->scope.kind == SOURCE_CLOUDEVENTS;
}

/* Without a map of its own a source of CloudEvents has the one above. */
static bool has_map(const struct event *v)
{
    return v->source->map.labels.len > 0;
}

/* ---- CloudEvents: where an attribute stands ---- */

static bool is_attribute(const char *path)
{
    return !path[strcspn(path, ".[]")];
}

/* The path into the body, in binary mode. */
static const char *in_data(const char *path)
{
    return strncmp(path, "data.", 5) == 0 ? path + 5 : strncmp(path, "data[", 5) == 0 ? path + 4 : "";
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Undo a quoted string, then %XX once. False: too long, or no UTF-8. */
static bool unpack(char ret[ATTRIBUTE_SIZE], const char *text)
{
    size_t len = 0, end = strlen(text);
    bool quoted = end >= 2 && text[0] == '"' && text[end - 1] == '"';
    for (size_t i = quoted; i < end - quoted; i++) {
        if (quoted && text[i] == '\\' && i + 1 < end - 1)
            i++;
        bool coded =
            text[i] == '%' && i + 2 < end && digit_of(text[i + 1]) >= 0 && digit_of(text[i + 2]) >= 0;
        if (len + 1 >= ATTRIBUTE_SIZE)
            return false;
        uint8_t byte = (uint8_t)text[i];
        if (coded)
            byte = (uint8_t)(digit_of(text[i + 1]) << 4 | digit_of(text[i + 2]));
        memcpy(&ret[len++], &byte, 1);
        i += coded ? 2 : 0;
    }
    ret[len] = '\0';
    return !json_check_text((const unsigned char *)ret, len);
}

static const char *attribute(const struct event *v, const char *name, char scratch[ATTRIBUTE_SIZE])
{
    char header[64];
    snprintf(header, sizeof header, "ce-%.50s", name);
    return unpack(scratch, event_header(v, header)) ? scratch : "";
}

/* ---- what to look for ---- */

static void want(struct mapped *m, size_t at, const char *path)
{
    path = path ? path : "";
    if (strncmp(path, "$.", 2) == 0)
        path += 2;
    m->paths[at] = path;
    if (at >= m->len)
        m->len = at + 1;
}

static void want_labels(struct mapped *m, const struct event *v)
{
    const struct mapping_settings *map = &v->source->map;
    size_t at = LABELS;
    for (size_t i = 0; !has_map(v) && i < CLOUD_LABELS; i++)
        want(m, at++, cloud_labels[i].path);
    for (size_t i = 0; i < map->labels.len && at < FIELDS_MAX; i++)
        want(m, at++, map_value_at(&map->labels, i));
    for (size_t i = 0; i < map->annotations.len && at < FIELDS_MAX; i++)
        want(m, at++, map_value_at(&map->annotations, i));
}

void mapped_begin(struct mapped *m, const struct event *v)
{
    static const char *const attributes[] = { "specversion", "id", "source", "type" };
    const struct mapping_settings *map = &v->source->map;
    const char *type = event_header(v, "Content-Type");
    *m = (struct mapped){ .binary = is_cloud(v) && *event_header(v, "ce-id") &&
                                    strncasecmp(type, "application/cloudevents", 23) != 0 };
    for (size_t i = 0; i < STATUS_MAX; i++)
        want(m, STATUS + i, map->status ? (i ? "" : map->status) : is_cloud(v) ? cloud_status[i] : "");
    want(m, STARTS, map->starts ? map->starts : is_cloud(v) ? "time" : "");
    want(m, ID, map->id ? map->id : "id");
    for (size_t i = 0; i < 4; i++)
        want(m, CE_VERSION + i, is_cloud(v) ? attributes[i] : "");
    want_labels(m, v);
}

enum err_code mapped_fields(const struct mapped *m, struct event *v, struct err *e)
{
    const char *paths[FIELDS_MAX];
    for (size_t i = 0; i < m->len; i++)
        paths[i] = m->binary ? in_data(m->paths[i]) : m->paths[i];
    return fields_new(&v->fields, paths, m->len, v->limits->annotation_bytes, v->limits->depth, e);
}

/* ---- what was found ---- */

static const char *value(const struct mapped *m, const struct event *v, size_t at,
                         char scratch[ATTRIBUTE_SIZE])
{
    if (m->binary && is_attribute(m->paths[at]))
        return attribute(v, m->paths[at], scratch);
    return event_field(v, (unsigned)at);
}

static bool listed(const char *word, const struct config_strings *list, const char *otherwise)
{
    for (size_t i = 0; i < list->len; i++)
        if (strcasecmp(list->list[i], word) == 0)
            return true;
    return !list->len && event_word(word, otherwise);
}

/* Without a status an alert fires. */
static enum event_verdict verdict_of(const struct mapped *m, const struct event *v,
                                     char scratch[ATTRIBUTE_SIZE], const char **ret_word)
{
    const struct mapping_settings *map = &v->source->map;
    const char *word = "";
    for (size_t i = 0; i < STATUS_MAX && !*word; i++)
        word = value(m, v, STATUS + i, scratch);
    *ret_word = word;
    if (!*word)
        return map->status ? EVENT_IGNORED : EVENT_FAILED;
    if (listed(word, &map->resolved, MAPPED_RESOLVED))
        return EVENT_SUCCEEDED;
    return listed(word, &map->firing, MAPPED_FIRING) ? EVENT_FAILED : EVENT_IGNORED;
}

/* RFC 3339, or seconds or milliseconds since 1970. */
static int64_t time_of(const char *text)
{
    int64_t n = 0;
    if (!*text || text[strspn(text, "0123456789")] || strlen(text) > 13)
        return event_time_of(text);
    for (const char *p = text; *p; p++)
        n = n * 10 + (*p - '0');
    return strlen(text) > 11 ? n : n * 1000;
}

static enum label_role role_of(const struct mapping_settings *map, const char *name)
{
    for (size_t i = 0; i < map->run.len; i++)
        if (strcmp(map->run.list[i], name) == 0)
            return LABEL_RUN;
    return LABEL_SHARED;
}

static enum err_code put_labels(const struct mapped *m, struct event *v, struct alert *a, struct err *e)
{
    const struct mapping_settings *map = &v->source->map;
    char scratch[ATTRIBUTE_SIZE];
    enum err_code code = event_put(v, a, LABEL_SHARED, "source", a->source, e);
    size_t at = LABELS;
    for (size_t i = 0; !code && !has_map(v) && i < CLOUD_LABELS; i++)
        code = event_put(v, a, cloud_labels[i].role, cloud_labels[i].name, value(m, v, at++, scratch), e);
    for (size_t i = 0; !code && i < map->labels.len; i++) {
        const char *name = map_name_at(&map->labels, i);
        code = event_put(v, a, role_of(map, name), name, value(m, v, at++, scratch), e);
    }
    for (size_t i = 0; !code && i < map->annotations.len; i++)
        code = event_put(v, a, LABEL_NOTE, map_name_at(&map->annotations, i), value(m, v, at++, scratch), e);
    return code;
}

static enum err_code check_cloud(const struct mapped *m, const struct event *v, struct err *e)
{
    char scratch[ATTRIBUTE_SIZE];
    if (strcmp(value(m, v, CE_VERSION, scratch), "1.0") != 0)
        return err_set(e, ERR_INVALID, "specversion is \"%.20s\"; heald reads CloudEvents 1.0",
                       value(m, v, CE_VERSION, scratch));
    for (size_t i = CE_ID; i <= CE_TYPE; i++)
        if (!*value(m, v, i, scratch))
            return err_set(e, ERR_INVALID, "the event has no \"%s\"; CloudEvents 1.0 requires it",
                           m->paths[i]);
    return ERR_OK;
}

/* The delivery: by its header, else by the body; of CloudEvents by source and id. */
static void find_id(const struct mapped *m, struct event *v)
{
    char id[ATTRIBUTE_SIZE], source[ATTRIBUTE_SIZE];
    const char *given = event_header(v, "webhook-id");
    if (!*given)
        given = event_header(v, "Idempotency-Key");
    if (is_cloud(v))
        snprintf(v->id, sizeof v->id, "%.*s %.60s", 60, value(m, v, CE_ID, id),
                 value(m, v, CE_SOURCE, source));
    else
        text_copy(v->id, sizeof v->id, *given ? given : value(m, v, ID, id));
}

enum err_code mapped_end(const struct mapped *m, struct event *v, int64_t now_ms, struct alert *ret,
                         bool *ret_some, struct err *e)
{
    struct alert a = ALERT_INIT;
    char scratch[ATTRIBUTE_SIZE];
    const char *word = "";
    enum err_code code = is_cloud(v) ? check_cloud(m, v, e) : ERR_OK;
    if (code)
        return code;
    find_id(m, v);
    enum event_verdict verdict = verdict_of(m, v, scratch, &word);
    if (verdict == EVENT_IGNORED) {
        *ret_some = false;
        return ERR_OK;
    }
    text_copy(a.source, sizeof a.source, v->source->scope.name);
    a.event = v->source->map.run.len > 0 || (is_cloud(v) && !has_map(v));
    a.status = verdict == EVENT_SUCCEEDED ? ALERT_RESOLVED : ALERT_FIRING;
    if (a.event)
        code = event_put(v, &a, LABEL_RUN, "conclusion", word, e);
    if (!code)
        code = put_labels(m, v, &a, e);
    int64_t at_ms = time_of(value(m, v, STARTS, scratch));
    a.starts_ms = at_ms ? at_ms : now_ms;
    a.ends_ms = a.status == ALERT_RESOLVED ? a.starts_ms : 0;
    if (!code && !map_get(&a.labels, "alertname") && !map_get(&v->source->scope.force, "alertname"))
        code = err_set(e, ERR_INVALID, "nothing in the body is the label \"alertname\"; map it, or force it");
    if (code) {
        alert_release(&a);
        return code;
    }
    *ret = a;
    *ret_some = true;
    return ERR_OK;
}
