#include "actions/kube/watch_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/kube/cluster_internal.h"
#include "actions/verify/status.h"

#define ERROR_BODY_MAX 4096u
#define LINE_KEEP_BYTES 65536u /* a longer line's memory is given back */
#define SHORT_WATCH_MS 1000    /* a watch that ended sooner is not begun again at once */

void stream_init(struct stream *s, struct watch_table *t, const struct watch_hooks *hooks,
                 const char *namespace, size_t scope, enum watch_kind kind)
{
    *s = (struct stream){ .table = t, .hooks = hooks, .namespace = namespace, .scope = scope, .kind = kind };
}

void stream_release(struct stream *s)
{
    buf_release(&s->token);
    buf_release(&s->bytes);
}

/* ---- asking ---- */

enum err_code stream_path(const struct stream *s, struct buf *ret, uint64_t random, struct err *e)
{
    char number[32];
    enum err_code code = kube_path(ret, watch_kind_name(s->kind), s->namespace, NULL, NULL, e);
    if (code)
        return code;
    if (s->watching) {
        uint64_t seconds = STREAM_SECONDS_MIN + random % (STREAM_SECONDS_MAX - STREAM_SECONDS_MIN + 1);
        snprintf(number, sizeof number, "%u", (unsigned)seconds);
        http_query(ret, "watch", "true");
        http_query(ret, "allowWatchBookmarks", "true");
        http_query(ret, "resourceVersion", s->version);
        http_query(ret, "timeoutSeconds", number);
    } else {
        snprintf(number, sizeof number, "%d", STREAM_PAGE);
        http_query(ret, "limit", number);
        if (s->token.len)
            http_query(ret, "continue", buf_text(&s->token));
    }
    return buf_ok(ret) ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a path");
}

const char *stream_accept(const struct stream *s)
{
    if (s->kind != WATCH_REPLICASET)
        return "application/json";
    return s->watching ? "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
                       : "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
}

const char *stream_verb(const struct stream *s)
{
    return s->watching ? "watch" : "list";
}

/* ---- trouble ---- */

static void tell(const struct stream *s, bool warning, const char *what)
{
    struct buf line = BUF_INIT;
    buf_addf(&line, "watch of %s%s%s: %s", watch_kind_name(s->kind), s->namespace ? " in " : "",
             s->namespace ? s->namespace : "", what);
    if (s->hooks->log && buf_ok(&line))
        s->hooks->log(s->hooks->ctx, warning, buf_text(&line));
    buf_release(&line);
}

static void trouble(struct stream *s, const char *what, int64_t now_ms)
{
    watch_table_count(s->table, 0, 0, 1);
    s->failures++;
    if (s->failures > 1 && now_ms - s->told_ms < STREAM_LOG_EVERY_MS && now_ms >= s->told_ms)
        return;
    s->told_ms = now_ms;
    tell(s, true, what);
}

static void recovered(struct stream *s)
{
    if (s->failures)
        tell(s, false, "goes on");
    s->failures = 0;
}

/* The place in the stream is lost: list again. */
static void lose_place(struct stream *s, int64_t now_ms)
{
    if (s->watching) {
        watch_table_count(s->table, 0, 1, 0);
        tell(s, false, "its place is lost, reading everything again");
    }
    watch_table_gap(s->table, s->scope, s->kind, now_ms);
    s->watching = s->begun = s->expired = s->broken = false;
    buf_clear(&s->token);
}

/* ---- objects ---- */

static void put(struct stream *s, const struct json *object, int64_t now_ms)
{
    struct err e = ERR_INIT;
    enum err_code code = watch_table_put(s->table, s->scope, s->kind, object, now_ms, &e);
    if (code == ERR_OK)
        return;
    watch_table_count(s->table, 0, 0, 1);
    if (code != ERR_LIMIT || !s->full)
        tell(s, true, e.msg);
    s->full = s->full || code == ERR_LIMIT;
    s->broken = s->broken || (code == ERR_NOMEM && s->watching); /* there may be memory for another list */
}

static enum err_code read_page(struct stream *s, int64_t now_ms, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    kube_mend_text(s->bytes.ptr, s->bytes.len);
    enum err_code code = json_parse(&doc, buf_text(&s->bytes), s->bytes.len, e);
    buf_release(&s->bytes);
    if (code)
        return code;
    const struct json *root = json_root(doc);
    const char *version = status_text(root, "metadata.resourceVersion");
    if (json_type(json_get(root, "items")) != JSON_ARRAY && json_type(json_get(root, "items")) != JSON_NULL)
        return err_set(e, ERR_INVALID, "a list came without items");
    if (!version[0] || !text_copy(s->version, sizeof s->version, version))
        return err_set(e, ERR_INVALID, "a list came without a resourceVersion");
    if (!s->begun)
        watch_table_list_begin(s->table, s->scope, s->kind);
    s->begun = true;
    for (const struct json *item = json_first(json_get(root, "items")); item; item = json_next(item))
        put(s, item, now_ms);
    buf_clear(&s->token);
    buf_adds(&s->token, status_text(root, "metadata.continue"));
    return buf_ok(&s->token) ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a page of a list");
}

static void read_error(struct stream *s, const struct json *status, int64_t now_ms)
{
    if (json_int(json_get(status, "code"), 0) == 410) {
        s->expired = true;
        return;
    }
    struct buf what = BUF_INIT;
    buf_addf(&what, "the server says: %.150s", status_text(status, "message"));
    trouble(s, buf_text(&what), now_ms);
    buf_release(&what);
    s->broken = true;
}

/* One event. False: it cannot be used, or is the last. */
static bool read_event(struct stream *s, char *line, size_t len, int64_t now_ms)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    kube_mend_text(line, len);
    if (json_parse(&doc, line, len, &e) != ERR_OK) {
        trouble(s, e.msg, now_ms);
        s->broken = true;
        return false;
    }
    const struct json *object = json_get(json_root(doc), "object");
    const char *type = status_text(json_root(doc), "type");
    const char *version = status_text(object, "metadata.resourceVersion");
    watch_table_count(s->table, 1, 0, 0);
    if (strcmp(type, "ERROR") == 0) {
        read_error(s, object, now_ms);
        return false;
    }
    if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
        put(s, object, now_ms);
    else if (strcmp(type, "DELETED") == 0)
        watch_table_drop(s->table, s->kind, object, now_ms);
    if (version[0]) /* also of a BOOKMARK */
        text_copy(s->version, sizeof s->version, version);
    return !s->broken;
}

static bool read_lines(struct stream *s, const char *bytes, size_t len, int64_t now_ms)
{
    const char *end = bytes + len;
    while (bytes < end) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *stop = newline ? newline : end;
        s->bytes.max = WATCH_LINE_MAX;
        buf_add(&s->bytes, bytes, (size_t)(stop - bytes));
        if (!buf_ok(&s->bytes)) {
            trouble(s, "an event is larger than 4 MiB, or there is no memory for it", now_ms);
            s->broken = true;
            return false;
        }
        if (newline && s->bytes.len && !read_event(s, s->bytes.ptr, s->bytes.len, now_ms))
            return false;
        if (newline && s->bytes.cap > LINE_KEEP_BYTES)
            buf_release(&s->bytes);
        else if (newline)
            buf_clear(&s->bytes);
        bytes = newline ? newline + 1 : end;
    }
    return true;
}

/* ---- an answer ---- */

void stream_head(struct stream *s, long status, int64_t now_ms)
{
    if (!s->watching || status != 200)
        return;
    s->connected = true;
    s->connected_ms = now_ms;
    watch_table_away(s->table, s->scope, s->kind, 0);
    recovered(s);
}

bool stream_bytes(struct stream *s, long status, const char *bytes, size_t len, int64_t now_ms)
{
    if (status == 200 && s->watching)
        return read_lines(s, bytes, len, now_ms);
    size_t max = status == 200 ? STREAM_PAGE_BYTES_MAX : ERROR_BODY_MAX;
    s->bytes.max = max;
    if (status != 200 && s->bytes.len + len > max)
        return true; /* enough of an error is known */
    buf_add(&s->bytes, bytes, len);
    return buf_ok(&s->bytes);
}

static void status_trouble(struct stream *s, const struct stream_end *end, int64_t now_ms)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(buf_release) struct buf what = BUF_INIT;
    const char *message = "";
    if (s->bytes.len && json_parse(&doc, buf_text(&s->bytes), s->bytes.len, NULL) == ERR_OK)
        message = status_text(json_root(doc), "message");
    buf_addf(&what, "%s: %ld", stream_verb(s), end->status);
    if (end->status == 403)
        buf_addf(&what, ": grant heald the verbs list and watch on %s%s%s",
                 kube_resource(watch_kind_name(s->kind)),
                 s->namespace ? " in the namespace " : ", in all namespaces or in those that heald.cfg names",
                 s->namespace ? s->namespace : "");
    buf_addf(&what, "%s%.150s", message[0] ? ": " : "", message);
    trouble(s, buf_text(&what), now_ms);
}

static int64_t pause_for(struct stream *s, int64_t at_least_ms, uint64_t random)
{
    s->pause_ms = s->pause_ms ? 2 * s->pause_ms : STREAM_PAUSE_MIN_MS;
    if (s->pause_ms > STREAM_PAUSE_MAX_MS)
        s->pause_ms = STREAM_PAUSE_MAX_MS;
    int64_t ms = s->pause_ms > at_least_ms ? s->pause_ms : at_least_ms;
    if (ms > STREAM_PAUSE_ASKED_MS)
        ms = STREAM_PAUSE_ASKED_MS;
    return ms + (int64_t)(random % (uint64_t)(ms / 2 + 1));
}

static int64_t list_ended(struct stream *s, uint64_t random, int64_t now_ms)
{
    struct err e = ERR_INIT;
    if (read_page(s, now_ms, &e) != ERR_OK) {
        trouble(s, e.msg, now_ms);
        return pause_for(s, 0, random);
    }
    if (s->token.len)
        return 0;
    watch_table_away(s->table, s->scope, s->kind, now_ms);
    watch_table_list_end(s->table, s->scope, s->kind, now_ms);
    s->watching = true;
    recovered(s);
    return 0;
}

/* Servers end watches by and by: go on from the last version, at once unless this one hardly lasted. */
static int64_t watch_ended(struct stream *s, bool was_connected, uint64_t random, int64_t now_ms)
{
    bool brief = !was_connected || now_ms - s->connected_ms < SHORT_WATCH_MS;
    if (!brief)
        s->pause_ms = 0;
    if (s->expired || s->broken)
        lose_place(s, now_ms);
    return brief ? pause_for(s, 0, random) : 0;
}

int64_t stream_ended(struct stream *s, const struct stream_end *end, uint64_t random, int64_t now_ms)
{
    bool was_connected = s->connected;
    int64_t ms;
    s->connected = false;
    if (was_connected)
        watch_table_away(s->table, s->scope, s->kind, now_ms);
    if (end->status == 200 && s->watching) {
        ms = watch_ended(s, was_connected, random, now_ms);
    } else if (end->whole && end->status == 200) {
        ms = list_ended(s, random, now_ms);
    } else if (end->status == 410) { /* version or continue token too old */
        lose_place(s, now_ms);
        ms = pause_for(s, 0, random);
    } else {
        if (end->whole && end->status)
            status_trouble(s, end, now_ms);
        else
            trouble(s, end->why, now_ms);
        ms = pause_for(s, end->retry_after_ms, random);
    }
    buf_release(&s->bytes);
    return ms;
}
