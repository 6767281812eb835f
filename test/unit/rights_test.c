/* test/unit/rights_test.c - what RBAC must allow, out of the catalogue and a policy. */
#include "actions/rights.h"

#include <criterion/criterion.h>
#include <string.h>

#include "actions/catalogue.h"

static const char *all_text(const struct rights *r)
{
    static _Thread_local char text[8192];
    char one[RIGHT_TEXT_SIZE];
    text[0] = '\0';
    for (size_t i = 0; i < r->len; i++) {
        strcat(text, right_format(one, &r->list[i]));
        strcat(text, "|");
    }
    return text;
}

Test(rights, a_text_of_the_catalogue_is_taken_apart)
{
    struct rights r = { .len = 0 };
    struct err e = ERR_INIT;
    cr_assert_eq(rights_add(&r,
                            "get namespaces; get,patch apps/deployments,statefulsets/scale; create "
                            "pods/eviction; patch networking.k8s.io/ingresses",
                            "x", &e),
                 ERR_OK, "%s", e.msg);
    cr_assert_str_eq(all_text(&r),
                     "get namespaces|get deployments.apps|patch deployments.apps|get "
                     "statefulsets.apps/scale|patch statefulsets.apps/scale|create pods/eviction|patch "
                     "ingresses.networking.k8s.io|");
    cr_assert_str_eq(r.list[0].why, "x");
    size_t len = r.len;
    cr_assert_eq(rights_add(&r, "get apps/deployments; get namespaces", "y", &e), ERR_OK);
    cr_assert_eq(r.len, len, "what is there is not added again");
    cr_assert_str_eq(r.list[1].why, "x", "and who needed it first stays");
}

Test(rights, a_text_of_another_form_is_refused)
{
    static const char *const wrong[] = { "get",       "get ",      ",get pods",
                                         "get apps/", "get pods/", "averyveryverylongverb pods" };
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        struct rights r = { .len = 0 };
        cr_expect_neq(rights_add(&r, wrong[k], "x", NULL), ERR_OK, "\"%s\" was taken: %s", wrong[k],
                      all_text(&r));
    }
}

Test(rights, there_is_a_maximum)
{
    struct rights r = { .len = 0 };
    struct err e = ERR_INIT;
    char text[40];
    for (unsigned k = 0; k < RIGHTS_MAX; k++) {
        snprintf(text, sizeof text, "get pods%u", k);
        cr_assert_eq(rights_add(&r, text, "x", &e), ERR_OK);
    }
    cr_assert_eq(rights_add(&r, "get pods", "x", &e), ERR_LIMIT);
}

Test(rights, every_action_says_what_it_needs_in_that_form)
{
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    for (size_t i = 0; i < len; i++) {
        struct rights r = { .len = 0 };
        struct err e = ERR_INIT;
        size_t writes = 0;
        cr_assert_eq(rights_add(&r, specs[i].verbs, specs[i].name, &e), ERR_OK, "%s: %s", specs[i].name,
                     e.msg);
        for (size_t k = 0; k < r.len; k++)
            writes += !right_reads(&r.list[k]);
        cr_expect_gt(writes, 0, "%s writes nothing", specs[i].name);
    }
}

#define ENVIRONMENTS                                                                                         \
    "environments = ( { name = 'quiet'; match = [ 'namespace=quiet' ]; mode = 'observe'; },\n"               \
    "  { name = 'some'; match = [ 'namespace=mixed', 'kind=Deployment' ]; mode = 'act'; },\n"                \
    "  { name = 'shop'; match = [ 'cluster=a', 'namespace=~\\\"shop-.*|quiet\\\"' ]; mode = 'act'; } );\n"   \
    "ignore = ( [ 'namespace=kube-system' ], [ 'namespace=shop-1', 'severity=info' ] );\n"
#define VERIFY "verify = { hold = '1m'; within = '20m'; }; "
#define PLANS                                                                                                \
    "plans = { p = { steps = ( { when = { cause = [ 'oom' ]; }; then = ( { plan = 'q'; } ); },\n"            \
    "  { choose = ( { steps = ( { do = 'restart'; " VERIFY "} ); } ); } ); };\n"                             \
    "  q = { steps = ( { do = 'scale'; replicas = 2; " VERIFY "} ); }; };\n"

static struct policy *load(const char *rules)
{
    struct policy *p = NULL;
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    char text[4096];
    size_t len;
    const struct action_spec *specs = catalogue_specs(&len);
    snprintf(text, sizeof text, "version = 1;\n" ENVIRONMENTS "%s" PLANS, rules);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    cr_assert_eq(policy_load(&p, "policy.cfg", text, strlen(text), specs, len, &errors, &e), ERR_OK, "%s%s",
                 e.msg, buf_text(&errors));
    return p;
}

#define RULE(more)                                                                                           \
    "rules = ( { name = 'r'; match = [ 'alertname=A' ]; target = { from = 'deployment'; }; plan = "          \
    "'p'; " more "} "                                                                                        \
    ");\n"

Test(rights, a_policy_needs_what_its_plans_do_called_ones_too)
{
    CLEANUP(policy_freep) struct policy *p = load(RULE(""));
    struct rights r;
    cr_assert_eq(rights_of_policy(&r, p, NULL), ERR_OK);
    cr_assert_not_null(strstr(all_text(&r), "|patch deployments.apps|"), "%s", all_text(&r));
    cr_assert_not_null(strstr(all_text(&r), "|patch deployments.apps/scale|"), "%s", all_text(&r));
    cr_assert_not_null(strstr(all_text(&r), "watch pods|"), "%s", all_text(&r));
    cr_assert_null(strstr(all_text(&r), "delete pods"), "%s", all_text(&r));
}

Test(rights, other_targets_than_workloads_are_looked_at_too)
{
    CLEANUP(policy_freep)
    struct policy *p =
        load("rules = ( { name = 'r'; match = [ 'alertname=A' ]; plan = 'p'; enabled = true;\n"
             "  targets = ( { from = 'job'; }, { from = 'pod'; owner = 'CronJob'; }, { from = 'service'; },\n"
             "  { kind = 'PersistentVolumeClaim'; selector = 'app=x'; } ); } );\n");
    struct rights r;
    cr_assert_eq(rights_of_policy(&r, p, NULL), ERR_OK);
    static const char *const wanted[] = { "|get jobs.batch|",
                                          "|get cronjobs.batch|",
                                          "|get services|",
                                          "|list endpointslices.discovery.k8s.io|",
                                          "|get persistentvolumeclaims|",
                                          "|list persistentvolumeclaims|" };
    for (size_t k = 0; k < sizeof wanted / sizeof wanted[0]; k++)
        cr_expect_not_null(strstr(all_text(&r), wanted[k]), "%s not in %s", wanted[k], all_text(&r));
    cr_expect_null(strstr(all_text(&r), "list jobs.batch"), "%s", all_text(&r));
}

Test(rights, who_only_watches_writes_nothing)
{
    static const char *const rules[] = { RULE("mode = 'observe'; "), RULE("mode = 'dry_run'; "),
                                         RULE("enabled = false; ") };
    for (size_t k = 0; k < sizeof rules / sizeof rules[0]; k++) {
        CLEANUP(policy_freep) struct policy *p = load(rules[k]);
        struct rights r;
        cr_assert_eq(rights_of_policy(&r, p, NULL), ERR_OK);
        cr_expect_null(strstr(all_text(&r), "patch"), "%s: %s", rules[k], all_text(&r));
        bool reads = strstr(all_text(&r), "list horizontalpodautoscalers.autoscaling") != NULL;
        cr_expect_eq(reads, k < 2, "%s: %s", rules[k], all_text(&r));
    }
}

Test(rights, where_a_policy_may_act_is_judged_by_cluster_and_namespace)
{
    CLEANUP(policy_freep) struct policy *p = load(RULE(""));
    cr_expect(policy_may_act(p, "a", "shop-2"));
    cr_expect(policy_may_act(p, "a", "shop-1"), "only alerts of severity info are ignored there");
    cr_expect(policy_may_act(p, "b", "mixed"), "a Deployment in it may be healed");
    cr_expect_not(policy_may_act(p, "b", "shop-2"), "another cluster");
    cr_expect_not(policy_may_act(p, "a", "quiet"), "the first environment that matches counts");
    cr_expect_not(policy_may_act(p, "a", "kube-system"));
    cr_expect_not(policy_may_act(p, "a", "other"));
    cr_expect_not(policy_may_look(p, "a", "kube-system"));
    cr_expect(policy_may_look(p, "a", "other"));
}
