/* test/unit/mapped_test.c - bodies of any shape, by paths: generic sources, CloudEvents, and the paths
 * themselves. */
#include <criterion/criterion.h>

#include "receiver/decode/fields.h"
#include "test/kit/decode_kit.h"
#include "test/kit/sample.h"

/* ---- paths ---- */

static void field_is(const char *body, const char *path, const char *wanted)
{
    for (size_t piece = 1; piece <= strlen(body); piece += 3) {
        CLEANUP(fields_freep) struct fields *f = NULL;
        const char *const paths[] = { path };
        struct err e = ERR_INIT;
        cr_assert_eq(fields_new(&f, paths, 1, 10, 16, &e), ERR_OK, "%s", e.msg);
        for (size_t at = 0; at < strlen(body); at += piece)
            cr_assert_eq(fields_feed(f, body + at, piece < strlen(body) - at ? piece : strlen(body) - at, &e),
                         ERR_OK, "%s", e.msg);
        cr_assert_eq(fields_end(f, &e), ERR_OK, "%s", e.msg);
        const char *found = fields_get(f, 0);
        cr_assert_str_eq(found ? found : "(none)", wanted, "%s in %s", path, body);
    }
}

Test(mapped, a_path_leads_to_one_value)
{
    static const char body[] =
        "{\"a\":{\"b\":[{\"c\":\"x\"},{\"c\":7.50,\"d\":true}],\"e.f\":\"dot\",\"n\":null,\"o\":\"\"},"
        "\"z\":\"long enough \\u00e9\"}";
    static const struct {
        const char *path, *value;
    } cases[] = {
        { "a.b[0].c", "x" },   { "a.b[1].c", "7.50" },     { "$.a.b[1].d", "true" },
        { "a['e.f']", "dot" }, { "a[\"e.f\"]", "dot" },    { "$['a'].b[0]['c']", "x" },
        { "a.n", "(none)" },   { "a.o", "(none)" },        { "a.b", "(none)" },
        { "a", "(none)" },     { "a.b[2].c", "(none)" },   { "a.b.c", "(none)" },
        { "z.y", "(none)" },   { "z[0]", "(none)" },       { "z", "long enoug" },
        { "b", "(none)" },     { "a.b[0].c.d", "(none)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        field_is(body, cases[i].path, cases[i].value);
    field_is("[\"x\",[\"y\",{\"k\":1}]]", "[1][1].k", "1");
    field_is("{\"k\":\"123456789\\u00e9\"}", "k", "123456789");
}

Test(mapped, a_path_that_is_none_is_refused)
{
    static const struct {
        const char *path;
        enum err_code code;
    } cases[] = {
        { "", ERR_INVALID },
        { "a..b", ERR_INVALID },
        { ".a", ERR_INVALID },
        { "a.", ERR_INVALID },
        { "a[", ERR_INVALID },
        { "a[x]", ERR_INVALID },
        { "a[-1]", ERR_INVALID },
        { "a['b]", ERR_INVALID },
        { "a['b'c]", ERR_INVALID },
        { "a[0", ERR_INVALID },
        { "a]b", ERR_INVALID },
        { "a[1000000]", ERR_INVALID },
        { "a.b.c.d.e.f.g.h.i", ERR_LIMIT },
        { "$", ERR_OK },
        { "a.b.c.d.e.f.g.h", ERR_OK },
        { "a[999999]", ERR_OK },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(field_path_check(cases[i].path, NULL), cases[i].code, "%s", cases[i].path);
}

Test(mapped, what_is_too_deep_or_too_long_is_refused)
{
    const char *const paths[] = { "a" };
    CLEANUP(fields_freep) struct fields *deep = NULL, *longer = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(fields_new(&deep, paths, 1, 10, 4, &e), ERR_OK);
    cr_assert_eq(fields_feed(deep, "[[[[[", 5, &e), ERR_LIMIT);
    cr_assert_str_eq(fields_limit(deep), "depth");
    cr_assert_eq(fields_new(&longer, paths, 1, 10, 4, &e), ERR_OK);
    cr_assert_eq(fields_feed(longer, "{\"x\":\"", 6, &e), ERR_OK);
    enum err_code code = ERR_OK;
    for (int i = 0; i < 400 && !code; i++) {
        char text[4096];
        memset(text, 'x', sizeof text);
        code = fields_feed(longer, text, sizeof text, &e);
    }
    cr_assert_eq(code, ERR_LIMIT, "a value that never ends");
    cr_assert_str_eq(fields_limit(longer), "alert");
}

/* ---- generic ---- */

struct mapping {
    struct source_settings s;
    char name[8], status[16], starts[8];
    char *words[2];
};

static void mapping_begin(struct mapping *m)
{
    *m = (struct mapping){ .name = "up", .status = "state", .starts = "since" };
    m->s.scope = (struct source){ .name = m->name, .kind = SOURCE_GENERIC };
    m->s.map.status = m->status;
    m->s.map.starts = m->starts;
    map_set(&m->s.map.labels, "alertname", "check.name", NULL);
    map_set(&m->s.map.labels, "site", "check.sites[0]", NULL);
    map_set(&m->s.map.labels, "build", "build", NULL);
    map_set(&m->s.map.annotations, "summary", "message", NULL);
}

static void mapping_end(struct mapping *m)
{
    map_release(&m->s.map.labels);
    map_release(&m->s.map.annotations);
}

static void generic_is(const struct mapping *m, const char *body, const char *wanted)
{
    CLEANUP(seen_end) struct seen s = { .alerts = 0 };
    struct err e = ERR_INIT;
    cr_assert_eq(decode_as(&s, &m->s, "", body, strlen(body), 7, &e), ERR_OK, "%s", e.msg);
    cr_assert_str_eq(buf_text(&s.text), wanted, "%s", body);
}

Test(mapped, a_generic_body_says_what_its_map_says)
{
    CLEANUP(mapping_end) struct mapping m;
    mapping_begin(&m);
    generic_is(&m,
               "{\"check\":{\"name\":\"SiteDown\",\"sites\":[\"shop\"]},\"state\":\"DOWN\",\"since\":"
               "1787217600,\"message\":\"m\"}",
               "firing 2026-08-20T09:20:00.000Z\nalertname=SiteDown\nsite=shop\nsource=up\n~summary=m\n");
    generic_is(
        &m,
        "{\"check\":{\"name\":\"SiteDown\",\"sites\":[\"shop\"]},\"state\":\"up\",\"since\":1787217600123}",
        "resolved 2026-08-20T09:20:00.123Z\nalertname=SiteDown\nsite=shop\nsource=up\n");
    generic_is(&m,
               "{\"check\":{\"name\":\"SiteDown\"},\"state\":\"up\",\"since\":\"2026-08-20T08:00:00+02:00\"}",
               "resolved 2026-08-20T06:00:00.000Z\nalertname=SiteDown\nsource=up\n");
    generic_is(&m, "{\"check\":{\"name\":\"SiteDown\"},\"state\":\"maintenance\"}", "");
    generic_is(&m, "{\"check\":{\"name\":\"SiteDown\"}}", "");
}

Test(mapped, own_words_take_the_place_of_the_usual_ones)
{
    CLEANUP(mapping_end) struct mapping m;
    mapping_begin(&m);
    char *firing[] = { (char[]){ "false" } }, *resolved[] = { (char[]){ "true" } };
    m.s.map.firing = (struct config_strings){ .list = firing, .len = 1 };
    m.s.map.resolved = (struct config_strings){ .list = resolved, .len = 1 };
    generic_is(&m, "{\"check\":{\"name\":\"A\"},\"state\":false,\"since\":1787217600}",
               "firing 2026-08-20T09:20:00.000Z\nalertname=A\nsource=up\n");
    generic_is(&m, "{\"check\":{\"name\":\"A\"},\"state\":true,\"since\":1787217600}",
               "resolved 2026-08-20T09:20:00.000Z\nalertname=A\nsource=up\n");
    generic_is(&m, "{\"check\":{\"name\":\"A\"},\"state\":\"down\"}", "");
}

Test(mapped, labels_of_single_runs_make_it_tell_of_runs)
{
    CLEANUP(mapping_end) struct mapping m;
    mapping_begin(&m);
    char *run[] = { (char[]){ "build" } };
    m.s.map.run = (struct config_strings){ .list = run, .len = 1 };
    generic_is(&m, "{\"check\":{\"name\":\"A\"},\"state\":\"failed\",\"build\":7}",
               "firing 2027-01-15T08:00:00.000Z\nalertname=A\nbuild=7\nconclusion=failed\nsource=up\n");
    generic_is(&m, "{\"check\":{\"name\":\"A\"},\"state\":\"passed\",\"build\":8}",
               "resolved 2027-01-15T08:00:00.000Z\nalertname=A\nsource=up\n");
}

Test(mapped, without_a_name_there_is_no_alert)
{
    CLEANUP(mapping_end) struct mapping m;
    CLEANUP(seen_end) struct seen s = { .alerts = 0 };
    struct err e = ERR_INIT;
    mapping_begin(&m);
    cr_assert_eq(decode_as(&s, &m.s, "", "{\"state\":\"down\"}", 16, 16, &e), ERR_INVALID);
    cr_assert_not_null(strstr(e.msg, "\"alertname\""), "%s", e.msg);
    map_set(&m.s.scope.force, "alertname", "Forced", NULL);
    generic_is(&m, "{\"state\":\"down\"}", "firing 2027-01-15T08:00:00.000Z\nsource=up\n");
    map_release(&m.s.scope.force);
}

Test(mapped, a_generic_delivery_is_known_by_its_id)
{
    CLEANUP(mapping_end) struct mapping m;
    static const struct {
        const char *headers, *id;
    } cases[] = { { "", "b" }, { "Idempotency-Key: k", "k" }, { "webhook-id: w\nIdempotency-Key: k", "w" } };
    mapping_begin(&m);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(seen_end) struct seen s = { .alerts = 0 };
        cr_assert_eq(decode_as(&s, &m.s, cases[i].headers, "{\"id\":\"b\"}", 10, 10, NULL), ERR_OK);
        cr_assert_str_eq(s.id, cases[i].id);
    }
}

/* ---- CloudEvents ---- */

#define BINARY                                                                                               \
    "ce-specversion: 1.0\nce-id: 01J5Q7-done\nce-source: /healer/prod-eu1\nce-type: "                        \
    "com.example.heal.completed.v1\n"                                                                        \
    "ce-subject: shop/deployment/checkout%20(blue)\nce-time: 2026-08-20T09:16:13Z\nContent-Type: "           \
    "application/json"
#define STRUCTURED "Content-Type: application/cloudevents+json; charset=utf-8"

static void cloud_is(const char *headers, const char *body, const char *wanted)
{
    CLEANUP(seen_end) struct seen s = { .alerts = 0 };
    struct err e = ERR_INIT;
    cr_assert_eq(decode(&s, SOURCE_CLOUDEVENTS, headers, body, strlen(body), strlen(body), &e), ERR_OK, "%s",
                 e.msg);
    cr_assert_str_eq(buf_text(&s.text), wanted, "%s", buf_text(&s.text));
    cr_assert(*s.id, "it is known by id and source");
}

Test(mapped, a_structured_cloud_event)
{
    size_t len = 0;
    char *body = sample_bytes("cloudevent-structured.json", &len);
    cloud_is(STRUCTURED, body,
             "resolved "
             "2026-08-20T09:16:13.000Z\nalertname=com.example.heal.completed.v1\norigin=/healer/prod-eu1\n"
             "source=ci\nsubject=shop/deployment/checkout\n"
             "~traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n");
    char *at = strstr(body, "success");
    memcpy(at, "failure", 7);
    cloud_is(STRUCTURED, body,
             "firing 2026-08-20T09:16:13.000Z\nalertname=com.example.heal.completed.v1\nconclusion=failure\n"
             "event=01J5Q7-done\norigin=/healer/prod-eu1\nsource=ci\nsubject=shop/deployment/checkout\n"
             "~traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n");
    free(body);
}

Test(mapped, a_binary_cloud_event_has_its_attributes_in_headers)
{
    size_t len = 0;
    char *sample = sample_bytes("cloudevent-binary.http", &len);
    char *body = strstr(sample, "\r\n\r\n") + 4;
    cloud_is(BINARY, body,
             "resolved "
             "2026-08-20T09:16:13.000Z\nalertname=com.example.heal.completed.v1\norigin=/healer/prod-eu1\n"
             "source=ci\nsubject=shop/deployment/checkout (blue)\n");
    cloud_is(
        BINARY, "{\"result\":\"error\"}",
        "firing 2026-08-20T09:16:13.000Z\nalertname=com.example.heal.completed.v1\nconclusion=error\n"
        "event=01J5Q7-done\norigin=/healer/prod-eu1\nsource=ci\nsubject=shop/deployment/checkout (blue)\n");
    free(sample);
}

Test(mapped, an_event_without_a_status_fires)
{
    cloud_is(
        STRUCTURED,
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"disk.full\",\"data\":{\"x\":1}}",
        "firing 2027-01-15T08:00:00.000Z\nalertname=disk.full\nevent=1\norigin=/s\nsource=ci\n");
}

Test(mapped, what_cloud_events_require_is_required)
{
    static const struct {
        const char *headers, *body, *blamed;
    } cases[] = {
        { STRUCTURED, "{\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}", "specversion" },
        { STRUCTURED, "{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}", "0.3" },
        { STRUCTURED, "{\"specversion\":\"1.0\",\"source\":\"/s\",\"type\":\"t\"}", "\"id\"" },
        { STRUCTURED, "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\"}", "\"source\"" },
        { STRUCTURED, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\"}", "\"type\"" },
        { "ce-specversion: 1.0\nce-id: 1\nce-type: t\nce-source: %c3%28", "{}", "\"source\"" },
        { "", "{}", "specversion" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(seen_end) struct seen s = { .alerts = 0 };
        struct err e = ERR_INIT;
        cr_assert_eq(
            decode(&s, SOURCE_CLOUDEVENTS, cases[i].headers, cases[i].body, strlen(cases[i].body), 99, &e),
            ERR_INVALID, "%s", cases[i].body);
        cr_assert_not_null(strstr(e.msg, cases[i].blamed), "%s: %s", cases[i].body, e.msg);
    }
}

Test(mapped, types_of_bodies_that_are_not_read_are_named)
{
    cr_assert_null(decoder_wants_type(SOURCE_CLOUDEVENTS, "application/cloudevents+json; charset=utf-8"));
    cr_assert_null(decoder_wants_type(SOURCE_CLOUDEVENTS, "application/json"));
    cr_assert_not_null(decoder_wants_type(SOURCE_CLOUDEVENTS, "application/cloudevents-batch+json"));
    cr_assert_not_null(decoder_wants_type(SOURCE_CLOUDEVENTS, "text/plain"));
    cr_assert_not_null(decoder_wants_type(SOURCE_GENERIC, "application/cloudevents+json"));
    cr_assert_not_null(decoder_wants_type(SOURCE_GITLAB, "application/x-www-form-urlencoded"));
    cr_assert_not_null(decoder_wants_type(SOURCE_JENKINS, ""));
}
