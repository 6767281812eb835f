/* What can be read of the policy in force: its rules, and what it makes of an alert. */
#include <string.h>
#include <time.h>

#include "receiver/commands/explain.h"
#include "receiver/http/http_internal.h"
#include "rules/base/timetext.h"
#include "rules/policy/plan_text.h"

static const char *mode_word(enum mode mode)
{
    return mode == MODE_ACT ? "act" : mode == MODE_DRY_RUN ? "dry_run" : "observe";
}

static void write_matchers(struct json_writer *w, const char *key, const struct matchers *list)
{
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < list->len; i++) {
        CLEANUP(buf_release) struct buf text = BUF_INIT;
        matcher_format(&text, &list->list[i]);
        jw_string(w, buf_text(&text));
    }
    jw_array_end(w);
}

static void write_duration(struct json_writer *w, const char *key, int64_t ms)
{
    char text[DURATION_TEXT_SIZE];
    if (ms > 0 && ms < INT64_MAX)
        jw_kstring(w, key, duration_format(text, ms));
}

static void write_line(void *ctx, unsigned depth, const char *path, const char *text)
{
    struct json_writer *w = ctx;
    jw_object(w);
    jw_kint(w, "depth", depth);
    jw_kstring(w, "step", path);
    jw_kstring(w, "text", text);
    jw_object_end(w);
}

static void write_rule(struct json_writer *w, const struct rule *r)
{
    jw_object(w);
    jw_kstring(w, "name", r->name);
    jw_kbool(w, "enabled", r->enabled);
    jw_kstring(w, "mode", mode_word(r->mode));
    if (r->team)
        jw_kstring(w, "team", r->team->name);
    jw_kint(w, "line", r->line);
    write_matchers(w, "match", &r->match);
    jw_kstring(w, "plan", r->plan->name);
    jw_key(w, "plan_lines");
    jw_array(w);
    plan_lines(r->plan, write_line, w);
    jw_array_end(w);
    write_duration(w, "cooldown", r->cooldown_ms);
    if (r->attempts < INT64_MAX)
        jw_kint(w, "attempts", r->attempts);
    write_duration(w, "attempts_per", r->attempts_per_ms);
    write_duration(w, "alert_age", r->alert_age_ms);
    write_duration(w, "for", r->hold_off_ms);
    if (r->runbook)
        jw_kstring(w, "runbook", r->runbook);
    jw_object_end(w);
}

static void write_budgets(struct json_writer *w, const char *key, const struct budget_limit *list, size_t len)
{
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < len; i++) {
        if (list[i].actions == INT64_MAX)
            continue;
        jw_object(w);
        jw_kint(w, "actions", list[i].actions);
        write_duration(w, "per", list[i].per_ms);
        jw_kint(w, "per_ms", list[i].per_ms);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_environment(struct json_writer *w, const struct environment *v)
{
    jw_object(w);
    jw_kstring(w, "name", v->name);
    jw_kstring(w, "mode", mode_word(v->mode));
    write_matchers(w, "match", &v->match);
    write_budgets(w, "budgets", v->budgets, v->budgets_len);
    write_budgets(w, "workload_budgets", v->workload_budgets, v->workload_budgets_len);
    write_budgets(w, "namespace_budgets", v->namespace_budgets, v->namespace_budgets_len);
    write_budgets(w, "action_budgets", v->action_budgets, v->action_budgets_len);
    if (v->storm.incidents < INT64_MAX) {
        jw_key(w, "storm");
        jw_object(w);
        jw_kint(w, "incidents", v->storm.incidents);
        jw_kint(w, "per_ms", v->storm.per_ms);
        write_duration(w, "per", v->storm.per_ms);
        write_duration(w, "hold", v->storm.hold_ms);
        jw_object_end(w);
    }
    jw_object_end(w);
}

static void write_policy(void *ctx, const struct policy *p)
{
    struct json_writer *w = ctx;
    jw_kstring(w, "policy", p->hash);
    jw_key(w, "environments");
    jw_array(w);
    for (size_t i = 0; i < p->environments_len; i++)
        write_environment(w, &p->environments[i]);
    jw_array_end(w);
    jw_key(w, "rules");
    jw_array(w);
    for (size_t i = 0; i < p->rules_len; i++)
        write_rule(w, &p->rules[i]);
    jw_array_end(w);
}

void api_write_rules(struct http_lane *lane, struct request *r)
{
    loop_look(r->server->loop, write_policy, lane->writer);
}

static void finish(struct http_lane *lane, struct request *r)
{
    const char *text = jw_text(lane->writer, NULL);
    if (text)
        buf_addf(&r->result, "%s\n", text);
    else
        refuse(r, 503, "no memory for the answer");
}

static void carry_rules(struct http_lane *lane, struct request *r)
{
    jw_reset(lane->writer);
    jw_object(lane->writer);
    api_write_rules(lane, r);
    jw_object_end(lane->writer);
    finish(lane, r);
}

enum MHD_Result api_rules(struct request *r)
{
    return lane_answer(r, LANE_READS, carry_rules);
}

/* ---- explain ---- */

struct asked_to_explain {
    struct json_writer *w;
    const struct alert *alert;
};

static void explain(void *ctx, const struct policy *p)
{
    const struct asked_to_explain *x = ctx;
    explain_write(x->w, NULL, p, x->alert, false);
}

/* The source as it is named, or the first; NULL: there is none. */
static const struct source *source_of(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->sources_len; i++)
        if (!name || strcmp(s->sources[i].scope.name, name) == 0)
            return &s->sources[i].scope;
    return NULL;
}

enum err_code api_write_explain(struct http_lane *lane, struct request *r, const char *source,
                                const char *const *labels, size_t len, struct err *e)
{
    struct alert a = ALERT_INIT;
    const struct source *from = source_of(r->server->settings, source);
    enum err_code code = ERR_OK;
    if (!from)
        return err_set(e, ERR_NOT_FOUND, "heald.cfg has no source \"%s\"", source ? source : "");
    for (size_t i = 0; !code && i < len; i++) {
        const char *equal = strchr(labels[i], '=');
        if (!equal || equal == labels[i])
            code = err_set(e, ERR_INVALID, "\"%.100s\" is no label; write NAME=VALUE", labels[i]);
        else
            code = map_set_len(&a.labels, labels[i], (size_t)(equal - labels[i]), equal + 1,
                               strlen(equal + 1), false, e);
    }
    if (!code) {
        text_copy(a.source, sizeof a.source, from->name);
        a.starts_ms = (int64_t)time(NULL) * 1000;
        code = source_force(from, &a.labels, e);
    }
    if (!code)
        loop_look(r->server->loop, explain, &(struct asked_to_explain){ .w = lane->writer, .alert = &a });
    alert_release(&a);
    return code;
}

static void carry_explain(struct http_lane *lane, struct request *r)
{
    struct err e = ERR_INIT;
    const char *labels[QUERY_ARGS_MAX];
    size_t len = 0;
    for (size_t i = 0; i < r->args_len; i++)
        if (r->args[i].param->type == DOC_LABELS)
            labels[len++] = r->args[i].value;
    jw_reset(lane->writer);
    enum err_code code = api_write_explain(lane, r, query_text(r, "source"), labels, len, &e);
    if (code)
        refuse(r, code == ERR_NOMEM ? 503 : 400, "%s", e.msg);
    else
        finish(lane, r);
}

enum MHD_Result api_explain(struct request *r)
{
    return lane_answer(r, LANE_READS, carry_explain);
}
