/* GET /policy: the rules in force; GET /explain: labels in, what would come of them out; budgets as bars. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "receiver/http/page/page.h"

#define EXPLAIN_LABELS_MAX 64

static struct json_doc *rules_of(struct http_lane *lane, struct request *r)
{
    struct json_doc *doc = NULL;
    size_t len = 0;
    jw_reset(lane->writer);
    jw_object(lane->writer);
    api_write_rules(lane, r);
    jw_object_end(lane->writer);
    const char *text = jw_text(lane->writer, &len);
    if (!text || json_parse(&doc, text, len, NULL) != ERR_OK)
        refuse(r, 503, "no memory for the policy");
    return doc;
}

/* ---- budgets ---- */

static int64_t used(struct http_lane *lane, const char *sql, const char *environment, int64_t per_ms)
{
    int64_t n = 0;
    const struct view_param params[] = { { .name = ":environment", .text = environment },
                                         { .name = ":since", .number = (int64_t)time(NULL) * 1000 - per_ms },
                                         { .name = NULL } };
    return view_number(lane->view, sql, params, 0, &n, NULL) == ERR_OK ? n : 0;
}

static void write_bar(struct buf *out, const char *what, int64_t part, int64_t whole, const char *per)
{
    char label[160];
    snprintf(label, sizeof label, "%lld of %lld %s in %s", (long long)part, (long long)whole, what, per);
    buf_adds(out, "<dt>");
    h_text(out, label);
    buf_adds(out, "</dt><dd>");
    h_bar(out, part, whole, label);
    buf_adds(out, "</dd>\n");
}

static void write_environment(struct http_lane *lane, struct buf *out, const struct json *v)
{
    static const char writes[] = "SELECT count(DISTINCT incident || step || '/' || attempt) FROM step"
                                 " WHERE environment = :environment AND at_ms > :since";
    static const char incidents[] = "SELECT count(*) FROM incident WHERE environment = :environment"
                                    " AND opened_ms > :since";
    const char *name = j_text(v, "name");
    const struct json *storm = json_get(v, "storm");
    buf_adds(out, "<article class=\"card\"><h3>");
    h_textf(out, "%s, mode %s", name, j_text(v, "mode"));
    buf_adds(out, "</h3><dl class=\"facts\">");
    for (const struct json *b = json_first(json_get(v, "budgets")); b; b = json_next(b))
        write_bar(out, "writes", used(lane, writes, name, j_number(b, "per_ms", 0)),
                  j_number(b, "actions", 0), j_text(b, "per"));
    if (storm)
        write_bar(out, "incidents before the storm brake,",
                  used(lane, incidents, name, j_number(storm, "per_ms", 0)), j_number(storm, "incidents", 0),
                  j_text(storm, "per"));
    buf_adds(out, "</dl></article>\n");
}

void page_budgets(struct http_lane *lane, struct request *r, struct buf *out)
{
    CLEANUP(json_freep) struct json_doc *doc = rules_of(lane, r);
    const struct json *list = json_get(json_root(doc), "environments");
    buf_adds(out, "<section id=\"budgets\" data-live><h2>Budgets and brakes</h2>\n");
    if (!json_len(list))
        buf_adds(out, "<p class=\"soft\">The policy has no environment: heald only observes.</p>");
    if (view_begin(lane->view, NULL) == ERR_OK)
        for (const struct json *v = json_first(list); v; v = json_next(v))
            write_environment(lane, out, v);
    view_end(lane->view);
    buf_adds(out, "</section>\n");
}

/* ---- rules ---- */

static void write_lines(struct buf *out, const struct json *lines)
{
    buf_adds(out, "<pre>");
    for (const struct json *l = json_first(lines); l; l = json_next(l)) {
        buf_addf(out, "%*s", 2 * (int)j_number(l, "depth", 0), "");
        h_text(out, j_text(l, "text"));
        buf_addc(out, '\n');
    }
    buf_adds(out, "</pre>\n");
}

static void write_rule(struct buf *out, const struct json *x)
{
    buf_adds(out, "<article class=\"card\"><h3>");
    h_text(out, j_text(x, "name"));
    buf_adds(out, "</h3>");
    if (!json_bool(json_get(x, "enabled"), true))
        buf_adds(out, "<p class=\"wait\">not enabled</p>");
    buf_adds(out, "<p class=\"mono\">");
    for (const struct json *m = json_first(json_get(x, "match")); m; m = json_next(m)) {
        h_text(out, json_string(m, ""));
        buf_adds(out, json_next(m) ? ", " : "");
    }
    buf_adds(out, "</p><dl class=\"facts\">");
    h_fact(out, "plan", j_text(x, "plan"));
    h_fact(out, "mode at most", j_text(x, "mode"));
    h_fact(out, "team", j_text(x, "team"));
    h_fact(out, "cooldown", j_text(x, "cooldown"));
    h_fact(out, "waits before", j_text(x, "for"));
    buf_adds(out, "</dl><details><summary>The plan</summary>");
    write_lines(out, json_get(x, "plan_lines"));
    buf_adds(out, "</details></article>\n");
}

static void carry_policy(struct http_lane *lane, struct request *r)
{
    CLEANUP(json_freep) struct json_doc *doc = rules_of(lane, r);
    struct buf *out = &r->result;
    if (!doc)
        return;
    const struct json *root = json_root(doc);
    page_begin(out, r, "Policy", "/policy");
    buf_adds(out, "<h1>Policy in force</h1><p class=\"soft mono\">");
    h_text(out, j_text(root, "policy"));
    buf_adds(out, "</p>\n");
    page_budgets(lane, r, out);
    buf_addf(out, "<h2>Rules (%zu), the first that matches counts</h2>\n", json_len(json_get(root, "rules")));
    for (const struct json *x = json_first(json_get(root, "rules")); x; x = json_next(x))
        write_rule(out, x);
    page_end(out);
    page_done(r);
}

enum MHD_Result page_policy(struct request *r)
{
    return lane_answer(r, LANE_READS, carry_policy);
}

/* ---- explain ---- */

/* NAME=VALUE, one a line or with commas between, with or without quotes and braces, as people copy them. In
 * place. */
static size_t split_labels(char *text, const char *ret[EXPLAIN_LABELS_MAX])
{
    size_t len = 0;
    for (char *at = text; *at && len < EXPLAIN_LABELS_MAX;) {
        bool quoted = false;
        at += strspn(at, " \t\r\n,{}");
        char *begin = at, *out = at;
        for (; *at && (quoted || !strchr("\r\n,}", *at)); at++)
            if (*at == '"')
                quoted = !quoted;
            else
                *out++ = *at;
        bool more = *at != '\0';
        *out = '\0';
        if (*begin)
            ret[len++] = begin;
        at += more;
    }
    return len;
}

static void write_form(struct buf *out, const char *labels)
{
    buf_adds(out,
             "<form class=\"card stack\" method=\"get\" action=\"/explain\"><label>Labels of the alert"
             "<textarea name=\"labels\" rows=\"5\" required spellcheck=\"false\" aria-describedby=\"how\">");
    h_text(out, labels);
    buf_adds(out, "</textarea></label><p class=\"soft\" id=\"how\">As alertname=\"KubePodCrashLooping\", "
                  "namespace=\"shop\", "
                  "pod=\"web-1\"; one a line or with commas.</p><button class=\"yes\">What would "
                  "happen?</button></form>\n");
}

static void write_explanation(struct buf *out, const struct json *x)
{
    const struct json *plan = json_get(x, "plan");
    if (j_text(x, "refused")[0]) {
        buf_adds(out, "<p class=\"banner\">Nothing comes of it: ");
        h_text(out, j_text(x, "refused"));
        buf_adds(out, "</p>");
    }
    if (!plan)
        buf_adds(out, "<p class=\"banner\">No rule takes it: it is recorded, and nothing is done.</p>");
    buf_adds(out, "<h2>Rules, in their order</h2><ol>");
    for (const struct json *r = json_first(json_get(x, "rules")); r; r = json_next(r)) {
        bool takes = json_bool(json_get(r, "takes"), false);
        buf_addf(out, "<li><span class=\"%s\">", takes ? "good" : "soft");
        h_textf(out, "%s%s", j_text(r, "name"), takes ? " takes it" : "");
        buf_adds(out, "</span>");
        if (!takes) {
            buf_adds(out, ": ");
            h_text(out, j_text(r, "why"));
        }
        buf_adds(out, "</li>\n");
    }
    buf_adds(out, "</ol>\n");
    if (!plan)
        return;
    buf_adds(out, "<h2>Target</h2><ul>");
    for (const struct json *t = json_first(json_get(x, "targets")); t; t = json_next(t)) {
        buf_adds(out, "<li>");
        h_text(out, json_string(t, ""));
        buf_adds(out, "</li>");
    }
    buf_adds(out, "</ul><h2>Plan ");
    h_text(out, j_text(plan, "name"));
    buf_adds(out, "</h2>");
    write_lines(out, json_get(plan, "lines"));
    buf_adds(out, "<p class=\"soft\">The guards are asked when it happens, on what is true then.</p>\n");
}

static void carry_explain(struct http_lane *lane, struct request *r)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    const char *given = query_text(r, "labels"), *labels[EXPLAIN_LABELS_MAX];
    char text[QUERY_VALUE_MAX + 1] = "";
    struct err e = ERR_INIT;
    struct buf *out = &r->result;
    size_t size = 0;
    text_copy(text, sizeof text, given ? given : "");
    size_t len = split_labels(text, labels);
    jw_reset(lane->writer);
    enum err_code code = len ? api_write_explain(lane, r, NULL, labels, len, &e) : ERR_OK;
    const char *answer = len && !code ? jw_text(lane->writer, &size) : NULL;
    if (answer && json_parse(&doc, answer, size, NULL) != ERR_OK)
        doc = NULL;
    page_begin(out, r, "Explain", "/explain");
    buf_adds(out, "<h1>What would happen?</h1>\n");
    write_form(out, given ? given : "");
    if (code) {
        buf_adds(out, "<p class=\"banner\" role=\"alert\">");
        h_text(out, e.msg);
        buf_adds(out, "</p>");
    }
    if (doc)
        write_explanation(out, json_root(doc));
    page_end(out);
    page_done(r);
}

enum MHD_Result page_explain(struct request *r)
{
    return lane_answer(r, LANE_READS, carry_explain);
}
