/* GET /incidents: the list by filter; GET /incidents/ID: one as a timeline. */
#include <stdio.h>
#include <string.h>

#include "receiver/http/page/page.h"

/* ---- the list ---- */

static void write_filter(struct buf *out, const struct request *r)
{
    static const char *const outcomes[] = { "",          "open",    "healed",    "cleared",  "not_healed",
                                            "escalated", "refused", "cancelled", "observed", "unknown" };
    const char *outcome = query_text(r, "outcome"), *rule = query_text(r, "rule"),
               *namespace = query_text(r, "namespace");
    buf_adds(
        out,
        "<form class=\"line\" method=\"get\" action=\"/incidents\"><label>Outcome<select name=\"outcome\">");
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        buf_addf(out, "<option value=\"%s\"%s>%s</option>", outcomes[i],
                 outcome && strcmp(outcome, outcomes[i]) == 0 ? " selected" : "",
                 outcomes[i][0] ? outcomes[i] : "all");
    buf_adds(out, "</select></label><label>Rule<input name=\"rule\" value=\"");
    h_text(out, rule ? rule : "");
    buf_adds(out, "\"></label><label>Namespace<input name=\"namespace\" value=\"");
    h_text(out, namespace ? namespace : "");
    buf_adds(out, "\"></label><button>Show</button></form>\n");
}

static void write_row(struct buf *out, const struct json *i)
{
    CLEANUP(buf_release) struct buf target = BUF_INIT;
    story_target(&target, i);
    buf_adds(out, "<tr><td>");
    h_incident(out, j_text(i, "id"));
    buf_adds(out, "</td><td>");
    h_time(out, j_text(i, "opened"), true);
    buf_adds(out, "</td><td>");
    h_state(out, i);
    buf_adds(out, "</td><td>");
    h_text(out, buf_text(&target));
    buf_adds(out, "</td><td>");
    h_text(out, j_text(i, "rule"));
    buf_adds(out, "</td><td>");
    h_text(out, j_text(i, "reason"));
    buf_adds(out, "</td></tr>\n");
}

static void add_escaped(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_addf(out, "%%%02X", (unsigned char)*text);
}

static void write_next(struct buf *out, const struct request *r, int64_t next)
{
    static const char *const names[] = { "outcome", "rule", "namespace" };
    buf_addf(out, "<p><a href=\"/incidents?cursor=%lld", (long long)next);
    for (size_t i = 0; i < 3; i++)
        if (query_text(r, names[i]) && query_text(r, names[i])[0]) {
            buf_addf(out, "&amp;%s=", names[i]);
            add_escaped(out, query_text(r, names[i]));
        }
    buf_adds(out, "\">Older ones</a></p>\n");
}

/* An empty field of the form asks for everything. */
static void drop_empty(struct request *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->args_len; i++)
        if (r->args[i].value[0])
            r->args[kept++] = r->args[i];
    r->args_len = kept;
}

static void carry_list(struct http_lane *lane, struct request *r)
{
    struct buf *out = &r->result;
    drop_empty(r);
    CLEANUP(json_freep) struct json_doc *doc = page_look(lane, r, api_write_incidents);
    if (!doc)
        return;
    const struct json *root = json_root(doc), *list = json_get(root, "incidents");
    page_begin(out, r, "Incidents", "/incidents");
    buf_adds(out, "<h1>Incidents</h1>\n");
    write_filter(out, r);
    buf_adds(out, "<div id=\"list\" data-live>");
    if (!json_len(list))
        buf_adds(out, "<p class=\"soft\">There is none like that.</p>");
    else
        buf_adds(
            out,
            "<table class=\"stack\"><thead><tr><th scope=\"col\">Incident</th><th scope=\"col\">Opened</th>"
            "<th scope=\"col\">State</th><th scope=\"col\">Target</th><th scope=\"col\">Rule</th>"
            "<th scope=\"col\">Why</th></tr></thead><tbody>\n");
    for (const struct json *i = json_first(list); i; i = json_next(i))
        write_row(out, i);
    buf_adds(out, json_len(list) ? "</tbody></table></div>\n" : "</div>\n");
    if (json_get(root, "next"))
        write_next(out, r, j_number(root, "next", 0));
    page_end(out);
    page_done(r);
}

enum MHD_Result page_incidents(struct request *r)
{
    return lane_answer(r, LANE_READS, carry_list);
}

/* ---- one ---- */

static void write_summary(struct buf *out, const struct json *i)
{
    buf_adds(out, "<section id=\"summary\" data-live class=\"card\"><p>");
    h_state(out, i);
    if (j_text(i, "reason")[0]) {
        buf_adds(out, ": ");
        h_text(out, j_text(i, "reason"));
    }
    buf_adds(out, "</p><dl class=\"facts\">");
    h_fact(out, "rule", j_text(i, "rule"));
    h_fact(out, "plan", j_text(i, "plan"));
    h_fact(out, "cluster", j_text(i, "cluster"));
    h_fact(out, "environment", j_text(i, "environment"));
    h_fact(out, "mode", j_text(i, "mode"));
    h_fact(out, "cause", j_text(i, "cause"));
    buf_adds(out, "<dt>opened</dt><dd>");
    h_time(out, j_text(i, "opened"), false);
    buf_adds(out, "</dd>");
    if (j_text(i, "closed")[0]) {
        buf_adds(out, "<dt>closed</dt><dd>");
        h_time(out, j_text(i, "closed"), false);
        buf_adds(out, "</dd>");
    }
    if (j_text(i, "former")[0]) {
        buf_addf(out, "<dt>number %lld, after</dt><dd>", (long long)j_number(i, "times", 0));
        h_incident(out, j_text(i, "former"));
        buf_adds(out, "</dd>");
    }
    if (j_text(i, "merged_into")[0]) {
        buf_adds(out, "<dt>merged into</dt><dd>");
        h_incident(out, j_text(i, "merged_into"));
        buf_adds(out, "</dd>");
    }
    buf_adds(out, "</dl></section>\n");
}

static void write_question(struct buf *out, const struct request *r, const struct json *i)
{
    buf_adds(out, "<div id=\"question\" data-live>");
    if (j_text(i, "asks")[0]) {
        buf_adds(out, "<section class=\"card ask\"><h2>A yes is asked for</h2><pre>");
        h_text(out, j_text(i, "asks"));
        buf_adds(out, "</pre><p class=\"soft\">No answer is no, at ");
        h_time(out, j_text(i, "asks_until"), false);
        h_textf(out, ". %lld of %lld have said yes. It stands for exactly this change (%s).",
                (long long)j_number(i, "approvals", 0), (long long)j_number(i, "approvals_wanted", 1),
                j_text(i, "asks_hash"));
        buf_adds(out, "</p>");
        page_answer_form(out, r, i);
        buf_adds(out, "</section>");
    }
    buf_adds(out, "</div>\n");
}

static void write_evidence(struct buf *out, const struct json *e)
{
    if (!json_len(e))
        return;
    buf_adds(out, "<h2>What was seen first</h2><dl class=\"facts card\">");
    for (const struct json *m = json_first(e); m; m = json_next(m)) {
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)json_int(m, 0));
        h_fact(out, json_name(m), json_type(m) == JSON_NUMBER ? number : json_string(m, ""));
    }
    buf_adds(out, "</dl>\n");
}

static bool is_link(const char *text)
{
    return strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
}

static void write_map(struct buf *out, const struct json *map)
{
    for (const struct json *m = json_first(map); m; m = json_next(m)) {
        const char *value = json_string(m, "");
        buf_adds(out, "<dt>");
        h_text(out, json_name(m));
        buf_adds(out, "</dt><dd>");
        if (is_link(value)) {
            buf_adds(out, "<a rel=\"noreferrer\" href=\"");
            h_text(out, value);
            buf_adds(out, "\">");
        }
        h_text(out, value);
        buf_adds(out, is_link(value) ? "</a></dd>" : "</dd>");
    }
}

static void write_alerts(struct buf *out, const struct json *list)
{
    if (json_len(list))
        buf_adds(out, "<h2>Alerts</h2>\n");
    for (const struct json *a = json_first(list); a; a = json_next(a)) {
        buf_adds(out, "<article class=\"card\"><h3>");
        h_textf(out, "%s %s", json_string(json_path(a, "labels.alertname"), "alert"), j_text(a, "status"));
        buf_adds(out, "</h3><span class=\"soft\">from ");
        h_textf(out, "%s, ", j_text(a, "source"));
        h_time(out, j_text(a, "at"), false);
        buf_adds(out, "</span><dl class=\"facts\">");
        write_map(out, json_get(a, "labels"));
        write_map(out, json_get(a, "annotations"));
        buf_adds(out, "</dl></article>\n");
    }
}

static void write_story(struct buf *out, const struct json *list, int64_t facts)
{
    buf_adds(out, "<section id=\"story\" data-live><h2>What happened</h2><ol class=\"story\">\n");
    for (const struct json *f = json_first(list); f; f = json_next(f)) {
        CLEANUP(buf_release) struct buf line = BUF_INIT;
        const char *kind = j_text(f, "kind");
        story_tell(&line, kind, json_get(f, "body"));
        if (!line.len)
            continue;
        buf_adds(out, "<li>");
        h_time(out, j_text(f, "at"), false);
        buf_addf(out, " <span class=\"kind %s\">",
                 strcmp(kind, "refused") == 0 || strcmp(kind, "asked") == 0 ? "wait" : "soft");
        for (const char *c = kind; *c; c++)
            buf_addc(out, (char)(*c == '_' ? ' ' : *c));
        buf_adds(out, "</span> ");
        h_text(out, buf_text(&line));
        buf_adds(out, "</li>\n");
    }
    buf_adds(out, "</ol>");
    if (facts > (int64_t)json_len(list))
        buf_addf(out, "<p class=\"soft\">%lld facts in all; the first %zu are shown.</p>", (long long)facts,
                 json_len(list));
    buf_adds(out, "</section>\n");
}

static void write_words(struct buf *out, const struct request *r, const struct json *i)
{
    bool open = strcmp(j_text(i, "outcome"), "open") == 0;
    buf_adds(out, "<div id=\"words\" data-live>");
    if (page_may(r, ROLE_ACT)) {
        buf_adds(out, "<h2>Your word</h2><form class=\"answer card\" method=\"post\" action=\"/incidents/");
        h_text(out, j_text(i, "id"));
        buf_adds(out, "/retry\">");
        page_csrf(out, r);
        buf_adds(out, "<label>Why (needed to cancel)<input name=\"reason\" maxlength=\"200\" "
                      "autocomplete=\"off\"></label>"
                      "<button>Retry</button>");
        if (open) {
            buf_adds(out, "<button class=\"no\" formaction=\"/incidents/");
            h_text(out, j_text(i, "id"));
            buf_adds(out, "/cancel\">Cancel</button>");
        }
        buf_adds(out, "</form>");
    }
    buf_adds(out, "</div>\n");
}

static enum err_code write_one(struct http_lane *lane, const struct request *r, struct err *e)
{
    jw_key(lane->writer, "it");
    return api_write_incident(lane, r, r->incident, e);
}

static void carry_one(struct http_lane *lane, struct request *r)
{
    CLEANUP(json_freep) struct json_doc *doc = page_look(lane, r, write_one);
    CLEANUP(buf_release) struct buf target = BUF_INIT;
    CLEANUP(buf_release) struct buf title = BUF_INIT;
    struct buf *out = &r->result;
    if (!doc)
        return;
    const struct json *it = json_get(json_root(doc), "it"), *i = json_get(it, "incident");
    story_target(&target, i);
    buf_addf(&title, "%s: %s", target.len ? buf_text(&target) : "incident", story_state(i));
    page_begin(out, r, buf_text(&title), "");
    buf_adds(out, "<h1>");
    h_text(out, target.len ? buf_text(&target) : "Incident");
    buf_adds(out, " <span class=\"soft mono\">");
    h_text(out, j_text(i, "id"));
    buf_adds(out, "</span></h1>\n");
    write_question(out, r, i);
    write_summary(out, i);
    write_story(out, json_get(it, "history"), j_number(it, "facts", 0));
    write_evidence(out, json_get(i, "evidence"));
    write_alerts(out, json_get(it, "alerts"));
    write_words(out, r, i);
    page_end(out);
    page_done(r);
}

enum MHD_Result page_incident(struct request *r)
{
    return lane_answer(r, LANE_READS, carry_one);
}
