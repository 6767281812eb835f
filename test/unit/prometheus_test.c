/* test/unit/prometheus_test.c - windows of PromQL, and what the rules API says of an alert. */
#include "actions/verify/prometheus.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "actions/verify/prometheus_internal.h"
#include "test/kit/sample.h"

struct window_case {
    char query[200];
    int64_t ms;
};

ParameterizedTestParameters(promql, finds_the_longest_window)
{
    static struct window_case cases[] = {
        { "", 0 },
        { "up == 0", 0 },
        { "rate(x[5m]) > 0", 300000 },
        { "rate(x[5m]) / rate(y[1h30m])", 5400000 },
        { "increase(x{a=\"[9h]\",b='[9h]',c=`[9h]`}[10m]) > 3", 600000 },
        { "x{a=\"\\\"[9h]\"}[1m]", 60000 },
        { "x{a=`\\`}[1m]", 60000 },
        { "up # [9h]\n == 0", 0 },
        { "up # [9h]", 0 },
        { "max_over_time(rate(x[5m])[30m:1m])", 2100000 },
        { "max_over_time(rate(x[5m])[30m:])", 2100000 },
        { "max_over_time((rate(x[5m]) + rate(y[10m]))[30m:1m]) + rate(z[35m])", 2400000 },
        { "max_over_time(x[30m:1m])", 1800000 },
        { "rate(x[ 5m ])", 300000 },
        { "rate(x[90])", 90000 },
        { "rate(x[nonsense])", 0 },
        { "rate(x[", 0 },
        { "rate(x[5m", 300000 },
        { "))))[5m]((((", 300000 },
        { "x{a=\"unfinished", 0 },
        { "x{a=\"unfinished\\", 0 },
        { "sum by (pod) (rate(x[2m])) > on(pod) rate(y[1m])", 120000 },
    };
    return cr_make_param_array(struct window_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct window_case *c, promql, finds_the_longest_window)
{
    cr_assert_eq(prometheus_longest_window_ms(c->query), c->ms, "%lld for %s",
                 (long long)prometheus_longest_window_ms(c->query), c->query);
}

Test(promql, bears_parentheses_of_any_depth)
{
    char query[1024];
    memset(query, '(', 400);
    memcpy(query + 400, "x[7m]", 5);
    memset(query + 405, ')', 400);
    query[805] = '\0';
    cr_assert_eq(prometheus_longest_window_ms(query), 420000);
}

/* ---- the rules API ---- */

static bool of_shop(void *ctx, const struct map *labels)
{
    const char *namespace = map_get(labels, "namespace");
    (void)ctx;
    return namespace && strcmp(namespace, "shop") == 0;
}

static struct observation read_answer(const char *text, const char *alertname)
{
    struct observation o;
    CLEANUP(json_freep) struct json_doc *doc = sample_text(text);
    memset(&o, 0, sizeof o);
    prometheus_read_rules(json_root(doc), alertname, of_shop, NULL, &o);
    return o;
}

#define ANSWER(rules) "{'status':'success','data':{'groups':[{'interval':30,'rules':[" rules "]}]}}"
#define RULE(alerts)                                                                                         \
    "{'type':'alerting','name':'Down','query':'rate(x[5m])','keepFiringFor':60,'health':'ok',"               \
    "'lastEvaluation':'2026-08-20T09:15:00.5Z','alerts':[" alerts "]}"
#define ALERT(state, namespace, time)                                                                        \
    "{'state':'" state "','labels':{'alertname':'Down','namespace':'" namespace "'},'activeAt':'" time "'}"

Test(prometheus, reads_the_published_sample_as_quiet)
{
    CLEANUP(json_freep) struct json_doc *doc = sample_file("prometheus-rules.json");
    struct observation o;
    memset(&o, 0, sizeof o);
    prometheus_read_rules(json_root(doc), "KubePodCrashLooping", of_shop, NULL, &o);
    cr_assert_eq(o.alert, ALERT_STATE_INACTIVE, "%s", o.alert_text);
    cr_assert_eq(o.alert_evaluated_ms, 1787217840512);
    cr_assert_eq(o.alert_interval_ms, 30000);
    cr_assert_eq(o.alert_settle_ms, 600000 + 2 * 30000);
    cr_assert_eq(o.alert_active_ms, 0);
}

Test(prometheus, the_worst_alert_of_the_target_counts_and_the_earliest_time)
{
    struct observation o = read_answer(
        ANSWER(RULE(ALERT("pending", "shop", "2026-08-20T09:12:00Z") "," ALERT(
            "firing", "shop", "2026-08-20T09:13:00Z") "," ALERT("firing", "other", "2026-08-20T09:00:00Z"))),
        "Down");
    cr_assert_eq(o.alert, ALERT_STATE_FIRING, "%s", o.alert_text);
    cr_assert_eq(o.alert_active_ms, 1787217120000, "09:12, not the other namespace's 09:00");
    cr_assert_eq(o.alert_settle_ms, 300000 + 60000 + 60000);
    o = read_answer(ANSWER(RULE(ALERT("pending", "shop", "2026-08-20T09:12:00Z"))), "Down");
    cr_assert_eq(o.alert, ALERT_STATE_PENDING);
    o = read_answer(ANSWER(RULE(ALERT("firing", "other", "2026-08-20T09:12:00Z"))), "Down");
    cr_assert_eq(o.alert, ALERT_STATE_INACTIVE);
    cr_assert_eq(o.alert_active_ms, 0);
}

struct unknown_case {
    char answer[400], word[40];
};

ParameterizedTestParameters(prometheus, what_cannot_be_judged_is_unknown)
{
    static struct unknown_case cases[] = {
        { ANSWER(""), "no alerting rule" },
        { ANSWER("{'type':'recording','name':'Down','health':'ok','lastEvaluation':'2026-08-20T09:15:00Z'}"),
          "no alerting rule" },
        { ANSWER("{'type':'alerting','name':'Up','health':'ok','lastEvaluation':'2026-08-20T09:15:00Z','"
                 "alerts':[]}"),
          "no alerting rule" },
        { ANSWER("{'type':'alerting','name':'Down','health':'err','lastError':'many-to-many','lastEvaluation'"
                 ":'2026-08-20T09:15:00Z'}"),
          "many-to-many" },
        { ANSWER("{'type':'alerting','name':'Down','health':'unknown'}"), "\"unknown\"" },
        { ANSWER("{'type':'alerting','name':'Down','health':'ok','lastEvaluation':'0001-01-01T00:00:00Z'}"),
          "never evaluated" },
        { ANSWER("{'type':'alerting','name':'Down','health':'ok','lastEvaluation':'whenever'}"),
          "never evaluated" },
        { "{'status':'error','errorType':'execution','error':'too many samples'}", "too many samples" },
        { "{'status':'success'}", "answered" },
        { "[]", "answered" },
    };
    return cr_make_param_array(struct unknown_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct unknown_case *c, prometheus, what_cannot_be_judged_is_unknown)
{
    struct observation o = read_answer(c->answer, "Down");
    cr_assert_eq(o.alert, ALERT_STATE_UNKNOWN, "%s", c->answer);
    cr_assert_not_null(strstr(o.alert_text, c->word), "\"%s\" should say \"%s\"", o.alert_text, c->word);
}

Test(prometheus, of_several_rules_with_one_name_the_worst_and_oldest_count)
{
    const char *old = "{'type':'alerting','name':'Down','query':'x[20m]','health':'ok','lastEvaluation':'"
                      "2026-08-20T09:10:00Z','alerts':[]}";
    char text[2048];
    snprintf(
        text, sizeof text,
        "{'status':'success','data':{'groups':[{'interval':30,'rules':[%s]},{'interval':60,'rules':[%s]}]}}",
        RULE(ALERT("firing", "shop", "2026-08-20T09:12:00Z")), old);
    struct observation o = read_answer(text, "Down");
    cr_assert_eq(o.alert, ALERT_STATE_FIRING);
    cr_assert_eq(o.alert_evaluated_ms, 1787217000000);
    cr_assert_eq(o.alert_settle_ms, 1200000 + 120000);
    cr_assert_eq(o.alert_interval_ms, 60000);
    snprintf(
        text, sizeof text,
        ANSWER("%s,{'type':'alerting','name':'Down','health':'err','lastEvaluation':'2026-08-20T09:15:00Z'}"),
        old);
    cr_assert_eq(read_answer(text, "Down").alert, ALERT_STATE_UNKNOWN, "one of them is not healthy");
}

Test(prometheus, refuses_an_address_that_is_none)
{
    struct remote *p = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(remote_new(&p, "prometheus", "localhost:9090", NULL, NULL, NULL, &e), ERR_INVALID);
    cr_assert_null(p);
    cr_assert_not_null(strstr(e.msg, "localhost:9090"), "%s", e.msg);
}
