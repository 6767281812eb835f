/* test/unit/check_systems_test.c - what a policy asks and heald.cfg does not name. */
#include "receiver/commands/check_systems.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "actions/catalogue.h"
#include "test/kit/tempdir.h"

#define CHECKED "verify = { hold = '1m'; within = '20m'; "
#define POLICY                                                                                               \
    "version = 1;\n"                                                                                         \
    "environments = ( { name = 'e'; match = [ 'namespace=shop' ]; brake = ( { promql = 'load'; is = '> 9'; " \
    "} ); } );\n"                                                                                            \
    "rules = ( { name = 'r'; match = [ 'alertname=A' ]; target = { from = 'deployment'; }; plan = 'p'; } "   \
    ");\n"                                                                                                   \
    "plans = { p = { steps = (\n"                                                                            \
    "  { when = { any = ( { promql = { query = 'up'; }; }, { not = { loki = { query = 'x'; }; }; } ); };\n"  \
    "    then = ( { do = 'restart'; " CHECKED                                                                \
    "http = { url = 'https://shop/health/${labels.app}'; }; }; } ); },\n"                                    \
    "  { wait = { until = { http = { url = 'https://shop/admin'; }; }; within = '5m'; }; },\n"               \
    "  { plan = 'q'; } ); }; q = { steps = (\n"                                                              \
    "  { do = 'restart'; " CHECKED "loki = { query = 'y'; }; }; } ); }; };\n"

static struct policy *load_policy(void)
{
    struct policy *p = NULL;
    struct err e = ERR_INIT;
    size_t len;
    const struct action_spec *specs = catalogue_specs(&len);
    char text[] = POLICY;
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    cr_assert_eq(policy_load(&p, "policy.cfg", text, strlen(text), specs, len, NULL, &e), ERR_OK, "%s",
                 e.msg);
    return p;
}

static size_t check(const char *config, struct buf *ret)
{
    CLEANUP(tempdir_end) struct tempdir dir = tempdir_make();
    CLEANUP(policy_freep) struct policy *p = load_policy();
    CLEANUP(settings_freep) struct settings *s = NULL;
    struct err e = ERR_INIT;
    const char *file = tempdir_file(&dir, "heald.cfg");
    FILE *f = fopen(file, "w");
    cr_assert_not_null(f);
    fputs(config, f);
    fclose(f);
    cr_assert_eq(settings_load(&s, file, NULL, &e), ERR_OK, "%s", e.msg);
    return check_systems(ret, "policy.cfg", p, s);
}

Test(check_systems, everything_that_is_asked_is_missed_with_its_line)
{
    CLEANUP(buf_release) struct buf said = BUF_INIT;
    cr_assert_eq(check("", &said), 6, "%s", buf_text(&said));
    static const char *const lines[] = {
        "policy.cfg:2: \"promql\" asks Prometheus, and heald.cfg names none, so it never has data",
        "policy.cfg:5: \"promql\"",
        "policy.cfg:5: \"loki\" asks Loki, and heald.cfg names none",
        "policy.cfg:6: \"http\" asks a URL that is not below one of probe_hosts",
        "policy.cfg:7: \"http\"",
        "policy.cfg:9: \"loki\"",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_assert_not_null(strstr(buf_text(&said), lines[i]), "\"%s\" is not in:\n%s", lines[i],
                           buf_text(&said));
}

Test(check_systems, what_heald_cfg_names_is_fine)
{
    CLEANUP(buf_release) struct buf said = BUF_INIT;
    size_t n = check("prometheus = { url = \"http://p:9090\"; }; loki = { url = \"http://l:3100\"; };\n"
                     "probe_hosts = ( { url = \"https://shop:443/\"; } );",
                     &said);
    cr_assert_eq(n, 0, "%s", buf_text(&said));
}

Test(check_systems, a_path_counts_where_it_is_known)
{
    CLEANUP(buf_release) struct buf said = BUF_INIT;
    size_t n = check("prometheus = { url = \"http://p:9090\"; }; loki = { url = \"http://l:3100\"; };\n"
                     "probe_hosts = ( { url = \"https://shop/health\"; } );",
                     &said);
    cr_assert_eq(n, 1);
    cr_assert_not_null(strstr(buf_text(&said), "policy.cfg:7: \"http\""), "%s", buf_text(&said));
}
