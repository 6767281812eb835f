/* GET /: what waits for a person, what is going on, what was refused lately and why, what is used up, how it
 * went. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/http/page/page.h"

#define OPEN_SHOWN 50
#define REFUSED_SHOWN 12
#define CLOSED_SHOWN 8
#define WEEKS_SHOWN 12
#define BRIEF_MS 30000 /* how old the statistics may be */

static void write_waiting(struct buf *out, const struct request *r, const struct json *list)
{
    buf_addf(out, "<section id=\"waiting\" data-live><h2>Waits for a person (%zu)</h2>\n", json_len(list));
    if (!json_len(list))
        buf_adds(out, "<p class=\"soft\">Nothing waits for a yes.</p>");
    for (const struct json *i = json_first(list); i; i = json_next(i)) {
        CLEANUP(buf_release) struct buf target = BUF_INIT;
        story_target(&target, i);
        buf_adds(out, "<article class=\"card ask\"><h3>");
        h_text(out, buf_text(&target));
        buf_adds(out, "</h3><pre>");
        h_text(out, j_text(i, "asks"));
        buf_adds(out, "</pre><dl class=\"facts\">");
        h_fact(out, "rule", j_text(i, "rule"));
        h_fact(out, "environment", j_text(i, "environment"));
        h_fact(out, "cause", j_text(i, "cause"));
        h_fact(out, "asked of", j_text(i, "asks_role"));
        buf_adds(out, "<dt>no answer is no</dt><dd>");
        h_time(out, j_text(i, "asks_until"), false);
        buf_adds(out, "</dd><dt>incident</dt><dd>");
        h_incident(out, j_text(i, "id"));
        buf_adds(out, "</dd></dl>");
        page_answer_form(out, r, i);
        buf_adds(out, "</article>\n");
    }
    buf_adds(out, "</section>\n");
}

static void write_list(struct buf *out, const char *id, const char *title, const char *none,
                       const struct json *list)
{
    buf_addf(out, "<section id=\"%s\" data-live><h2>%s</h2>\n", id, title);
    if (!json_len(list))
        buf_addf(out, "<p class=\"soft\">%s</p>", none);
    for (const struct json *i = json_first(list); i; i = json_next(i)) {
        CLEANUP(buf_release) struct buf target = BUF_INIT;
        story_target(&target, i);
        buf_adds(out, "<article class=\"card\"><h3>");
        h_text(out, target.len ? buf_text(&target) : "its object is being looked for");
        buf_adds(out, "</h3>");
        h_state(out, i);
        if (j_text(i, "reason")[0]) {
            buf_adds(out, ": ");
            const char *guard = j_text(i, "guard"), *reason = j_text(i, "reason");
            bool named = strncmp(reason, guard, strlen(guard)) == 0; /* also when there is none */
            h_textf(out, "%s%s%s", named ? "" : guard, named ? "" : ": ", reason);
        }
        buf_adds(out, "<br><span class=\"soft\">");
        h_textf(out, "rule %s, %lld alerts, %lld writes, ", j_text(i, "rule"),
                (long long)j_number(i, "alerts", 0), (long long)j_number(i, "writes", 0));
        h_time(out, j_text(i, "opened"), true);
        buf_adds(out, "</span> ");
        h_incident(out, j_text(i, "id"));
        buf_adds(out, "</article>\n");
    }
    buf_adds(out, "</section>\n");
}

static void write_refused(struct buf *out, const struct json *list)
{
    buf_adds(out, "<section id=\"refused\" data-live><h2>Refused lately, and why</h2>\n");
    if (!json_len(list))
        buf_adds(out, "<p class=\"soft\">No guard has refused anything.</p>");
    else
        buf_adds(
            out,
            "<table class=\"stack\"><thead><tr><th scope=\"col\">When</th><th scope=\"col\">Incident</th>"
            "<th scope=\"col\">Guard</th><th scope=\"col\">Why</th></tr></thead><tbody>\n");
    for (const struct json *f = json_first(list); f; f = json_next(f)) {
        buf_adds(out, "<tr><td>");
        h_time(out, j_text(f, "at"), true);
        buf_adds(out, "</td><td>");
        h_incident(out, j_text(f, "incident"));
        buf_adds(out, "</td><td>");
        h_text(out, json_string(json_path(f, "body.guard"), ""));
        buf_adds(out, "</td><td>");
        h_text(out, json_string(json_path(f, "body.reason"), ""));
        buf_adds(out, "</td></tr>\n");
    }
    buf_adds(out, json_len(list) ? "</tbody></table></section>\n" : "</section>\n");
}

static void write_success(struct buf *out, const struct json *rules)
{
    buf_adds(out, "<section id=\"success\" data-live><h2>How it went, by rule</h2>\n");
    if (!json_len(rules)) {
        buf_adds(out, "<p class=\"soft\">There was no incident yet.</p></section>\n");
        return;
    }
    buf_adds(
        out,
        "<table class=\"stack\"><thead><tr><th scope=\"col\">Rule</th><th scope=\"col\">Incidents</th>"
        "<th scope=\"col\">Success</th><th scope=\"col\">Median time to repair</th></tr></thead><tbody>\n");
    for (const struct json *x = json_first(rules); x; x = json_next(x)) {
        char label[64];
        int64_t percent = j_number(x, "success_percent", -1),
                seconds = j_number(x, "repair_seconds_median", -1);
        snprintf(label, sizeof label, "%lld percent healed", (long long)percent);
        buf_adds(out, "<tr><td>");
        h_text(out, j_text(x, "name"));
        buf_addf(out, "</td><td>%lld</td><td>", (long long)j_number(x, "incidents", 0));
        if (percent >= 0) {
            buf_addf(out, "%lld %% ", (long long)percent);
            h_bar(out, percent, 101, label);
        } else {
            buf_adds(out, "nothing to be healed yet");
        }
        buf_adds(out, "</td><td>");
        if (seconds >= 0)
            buf_addf(out, "%lld min %lld s", (long long)seconds / 60, (long long)seconds % 60);
        else
            buf_adds(out, "-");
        buf_adds(out, "</td></tr>\n");
    }
    buf_adds(out, "</tbody></table>\n");
}

static int by_name(const void *a, const void *b)
{
    const struct json *const *x = a, *const *y = b;
    return strcmp(j_text(*x, "name"), j_text(*y, "name"));
}

/* A column a week: all incidents, and of them healed. */
static void write_weeks(struct buf *out, const struct json *weeks)
{
    const struct json *list[100];
    size_t len = 0, first;
    int64_t most = 1;
    for (const struct json *x = json_first(weeks); x && len < 100; x = json_next(x))
        list[len++] = x;
    if (len)
        qsort((void *)list, len, sizeof *list, by_name); /* NOLINT(bugprone-sizeof-expression): pointers */
    first = len > WEEKS_SHOWN ? len - WEEKS_SHOWN : 0;
    for (size_t i = first; i < len; i++)
        most = j_number(list[i], "incidents", 0) > most ? j_number(list[i], "incidents", 0) : most;
    if (len)
        buf_adds(
            out,
            "<h3>By week: incidents, and of them healed</h3><svg class=\"weeks\" viewBox=\"0 0 640 130\" "
            "role=\"img\" aria-label=\"incidents by week\">");
    for (size_t i = first; i < len; i++) {
        int64_t all = j_number(list[i], "incidents", 0), healed = j_number(list[i], "healed", 0);
        int x = (int)(i - first) * 52;
        buf_addf(out, "<g><title>week of %s: %lld incidents, %lld healed</title>", j_text(list[i], "name"),
                 (long long)all, (long long)healed);
        buf_addf(out, "<rect class=\"back\" x=\"%d\" y=\"%lld\" width=\"42\" height=\"%lld\"/>", x + 4,
                 (long long)(108 - 100 * all / most), (long long)(100 * all / most));
        buf_addf(out, "<rect class=\"part\" x=\"%d\" y=\"%lld\" width=\"42\" height=\"%lld\"/>", x + 4,
                 (long long)(108 - 100 * healed / most), (long long)(100 * healed / most));
        buf_addf(out, "<text x=\"%d\" y=\"124\">%.5s</text></g>", x + 8,
                 strlen(j_text(list[i], "name")) > 5 ? j_text(list[i], "name") + 5 : "");
    }
    buf_adds(out, len ? "</svg></section>\n" : "</section>\n");
}

static void write_pause(struct buf *out, const struct request *r, const struct json *p)
{
    const char *scope = j_text(p, "scope"), *name = j_text(p, "name");
    buf_adds(out, "<div class=\"banner\"><strong>Paused ");
    h_textf(out, "%s %s", scope, name);
    buf_adds(out, "</strong> by ");
    h_textf(out, "%s: %s", j_text(p, "who"), j_text(p, "reason"));
    if (j_text(p, "until")[0]) {
        buf_adds(out, ", until ");
        h_time(out, j_text(p, "until"), false);
    }
    buf_adds(out, ". Nothing is changed meanwhile.");
    if (page_may(r, ROLE_ACT)) {
        buf_adds(out, "<form class=\"answer\" method=\"post\" action=\"/resume\">");
        page_csrf(out, r);
        if (name[0]) {
            buf_addf(out, "<input type=\"hidden\" name=\"%s\" value=\"", scope);
            h_text(out, name);
            buf_adds(out, "\">");
        }
        buf_adds(out, "<button class=\"yes\">Resume</button></form>");
    }
    buf_adds(out, "</div>\n");
}

static void write_pauses(struct buf *out, const struct request *r, const struct json *status)
{
    buf_adds(out, "<div id=\"pauses\" data-live role=\"status\">");
    for (const struct json *p = json_first(json_get(status, "pauses")); p; p = json_next(p))
        write_pause(out, r, p);
    if (j_text(status, "policy_error")[0]) {
        buf_adds(out, "<div class=\"banner\"><strong>The policy file is refused</strong>, the one before "
                      "stays in force: ");
        h_text(out, j_text(status, "policy_error"));
        buf_adds(out, "</div>");
    }
    for (const struct json *c = json_first(json_get(status, "clusters")); c; c = json_next(c))
        if (!json_bool(json_get(c, "synced"), true)) {
            buf_adds(out, "<div class=\"banner\">Cluster ");
            h_text(out, j_text(c, "name"));
            buf_adds(out, " is not watched now.</div>");
        }
    buf_adds(out, "</div>\n");
}

/* ---- what it is made of ---- */

static enum err_code list_as(struct http_lane *lane, const struct request *r, const char *as,
                             const char *name, const char *value, int64_t limit, struct err *e)
{
    const struct doc_param filter = { .name = name }, most = { .name = "limit" };
    struct request q = { .server = r->server, .operator= r->operator, .args_len = 2 };
    q.args[0] = (struct query_arg){ .param = &filter, .value = value };
    q.args[1] = (struct query_arg){ .param = &most, .number = limit };
    jw_key(lane->writer, as);
    jw_object(lane->writer);
    enum err_code code = api_write_incidents(lane, &q, e);
    jw_object_end(lane->writer);
    return code;
}

static enum err_code refusals(struct http_lane *lane, const struct request *r, struct err *e)
{
    static const struct doc_param kind = { .name = "kind" }, most = { .name = "limit" };
    struct request q = { .server = r->server, .operator= r->operator, .args_len = 2 };
    q.args[0] = (struct query_arg){ .param = &kind, .value = "refused" };
    q.args[1] = (struct query_arg){ .param = &most, .number = REFUSED_SHOWN };
    return api_write_events(lane, &q, e);
}

static enum err_code write_all(struct http_lane *lane, const struct request *r, struct err *e)
{
    enum err_code code = list_as(lane, r, "asking", "state", "approval", OPEN_SHOWN, e);
    if (!code)
        code = list_as(lane, r, "open", "outcome", "open", OPEN_SHOWN, e);
    if (!code)
        code = list_as(lane, r, "closed", "state", "closed", CLOSED_SHOWN, e);
    if (!code)
        code = refusals(lane, r, e);
    return code;
}

/* Counting takes longer than the rest: for those who see all it is done once in BRIEF_MS. */
static struct json_doc *brief_stats(struct http_lane *lane, struct request *r)
{
    CLEANUP(buf_release) struct buf namespaces = BUF_INIT;
    struct json_doc *doc = NULL;
    bool all = !api_namespaces(r, &namespaces);
    int64_t now = monotonic_ms();
    if (all && lane->brief.len && now < lane->brief_ms + BRIEF_MS &&
        json_parse(&doc, buf_text(&lane->brief), lane->brief.len, NULL) == ERR_OK)
        return doc;
    doc = page_look(lane, r, api_write_brief_stats);
    if (doc && all) {
        buf_clear(&lane->brief);
        json_write(&lane->brief, json_root(doc), false);
        lane->brief_ms = now;
    }
    return doc;
}

static void carry(struct http_lane *lane, struct request *r)
{
    CLEANUP(json_freep) struct json_doc *status = NULL;
    CLEANUP(json_freep) struct json_doc *stats = brief_stats(lane, r);
    CLEANUP(json_freep) struct json_doc *doc = page_look(lane, r, write_all);
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    struct buf *out = &r->result;
    char title[64];
    if (!doc || !stats)
        return;
    const struct json *root = json_root(doc), *asking = json_path(root, "asking.incidents");
    loop_status(r->server->loop, &text);
    bool known = json_parse(&status, buf_text(&text), text.len, NULL) == ERR_OK;
    snprintf(title, sizeof title, json_len(asking) ? "(%zu) Now" : "Now", json_len(asking));
    page_begin(out, r, title, "/");
    buf_adds(out, "<h1>What is going on now</h1>\n");
    if (known)
        write_pauses(out, r, json_root(status));
    write_waiting(out, r, asking);
    write_list(out, "open", "Open incidents", "Nothing is open.", json_path(root, "open.incidents"));
    page_budgets(lane, r, out);
    write_refused(out, json_get(root, "events"));
    write_list(out, "closed", "Closed lately", "Nothing was closed yet.",
               json_path(root, "closed.incidents"));
    write_success(out, json_get(json_root(stats), "rules"));
    write_weeks(out, json_get(json_root(stats), "weeks"));
    page_end(out);
    page_done(r);
}

enum MHD_Result page_home(struct request *r)
{
    return lane_answer(r, LANE_READS, carry);
}
