/* test/unit/annotate_test.c - one annotation an incident, whatever gets lost on the way.
 */
#include "grafana/annotate.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/kit/fault.h"

/* ---- a Grafana of the test's own: keeps annotations as Grafana does, and can misbehave ---- */

#define KEPT_MAX 16

struct kept {
    int64_t id, time, time_end;
    char text[5000], tags[700], dashboard[64];
};

struct fake {
    struct kept kept[KEPT_MAX];
    size_t len;
    int64_t next_id;
    char calls[2048]; /* "GET POST PATCH/7 " */
    char last_path[1024];
    const char *fail_method; /* the next calls of this method ... */
    int fail_times;
    long fail_status; /* ... get this status and nothing happens; 0: they happen, and the answer is lost */
    long unknown_id_status; /* 404 or 500 */
    bool no_patch;
};

static struct kept *lookup(struct fake *f, int64_t id)
{
    for (size_t i = 0; i < f->len; i++)
        if (f->kept[i].id == id)
            return &f->kept[i];
    return NULL;
}

static void take_body(struct kept *k, const struct json *body)
{
    struct buf tags = BUF_INIT;
    json_write(&tags, json_get(body, "tags"), false);
    k->time = json_int(json_get(body, "time"), k->time);
    k->time_end = json_int(json_get(body, "timeEnd"), k->time_end);
    snprintf(k->text, sizeof k->text, "%s", json_string(json_get(body, "text"), ""));
    snprintf(k->tags, sizeof k->tags, "%s", buf_text(&tags));
    snprintf(k->dashboard, sizeof k->dashboard, "%s", json_string(json_get(body, "dashboardUID"), ""));
    buf_release(&tags);
}

static long post(struct fake *f, const struct json *body, struct buf *ret)
{
    cr_assert_lt(f->len, (size_t)KEPT_MAX);
    struct kept *k = &f->kept[f->len++];
    *k = (struct kept){ .id = f->next_id++ };
    take_body(k, body);
    buf_addf(ret, "{\"message\":\"Annotation added\",\"id\":%lld}", (long long)k->id);
    return 200;
}

/* By the whole list of wanted tags, and the region's overlap, as Grafana searches. */
static long list(struct fake *f, const char *path, struct buf *ret)
{
    long long from = 0, to = 0;
    char tag[128] = "";
    const char *at = strstr(path, "from="), *incident = strstr(path, "tags=incident%3A");
    cr_assert(at && sscanf(at, "from=%lld&to=%lld", &from, &to) == 2 && from > 0 && to > from, "%s", path);
    cr_assert(incident && strstr(path, "limit=100") && strstr(path, "tags=heald&"), "%s", path);
    size_t n = (size_t)snprintf(tag, sizeof tag, "\"incident:");
    for (const char *p = incident + strlen("tags=incident%3A"); *p; p++, n++) {
        unsigned c = (unsigned char)*p;
        if (c == '%' && sscanf(p + 1, "%2X", &c) == 1)
            p += 2;
        tag[n] = (char)c;
    }
    tag[n] = '"';
    buf_adds(ret, "[");
    const char *comma = "";
    for (size_t i = 0; i < f->len; i++) {
        const struct kept *k = &f->kept[i];
        if (!strstr(k->tags, tag) || k->time > to || k->time_end < from)
            continue;
        buf_addf(ret, "%s{\"id\":%lld,\"text\":\"x\",\"tags\":%s}", comma, (long long)k->id, k->tags);
        comma = ",";
    }
    buf_adds(ret, "]");
    return 200;
}

static long about_one(struct fake *f, const char *method, int64_t id, const struct json *body,
                      struct buf *ret)
{
    struct kept *k = lookup(f, id);
    if (f->no_patch && !strcmp(method, "PATCH"))
        return 404;
    if (!k)
        return f->unknown_id_status;
    if (!strcmp(method, "DELETE"))
        *k = f->kept[--f->len];
    else
        take_body(k, body);
    buf_adds(ret, "{\"message\":\"done\"}");
    return 200;
}

static enum err_code fake_send(void *ctx, const char *method, const char *path, const char *body, size_t len,
                               long *ret_status, struct buf *ret, struct err *e)
{
    struct fake *f = ctx;
    struct json_doc *doc = NULL;
    long long id = 0;
    sscanf(path, "/api/annotations/%lld", &id);
    size_t used = strlen(f->calls);
    if (id)
        snprintf(f->calls + used, sizeof f->calls - used, "%s/%lld ", method, id);
    else
        snprintf(f->calls + used, sizeof f->calls - used, "%s ", method);
    snprintf(f->last_path, sizeof f->last_path, "%s", path);
    bool fails = f->fail_times > 0 && !strcmp(f->fail_method, method);
    if (fails)
        f->fail_times--;
    if (fails && f->fail_status) {
        buf_adds(ret, "{\"message\":\"grafana says <no>\"}");
        *ret_status = f->fail_status;
        return ERR_OK;
    }
    if (body && json_parse(&doc, body, len, e) == ERR_NOMEM)
        return ERR_NOMEM;
    cr_assert(!body || doc, "%s in %s", e->msg, body);
    if (!strcmp(method, "POST"))
        *ret_status = post(f, json_root(doc), ret);
    else if (!strcmp(method, "GET"))
        *ret_status = list(f, path, ret);
    else
        *ret_status = about_one(f, method, id, json_root(doc), ret);
    json_free(doc);
    return fails ? err_set(e, ERR_UNKNOWN, "the answer is lost") : ERR_OK;
}

#define FAKE_INIT ((struct fake){ .next_id = 7, .unknown_id_status = 404 })

static struct annotation incident(const char *outcome)
{
    static const char *const lines[] = { "alert KubePodCrashLooping", "rolled back" };
    return (struct annotation){ .incident = "06f3k9q2",
                                .start_ms = 1787217300000,
                                .end_ms = !strcmp(outcome, "open") ? 1787217300000 : 1787217363000,
                                .outcome = outcome,
                                .rule = "crash-looping",
                                .environment = "production",
                                .namespace = "shop",
                                .workload = "Deployment/checkout",
                                .cluster = "prod-1",
                                .title = "rolled back shop/checkout",
                                .lines = lines,
                                .lines_len = 2 };
}

static enum err_code tell(struct fake *f, const struct annotation *a, int64_t id, int64_t *ret_id,
                          struct err *e)
{
    struct grafana_transport t = { f, fake_send };
    return grafana_annotate(&t, a, id, ret_id, e);
}

static void tell_ok(struct fake *f, const char *outcome, int64_t *id)
{
    struct annotation a = incident(outcome);
    struct err e = ERR_INIT;
    cr_assert_eq(tell(f, &a, *id, id, &e), ERR_OK, "%s", e.msg);
}

/* ---- one annotation ---- */

Test(annotate, an_incident_is_one_region_from_first_alert_to_outcome)
{
    struct fake f = FAKE_INIT;
    int64_t id = 0;
    tell_ok(&f, "open", &id);
    cr_assert_str_eq(f.calls, "GET POST ");
    cr_assert(f.len == 1 && id == 7);
    cr_assert(f.kept[0].time == 1787217300000 && f.kept[0].time_end == f.kept[0].time,
              "a point while it is open");
    tell_ok(&f, "open", &id);
    cr_assert_str_eq(f.calls, "GET POST PATCH/7 ");
    tell_ok(&f, "healed", &id);
    cr_assert(f.len == 1 && id == 7);
    cr_assert_eq(f.kept[0].time_end, 1787217363000);
    cr_assert_str_eq(
        f.kept[0].text,
        "<b>rolled back shop/checkout</b><br>alert KubePodCrashLooping<br>rolled back<br>cluster prod-1");
    cr_assert_str_eq(f.kept[0].tags, "[\"incident:06f3k9q2\",\"outcome:healed\",\"heald\",\"workload:"
                                     "Deployment/checkout\",\"namespace:shop\","
                                     "\"rule:crash-looping\",\"environment:production\"]");
}

Test(annotate, a_lost_answer_to_a_post_makes_no_second)
{
    struct fake f = FAKE_INIT;
    struct annotation a = incident("open");
    int64_t id = 0;
    f.fail_method = "POST";
    f.fail_times = 1;
    cr_assert_eq(tell(&f, &a, 0, &id, NULL), ERR_UNKNOWN);
    cr_assert_eq(id, 0, "*ret_id stays untouched on failure");
    tell_ok(&f, "open", &id);
    cr_assert(f.len == 1 && id == 7);
    cr_assert_str_eq(f.calls, "GET POST GET PATCH/7 ");
}

Test(annotate, an_id_lost_in_a_crash_is_found_again)
{
    struct fake f = FAKE_INIT;
    int64_t id = 0;
    tell_ok(&f, "open", &id);
    id = 0;
    tell_ok(&f, "healed", &id);
    cr_assert(f.len == 1 && id == 7 && f.kept[0].time_end == 1787217363000);
}

Test(annotate, of_several_the_lowest_stays)
{
    struct fake f = FAKE_INIT;
    int64_t id = 0;
    tell_ok(&f, "open", &id);
    f.kept[1] = f.kept[2] = f.kept[0];
    f.kept[0].id = 9;
    f.kept[1].id = 5;
    f.kept[2].id = 8;
    f.len = 3;
    tell_ok(&f, "healed", &id);
    cr_assert(f.len == 1 && f.kept[0].id == 5 && id == 5);
}

Test(annotate, a_post_that_came_in_late_is_tidied_up_at_the_outcome)
{
    struct fake f = FAKE_INIT;
    int64_t id = 0;
    tell_ok(&f, "open", &id);
    f.kept[1] = f.kept[0]; /* the one whose answer was lost, stored after the search */
    f.kept[1].id = 8;
    f.len = 2;
    tell_ok(&f, "open", &id);
    tell_ok(&f, "not_healed", &id);
    cr_assert(f.len == 1 && f.kept[0].id == 7 && id == 7);
}

Test(annotate, somebody_elses_note_about_the_incident_is_left_alone)
{
    struct fake f = FAKE_INIT;
    int64_t id = 0;
    f.kept[0] = (struct kept){ .id = 3,
                               .time = 1787217300000,
                               .time_end = 1787217300000,
                               .text = "look here",
                               .tags = "[\"incident:06f3k9q2\",\"team\"]" };
    f.len = 1;
    tell_ok(&f, "open", &id);
    tell_ok(&f, "healed", &id);
    cr_assert_eq(f.len, 2);
    cr_assert(id == 7 && !strcmp(lookup(&f, 3)->text, "look here"));
}

struct gone_case {
    long status;
    char calls[96];
};

ParameterizedTestParameters(annotate, what_somebody_deleted_is_made_again)
{
    static struct gone_case cases[] = {
        { 404, "PATCH/99 GET POST " },
        { 500, "PATCH/99 PATCH/99 GET POST " }, /* some releases answer so to an unknown id */
    };
    return cr_make_param_array(struct gone_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct gone_case *c, annotate, what_somebody_deleted_is_made_again)
{
    struct fake f = FAKE_INIT;
    int64_t id = 99;
    f.unknown_id_status = c->status;
    tell_ok(&f, "open", &id);
    cr_assert_str_eq(f.calls, c->calls);
    cr_assert(f.len == 1 && id == 7);
}

Test(annotate, a_known_id_without_its_tags_is_changed_at_the_outcome)
{
    struct fake f = FAKE_INIT;
    int64_t id = 0;
    tell_ok(&f, "open", &id);
    strcpy(f.kept[0].tags, "[]");
    tell_ok(&f, "healed", &id);
    cr_assert(f.len == 1 && id == 7 && strstr(f.kept[0].tags, "outcome:healed"));
}

Test(annotate, where_patch_is_missing_put_does)
{
    struct fake f = FAKE_INIT;
    int64_t id = 0;
    f.no_patch = true;
    tell_ok(&f, "open", &id);
    tell_ok(&f, "open", &id);
    tell_ok(&f, "healed", &id);
    cr_assert(f.len == 1 && id == 7 && f.kept[0].time_end == 1787217363000);
    cr_assert_str_eq(f.calls, "GET POST PATCH/7 GET PATCH/7 PUT/7 GET PATCH/7 PUT/7 ");
}

Test(annotate, a_locked_database_is_not_a_missing_annotation)
{
    struct fake f = FAKE_INIT;
    struct annotation a = incident("open");
    struct err e = ERR_INIT;
    int64_t id = 0;
    tell_ok(&f, "open", &id);
    f.fail_method = "PATCH";
    f.fail_status = 500;
    f.fail_times = 4;
    cr_assert_eq(tell(&f, &a, id, &id, &e), ERR_UNAVAILABLE, "%s", e.msg);
    tell_ok(&f, "open", &id);
    cr_assert(f.len == 1 && id == 7);
}

Test(annotate, it_goes_to_a_dashboard_when_one_is_named)
{
    struct fake f = FAKE_INIT;
    struct annotation a = incident("open");
    int64_t id = 0;
    a.dashboard_uid = "heald-1";
    cr_assert_eq(tell(&f, &a, 0, &id, NULL), ERR_OK);
    cr_assert_str_eq(f.kept[0].dashboard, "heald-1");
}

Test(annotate, the_search_encodes_what_it_asks_for)
{
    struct fake f = FAKE_INIT;
    struct annotation a = incident("open");
    int64_t id = 0;
    a.incident = "a&b=c/\xc3\xa9";
    cr_assert_eq(tell(&f, &a, 0, &id, NULL), ERR_OK);
    f.calls[0] = '\0';
    cr_assert_eq(tell(&f, &a, 0, &id, NULL), ERR_OK);
    cr_assert_not_null(strstr(f.last_path, "/api/annotations/"), "%s", f.last_path);
    f.len = 0;
    a.outcome = "healed";
    f.fail_method = "GET";
    f.fail_status = 503;
    f.fail_times = 1;
    cr_assert_eq(tell(&f, &a, 0, &id, NULL), ERR_UNAVAILABLE);
    cr_assert_not_null(strstr(f.last_path, "&tags=incident%3Aa%26b%3Dc%2F%C3%A9"), "%s", f.last_path);
}

Test(annotate, odd_times_stay_a_region_in_order)
{
    struct fake f = FAKE_INIT;
    struct annotation a = incident("healed");
    int64_t id = 0;
    a.end_ms = a.start_ms - 5000;
    cr_assert_eq(tell(&f, &a, 0, &id, NULL), ERR_OK);
    cr_assert(f.kept[0].time == a.start_ms && f.kept[0].time_end == a.start_ms);
    a.start_ms = a.end_ms = 0;
    a.incident = "other";
    cr_assert_eq(tell(&f, &a, 0, &id, NULL), ERR_OK);
    cr_assert_eq(f.kept[1].time, 1, "0 would be the server's now");
}

/* ---- answers ---- */

struct status_case {
    char method[8];
    long status;
    int code;
    char told[48];
};

ParameterizedTestParameters(annotate, a_refusal_says_what_to_do)
{
    static struct status_case cases[] = {
        { "GET", 401, ERR_REFUSED, "give a token that may" },
        { "GET", 403, ERR_REFUSED, "search annotations (403): grafana says <no>" },
        { "GET", 404, ERR_UNAVAILABLE, "is its url right?" },
        { "GET", 302, ERR_UNAVAILABLE, "is its url right?" },
        { "GET", 503, ERR_UNAVAILABLE, "now (503)" },
        { "POST", 400, ERR_INVALID, "refuses the content" },
        { "POST", 401, ERR_REFUSED, "create an annotation (401)" },
        { "POST", 429, ERR_UNAVAILABLE, "now (429)" },
        { "POST", 500, ERR_UNAVAILABLE, "now (500)" },
    };
    return cr_make_param_array(struct status_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct status_case *c, annotate, a_refusal_says_what_to_do)
{
    struct fake f = FAKE_INIT;
    struct annotation a = incident("open");
    struct err e = ERR_INIT;
    int64_t id = -1;
    f.fail_method = c->method;
    f.fail_status = c->status;
    f.fail_times = 1;
    cr_assert_eq((int)tell(&f, &a, 0, &id, &e), c->code, "%s", e.msg);
    cr_assert_not_null(strstr(e.msg, c->told), "\"%s\" should say \"%s\"", e.msg, c->told);
    cr_assert_eq(id, -1);
    cr_assert_eq(f.len, 0);
}

static enum err_code nonsense(void *ctx, const char *method, const char *path, const char *body, size_t len,
                              long *ret_status, struct buf *ret, struct err *e)
{
    (void)path, (void)body, (void)len, (void)e;
    *ret_status = 200;
    buf_adds(ret, !strcmp(method, "GET") ? ((const char **)ctx)[0] : ((const char **)ctx)[1]);
    return ERR_OK;
}

Test(annotate, nonsense_for_an_answer_is_an_error)
{
    const char *answers[][2] = {
        { "<html>login</html>", "" }, { "{}", "" },           { "", "" }, { "[]", "ok" },
        { "[]", "{\"id\":0}" },       { "[1,{},null]", "{}" }
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct grafana_transport t = { answers[i], nonsense };
        struct annotation a = incident("open");
        int64_t id = -1;
        enum err_code code = grafana_annotate(&t, &a, 0, &id, NULL);
        cr_assert_eq(code, i < 3 ? ERR_UNAVAILABLE : ERR_UNKNOWN, "answer %zu: %d", i, code);
        cr_assert_eq(id, -1);
    }
}

Test(annotate, want_of_memory_is_told)
{
    unsigned n = 0;
    bool hit;
    do {
        struct fake f = FAKE_INIT;
        struct annotation a = incident("healed");
        int64_t id = -1;
        fault_malloc_at(++n);
        struct grafana_transport t = { &f, fake_send };
        enum err_code code = grafana_annotate(&t, &a, 0, &id, &(struct err){ 0 });
        hit = fault_hit();
        cr_assert((code == ERR_OK) == (id > 0));
        cr_assert(hit || code == ERR_OK);
    } while (hit);
    cr_assert_gt(n, 3u);
}
