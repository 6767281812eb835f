/* actions/verify/prometheus.c */
#include "actions/verify/prometheus.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "actions/verify/prometheus_internal.h"
#include "actions/verify/status.h"

static void say(struct observation *ret, enum alert_state state, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct observation *ret, enum alert_state state, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    text_copy(ret->alert_text, sizeof ret->alert_text, text);
    ret->alert = state;
}

/* ---- reading the answer ---- */

struct reading {
    const char *alertname;
    prometheus_belongs *belongs;
    void *ctx;
    struct observation *ret;
    size_t rules, firing, pending;
    bool failed; /* a rule of that name is unhealthy, or was never evaluated */
    char why[OBSERVATION_TEXT_SIZE];
};

static bool belongs_here(struct reading *r, const struct json *alert)
{
    CLEANUP(map_release) struct map labels = MAP_INIT;
    const struct json *object = json_get(alert, "labels");
    for (const struct json *l = json_first(object); l; l = json_next(l))
        if (map_set(&labels, json_name(l), json_string(l, ""), NULL) != ERR_OK)
            return true; /* no memory: rather an alert too many than one too few */
    return r->belongs(r->ctx, &labels);
}

static void read_alerts(struct reading *r, const struct json *rule)
{
    const struct json *alerts = json_get(rule, "alerts");
    for (const struct json *a = json_first(alerts); a; a = json_next(a)) {
        bool firing = strcmp(status_text(a, "state"), "firing") == 0;
        bool pending = strcmp(status_text(a, "state"), "pending") == 0;
        if ((!firing && !pending) || !belongs_here(r, a))
            continue;
        r->firing += firing;
        r->pending += pending;
        int64_t active_ms = status_time(json_get(a, "activeAt"));
        if (active_ms > 0 && (r->ret->alert_active_ms == 0 || active_ms < r->ret->alert_active_ms))
            r->ret->alert_active_ms = active_ms;
    }
}

static int64_t seconds_ms(const struct json *seconds)
{
    double s = json_double(seconds, 0);
    return s > 0 && s < 1e9 ? (int64_t)(s * 1000) : 0;
}

static struct prometheus_rule timing_of(const struct json *group, const struct json *rule)
{
    struct prometheus_rule r = { .name = status_text(rule, "name"),
                                 .labels = json_get(rule, "labels"),
                                 .window_ms = prometheus_longest_window_ms(status_text(rule, "query")),
                                 .keep_ms = seconds_ms(json_get(rule, "keepFiringFor")),
                                 .interval_ms = seconds_ms(json_get(group, "interval")) };
    r.settle_ms = r.window_ms + r.keep_ms + 2 * r.interval_ms;
    return r;
}

static void read_rule(struct reading *r, const struct json *group, const struct json *rule)
{
    struct observation *o = r->ret;
    struct prometheus_rule timing = timing_of(group, rule);
    int64_t interval_ms = timing.interval_ms, settle_ms = timing.settle_ms;
    int64_t evaluated_ms = status_time(json_get(rule, "lastEvaluation"));
    const char *health = status_text(rule, "health");

    if (r->rules == 0 || evaluated_ms < o->alert_evaluated_ms)
        o->alert_evaluated_ms = evaluated_ms;
    if (r->rules == 0 || settle_ms > o->alert_settle_ms)
        o->alert_settle_ms = settle_ms;
    if (interval_ms > o->alert_interval_ms)
        o->alert_interval_ms = interval_ms;
    r->rules++;
    if (strcmp(health, "ok") != 0) {
        r->failed = true;
        snprintf(r->why, sizeof r->why, "its rule's health is \"%.20s\": %.120s", health,
                 status_text(rule, "lastError"));
    } else if (evaluated_ms == 0) {
        r->failed = true;
        snprintf(r->why, sizeof r->why, "its rule was never evaluated");
    } else {
        read_alerts(r, rule);
    }
}

static void conclude(struct reading *r)
{
    const char *name = r->alertname;
    if (r->rules == 0)
        say(r->ret, ALERT_STATE_UNKNOWN, "prometheus has no alerting rule \"%s\"", name);
    else if (r->firing > 0)
        say(r->ret, ALERT_STATE_FIRING, "\"%s\" fires %zu times for the target", name, r->firing);
    else if (r->pending > 0)
        say(r->ret, ALERT_STATE_PENDING, "\"%s\" is pending for the target", name);
    else if (r->failed)
        say(r->ret, ALERT_STATE_UNKNOWN, "\"%s\" cannot be judged: %s", name, r->why);
    else
        say(r->ret, ALERT_STATE_INACTIVE, "\"%s\" does not fire for the target", name);
}

void prometheus_read_rules(const struct json *answer, const char *alertname, prometheus_belongs *belongs,
                           void *ctx, struct observation *ret)
{
    struct reading r = { .alertname = alertname, .belongs = belongs, .ctx = ctx, .ret = ret };
    const struct json *groups = json_path(answer, "data.groups");
    ret->alert_active_ms = ret->alert_evaluated_ms = ret->alert_interval_ms = 0;
    ret->alert_settle_ms = 0;
    if (strcmp(status_text(answer, "status"), "success") != 0 || json_type(groups) != JSON_ARRAY) {
        say(ret, ALERT_STATE_UNKNOWN, "prometheus answered: %.200s", status_text(answer, "error"));
        return;
    }
    for (const struct json *g = json_first(groups); g; g = json_next(g)) {
        const struct json *rules = json_get(g, "rules");
        for (const struct json *rule = json_first(rules); rule; rule = json_next(rule))
            if (strcmp(status_text(rule, "type"), "alerting") == 0 &&
                strcmp(status_text(rule, "name"), alertname) == 0)
                read_rule(&r, g, rule);
    }
    conclude(&r);
}

void prometheus_rules_each(const struct json_doc *rules, prometheus_each *each, void *ctx)
{
    const struct json *groups = json_path(json_root(rules), "data.groups");
    for (const struct json *g = json_first(groups); g; g = json_next(g)) {
        const struct json *list = json_get(g, "rules");
        for (const struct json *rule = json_first(list); rule; rule = json_next(rule)) {
            struct prometheus_rule r = timing_of(g, rule);
            if (strcmp(status_text(rule, "type"), "alerting") == 0)
                each(ctx, &r);
        }
    }
}

/* ---- asking ---- */

enum err_code prometheus_rules(const struct remote *p, struct http *h, struct json_doc **ret, struct err *e)
{
    const struct http_request request = { .path = "/api/v1/rules?type=alert" };
    struct json_doc *doc = NULL;
    enum err_code code = remote_get_json(p, h, &request, &doc, e);
    if (code)
        return code;
    if (strcmp(status_text(json_root(doc), "status"), "success") != 0 ||
        json_type(json_path(json_root(doc), "data.groups")) != JSON_ARRAY) {
        json_free(doc);
        return err_set(e, ERR_UNAVAILABLE, "%s did not answer with its rules", remote_url(p));
    }
    *ret = doc;
    return ERR_OK;
}

void prometheus_alert(const struct remote *p, struct http *h, const char *alertname,
                      prometheus_belongs *belongs, void *ctx, struct observation *ret)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    struct err error = ERR_INIT;

    ret->prometheus = true;
    ret->alert_active_ms = ret->alert_evaluated_ms = ret->alert_interval_ms = 0;
    ret->alert_settle_ms = 0;
    buf_adds(&path, "/api/v1/rules");
    http_query(&path, "type", "alert");
    http_query(&path, "rule_name[]", alertname); /* older servers ignore it and send all */
    struct http_request request = { .path = buf_text(&path) };
    if (!buf_ok(&path))
        say(ret, ALERT_STATE_UNKNOWN, "prometheus cannot be asked: no memory for a path");
    else if (remote_get_json(p, h, &request, &doc, &error) != ERR_OK)
        say(ret, ALERT_STATE_UNKNOWN, "prometheus cannot be asked: %s", error.msg);
    else
        prometheus_read_rules(json_root(doc), alertname, belongs, ctx, ret);
}
