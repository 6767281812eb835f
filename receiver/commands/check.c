/* heald check: configuration and policy, every error at once, by the same path as serve and reload. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "receiver/commands/check_systems.h"
#include "receiver/commands/commands.h"
#include "receiver/runtime/policy_file.h"
#include "receiver/runtime/settings.h"

#define CONFIG_DEFAULT "heald.cfg"

static void print_errors(const char *what, const struct buf *errors, const struct err *e)
{
    if (errors->len)
        fputs(buf_text(errors), stderr);
    else
        fprintf(stderr, "heald: %s: %s\n", what, e->msg);
}

static bool check_config(const char *file, struct settings **ret)
{
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    bool good =
        settings_load(ret, file, &errors, &e) == ERR_OK && settings_check(*ret, &errors, &e) == ERR_OK;
    if (!good)
        print_errors(file, &errors, &e);
    return good;
}

/* Things that are right and yet probably not meant. */
static void warn(const struct policy *p, const char *file, const struct settings *s)
{
    CLEANUP(buf_release) struct buf systems = BUF_INIT;
    if (s && check_systems(&systems, file, p, s))
        for (const char *line = buf_text(&systems), *end; (end = strchr(line, '\n')); line = end + 1)
            printf("warning: %.*s\n", (int)(end - line), line);
    bool acts = false;
    for (size_t i = 0; i < p->environments_len; i++)
        acts |= p->environments[i].mode == MODE_ACT;
    if (!p->rules_len)
        printf("warning: there is no rule: no alert will open an incident\n");
    if (!p->environments_len)
        printf("warning: there is no environment: every incident is only observed\n");
    else if (!acts)
        printf("warning: no environment has mode = \"act\": incidents are only observed\n");
}

static bool check_policy(const char *file, const struct settings *s)
{
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    CLEANUP(policy_freep) struct policy *p = NULL;
    struct err e = ERR_INIT;
    if (policy_file_load(&p, file, &errors, &e) != ERR_OK) {
        print_errors(file, &errors, &e);
        return false;
    }
    printf("%s: OK: %zu environments, %zu rules, %zu plans, %zu ignore patterns\n", file, p->environments_len,
           p->rules_len, p->plans_len, p->ignore.len);
    warn(p, file, s);
    return true;
}

int command_check(int argc, char **argv)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "policy", required_argument, NULL, 'p' },
                                             { NULL, 0, NULL, 0 } };
    const char *config = NULL, *policy = NULL;
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'c')
            config = optarg;
        else if (c == 'p')
            policy = optarg;
        else
            return usage_error("check", "unknown option, or one without its value");
    }
    if (optind != argc)
        return usage_error("check", "it takes options only");
    if (!config && (!policy || access(CONFIG_DEFAULT, R_OK) == 0))
        config = CONFIG_DEFAULT;
    struct settings *s = NULL;
    bool good = !config || check_config(config, &s);
    if (good && config)
        printf("%s: OK\n", config);
    if (!policy && s)
        policy = s->policy;
    if (policy)
        good &= check_policy(policy, s);
    settings_free(s);
    return good ? EXIT_YES : EXIT_NO;
}
