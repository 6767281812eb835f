/* bench_match - what matching one alert costs with 10,000 rules beside 10, and what loading them takes.
 *
 * Rules are of mixed matchers: alertname alone, alertname and a regular expression on the namespace, regular
 * expressions alone, negations. Prints `name value` lines; ratios, since a machine's speed says nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/policy/policy.h"
#include "test/kit/catalogue.h"

#define ALERTS 2000
#define ROUNDS 40

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_rule(struct buf *text, size_t i)
{
    buf_addf(text, "%s{ name = \"r%zu\"; plan = \"p\"; target = { from = \"deployment\"; }; match = [ ",
             i ? ",\n" : "", i);
    switch (i % 5) {
    case 0:
        buf_addf(text, "\"alertname=Alert%zu\"", i);
        break;
    case 1:
        buf_addf(text, "\"alertname=KubePodCrashLooping\", \"namespace=~\\\"team-%zu-.*\\\"\"", i);
        break;
    case 2:
        buf_addf(text, "\"alertname=~\\\"App%zu(Down|Slow)\\\"\", \"severity=critical\"", i);
        break;
    case 3:
        buf_addf(text, "\"service=svc-%zu\", \"severity!=info\", \"namespace!~\\\"kube-.*\\\"\"", i);
        break;
    default:
        buf_addf(text, "\"namespace=~\\\"shop-%zu|store-%zu\\\"\", \"severity=~\\\"warning|critical\\\"\"", i,
                 i);
    }
    buf_adds(text, " ]; }");
}

static struct policy *make_policy(size_t rules, double *ret_s)
{
    struct buf text = BUF_INIT, errors = BUF_INIT;
    struct policy *p = NULL;
    buf_adds(&text, "version = 1; plans = { p = { steps = ( { do = \"restart\"; } ); }; };\nrules = ( ");
    for (size_t i = 0; i < rules; i++)
        add_rule(&text, i);
    buf_adds(&text, " );\n");
    double begin = now_s();
    if (policy_load(&p, "bench.cfg", buf_text(&text), text.len, kit_actions, KIT_ACTIONS_LEN, &errors,
                    NULL) != ERR_OK) {
        fputs(buf_text(&errors), stderr);
        exit(1);
    }
    *ret_s = now_s() - begin;
    buf_release(&text);
    buf_release(&errors);
    return p;
}

static void set(struct alert *a, const char *name, const char *before, size_t n, const char *behind)
{
    char value[64];
    snprintf(value, sizeof value, "%s%zu%s", before, n, behind);
    if (map_set(&a->labels, name, value, NULL) != ERR_OK)
        exit(1);
}

/* An alert of the kind that one of the rules is about, so that both policies have the same work to do. */
static void make_alert(struct alert *a, size_t i, size_t rules)
{
    size_t n = i * 7919 % rules;
    snprintf(a->source, sizeof a->source, "alertmanager");
    set(a, "alertname", n % 5 == 2 ? "App" : "Alert", n, n % 5 == 2 ? "Down" : "");
    if (n % 5 == 1 &&
        map_set_len(&a->labels, "alertname", 9, "KubePodCrashLooping", 19, true, NULL) != ERR_OK)
        exit(1);
    set(a, "namespace", n % 5 == 1 ? "team-" : "shop-", n, n % 5 == 1 ? "-web" : "");
    set(a, "service", "svc-", n, "");
    set(a, "pod", "web-7d9f-", i, "");
    set(a, "job", "kube-state-metrics-", 0, "");
    if (map_set(&a->labels, "severity", "critical", NULL) != ERR_OK ||
        map_set(&a->labels, "container", "web", NULL) != ERR_OK ||
        map_set(&a->labels, "cluster", "prod-1", NULL) != ERR_OK)
        exit(1);
}

/* ns an alert, the best of several rounds. */
static double measure(const struct policy *p, size_t *ret_matched)
{
    struct alert *alerts = calloc(ALERTS, sizeof *alerts);
    double best = 1e9;
    if (!alerts)
        exit(1);
    for (size_t i = 0; i < ALERTS; i++)
        make_alert(&alerts[i], i, p->rules_len);
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_s();
        *ret_matched = 0;
        for (size_t i = 0; i < ALERTS; i++)
            *ret_matched += policy_match(p, &alerts[i]) != NULL;
        double ns = (now_s() - begin) * 1e9 / ALERTS;
        best = ns < best ? ns : best;
    }
    for (size_t i = 0; i < ALERTS; i++)
        alert_release(&alerts[i]);
    free(alerts);
    return best;
}

int main(void)
{
    double few_s, many_s;
    size_t few_matched, many_matched;
    struct policy *few = make_policy(10, &few_s), *many = make_policy(10000, &many_s);
    double few_ns = measure(few, &few_matched), many_ns = measure(many, &many_matched);
    printf("match_ns_10_rules %.0f\nmatch_ns_10000_rules %.0f\nmatch_ratio %.2f\n", few_ns, many_ns,
           many_ns / few_ns);
    printf("matched_of_%d %zu %zu\nload_ms_10000_rules %.0f\n", ALERTS, few_matched, many_matched,
           many_s * 1000);
    policy_free(few);
    policy_free(many);
    return 0;
}
