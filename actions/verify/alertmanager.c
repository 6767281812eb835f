#include "actions/verify/alertmanager.h"

#include <stdio.h>
#include <string.h>

#include "actions/verify/status.h"

static void say(struct observation *ret, enum alertmanager_state state, const char *text)
{
    ret->silenced = state;
    text_clean(ret->silenced_text, sizeof ret->silenced_text, text, strlen(text));
}

static bool belongs_here(const struct json *alert, prometheus_belongs *belongs, void *ctx)
{
    CLEANUP(map_release) struct map labels = MAP_INIT;
    const struct json *object = json_get(alert, "labels");
    for (const struct json *l = json_first(object); l; l = json_next(l))
        if (map_set(&labels, json_name(l), json_string(l, ""), NULL) != ERR_OK)
            return true; /* no memory: rather an alert too many than one too few */
    return belongs(ctx, &labels);
}

/* Who suppresses an alert; false: nobody. mutedBy came with 0.28. */
static bool suppressed(const struct json *alert, char *ret, size_t size)
{
    static const struct {
        const char *list, *word;
    } ways[] = { { "silencedBy", "silenced by" },
                 { "inhibitedBy", "inhibited by" },
                 { "mutedBy", "muted by" } };
    const struct json *status = json_get(alert, "status");
    if (strcmp(status_text(status, "state"), "suppressed") != 0)
        return false;
    snprintf(ret, size, "suppressed");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        const struct json *by = json_get(status, ways[i].list);
        if (json_len(by) > 0) {
            snprintf(ret, size, "%s %.100s", ways[i].word, json_string(json_at(by, 0), ""));
            return true;
        }
    }
    return true;
}

void alertmanager_read(const struct json *answer, prometheus_belongs *belongs, void *ctx,
                       struct observation *ret)
{
    char by[OBSERVATION_TEXT_SIZE] = "";
    size_t known = 0, silent = 0;
    if (json_type(answer) != JSON_ARRAY) {
        say(ret, ALERTMANAGER_UNKNOWN, "alertmanager's answer is no list of alerts");
        return;
    }
    for (const struct json *a = json_first(answer); a; a = json_next(a)) {
        char text[OBSERVATION_TEXT_SIZE];
        if (!belongs_here(a, belongs, ctx))
            continue;
        known++;
        if (suppressed(a, text, sizeof text) && silent++ == 0)
            memcpy(by, text, sizeof by);
    }
    if (known == 0)
        say(ret, ALERTMANAGER_ABSENT, "alertmanager knows no such alert of the target");
    else if (silent < known)
        say(ret, ALERTMANAGER_ACTIVE, "the alert is active at alertmanager");
    else
        say(ret, ALERTMANAGER_SILENCED, by);
}

/* alertname="...", quoted as Alertmanager reads matchers. */
static void add_filter(struct buf *path, const char *alertname)
{
    CLEANUP(buf_release) struct buf matcher = BUF_INIT;
    buf_adds(&matcher, "alertname=\"");
    for (const char *p = alertname; *p; p++) {
        if (*p == '\n')
            buf_adds(&matcher, "\\n");
        else if (*p == '"' || *p == '\\')
            buf_addf(&matcher, "\\%c", *p);
        else
            buf_addc(&matcher, *p);
    }
    buf_addc(&matcher, '"');
    http_query(path, "filter", buf_text(&matcher));
    path->failed = path->failed || !buf_ok(&matcher);
}

void alertmanager_ask(const struct remote *a, struct http *h, const char *alertname,
                      prometheus_belongs *belongs, void *ctx, struct observation *ret)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    struct err e = ERR_INIT;
    buf_adds(&path, "/api/v2/alerts");
    add_filter(&path, alertname);
    struct http_request request = { .path = buf_text(&path), .answer_max = ALERTMANAGER_ANSWER_MAX };
    enum err_code code = buf_ok(&path) ? remote_get_json(a, h, &request, &doc, &e)
                                       : err_set(&e, ERR_NOMEM, "no memory for a path");
    ret->alertmanager = true;
    if (code == ERR_OK) {
        alertmanager_read(json_root(doc), belongs, ctx, ret);
        return;
    }
    err_wrap(&e, code, "alertmanager cannot be asked");
    say(ret, ALERTMANAGER_UNKNOWN, e.msg);
}
