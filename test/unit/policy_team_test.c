/* test/unit/policy_team_test.c - teams' files and included ones: read alone, bounded, without a way out. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "rules/policy/policy.h"
#include "test/kit/catalogue.h"

struct file {
    const char *name, *text;
};

static enum err_code read_file(void *arg, const char *file, struct buf *ret, struct err *e)
{
    for (const struct file *f = arg; f->name; f++)
        if (strcmp(f->name, file) == 0) {
            buf_adds(ret, f->text);
            return ERR_OK;
        }
    return err_set(e, ERR_NOT_FOUND, "%s: no such file", file);
}

static enum err_code load(struct policy **ret, const struct file *files, struct buf *errors)
{
    const struct policy_shell shell = { .reader = { .read = read_file, .arg = (void *)(uintptr_t)files } };
    return policy_load_with(ret, files->name, files->text, strlen(files->text), kit_actions, KIT_ACTIONS_LEN,
                            &shell, errors, NULL);
}

#define POLICY                                                                                               \
    "version = 1; environments = ( { name = \"e\"; match = [ \"cluster=c\" ]; mode = \"act\"; } );\n"        \
    "windows = ( { name = \"night\"; from = \"22:00\"; to = \"06:00\"; } );\n"                               \
    "teams = ( { name = \"pay\"; file = \"pay.cfg\"; namespaces = [ \"pay-.*\", \"billing\" ]; may = [ "     \
    "\"restart\", "                                                                                          \
    "\"gentle\" ];\n"                                                                                        \
    "  limits = { attempts = 2; cooldown = \"10m\"; mode = \"dry_run\"; rules = 2; budget = \"5 per 1h\"; "  \
    "}; } );\n"                                                                                              \
    "rules = ( { name = \"all\"; match = [ \"alertname=Own\" ]; target = { from = \"deployment\"; }; plan "  \
    "= \"p\"; } );\n"                                                                                        \
    "plans = { p = { steps = ( { do = \"restart\"; } ); }; };\n"
#define RULE(text)                                                                                           \
    "{ name = \"crash\"; match = [ \"alertname=Crash\" ]; target = { from = \"deployment\"; }; plan = "      \
    "\"p\"; " text " }"
#define PLANS "plans = { p = { steps = ( { do = \"restart\"; } ); }; };"

static struct policy *loaded(const char *team)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    const struct file files[] = { { "policy.cfg", POLICY }, { "pay.cfg", team }, { NULL, NULL } };
    cr_assert_eq(load(&p, files, &errors), ERR_OK, "%s", buf_text(&errors));
    return p;
}

static const char *match(const struct policy *p, const char *alertname, const char *namespace)
{
    CLEANUP(alert_release) struct alert a = ALERT_INIT;
    snprintf(a.source, sizeof a.source, "alertmanager");
    cr_assert_eq(map_set(&a.labels, "alertname", alertname, NULL), ERR_OK);
    cr_assert_eq(map_set(&a.labels, "namespace", namespace, NULL), ERR_OK);
    const struct rule *r = policy_match(p, &a);
    return r ? r->name : "";
}

Test(policy_team, rules_of_a_team_see_its_namespaces_only)
{
    CLEANUP(policy_freep) struct policy *p = loaded("version = 1; rules = ( " RULE("") " ); " PLANS);
    cr_assert_eq(p->rules_len, 2);
    cr_assert_str_eq(match(p, "Crash", "pay-eu"), "pay.crash");
    cr_assert_str_eq(match(p, "Crash", "billing"), "pay.crash");
    cr_assert_str_eq(match(p, "Crash", "shop"), "");
    cr_assert_str_eq(match(p, "Crash", "xpay-eu"), "", "the expressions are anchored");
    cr_assert_str_eq(match(p, "Own", "pay-eu"), "all", "the policy's rules come first");
    cr_assert_not_null(policy_rule(p, "pay.crash"));
}

Test(policy_team, limits_hold_for_what_a_rule_does_not_say)
{
    CLEANUP(policy_freep)
    struct policy *p = loaded("version = 1; rules = ( " RULE("budget = \"2 per 1h\";") " ); " PLANS);
    const struct rule *r = policy_rule(p, "pay.crash");
    cr_assert_eq(r->attempts, 2, "the default 3 is wider");
    cr_assert_eq(r->cooldown_ms, 900000, "the default 15m is tighter");
    cr_assert_eq(r->mode, MODE_DRY_RUN);
    cr_assert_eq(r->budgets_len, 2);
    cr_assert_eq(r->budgets[1].actions, 5);
    cr_assert_str_eq(r->team->name, "pay");
}

Test(policy_team, may_name_the_windows_of_the_policy)
{
    CLEANUP(policy_freep)
    struct policy *p = loaded(
        "version = 1; rules = ( " RULE("") " ); plans = { p = { steps = ( { when = { during = "
                                           "\"night\"; }; then = ( { do = \"restart\"; } ); } ); }; };");
    cr_assert_not_null(policy_rule(p, "pay.crash"));
}

Test(policy_team, may_is_asked_again_of_the_target)
{
    CLEANUP(policy_freep) struct policy *p = loaded("version = 1; rules = ( " RULE("") " ); " PLANS);
    const struct team *t = &p->teams[0];
    struct target target = { .cluster = "c", .namespace = "pay-eu", .kind = "Deployment", .name = "web" };
    char why[128];
    cr_assert(team_may(t, &target, &kit_actions[0], why, sizeof why));
    cr_assert(team_may(t, &target, &kit_actions[3], why, sizeof why), "delete_pod is gentle in the kit");
    cr_assert_not(team_may(t, &target, &kit_actions[1], why, sizeof why));
    cr_assert_str_eq(why, "team \"pay\" may not do \"rollback\"");
    snprintf(target.namespace, sizeof target.namespace, "shop");
    cr_assert_not(team_may(t, &target, NULL, why, sizeof why));
    cr_assert_str_eq(why, "team \"pay\" may not touch namespace \"shop\"");
}

struct escape {
    char text[400], blamed[120];
};

/* What a team might write to get out of its bounds. */
ParameterizedTestParameters(policy_team, there_is_no_way_out)
{
    static struct escape cases[] = {
        { "", "key \"version\" is missing" },
        { "version = 1; environments = ( { name = \"x\"; match = [ \"cluster=c\" ]; mode = \"act\"; } );",
          "unknown key \"environments\"" },
        { "version = 1; ignore = ( [ \"namespace=shop\" ] );", "unknown key \"ignore\"" },
        { "version = 1; auto = ( [ \"namespace=shop\" ] );", "unknown key \"auto\"" },
        { "version = 1; critical = ( [ \"namespace=shop\" ] );", "unknown key \"critical\"" },
        { "version = 1; defaults = { cooldown = \"1s\"; };", "unknown key \"defaults\"" },
        { "version = 1; windows = ( { name = \"night\"; } );", "unknown key \"windows\"" },
        { "version = 1; teams = ( { name = \"x\"; file = \"y\"; namespaces = [ \".*\" ]; may = [ \"all\" ]; "
          "} );",
          "unknown key \"teams\"" },
        { "version = 1; rules = ( ); } ); environments = ( { name = \"x\"; ", "closes nothing" },
        { "version = 1; rules = ( ) ); environments = ( );", "closes nothing" },
        { "); environments = (", "closes nothing" },
        { "version = 1; rules = ( { name = \"a\"; ", "never closed" },
        { "version = 1; rules = ( ); rules = ( );", "set before in the same group" },
        { "version = 1; version = 1;", "set before in the same group" },
        { "version = 1; @include \"policy.cfg\"", "\"@include\" is refused" },
        { "@include \"/etc/passwd\"\nversion = 1;", "\"@include\" is refused" },
        { "version = 1; rules = ( @include \"policy.cfg\" );", "\"@include\" is refused" },
        { "version = 1; rules = ( " RULE("mode = \"act\";") " ); " PLANS,
          "\"mode\" is wider than team \"pay\" may have" },
        { "version = 1; rules = ( " RULE("attempts = 3;") " ); " PLANS, "its limit is 2" },
        { "version = 1; rules = ( " RULE("attempts = \"none\";") " ); " PLANS, "its limit is 2" },
        { "version = 1; rules = ( " RULE("cooldown = \"none\";") " ); " PLANS, "its limit is 10m" },
        { "version = 1; rules = ( " RULE("cooldown = \"9m\";") " ); " PLANS, "its limit is 10m" },
        { "version = 1; rules = ( " RULE("alert_age = \"none\";") " ); " PLANS, "its limit is 1h" },
        { "version = 1; rules = ( " RULE(
              "budget = [ \"1 per 1h\", \"1 per 2h\", \"1 per 3h\", \"1 per 4h\" ];") " ); " PLANS,
          "are more than 4 limits" },
        { "version = 1; rules = ( " RULE("") " ); plans = { p = { steps = ( { do = \"rollback\"; } ); }; };",
          "may not do \"rollback\"" },
        { "version = 1; rules = ( " RULE(
              "") " ); plans = { p = { steps = ( { when = { attempt = 2; }; then = ( { do = "
                  "\"scale\"; replicas = 9; } ); } ); }; };",
          "may not do \"scale\"" },
        { "version = 1; rules = ( " RULE(
              "") " ); plans = { p = { steps = ( { parallel = ( { steps = ( { do = \"rollback\"; } ); "
                  "} ); } ); }; };",
          "may not do \"rollback\"" },
        { "version = 1; rules = ( " RULE(
              "") " ); plans = { p = { steps = ( { do = \"restart\"; } ); cleanup = ( { do = "
                  "\"rollback\"; } ); }; };",
          "may not do \"rollback\"" },
        { "version = 1; rules = ( " RULE("plan = \"p\";") " ); " PLANS, "set before" },
        { "version = 1; rules = ( { name = \"a\"; match = [ \"a=b\" ]; target = { from = \"deployment\"; }; "
          "plan = \"all\"; } );",
          "unknown plan \"all\"" },
        { "version = 1; rules = ( " RULE("team = \"x\";") " ); " PLANS, "unknown key \"team\"" },
        { "version = 1; rules = ( " RULE(
              "") ", { name = \"b\"; match = [ \"a=b\" ]; target = { from = \"deployment\"; }; plan = "
                  "\"p\"; }, { name = \"c\"; match = [ \"a=c\" ]; target = { from = \"deployment\"; "
                  "}; plan = \"p\"; } ); " PLANS,
          "has 3 rules; 2 is the most" },
        { "version = 1; rules = ( " RULE(
              "") " ); plans = { p = { steps = ( { when = { during = \"day\"; }; then = ( { wait = "
                  "\"1s\"; } ); } ); }; };",
          "there is no window \"day\"" },
    };
    return cr_make_param_array(struct escape, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct escape *c, policy_team, there_is_no_way_out)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    const struct file files[] = { { "policy.cfg", POLICY }, { "pay.cfg", c->text }, { NULL, NULL } };
    cr_assert_eq(load(&p, files, &errors), ERR_INVALID, "'%s' should be refused", c->text);
    cr_assert_null(p);
    cr_assert(strstr(buf_text(&errors), c->blamed), "'%s' should say '%s'", buf_text(&errors), c->blamed);
    cr_assert_eq(strncmp(buf_text(&errors), "pay.cfg:", 8), 0, "it names the team's file: %s",
                 buf_text(&errors));
}

Test(policy_team, a_file_that_is_not_there_is_named)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    const struct file files[] = { { "policy.cfg", POLICY }, { NULL, NULL } };
    cr_assert_eq(load(&p, files, &errors), ERR_INVALID);
    cr_assert(strstr(buf_text(&errors), "team \"pay\": pay.cfg: no such file"), "%s", buf_text(&errors));
}

/* ---- @include ---- */

#define INNER "plans = { p = { steps = (\n  { do = \"restart\"; },\n  { do = \"nothing\"; }\n); }; };\n"

Test(policy_team, an_included_file_is_read_where_it_stands)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    const struct file files[] = {
        { "policy.cfg", "version = 1;\n@include \"plans.cfg\"\nrules = (\n  @include \"rules/a.cfg\"\n);\n" },
        { "plans.cfg", "plans = { @include \"p.cfg\"\n };" },
        { "p.cfg", "p = { steps = ( { do = \"restart\"; } ); };" },
        { "rules/a.cfg",
          "{ name = \"r\"; match = [ \"a=b\" ]; target = { from = \"deployment\"; }; plan = \"p\"; }" },
        { NULL, NULL }
    };
    cr_assert_eq(load(&p, files, &errors), ERR_OK, "%s", buf_text(&errors));
    cr_assert_eq(p->rules_len, 1);
    policy_free(p);
}

struct included {
    char policy[120], inner[120], blamed[120];
};

ParameterizedTestParameters(policy_team, mistakes_of_included_files_are_named_there)
{
    static struct included cases[] = {
        { "version = 1;\n@include \"i.cfg\"", INNER, "i.cfg:3:5: unknown action \"nothing\"" },
        { "version = 1;\n\n@include \"i.cfg\"\nrule = 1;", "", "policy.cfg:4:1: unknown key \"rule\"" },
        { "version = 1; rules = ( @include \"i.cfg\"\n );", "); ignore = (", "closes nothing of this file" },
        { "version = 1; @include \"i.cfg\"", "rules = (",
          "i.cfg:1:9: \"(\" is opened here and never closed in this file" },
        { "version = 1; @include \"i.cfg\"", "version = 1;", "was set before" },
        { "version = 1; @include \"../i.cfg\"", "", "takes a file below the folder of the policy" },
        { "version = 1; @include \"/etc/passwd\"", "", "takes a file below the folder of the policy" },
        { "version = 1; @include \"gone.cfg\"", "", "cannot be included: gone.cfg: no such file" },
        { "version = 1; @include i.cfg", "", "write @include \"file.cfg\"" },
        { "version = 1; @include \"i.cfg\"", "@include \"i.cfg\"", "more than 4 deep" },
        { "version = 1; @include \"i.cfg\"", "a = \"\xFF\";", "i.cfg:1: the text is not UTF-8" },
    };
    return cr_make_param_array(struct included, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct included *c, policy_team, mistakes_of_included_files_are_named_there)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    const struct file files[] = { { "policy.cfg", c->policy }, { "i.cfg", c->inner }, { NULL, NULL } };
    cr_assert_eq(load(&p, files, &errors), ERR_INVALID, "'%s' should be refused", c->policy);
    cr_assert(strstr(buf_text(&errors), c->blamed), "'%s' should say '%s'", buf_text(&errors), c->blamed);
}
