/* test/unit/alertmanager_test.c - the webhook body as a stream: samples, every cut, and hostile bodies. */
#include "receiver/decode/alertmanager.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "test/kit/fault.h"
#include "test/kit/sample.h"

static const struct limits limits = {
    .alert_bytes = 65536, .labels = 64, .label_bytes = 4096, .annotation_bytes = 16384, .depth = 16
};

static void alertmanager_freep(struct alertmanager_decoder **d)
{
    *d = alertmanager_free(*d);
}

struct result { /* a decoding as text: equal texts are equal decodings */
    enum err_code code;
    struct err e;
    int64_t truncated;
    size_t alerts;
    struct buf text;
    char limit[32];
};

static void result_release(struct result *r)
{
    buf_release(&r->text);
}

static void add_map(struct buf *out, const char *what, const struct map *m)
{
    for (size_t i = 0; i < m->len; i++)
        buf_addf(out, " %s %s=%s;", what, map_name_at(m, i), map_value_at(m, i));
}

static enum err_code each(void *ctx, struct alert *a, struct err *e)
{
    struct result *r = ctx;
    (void)e;
    r->alerts++;
    buf_addf(&r->text, "%s %d %" PRId64 " %" PRId64, a->source, (int)a->status, a->starts_ms, a->ends_ms);
    add_map(&r->text, "L", &a->labels);
    add_map(&r->text, "A", &a->annotations);
    buf_addc(&r->text, '\n');
    alert_release(a);
    return ERR_OK;
}

static const char unfinished[] = "{\"version\":\"4\",\"truncatedAlerts\":9,\"alerts\":[{\"status\":"
                                 "\"firing\",\"labels\":{\"a\":\"\",\"b\":\"cut \\ud83d";

/* Feed the first `cut` bytes, then pieces of `piece`; 0: the rest at once. The decoder has been used before,
 * and not to the end, which must not show. */
static struct result decode_by(const struct limits *l, const char *bytes, size_t len, size_t cut,
                               size_t piece)
{
    struct result r = { .code = ERR_OK };
    CLEANUP(alertmanager_freep) struct alertmanager_decoder *d = NULL;
    cr_assert_eq(alertmanager_new(&d, "somebody else", l, each, &r, &r.e), ERR_OK);
    alertmanager_feed(d, unfinished, sizeof unfinished - 1, &r.e);
    cr_assert_eq(alertmanager_again(d, "am", &r, &r.e), ERR_OK);
    r.code = alertmanager_feed(d, bytes, cut, &r.e);
    for (size_t at = cut; !r.code && at < len;) {
        size_t n = piece && piece < len - at ? piece : len - at;
        r.code = alertmanager_feed(d, bytes + at, n, &r.e);
        at += n;
    }
    if (!r.code)
        r.code = alertmanager_end(d, &r.truncated, &r.e);
    if (alertmanager_limit(d))
        text_copy(r.limit, sizeof r.limit, alertmanager_limit(d));
    return r;
}

static struct result decode(const char *text)
{
    return decode_by(&limits, text, strlen(text), strlen(text), 0);
}

/* Single quotes stand for double ones; %s is where alerts go. */
static char *quoted(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    return copy;
}

static struct result decode_quoted(const char *text)
{
    char *copy = quoted(text);
    struct result r = decode(copy);
    free(copy);
    return r;
}

#define LABELS "'labels':{'alertname':'X'}"
#define TIMES "'startsAt':'2026-08-20T09:15:00Z','endsAt':'0001-01-01T00:00:00Z'"
#define BODY(alert) "{'version':'4','alerts':[{" alert "}]}"
#define GOOD BODY("'status':'firing'," LABELS "," TIMES)

/* ---- samples ---- */

struct sample {
    char file[64];
    int alerts, truncated; /* alerts -1: no webhook body */
};
static struct sample samples[] = {
    { "alertmanager-escapes.json", 1, 0 },
    { "alertmanager-firing-1-v0.25.json", 1, 0 },
    { "alertmanager-firing-1.json", 1, 0 },
    { "alertmanager-group-5.json", 5, 0 },
    { "alertmanager-mixed.json", 3, 0 },
    { "alertmanager-resolved.json", 1, 0 },
    { "alertmanager-truncated.json", 2, 3 },
    { "alertmanager-api-error-422.json", -1, 0 },
    { "alertmanager-api-get-alerts.json", -1, 0 },
    { "alertmanager-api-post-alerts.json", -1, 0 },
    { "alertmanager-api-post-silence.json", -1, 0 },
};
#define SAMPLES (sizeof samples / sizeof samples[0])

ParameterizedTestParameters(alertmanager, samples_are_what_they_are)
{
    return cr_make_param_array(struct sample, samples, SAMPLES);
}

ParameterizedTest(struct sample *s, alertmanager, samples_are_what_they_are)
{
    size_t len = 0;
    char *bytes = sample_bytes(s->file, &len);
    CLEANUP(result_release) struct result r = decode_by(&limits, bytes, len, len, 0);
    if (s->alerts < 0) {
        cr_assert_eq(r.code, ERR_INVALID, "%s is no webhook body", s->file);
        cr_assert_not_null(strstr(r.e.msg, "version \"4\""), "it says what would be right: %s", r.e.msg);
        cr_assert_eq(r.alerts, 0u);
    } else {
        cr_assert_eq(r.code, ERR_OK, "%s: %s", s->file, r.e.msg);
        cr_assert_eq(r.alerts, (size_t)s->alerts);
        cr_assert_eq(r.truncated, s->truncated);
    }
    free(bytes);
}

ParameterizedTestParameters(alertmanager, every_cut_gives_the_same)
{
    return cr_make_param_array(struct sample, samples, SAMPLES);
}

ParameterizedTest(struct sample *s, alertmanager, every_cut_gives_the_same, .timeout = 60)
{
    size_t len = 0;
    char *bytes = sample_bytes(s->file, &len);
    CLEANUP(result_release) struct result whole = decode_by(&limits, bytes, len, len, 0);
    CLEANUP(result_release) struct result single = decode_by(&limits, bytes, len, 0, 1);
    cr_assert_str_eq(buf_text(&whole.text), buf_text(&single.text));
    cr_assert_str_eq(whole.e.msg, single.e.msg);
    for (size_t cut = 0; cut <= len; cut++) {
        CLEANUP(result_release) struct result r = decode_by(&limits, bytes, len, cut, 0);
        cr_assert_eq(r.code, whole.code, "cut at %zu", cut);
        cr_assert_str_eq(buf_text(&r.text), buf_text(&whole.text), "cut at %zu", cut);
        cr_assert_str_eq(r.e.msg, whole.e.msg, "cut at %zu", cut);
    }
    free(bytes);
}

ParameterizedTestParameters(alertmanager, a_body_that_is_cut_off_is_refused)
{
    return cr_make_param_array(struct sample, samples, 7);
}

ParameterizedTest(struct sample *s, alertmanager, a_body_that_is_cut_off_is_refused, .timeout = 60)
{
    size_t len = 0;
    char *bytes = sample_bytes(s->file, &len);
    size_t end = len;
    while (bytes[end - 1] != '}')
        end--;
    for (size_t cut = 0; cut < end; cut++) {
        CLEANUP(result_release) struct result r = decode_by(&limits, bytes, cut, cut, 0);
        cr_assert_eq(r.code, ERR_INVALID, "%zu of %zu bytes: %s", cut, len, r.e.msg);
        cr_assert_eq(r.truncated, 0, "untouched on failure");
    }
    free(bytes);
}

/* ---- what an alert becomes ---- */

Test(alertmanager, each_alert_has_its_own_status_and_times)
{
    size_t len = 0;
    char *bytes = sample_bytes("alertmanager-mixed.json", &len);
    CLEANUP(result_release) struct result r = decode_by(&limits, bytes, len, len, 0);
    int64_t starts = 0, ends = 0;
    char want[80];
    time_parse(&starts, "2026-08-20T09:15:03.512Z", 24, NULL);
    time_parse(&ends, "2026-08-20T09:22:03.512Z", 24, NULL);
    snprintf(want, sizeof want, "am 1 %" PRId64 " %" PRId64 " ", starts, ends);
    cr_assert_eq(strncmp(buf_text(&r.text), want, strlen(want)), 0, "%s", buf_text(&r.text));
    snprintf(want, sizeof want, "\nam 0 %" PRId64 " 0 ", starts);
    cr_assert_not_null(strstr(buf_text(&r.text), want), "%s", buf_text(&r.text));
    free(bytes);
}

Test(alertmanager, escapes_are_resolved)
{
    size_t len = 0;
    char *bytes = sample_bytes("alertmanager-escapes.json", &len);
    CLEANUP(result_release) struct result r = decode_by(&limits, bytes, len, len, 0);
    cr_assert_not_null(strstr(buf_text(&r.text), "description=zone \"b\"\nsecond line\ttab \\ backslash;"));
    cr_assert_not_null(
        strstr(buf_text(&r.text), "is <not ready> & unreachable \u2014 \u00fcberpr\u00fcfen;"));
    free(bytes);
}

Test(alertmanager, paired_surrogates_become_one_character)
{
    CLEANUP(result_release)
    struct result r = decode_quoted(BODY("'status':'firing','labels':{'a':'\\ud83d\\uDE00'}," TIMES));
    cr_assert_eq(r.code, ERR_OK, "%s", r.e.msg);
    cr_assert_not_null(strstr(buf_text(&r.text), "L a=\xf0\x9f\x98\x80;"), "%s", buf_text(&r.text));
}

Test(alertmanager, times_may_have_offsets)
{
    CLEANUP(result_release)
    struct result r = decode_quoted(
        BODY("'status':'resolved'," LABELS
             ",'startsAt':'2026-08-20T11:15:00.123456789+02:00','endsAt':'2026-08-20T09:15:00.5Z'"));
    CLEANUP(result_release)
    struct result same =
        decode_quoted(BODY("'status':'resolved'," LABELS
                           ",'startsAt':'2026-08-20T09:15:00.123Z','endsAt':'2026-08-20T04:15:00.5-05:00'"));
    cr_assert_eq(r.code, ERR_OK, "%s", r.e.msg);
    cr_assert_str_eq(buf_text(&r.text), buf_text(&same.text));
}

Test(alertmanager, a_firing_alert_has_no_end)
{
    CLEANUP(result_release) struct result good = decode_quoted(GOOD);
    CLEANUP(result_release)
    struct result timeout = decode_quoted(BODY(
        "'status':'firing'," LABELS ",'startsAt':'2026-08-20T09:15:00Z','endsAt':'2026-08-20T09:20:00Z'"));
    CLEANUP(result_release)
    struct result none =
        decode_quoted(BODY("'status':'firing'," LABELS ",'startsAt':'2026-08-20T09:15:00Z'"));
    cr_assert_eq(good.code, ERR_OK, "%s", good.e.msg);
    cr_assert_str_eq(buf_text(&timeout.text), buf_text(&good.text));
    cr_assert_str_eq(buf_text(&none.text), buf_text(&good.text));
}

Test(alertmanager, labels_with_empty_values_are_dropped)
{
    CLEANUP(result_release)
    struct result r = decode_quoted(
        BODY("'status':'firing','labels':{'a':'','b':'1','c':''},'annotations':{'x':''}," TIMES));
    cr_assert_eq(r.code, ERR_OK, "%s", r.e.msg);
    cr_assert_not_null(strstr(buf_text(&r.text), " L b=1; A x=;\n"), "%s", buf_text(&r.text));
    cr_assert_null(strstr(buf_text(&r.text), "L a="));
}

Test(alertmanager, label_names_may_be_any_text)
{
    CLEANUP(result_release)
    struct result r = decode_quoted(BODY("'status':'firing','labels':{'a b.c/\u00fc \\u4e16':'1'}," TIMES));
    cr_assert_eq(r.code, ERR_OK, "%s", r.e.msg);
    cr_assert_not_null(strstr(buf_text(&r.text), "L a b.c/\u00fc \u4e16=1;"), "%s", buf_text(&r.text));
}

Test(alertmanager, unknown_keys_are_ignored_at_every_level)
{
    CLEANUP(result_release)
    struct result r = decode_quoted("{'new':{'alerts':[1,2,{'labels':3}],'version':'9'},'x':[[[[null]]]],'"
                                    "alerts':[{'later':{'status':'?'},'status':'firing',"
                                    "'more':[true,1e400,-12345678901234567890]," LABELS "," TIMES
                                    ",'annotations':null}],'version':'4','y':false}");
    cr_assert_eq(r.code, ERR_OK, "%s", r.e.msg);
    cr_assert_eq(r.alerts, 1u);
}

/* ---- refusals ---- */

struct refused {
    char body[400];
    char blamed[80];
};
ParameterizedTestParameters(alertmanager, bodies_that_say_something_else_are_refused)
{
    static struct refused cases[] = {
        { "", "ends too early" },
        { "nonsense", "not JSON" },
        { GOOD "x", "not JSON" },
        { GOOD GOOD, "not JSON" },
        { "[]", "body is an array" },
        { "'text'", "body is a string" },
        { "null", "body is null" },
        { "{}", "no \"version\"" },
        { "{'version':'4'}", "no \"alerts\"" },
        { "{'version':'4','alerts':[]}", "no \"alerts\"" },
        { "{'version':'4','alerts':{}}", "alerts is an object, not an array" },
        { "{'version':'4','alerts':null}", "alerts is null" },
        { "{'version':'4','alerts':['x']}", "alerts[0] is a string" },
        { "{'version':4,'alerts':[]}", "version is a number, not a string" },
        { "{'version':'3','alerts':[]}", "version is \"3\"" },
        { "{'version':'4','version':'4','alerts':[]}", "\"version\" occurs twice" },
        { "{'alerts':[],'alerts':[]}", "\"alerts\" occurs twice" },
        { "{'version':'4','truncatedAlerts':-1,'alerts':[]}", "truncatedAlerts is -1" },
        { "{'version':'4','truncatedAlerts':1.5,'alerts':[]}", "truncatedAlerts is 1.5" },
        { "{'version':'4','truncatedAlerts':99999999999999999999,'alerts':[]}", "truncatedAlerts is 999" },
        { "{'version':'4','truncatedAlerts':'1','alerts':[]}", "truncatedAlerts is a string" },
        { BODY(LABELS "," TIMES), "alerts[0] has no \"status\"" },
        { BODY("'status':'firing'," TIMES), "alerts[0] has no \"labels\"" },
        { BODY("'status':'firing'," LABELS), "alerts[0] has no \"startsAt\"" },
        { BODY("'status':'Firing'," LABELS "," TIMES), "status is \"Firing\"" },
        { BODY("'status':1," LABELS "," TIMES), "status is a number" },
        { BODY("'status':'firing','status':'resolved'," LABELS "," TIMES), "\"status\" occurs twice" },
        { BODY("'status':'resolved'," LABELS "," TIMES), "resolved and has no endsAt" },
        { BODY("'status':'firing'," LABELS ",'startsAt':'yesterday'"), "startsAt" },
        { BODY("'status':'firing','labels':{}," TIMES), "has no labels" },
        { BODY("'status':'firing','labels':{'a':''}," TIMES), "has no labels" },
        { BODY("'status':'firing','labels':null," TIMES), "labels is null" },
        { BODY("'status':'firing','labels':{'a':1}," TIMES), "value of \"a\" is a number" },
        { BODY("'status':'firing','labels':{'a':{}}," TIMES), "value of \"a\" is an object" },
        { BODY("'status':'firing','labels':{'':'x'}," TIMES), "without a name" },
        { BODY("'status':'firing','labels':{'a':'1','b':'2','a':'1'}," TIMES), "label \"a\" occurs twice" },
        { BODY("'status':'firing','labels':{'a':'','a':'1'}," TIMES), "label \"a\" occurs twice" },
        { BODY("'status':'firing','labels':{'a':'1','\\u0061':'2'}," TIMES), "label \"a\" occurs twice" },
        { BODY("'status':'firing'," LABELS ",'annotations':{'a':'1','a':'1'}," TIMES),
          "annotation \"a\" occurs twice" },
        { BODY("'status':'firing','labels':{'a':'x\\u0000y'}," TIMES), "U+0000" },
        { BODY("'status':'firing','labels':{'a\\u0000':'x'}," TIMES), "U+0000" },
        { "{'ignored':'\\u0000','version':'4'}", "U+0000" },
        { BODY("'status':'firing','labels':{'a':'\xc0\xaf'}," TIMES), "UTF-8" },
        { BODY("'status':'firing','labels':{'a':'\xed\xa0\x80'}," TIMES), "UTF-8" },
        { "{'ignored':'\xff'}", "" },
        { BODY("'status':'firing','labels':{'a':'\\ud800'}," TIMES), "unpaired surrogate" },
        { BODY("'status':'firing','labels':{'a':'\\ud800\\ud800'}," TIMES), "unpaired surrogate" },
        { BODY("'status':'firing','labels':{'a':'\\udc00'}," TIMES), "unpaired surrogate" },
        { BODY("'status':'firing','labels':{'a':'\\ud800x\\udc00'}," TIMES), "unpaired surrogate" },
        { BODY("'status':'firing','labels':{'a':'\\ud800\\n'}," TIMES), "unpaired surrogate" },
        { "{'\\udfff':1}", "unpaired surrogate" },
    };
    return cr_make_param_array(struct refused, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct refused *c, alertmanager, bodies_that_say_something_else_are_refused)
{
    char *text = quoted(c->body);
    size_t len = strlen(text);
    CLEANUP(result_release) struct result r = decode(text);
    cr_assert_eq(r.code, ERR_INVALID, "%s", c->body);
    cr_assert_not_null(strstr(r.e.msg, c->blamed), "'%s' should name '%s'", r.e.msg, c->blamed);
    cr_assert_eq(strncmp(r.e.msg, "byte ", 5), 0, "%s", r.e.msg);
    cr_assert_eq(r.alerts, 0u + (strstr(c->body, GOOD) != NULL));
    for (size_t cut = 0; cut <= len; cut++) {
        CLEANUP(result_release) struct result part = decode_by(&limits, text, len, cut, 0);
        cr_assert_eq(part.code, ERR_INVALID, "cut at %zu of %s", cut, c->body);
    }
    free(text);
}

Test(alertmanager, an_error_is_said_for_ever)
{
    CLEANUP(alertmanager_freep) struct alertmanager_decoder *d = NULL;
    struct result r = { .code = ERR_OK };
    struct err first = ERR_INIT, again = ERR_INIT;
    int64_t truncated = 7;
    cr_assert_eq(alertmanager_new(&d, "am", &limits, each, &r, NULL), ERR_OK);
    cr_assert_eq(alertmanager_feed(d, "[", 1, &first), ERR_INVALID);
    cr_assert_eq(alertmanager_feed(d, "]", 1, &again), ERR_INVALID);
    cr_assert_str_eq(first.msg, again.msg);
    cr_assert_eq(alertmanager_end(d, &truncated, NULL), ERR_INVALID);
    cr_assert_eq(truncated, 7);
}

static enum err_code says_no(void *ctx, struct alert *a, struct err *e)
{
    (void)ctx;
    alert_release(a);
    return err_set(e, ERR_UNAVAILABLE, "not today");
}

Test(alertmanager, the_callback_may_stop_it)
{
    CLEANUP(alertmanager_freep) struct alertmanager_decoder *d = NULL;
    struct err e = ERR_INIT;
    char *text = quoted(GOOD);
    cr_assert_eq(alertmanager_new(&d, "am", &limits, says_no, NULL, NULL), ERR_OK);
    cr_assert_eq(alertmanager_feed(d, text, strlen(text), &e), ERR_UNAVAILABLE);
    cr_assert_not_null(strstr(e.msg, "not today"));
    free(text);
}

/* ---- limits ---- */

/* '#' becomes the number. */
static void add_numbered(struct buf *out, const char *text, size_t number)
{
    for (; *text; text++) {
        if (*text == '#')
            buf_addf(out, "%zu", number);
        else
            buf_addc(out, *text);
    }
}

static struct buf filled(const char *before, size_t count, const char *repeated, const char *after)
{
    struct buf b = BUF_INIT;
    char *head = quoted(before), *tail = quoted(after), *middle = quoted(repeated);
    buf_adds(&b, head);
    for (size_t i = 0; i < count; i++)
        add_numbered(&b, middle, i);
    buf_adds(&b, tail);
    free(head);
    free(tail);
    free(middle);
    return b;
}

static void expect_limit(const struct buf *body, const char *limit)
{
    for (size_t piece = 1; piece <= 65536; piece *= 16) {
        CLEANUP(result_release) struct result r = decode_by(&limits, body->ptr, body->len, 0, piece);
        cr_assert_eq(r.code, ERR_LIMIT, "pieces of %zu: %s", piece, r.e.msg);
        cr_assert_str_eq(r.limit, limit);
        cr_assert_not_null(strstr(r.e.msg, limit), "%s", r.e.msg);
    }
}

static void expect_fits(const struct buf *body)
{
    for (size_t piece = 1; piece <= 65536; piece *= 16) {
        CLEANUP(result_release) struct result r = decode_by(&limits, body->ptr, body->len, 0, piece);
        cr_assert_eq(r.code, ERR_OK, "pieces of %zu: %s", piece, r.e.msg);
        cr_assert_str_empty(r.limit);
    }
}

struct bound {
    char before[240], repeated[24], after[40];
    int fits; /* repetitions; one more is too many */
    char limit[16];
};
ParameterizedTestParameters(alertmanager, every_limit_holds_at_its_number)
{
#define IN_ALERT "{'version':'4','alerts':[{'status':'firing'," TIMES ","
    static struct bound cases[] = {
        { IN_ALERT "'labels':{'x':'y'", ",'l#':'v'", "}}]}", 63, "labels" },
        { IN_ALERT LABELS ",'annotations':{'x':'y'", ",'l#':'v'", "}}]}", 63, "labels" },
        { IN_ALERT "'labels':{'x':'", "v", "'}}]}", 4096, "label" },
        { IN_ALERT "'labels':{'", "n", "':'v'}}]}", 4096, "label" },
        { IN_ALERT LABELS ",'annotations':{'x':'", "v", "'}}]}", 16384, "annotation" },
        { IN_ALERT LABELS ",'annotations':{'", "n", "':'v'}}]}", 4096, "label" },
        { "{'version':'4','x':", "[", "", -15, "depth" },
    };
    return cr_make_param_array(struct bound, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bound *c, alertmanager, every_limit_holds_at_its_number)
{
    size_t fits = (size_t)abs(c->fits);
    CLEANUP(buf_release) struct buf most = filled(c->before, fits, c->repeated, c->after);
    CLEANUP(buf_release) struct buf more = filled(c->before, fits + 1, c->repeated, c->after);
    if (c->fits > 0)
        expect_fits(&most);
    expect_limit(&more, c->limit);
}

Test(alertmanager, fifteen_nested_arrays_are_deep_enough)
{
    CLEANUP(buf_release)
    struct buf body =
        filled("{'x':", 15, "[",
               "]]]]]]]]]]]]]]],'version':'4','alerts':[{'status':'firing'," LABELS "," TIMES "}]}");
    expect_fits(&body);
}

Test(alertmanager, a_long_alert_is_refused_wherever_its_bytes_are)
{
    CLEANUP(buf_release)
    struct buf ignored = filled("{'version':'4','alerts':[{'status':'firing'," LABELS "," TIMES ",'x':[0",
                                40000, ",1", "]}]}");
    CLEANUP(buf_release) struct buf blank = filled("{'version':'4','alerts':[{", 70000, " ", "}]}");
    expect_limit(&ignored, "alert");
    expect_limit(&blank, "alert");
}

Test(alertmanager, a_giant_string_is_refused_before_it_ends)
{
    CLEANUP(alertmanager_freep) struct alertmanager_decoder *d = NULL;
    struct result r = { .code = ERR_OK };
    struct err e = ERR_INIT;
    static char block[4096];
    memset(block, 'x', sizeof block);
    cr_assert_eq(alertmanager_new(&d, "am", &limits, each, &r, NULL), ERR_OK);
    cr_assert_eq(alertmanager_feed(d, "{\"ignored\":\"", 12, &e), ERR_OK);
    int blocks = 0;
    while (blocks < 1000 && alertmanager_feed(d, block, sizeof block, &e) == ERR_OK)
        blocks++;
    cr_assert_leq(blocks, 17, "64 KiB are the limit");
    cr_assert_eq(e.code, ERR_LIMIT);
}

Test(alertmanager, a_giant_body_of_ignored_keys_takes_no_memory)
{
    CLEANUP(alertmanager_freep) struct alertmanager_decoder *d = NULL;
    struct result r = { .code = ERR_OK };
    struct err e = ERR_INIT;
    cr_assert_eq(alertmanager_new(&d, "am", &limits, each, &r, NULL), ERR_OK);
    cr_assert_eq(alertmanager_feed(d, "{\"ignored\":[0", 13, &e), ERR_OK);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 200000; i++)
        cr_assert_eq(alertmanager_feed(d, ",{\"a\":[\"some \\u00fc text\",-1.5e3]}", 34, &e), ERR_OK, "%s",
                     e.msg);
    size_t grown = mallinfo2().uordblks - before;
    cr_assert_lt(grown, 65536u, "%zu bytes", grown);
}

Test(alertmanager, deep_nesting_is_refused_without_a_deep_stack)
{
    CLEANUP(buf_release) struct buf arrays = filled("{'x':", 1000000, "[", "");
    CLEANUP(buf_release) struct buf objects = filled("{'x':", 200000, "{'a':", "");
    CLEANUP(result_release) struct result a = decode_by(&limits, arrays.ptr, arrays.len, 0, 0);
    CLEANUP(result_release) struct result o = decode_by(&limits, objects.ptr, objects.len, 0, 0);
    cr_assert_str_eq(a.limit, "depth");
    cr_assert_str_eq(o.limit, "depth");
}

/* Same seed, same bodies: any byte of a good body replaced by any other. */
Test(alertmanager, no_changed_byte_does_harm, .timeout = 60)
{
    size_t len = 0;
    uint64_t seed = 42;
    char *bytes = sample_bytes("alertmanager-mixed.json", &len);
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t at = (size_t)(seed >> 33) % len;
        char was = bytes[at];
        bytes[at] = (char)(seed >> 24);
        CLEANUP(result_release) struct result whole = decode_by(&limits, bytes, len, len, 0);
        CLEANUP(result_release)
        struct result parts = decode_by(&limits, bytes, len, (size_t)(seed >> 40) % len, 7);
        cr_assert_eq(whole.code, parts.code, "seed 42, round %d: %s | %s", i, whole.e.msg, parts.e.msg);
        cr_assert_str_eq(buf_text(&whole.text), buf_text(&parts.text));
        bytes[at] = was;
    }
    free(bytes);
}

Test(alertmanager, running_out_of_memory_is_an_error_at_every_allocation, .timeout = 60)
{
    size_t len = 0;
    unsigned n = 0;
    bool hit;
    char *bytes = sample_bytes("alertmanager-escapes.json", &len);
    do {
        struct alertmanager_decoder *d = NULL;
        struct result r = { .code = ERR_OK };
        int64_t truncated = 7;
        fault_malloc_at(++n);
        enum err_code code = alertmanager_new(&d, "am", &limits, says_no, &r, NULL);
        bool made = code == ERR_OK;
        if (!code)
            code = alertmanager_feed(d, bytes, len, NULL);
        hit = fault_hit();
        if (hit) {
            cr_assert_eq(code, ERR_NOMEM, "allocation %u", n);
            cr_assert(made || !d, "untouched on failure");
            cr_assert(!made || alertmanager_end(d, &truncated, NULL) == ERR_NOMEM);
        }
        alertmanager_free(d);
    } while (hit);
    cr_assert_gt(n, 5u);
    free(bytes);
}
