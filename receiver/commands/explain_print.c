/* An explanation for a person at night. */
#include <stdio.h>
#include <string.h>

#include "receiver/commands/explain.h"

static const char *text(const struct json *j, const char *key)
{
    return json_string(json_get(j, key), "");
}

static void print_map(const struct json *m)
{
    for (const struct json *x = json_first(m); x; x = json_next(x))
        printf("  %s=\"%s\"\n", json_name(x), json_string(x, ""));
}

static void print_rules(const struct json *rules)
{
    printf("rules, in their order\n");
    if (!json_len(rules))
        printf("  there is none\n");
    int number = 1;
    for (const struct json *r = json_first(rules); r; r = json_next(r), number++) {
        bool takes = json_bool(json_get(r, "takes"), false);
        printf("  %s %d. %s (line %lld)\n", takes ? "=>" : "  ", number, text(r, "name"),
               (long long)json_int(json_get(r, "line"), 0));
        if (!takes)
            printf("        no: %s\n", text(r, "why"));
    }
}

static void print_plan(const struct json *plan, const char *next)
{
    printf("plan %s (line %lld)\n", text(plan, "name"), (long long)json_int(json_get(plan, "line"), 0));
    for (const struct json *l = json_first(json_get(plan, "lines")); l; l = json_next(l)) {
        const char *step = text(l, "step");
        bool is_next = *next && strcmp(step, next) == 0;
        printf("  %s%*s%s\n", is_next ? "=> " : "   ", 2 * (int)json_int(json_get(l, "depth"), 0), "",
               text(l, "text"));
    }
}

static void print_guards(const struct json *guards)
{
    printf("guards, in their order; here without the running heald's memory of budgets, cooldowns and proven "
           "templates\n");
    for (const struct json *g = json_first(guards); g; g = json_next(g)) {
        const char *again = text(g, "again_in");
        printf("  %-6s %-16s %s%s%s\n", text(g, "answer"), text(g, "guard"), text(g, "reason"),
               *again ? "; asked again in " : "", again);
    }
}

static void print_live(const struct json *live)
{
    if (text(live, "object")[0]) {
        printf("the object, as it is now\n  %s in cluster %s: %lld of %lld ready%s%s\n", text(live, "object"),
               text(live, "cluster"), (long long)json_int(json_get(live, "ready"), 0),
               (long long)json_int(json_get(live, "desired"), 0), text(live, "fault")[0] ? "; " : "",
               text(live, "fault"));
        if (text(live, "owner")[0])
            printf("  owned by %s\n", text(live, "owner"));
        printf("environment\n  %s, mode %s\n",
               text(live, "environment")[0] ? text(live, "environment") : "none matches", text(live, "mode"));
    }
    if (text(live, "error")[0])
        printf("it could not be looked at\n  %s\n", text(live, "error"));
    if (!json_get(live, "guards"))
        return;
    if (text(live, "step")[0])
        printf("next\n  %s (%s)%s%s\n", text(live, "action"), text(live, "step"),
               text(live, "reason")[0] ? ": " : "", text(live, "reason"));
    else
        printf("next\n  nothing: %s\n", text(live, "reason"));
    print_guards(json_get(live, "guards"));
}

void explain_print(const struct json *x)
{
    const struct json *alert = json_get(x, "alert"), *live = json_get(x, "live"), *plan = json_get(x, "plan");
    printf("alert from source \"%s\", %s\n", text(alert, "source"), text(alert, "status"));
    print_map(json_get(alert, "labels"));
    if (text(x, "refused")[0])
        printf("nothing comes of it\n  %s\n", text(x, "refused"));
    print_rules(json_get(x, "rules"));
    if (!plan) {
        printf("no rule takes it: it is recorded, and nothing is done\n");
        return;
    }
    printf("target\n");
    for (const struct json *t = json_first(json_get(x, "targets")); t; t = json_next(t))
        printf("  %s\n", json_string(t, ""));
    if (live)
        print_live(live);
    print_plan(plan, text(live, "step"));
}
