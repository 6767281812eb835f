/* test/unit/metrics_test.c - what is counted, and that both texts say it as Prometheus and OpenMetrics want
 * it. */
#include "receiver/runtime/metrics.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "test/kit/fault.h"
#include "test/kit/tempdir.h"

static void metrics_freep(struct metrics **m)
{
    *m = metrics_free(*m);
}

static struct metrics *make(void)
{
    struct metrics *m = metrics_new();
    cr_assert_not_null(m);
    return m;
}

/* One of everything, with text that needs escaping. */
static struct metrics *make_full(void)
{
    struct metrics *m = make();
    metrics_add(m, METRIC_DELIVERIES, "alertmanager", "ok", 3);
    metrics_add(m, METRIC_DELIVERIES, "quote \" backslash \\ newline \n end", "refused", 1);
    metrics_add(m, METRIC_INCIDENTS, "crash-looping", "healed", 2);
    metrics_add(m, METRIC_REFUSALS, "budget", NULL, 1);
    metrics_set(m, METRIC_WATCH_SYNCED, "prod", NULL, 1);
    metrics_set(m, METRIC_RELOAD_TIME, NULL, NULL, 1787217363.25);
    metrics_observe(m, METRIC_COMMIT, 0.0007);
    metrics_observe(m, METRIC_COMMIT, 0.3);
    metrics_observe(m, METRIC_COMMIT, 60);
    metrics_observe(m, METRIC_TIME_TO_REPAIR, 90);
    return m;
}

static const char *render(struct metrics *m, bool open)
{
    static struct buf out;
    buf_clear(&out);
    const char *type = metrics_render(m, open ? "application/openmetrics-text" : NULL, &out);
    cr_assert_eq(strncmp(type, open ? "application/openmetrics-text;" : "text/plain;", 11), 0);
    cr_assert(buf_ok(&out));
    return buf_text(&out);
}

static void has(const char *text, const char *lines)
{
    size_t len = strlen(lines);
    const char *p = strstr(text, lines);
    while (p && ((p > text && p[-1] != '\n') || p[len] != '\n'))
        p = strstr(p + 1, lines);
    cr_assert_not_null(p, "no line '%s' in\n%s", lines, text);
}

Test(metrics, counting_adds_setting_replaces)
{
    CLEANUP(metrics_freep) struct metrics *m = make();
    cr_assert_eq(metrics_value(m, METRIC_ALERTS, "am", "opened"), 0);
    metrics_add(m, METRIC_ALERTS, "am", "opened", 2);
    metrics_add(m, METRIC_ALERTS, "am", "opened", 3);
    metrics_add(m, METRIC_ALERTS, "amo", "pened", 1); /* another series */
    cr_assert_eq(metrics_value(m, METRIC_ALERTS, "am", "opened"), 5);
    metrics_set(m, METRIC_OUTBOX_DEPTH, NULL, NULL, 4);
    metrics_set(m, METRIC_OUTBOX_DEPTH, NULL, NULL, 1);
    cr_assert_eq(metrics_value(m, METRIC_OUTBOX_DEPTH, NULL, NULL), 1);
    metrics_observe(m, METRIC_COMMIT, 0.1);
    cr_assert_eq(metrics_value(m, METRIC_COMMIT, NULL, NULL), 1, "of a histogram: how many");
}

Test(metrics, without_metrics_nothing_happens)
{
    struct buf out = BUF_INIT;
    metrics_add(NULL, METRIC_ALERTS, "a", "b", 1);
    metrics_set(NULL, METRIC_PAUSED, NULL, NULL, 1);
    metrics_observe(NULL, METRIC_COMMIT, 1);
    cr_assert_eq(metrics_value(NULL, METRIC_PAUSED, NULL, NULL), 0);
    metrics_render(NULL, NULL, &out);
    cr_assert_eq(out.len, 0);
}

Test(metrics, text_has_what_was_counted)
{
    CLEANUP(metrics_freep) struct metrics *m = make_full();
    const char *text = render(m, false);
    has(text, "heald_deliveries_total{source=\"alertmanager\",result=\"ok\"} 3");
    has(text,
        "heald_deliveries_total{source=\"quote \\\" backslash \\\\ newline \\n end\",result=\"refused\"} 1");
    has(text, "# TYPE heald_deliveries_total counter");
    has(text, "# TYPE heald_build_info gauge");
    has(text, "heald_build_info{version=\"" HEALD_VERSION "\"} 1");
    has(text, "heald_policy_last_reload_success_timestamp_seconds 1787217363.25");
    has(text, "heald_outbox_depth 0");
    has(text, "heald_journal_commit_seconds_bucket{le=\"0.0005\"} 0");
    has(text, "heald_journal_commit_seconds_bucket{le=\"0.001\"} 1");
    has(text, "heald_journal_commit_seconds_bucket{le=\"1\"} 2");
    has(text, "heald_journal_commit_seconds_bucket{le=\"+Inf\"} 3");
    has(text, "heald_journal_commit_seconds_count 3");
    has(text, "heald_alert_to_repair_seconds_bucket{le=\"120\"} 1");
}

Test(metrics, open_metrics_differs_where_it_must)
{
    CLEANUP(metrics_freep) struct metrics *m = make_full();
    const char *text = render(m, true);
    has(text, "# TYPE heald_deliveries counter");
    has(text, "heald_deliveries_total{source=\"alertmanager\",result=\"ok\"} 3");
    has(text, "# TYPE heald_build info");
    has(text, "# TYPE heald_journal_commit_seconds histogram\n# UNIT heald_journal_commit_seconds seconds");
    has(text, "# TYPE heald_http_in_flight_bytes gauge\n# UNIT heald_http_in_flight_bytes bytes");
    has(text, "heald_journal_commit_seconds_bucket{le=\"1.0\"} 2");
    cr_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
}

Test(metrics, a_bound_counts_what_equals_it)
{
    CLEANUP(metrics_freep) struct metrics *m = make();
    metrics_observe(m, METRIC_COMMIT, 0.0005);
    has(render(m, false), "heald_journal_commit_seconds_bucket{le=\"0.0005\"} 1");
}

Test(metrics, values_are_numbers_prometheus_reads)
{
    CLEANUP(metrics_freep) struct metrics *m = make();
    metrics_set(m, METRIC_WATCH_WORKLOADS, "nan", NULL, (double)NAN);
    metrics_set(m, METRIC_WATCH_WORKLOADS, "inf", NULL, (double)INFINITY);
    metrics_set(m, METRIC_WATCH_WORKLOADS, "minus", NULL, -(double)INFINITY);
    metrics_set(m, METRIC_WATCH_WORKLOADS, "small", NULL, 0.1);
    metrics_set(m, METRIC_WATCH_WORKLOADS, "big", NULL, 1e300);
    const char *text = render(m, false);
    has(text, "heald_watch_workloads{cluster=\"nan\"} NaN");
    has(text, "heald_watch_workloads{cluster=\"inf\"} +Inf");
    has(text, "heald_watch_workloads{cluster=\"minus\"} -Inf");
    has(text, "heald_watch_workloads{cluster=\"small\"} 0.1");
    has(text, "heald_watch_workloads{cluster=\"big\"} 1e+300");
}

Test(metrics, series_are_bounded_and_the_rest_is_other)
{
    CLEANUP(metrics_freep) struct metrics *m = make();
    for (int i = 0; i < 2000; i++) {
        char name[16];
        snprintf(name, sizeof name, "rule-%d", i);
        metrics_add(m, METRIC_INCIDENTS, name, "healed", 1);
    }
    const char *text = render(m, false);
    size_t series = 0;
    for (const char *p = text; (p = strstr(p, "\nheald_incidents_total{")); p++)
        series++;
    cr_assert_eq(series, METRICS_SERIES_MAX);
    cr_assert_eq(metrics_value(m, METRIC_INCIDENTS, "rule-0", "healed"), 1);
    cr_assert_eq(metrics_value(m, METRIC_INCIDENTS, "other", "other"), 2000 - METRICS_SERIES_MAX + 1);
}

Test(metrics, label_values_are_cut_and_made_utf8)
{
    CLEANUP(metrics_freep) struct metrics *m = make();
    char longer[400];
    memset(longer, 'x', sizeof longer);
    memcpy(longer + 127, "\xc3\xa9", 3);
    metrics_add(m, METRIC_REFUSALS, longer, NULL, 1);
    metrics_add(m, METRIC_REFUSALS, "a\xff", NULL, 1);
    longer[127] = '\0';
    cr_assert_eq(metrics_value(m, METRIC_REFUSALS, longer, NULL), 1,
                 "cut before the character that does not fit");
    cr_assert_eq(metrics_value(m, METRIC_REFUSALS, "a?", NULL), 1);
}

Test(metrics, want_of_memory_loses_a_series_and_nothing_else)
{
    unsigned n = 0;
    do {
        fault_malloc_at(++n);
        struct metrics *m = metrics_new();
        bool hit = fault_hit();
        cr_assert(m || hit);
        metrics_add(m, METRIC_REFUSALS, "budget", NULL, 1);
        metrics_free(m);
        if (!hit)
            break;
    } while (n < 1000);
    cr_assert_gt(n, 5u);
}

/* ---- content negotiation ---- */

struct accept_case {
    char accept[320];
    int open;
};

ParameterizedTestParameters(metrics, the_format_is_negotiated)
{
    static struct accept_case cases[] = {
        { "", 0 },
        { "*/*", 0 },
        { "text/html,application/xhtml+xml,*/*;q=0.8", 0 },
        { "text/plain", 0 },
        { "application/openmetrics-text", 1 },
        { "application/openmetrics-text; version=1.0.0; charset=utf-8", 1 },
        { "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;q=0.4", 1 },
        { "application/openmetrics-text;version=2.0.0,text/plain;q=0.4", 0 },
        { "application/openmetrics-text;q=0.2,text/plain;q=0.4", 0 },
        { "application/openmetrics-text;q=0", 0 },
        { "application/openmetrics-text;q=0.3,*/*;q=0.9", 0 },
        { "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=1", 1 },
        /* Prometheus 3 */
        { "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/"
          "openmetrics-text;version=0.0.1;q=0.5,"
          "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
          1 },
        { ";;,,;q=,=;q=x,/", 0 },
    };
    return cr_make_param_array(struct accept_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct accept_case *c, metrics, the_format_is_negotiated)
{
    CLEANUP(metrics_freep) struct metrics *m = make();
    struct buf out = BUF_INIT;
    const char *type = metrics_render(m, c->accept, &out);
    cr_assert_str_eq(type,
                     c->open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                             : "text/plain; version=0.0.4; charset=utf-8",
                     "%s", c->accept);
    cr_assert_eq(!strcmp(out.ptr + out.len - 6, "# EOF\n"), c->open);
    buf_release(&out);
}

/* ---- what the formats demand of every line ---- */

struct reader {
    bool open;
    char family[128]; /* of the block that is being read */
    char type[16];
    char seen[64][128]; /* families so far */
    size_t seen_len;
    double bucket;  /* the last cumulative count */
    unsigned order; /* TYPE, UNIT, HELP come in this order */
};

static bool name_ok(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_')
            return false;
    return len > 0 && !isdigit((unsigned char)name[0]);
}

static void read_meta(struct reader *r, const char *line)
{
    char word[8], name[128];
    int at = 0;
    cr_assert_eq(sscanf(line, "# %7s %127s %n", word, name, &at), 2, "%s", line);
    cr_assert_gt(strlen(line + at), 0u, "nothing said in: %s", line);
    unsigned order = !strcmp(word, "TYPE") ? 1 : !strcmp(word, "UNIT") ? 2 : !strcmp(word, "HELP") ? 3 : 0;
    cr_assert_gt(order, 0u, "a comment: %s", line);
    if (strcmp(name, r->family) != 0) {
        for (size_t i = 0; i < r->seen_len; i++)
            cr_assert_str_neq(r->seen[i], name, "a family in two pieces: %s", line);
        cr_assert_lt(r->seen_len, 64u);
        strcpy(r->seen[r->seen_len++], name);
        strcpy(r->family, name);
        r->order = 0;
        r->type[0] = '\0';
        r->bucket = 0;
    }
    if (r->open)
        cr_assert_gt(order, r->order, "out of order or twice: %s", line);
    r->order = order;
    if (order == 1)
        snprintf(r->type, sizeof r->type, "%s", line + at);
    if (order == 2) {
        char unit[140];
        snprintf(unit, sizeof unit, "_%s", line + at);
        cr_assert_str_eq(name + strlen(name) - strlen(unit), unit);
    }
}

/* Does the sample's name belong to the family by its type? */
static bool suffix_ok(const struct reader *r, const char *name, size_t len)
{
    static const char *const open_suffixes[][2] = { { "counter", "_total" }, { "gauge", "" },
                                                    { "info", "_info" },     { "histogram", "_bucket" },
                                                    { "histogram", "_sum" }, { "histogram", "_count" } };
    static const char *const text_suffixes[][2] = { { "counter", "" },
                                                    { "gauge", "" },
                                                    { "histogram", "_bucket" },
                                                    { "histogram", "_sum" },
                                                    { "histogram", "_count" } };
    size_t n = r->open ? 6 : 5;
    for (size_t i = 0; i < n; i++) {
        const char *const *pair = r->open ? open_suffixes[i] : text_suffixes[i];
        char want[160];
        snprintf(want, sizeof want, "%s%s", r->family, pair[1]);
        if (!strcmp(r->type, pair[0]) && strlen(want) == len && !strncmp(name, want, len))
            return true;
    }
    return false;
}

static const char *read_labels(const char *p, const char *line)
{
    while (*++p != '}') {
        size_t len = strcspn(p, "=");
        cr_assert(name_ok(p, len) && strncmp(p, "__", 2) != 0, "label in: %s", line);
        p += len + 1;
        cr_assert_eq(*p, '"', "%s", line);
        for (p++; *p != '"'; p++) {
            cr_assert_neq(*p, '\0', "%s", line);
            if (*p == '\\')
                cr_assert_not_null(strchr("\\\"n", *++p), "%s", line);
        }
        if (p[1] != ',') {
            cr_assert_eq(p[1], '}', "%s", line);
            continue;
        }
        p++;
    }
    return p + 1;
}

static void read_sample(struct reader *r, const char *line)
{
    size_t len = strcspn(line, "{ ");
    const char *p = line + len;
    char *end = NULL;
    cr_assert(name_ok(line, len) && !strncmp(line, "heald_", 6), "%s", line);
    cr_assert(suffix_ok(r, line, len), "sample of family %s (%s): %s", r->family, r->type, line);
    if (*p == '{')
        p = read_labels(p, line);
    cr_assert_eq(*p, ' ', "%s", line);
    double value = strtod(p + 1, &end);
    cr_assert(end > p + 1 && *end == '\0', "value in: %s", line);
    if (!strncmp(line + len - 7, "_bucket", 7)) {
        cr_assert_geq(value, r->bucket, "buckets are cumulative: %s", line);
        r->bucket = value;
    }
    if (!strncmp(line + len - 6, "_count", 6))
        cr_assert_eq(value, r->bucket, "+Inf is the count: %s", line);
}

static void check_format(const char *text, bool open)
{
    struct reader r = { .open = open };
    bool ended = false;
    for (const char *p = text, *next; *p; p = next) {
        char line[512];
        next = strchr(p, '\n');
        cr_assert_not_null(next, "the last line ends too");
        cr_assert_lt((size_t)(next - p), sizeof line);
        snprintf(line, sizeof line, "%.*s", (int)(next++ - p), p);
        cr_assert(*line && !strchr(line, '\r') && !ended, "'%s'", line);
        if (open && !strcmp(line, "# EOF"))
            ended = true;
        else if (*line == '#')
            read_meta(&r, line);
        else
            read_sample(&r, line);
    }
    cr_assert_eq(ended, open);
    cr_assert_eq(r.seen_len, METRIC_END_);
}

Test(metrics, every_line_of_both_formats_is_well_formed)
{
    CLEANUP(metrics_freep) struct metrics *m = make_full();
    check_format(render(m, false), false);
    check_format(render(m, true), true);
}

Test(metrics, promtool_has_nothing_to_say)
{
    CLEANUP(tempdir_end) struct tempdir t = tempdir_make();
    CLEANUP(metrics_freep) struct metrics *m = make_full();
    const char *promtool = getenv("PROMTOOL"), *file = tempdir_file(&t, "metrics");
    char command[1024], said[4096] = "";
    snprintf(command, sizeof command, "%s --version >/dev/null 2>&1", promtool ? promtool : "promtool");
    if (system(command) != 0)
        SKIP("promtool is not installed");
    FILE *f = fopen(file, "w");
    cr_assert_not_null(f);
    fputs(render(m, false), f);
    fclose(f);
    snprintf(command, sizeof command, "%s check metrics <'%s' 2>&1", promtool ? promtool : "promtool", file);
    f = popen(command, "r");
    cr_assert_not_null(f);
    said[fread(said, 1, sizeof said - 1, f)] = '\0';
    cr_assert_eq(pclose(f), 0, "%s", said);
    cr_assert_str_eq(said, "");
}

Test(metrics, the_reference_names_every_family)
{
    struct buf out = BUF_INIT;
    metrics_reference(&out);
    size_t lines = 0;
    for (const char *p = buf_text(&out); (p = strchr(p, '\n')); p++)
        lines++;
    cr_assert_eq(lines, METRIC_END_ + 2);
    cr_assert_not_null(strstr(buf_text(&out), "| `heald_alerts_total` | counter | `source`, `result` | "));
    cr_assert_not_null(strstr(buf_text(&out), "| `heald_outbox_depth` | gauge | | "), "%s", buf_text(&out));
    buf_release(&out);
}
