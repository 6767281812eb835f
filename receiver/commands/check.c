/* heald check: configuration and policy, every problem at once, by the same path as serve and reload. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "receiver/commands/check_cluster.h"
#include "receiver/commands/check_live.h"
#include "receiver/commands/check_systems.h"
#include "receiver/commands/commands.h"
#include "receiver/runtime/policy_file.h"
#include "receiver/runtime/settings.h"
#include "rules/base/json.h"

#define CONFIG_DEFAULT "heald.cfg"

struct checking {
    const char *config, *policy;
    bool strict, json, live, cluster;
    struct settings *settings;       /* NULL: none, or wrong */
    struct buf config_errors;        /* of heald.cfg, as text */
    struct config_problems problems; /* of the policy */
    char counts[160];                /* what stands in the policy; "" when it is wrong */
    bool failed, unreachable;
};

static void check_config(struct checking *c)
{
    struct err e = ERR_INIT;
    if (settings_load(&c->settings, c->config, &c->config_errors, &e) == ERR_OK &&
        settings_check(c->settings, &c->config_errors, &e) == ERR_OK)
        return;
    c->failed = true;
    if (!c->config_errors.len)
        buf_addf(&c->config_errors, "heald: %s: %s\n", c->config, e.msg);
}

/* Names that heald.cfg has, for warnings; the texts are the settings'. False: no memory. */
static bool collect_names(const struct settings *s, struct config_strings *groups,
                          struct config_strings *sources)
{
    size_t len = 0;
    for (size_t i = 0; i < s->operators_len; i++)
        len += s->operators[i].groups.len;
    groups->list = calloc(len + 1, sizeof *groups->list);
    sources->list = calloc(s->sources_len + 1, sizeof *sources->list);
    if (!groups->list || !sources->list)
        return false;
    for (size_t i = 0; i < s->operators_len; i++)
        for (size_t k = 0; k < s->operators[i].groups.len; k++)
            groups->list[groups->len++] = s->operators[i].groups.list[k];
    for (size_t i = 0; i < s->sources_len; i++)
        sources->list[sources->len++] = s->sources[i].scope.name;
    return true;
}

/* Questions that have no data: lines "FILE:LINE: TEXT" become warnings like the others. */
static void add_systems(struct checking *c, const struct policy *p)
{
    CLEANUP(buf_release) struct buf systems = BUF_INIT;
    size_t skip = strlen(c->policy) + 1;
    check_systems(&systems, c->policy, p, c->settings);
    char *end = NULL;
    for (char *line = systems.ptr; line && *line; line = end + 1) {
        end = strchr(line, '\n');
        char *text = NULL;
        int number = (int)strtol(line + skip, &text, 10);
        *end = '\0';
        config_problems_add(&c->problems, c->policy, number, true, "question-without-answer", text + 2);
    }
}

static void ask_prometheus(struct checking *c, const struct policy *p)
{
    struct err e = ERR_INIT;
    size_t before = c->problems.len;
    enum err_code code = check_live(&c->problems, c->policy, p, c->settings, &e);
    for (size_t i = before; i < c->problems.len; i++)
        c->failed = c->failed || !c->problems.list[i].warning;
    if (code == ERR_OK)
        return;
    fprintf(stderr, "heald: %s: %s\n", c->config, e.msg);
    c->failed = true;
    c->unreachable = code != ERR_INVALID;
}

/* What the clusters would not let heald do. */
static void ask_clusters(struct checking *c, const struct policy *p)
{
    struct err e = ERR_INIT;
    size_t before = c->problems.len;
    if (check_cluster(&c->problems, c->settings, p, &e) != ERR_OK)
        c->unreachable = true;
    c->failed = c->failed || c->problems.len > before;
}

static void check_policy(struct checking *c)
{
    CLEANUP(policy_freep) struct policy *p = NULL;
    struct config_strings groups = { .len = 0 }, sources = { .len = 0 };
    struct err e = ERR_INIT;
    bool named = c->settings && collect_names(c->settings, &groups, &sources);
    const struct policy_names names = { .groups = &groups,
                                        .sources = &sources,
                                        .settle_ms = c->live       ? -1
                                                     : c->settings ? settings_settle_ms(c->settings)
                                                                   : 0 };
    enum err_code code = policy_file_check(&p, c->policy, named ? &names : NULL, &c->problems, &e);
    free(groups.list);
    free(sources.list);
    if (code == ERR_OK && c->settings)
        add_systems(c, p);
    if (code == ERR_OK && c->live && c->settings)
        ask_prometheus(c, p);
    if (code == ERR_OK && c->cluster && c->settings)
        ask_clusters(c, p);
    if (code == ERR_OK && !c->failed)
        snprintf(c->counts, sizeof c->counts, "%zu environments, %zu rules, %zu plans, %zu ignore patterns",
                 p->environments_len, p->rules_len, p->plans_len, p->ignore.len);
    else if (code && !c->problems.len)
        fprintf(stderr, "heald: %s: %s\n", c->policy, e.msg);
    c->failed = c->failed || code != ERR_OK;
}

static size_t count_warnings(const struct checking *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->problems.len; i++)
        n += c->problems.list[i].warning;
    return n;
}

static void print_text(const struct checking *c)
{
    fputs(buf_text(&c->config_errors), stderr);
    if (c->settings && !c->config_errors.len)
        printf("%s: OK\n", c->config);
    for (size_t i = 0; i < c->problems.len; i++) {
        CLEANUP(buf_release) struct buf text = BUF_INIT;
        config_problem_write(&text, &c->problems.list[i], true);
        fputs(buf_text(&text), c->problems.list[i].warning ? stdout : stderr);
    }
    if (c->counts[0])
        printf("%s: OK: %s\n", c->policy, c->counts);
    if (c->strict && !c->failed && count_warnings(c))
        fprintf(stderr, "heald: %s: %zu warnings, and --strict takes none\n", c->policy, count_warnings(c));
}

static void write_problem(struct json_writer *w, const struct config_problem *p)
{
    jw_object(w);
    jw_kstring(w, "file", p->file);
    jw_kint(w, "line", p->line);
    jw_kint(w, "column", p->column);
    jw_kstring(w, "level", p->warning ? "warning" : "error");
    jw_kstring(w, "name", p->name);
    jw_kstring(w, "text", p->text);
    jw_object_end(w);
}

/* {"ok":false,"config_errors":"...","problems":[{"file":...,"line":...,"column":...,"level":...,...}]} */
static void print_json(const struct checking *c, bool good)
{
    struct json_writer *w = NULL;
    if (json_writer_new(&w, NULL) != ERR_OK) {
        fprintf(stderr, "heald: no memory\n");
        return;
    }
    jw_object(w);
    jw_kbool(w, "ok", good);
    if (c->config_errors.len)
        jw_kstring(w, "config_errors", buf_text(&c->config_errors));
    jw_key(w, "problems");
    jw_array(w);
    for (size_t i = 0; i < c->problems.len; i++)
        write_problem(w, &c->problems.list[i]);
    jw_array_end(w);
    jw_object_end(w);
    printf("%s\n", jw_text(w, NULL));
    json_writer_free(w);
}

/* False: usage. */
static bool read_options(struct checking *c, int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' }, { "policy", required_argument, NULL, 'p' },
        { "strict", no_argument, NULL, 's' },       { "cluster", no_argument, NULL, 'k' },
        { "live", no_argument, NULL, 'l' },         { NULL, 0, NULL, 0 }
    };
    int o;
    opterr = 0;
    while ((o = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        if (o == 'c')
            c->config = optarg;
        else if (o == 'p')
            c->policy = optarg;
        else if (o == 's')
            c->strict = true;
        else if (o == 'k')
            c->cluster = true;
        else if (o == 'l')
            c->live = true;
        else if (o == 'o' && strcmp(optarg, "json") == 0)
            c->json = true;
        else
            return false;
    }
    return true;
}

int command_check(int argc, char **argv)
{
    struct checking c = { .failed = false };
    if (!read_options(&c, argc, argv))
        return usage_error("check", "unknown option, or one without its value");
    if (optind != argc)
        return usage_error("check", "it takes options only");
    if (!c.config && (!c.policy || c.live || access(CONFIG_DEFAULT, R_OK) == 0))
        c.config = CONFIG_DEFAULT;
    if (c.cluster && !c.config)
        return usage_error("check", "--cluster needs a heald.cfg, which names the clusters");
    if (c.config)
        check_config(&c);
    if (!c.policy && c.settings)
        c.policy = c.settings->policy;
    if (c.policy)
        check_policy(&c);
    bool good = !c.failed && !(c.strict && count_warnings(&c));
    if (c.json)
        print_json(&c, good);
    else
        print_text(&c);
    config_problems_release(&c.problems);
    buf_release(&c.config_errors);
    settings_free(c.settings);
    return good ? EXIT_YES : c.unreachable ? EXIT_UNREACHABLE : EXIT_NO;
}
