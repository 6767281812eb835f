#include "actions/verify/probe.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void probe_no_data(struct probe_answer *ret, const char *fmt, ...)
{
    char text[1024];
    int64_t at_ms = ret->at_ms;
    uint64_t key = ret->key;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    *ret = (struct probe_answer){ .key = key, .state = PROBE_NO_DATA, .at_ms = at_ms };
    text_clean(ret->text, sizeof ret->text, text, strlen(text));
}

/* ---- reading the answer to a query ---- */

/* Numbers are strings: "0.5", "+Inf", "NaN". */
static bool read_number(const struct json *j, double *ret)
{
    const char *text = json_string(j, "");
    char *end;
    *ret = strtod(text, &end);
    return *text != '\0' && *end == '\0' && !isnan(*ret);
}

/* [time, "number"]. False: no answer, and *ret says why. */
static bool add_sample(struct probe_answer *ret, const struct json *sample)
{
    double n;
    if (json_type(sample) != JSON_ARRAY || json_len(sample) != 2) {
        probe_no_data(ret, "a series has no single number: a histogram, or a range");
        return false;
    }
    if (!read_number(json_at(sample, 1), &n)) {
        probe_no_data(ret, "a series' value is \"%.40s\"", json_string(json_at(sample, 1), "no string"));
        return false;
    }
    ret->least = ret->series == 0 || n < ret->least ? n : ret->least;
    ret->most = ret->series == 0 || n > ret->most ? n : ret->most;
    ret->series++;
    return true;
}

static void say_numbers(struct probe_answer *ret)
{
    if (ret->series == 0)
        snprintf(ret->text, sizeof ret->text, "no series");
    else if (ret->series == 1)
        snprintf(ret->text, sizeof ret->text, "%g", ret->least);
    else if (ret->least < ret->most)
        snprintf(ret->text, sizeof ret->text, "%g to %g in %u series", ret->least, ret->most, ret->series);
    else
        snprintf(ret->text, sizeof ret->text, "%g in %u series", ret->least, ret->series);
}

static bool read_result(const char *type, const struct json *result, struct probe_answer *ret)
{
    if (strcmp(type, "scalar") == 0)
        return add_sample(ret, result);
    if (strcmp(type, "streams") == 0) {
        probe_no_data(ret, "the query gives log lines; count them: count_over_time({...} [5m])");
        return false;
    }
    if (strcmp(type, "vector") != 0 || json_type(result) != JSON_ARRAY) {
        probe_no_data(ret, "the query gives \"%.40s\"; it must give an instant vector or a scalar", type);
        return false;
    }
    for (const struct json *s = json_first(result); s; s = json_next(s))
        if (!add_sample(ret, json_get(s, "value")))
            return false;
    return true;
}

void probe_read_query(const struct json *answer, struct probe_answer *ret)
{
    const struct json *warnings = json_get(answer, "warnings");
    ret->state = PROBE_NO_DATA;
    ret->series = 0;
    ret->least = ret->most = 0;
    if (strcmp(json_string(json_get(answer, "status"), ""), "success") != 0) {
        probe_no_data(ret, "the query failed: %.100s",
                      json_string(json_get(answer, "error"), "no reason given"));
        return;
    }
    if (json_len(warnings) > 0) {
        probe_no_data(ret, "the answer is not whole: %.100s", json_string(json_at(warnings, 0), ""));
        return;
    }
    if (!read_result(json_string(json_path(answer, "data.resultType"), ""), json_path(answer, "data.result"),
                     ret))
        return;
    ret->state = PROBE_ANSWERED;
    say_numbers(ret);
}

/* ---- asking ---- */

static void ask_query(const struct remote *at, const char *system, const char *path_text, struct http *h,
                      const char *query, int64_t timeout_ms, struct probe_answer *ret)
{
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    if (!at) {
        probe_no_data(ret, "no %s is configured; add %s = { url = \"...\"; } to heald.cfg", system, system);
        return;
    }
    buf_adds(&path, path_text);
    http_query(&path, "query", query);
    struct http_request request = { .path = buf_text(&path),
                                    .timeout_ms = timeout_ms,
                                    .answer_max = PROBE_ANSWER_MAX };
    if (!buf_ok(&path))
        probe_no_data(ret, "no memory for a query");
    else if (remote_get_json(at, h, &request, &doc, &e) != ERR_OK)
        probe_no_data(ret, "%s: %s", system, e.msg);
    else
        probe_read_query(json_root(doc), ret);
}

static void ask(const struct probe_systems *s, struct http *h, const struct probe *p, int64_t timeout_ms,
                struct probe_answer *ret)
{
    switch (p->kind) {
    case PROBE_PROMQL:
        ask_query(s->prometheus, "prometheus", "/api/v1/query", h, p->text, timeout_ms, ret);
        return;
    case PROBE_LOKI:
        ask_query(s->loki, "loki", "/loki/api/v1/query", h, p->text, timeout_ms, ret);
        return;
    case PROBE_HTTP:
        probe_http(s, h, p, timeout_ms, ret);
        return;
    case PROBE_NONE:
        break;
    }
    probe_no_data(ret, "nothing was asked");
}

static int64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void probes_ask(const struct probe_systems *s, struct http *h, const struct probe *list, size_t len,
                int64_t now_ms, struct probe_answer *ret)
{
    int64_t began_ms = monotonic_ms();
    for (size_t i = 0; i < len; i++) {
        int64_t left_ms = PROBES_TIME_MS - (monotonic_ms() - began_ms);
        memset(&ret[i], 0, sizeof ret[i]);
        ret[i].at_ms = now_ms + PROBES_TIME_MS - left_ms;
        ret[i].key = probe_key(&list[i]);
        if (left_ms <= 0)
            probe_no_data(&ret[i], "the probes before it took %d ms, all that a look has", PROBES_TIME_MS);
        else
            ask(s, h, &list[i], left_ms < PROBE_TIMEOUT_MS ? left_ms : PROBE_TIMEOUT_MS, &ret[i]);
    }
}
