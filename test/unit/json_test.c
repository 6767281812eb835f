/* test/unit/json_test.c - reading JSON. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "rules/base/json.h"
#include "test/kit/fault.h"

static struct json_doc *parse(const char *text)
{
    struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(json_parse(&doc, text, strlen(text), &e), ERR_OK, "%s: %s", text, e.msg);
    cr_assert_not_null(doc);
    return doc;
}

/* ---- what is refused ---- */

struct refused {
    char text[40];
    unsigned len; /* 0: strlen */
    char blamed[32];
};

ParameterizedTestParameters(json_parse, refuses)
{
    static struct refused cases[] = {
        { "", 0, "premature EOF" },
        { "  \n", 0, "premature EOF" },
        { "{", 0, "byte 1:" },
        { "[1", 0, "byte 2:" },
        { "\"abc", 0, "byte 4:" },
        { "[1,]", 0, "byte 4:" },
        { "{\"a\":1,}", 0, "byte 8:" },
        { "{\"a\":}", 0, "byte" },
        { "{\"a\"}", 0, "byte" },
        { "{a:1}", 0, "byte" },
        { "{1:1}", 0, "byte" },
        { "[1 2]", 0, "byte" },
        { "[1}", 0, "byte" },
        { "1 2", 0, "trailing garbage" },
        { "{}x", 0, "byte" },
        { "[]]", 0, "byte" },
        { "01", 0, "byte" },
        { "-", 0, "byte" },
        { "-a", 0, "byte" },
        { "1.", 0, "byte" },
        { "1e", 0, "byte" },
        { ".5", 0, "byte" },
        { "+1", 0, "byte" },
        { "0x10", 0, "byte" },
        { "NaN", 0, "byte" },
        { "nul", 0, "byte" },
        { "truex", 0, "byte" },
        { "True", 0, "byte" },
        { "'a'", 0, "byte" },
        { "/*c*/1", 0, "byte" },
        { "1//c", 0, "byte" },
        { "\xEF\xBB\xBF{}", 0, "byte" }, /* a byte order mark */
        { "1\0", 2, "byte" },
        { "\"a\0b\"", 5, "byte" },
        { "\"\t\"", 0, "byte" },
        { "\"\x1F\"", 0, "byte" },
        { "\"\\x\"", 0, "byte" },
        { "\"\\u12\"", 0, "byte" },
        { "\"\\u12g4\"", 0, "byte" },
        { "[\v1]", 0, "byte 1: control" },
        { "1\f", 0, "byte 1: control" },
        /* what yajl lets pass */
        { "\"ab\\u0000\"", 0, "byte 3: U+0000" },
        { "\"\\ud800\"", 0, "byte 1: unpaired" },
        { "\"\\udc00\"", 0, "byte 1: unpaired" },
        { "\"\\uD800\\u0041\"", 0, "byte 1: unpaired" },
        { "\"\\ud800\\ud800\"", 0, "byte 1: unpaired" },
        { "\"\\udbff\\ue000\"", 0, "byte 1: unpaired" },
        { "\"\\ud800\\n\"", 0, "byte 1: unpaired" },
        { "\"\\ud800x\\udc00\"", 0, "byte 1: unpaired" },
        { "\"\\ud83d\\ude00\\ude00\"", 0, "byte 13: unpaired" },
        { "{\"\\ud800\":1}", 0, "byte 2: unpaired" },
        { "\"\xC0\xAF\"", 0, "byte 1: invalid UTF-8" },
        { "\"\xC1\xBF\"", 0, "byte 1: invalid UTF-8" },
        { "\"\xE0\x9F\xBF\"", 0, "byte 1: invalid UTF-8" },
        { "\"\xED\xA0\x80\"", 0, "byte 1: invalid UTF-8" },
        { "\"\xED\xBF\xBF\"", 0, "byte 1: invalid UTF-8" },
        { "\"\xF0\x8F\xBF\xBF\"", 0, "byte 1: invalid UTF-8" },
        { "\"\xF4\x90\x80\x80\"", 0, "byte 1: invalid UTF-8" },
        { "\"\xF5\x80\x80\x80\"", 0, "byte 1: invalid UTF-8" },
        { "\"\x80\"", 0, "byte 1: invalid UTF-8" },
        { "\"\xFF\"", 0, "byte 1: invalid UTF-8" },
        { "\"\xE2\x82\"", 0, "byte 1: invalid UTF-8" },
        { "\"\xE2\x82", 0, "byte 1: invalid UTF-8" },
        { "{\"a\":1,\"a\":2}", 0, "duplicate key 'a'" },
        { "{\"a\":1,\"\\u0061\":2}", 0, "duplicate key 'a'" },
        { "[{\"\":1,\"b\":0,\"\":2}]", 0, "ends at byte 18" },
    };
    return cr_make_param_array(struct refused, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct refused *c, json_parse, refuses)
{
    struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    size_t len = c->len ? c->len : strlen(c->text);
    cr_assert_eq(json_parse(&doc, c->text, len, &e), ERR_INVALID, "'%s'", c->text);
    cr_assert_null(doc, "*ret must stay untouched on failure");
    cr_assert_not_null(strstr(e.msg, c->blamed), "'%s': '%s' should name '%s'", c->text, e.msg, c->blamed);
    cr_assert_null(strchr(e.msg, '\n'));
    cr_assert_eq(json_parse(&doc, c->text, len, NULL), ERR_INVALID, "without an err");
}

/* The scan takes blocks of 32 bytes: the fault must be found wherever it lies. */
Test(json_parse, finds_faults_at_every_offset)
{
    static const char *const faults[] = { "\\u0000", "\\ud800", "\xED\xA0\x80", "\xC0\xAF", "\xF0\x9F\x98" };
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
        for (int before = 0; before < 100; before++) {
            char text[300], want[40];
            int len = snprintf(text, sizeof text, "[\"%*s%s%40s\"]", before, "", faults[f], "");
            snprintf(want, sizeof want, "byte %d:", before + 2);
            struct json_doc *doc = NULL;
            struct err e = ERR_INIT;
            cr_assert_eq(json_parse(&doc, text, (size_t)len, &e), ERR_INVALID, "%s", text);
            cr_assert_not_null(strstr(e.msg, want), "'%s' should name '%s'", e.msg, want);
        }
    }
}

static void nest(struct buf *b, unsigned depth, const char *open, const char *inner, const char *close)
{
    for (unsigned i = 0; i < depth; i++)
        buf_adds(b, open);
    buf_adds(b, inner);
    for (unsigned i = 0; i < depth; i++)
        buf_adds(b, close);
}

Test(json_parse, ends_at_the_depth_limit)
{
    static const char *const open[] = { "[", "{\"a\":" }, *const close[] = { "]", "}" };
    for (int kind = 0; kind < 2; kind++) {
        CLEANUP(buf_release) struct buf most = BUF_INIT, over = BUF_INIT;
        nest(&most, JSON_DEPTH_MAX, open[kind], "1", close[kind]);
        nest(&over, JSON_DEPTH_MAX + 1, open[kind], "1", close[kind]);
        CLEANUP(json_freep) struct json_doc *doc = parse(buf_text(&most));
        cr_assert_eq(json_len(json_root(doc)), 1);
        struct json_doc *none = NULL;
        struct err e = ERR_INIT;
        cr_assert_eq(json_parse(&none, buf_text(&over), over.len, &e), ERR_LIMIT);
        cr_assert_null(none);
        cr_assert_not_null(strstr(e.msg, "deeper than 64"), "%s", e.msg);
    }
}

Test(json_parse, a_million_brackets_are_refused_without_recursion)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    nest(&b, 1000000, "[", "", "");
    struct json_doc *doc = NULL;
    cr_assert_eq(json_parse(&doc, buf_text(&b), b.len, NULL), ERR_LIMIT);
}

Test(json_parse, a_text_over_the_maximum_is_not_even_read)
{
    struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(json_parse(&doc, "1", (size_t)JSON_TEXT_MAX + 1, &e), ERR_LIMIT);
    cr_assert_not_null(strstr(e.msg, "268435457 bytes"), "%s", e.msg);
}

/* 17 members and more take the sorted way. */
Test(json_parse, finds_duplicates_in_objects_of_any_size)
{
    static const unsigned sizes[] = { 1, 2, 15, 16, 17, 18, 100, 5000 };
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT;
        buf_adds(&b, "{");
        for (unsigned i = 0; i < sizes[s]; i++)
            buf_addf(&b, "\"key%u\":%u,", i * 7919 % sizes[s], i);
        size_t len = b.len;
        buf_addf(&b, "\"key%u\":0}", sizes[s] / 2);
        struct json_doc *doc = NULL;
        struct err e = ERR_INIT;
        cr_assert_eq(json_parse(&doc, buf_text(&b), b.len, &e), ERR_INVALID, "%u members", sizes[s]);
        char want[32];
        snprintf(want, sizeof want, "'key%u'", sizes[s] / 2);
        cr_assert_not_null(strstr(e.msg, want), "'%s' should name %s", e.msg, want);
        b.ptr[len - 1] = '}';
        cr_assert_eq(json_parse(&doc, b.ptr, len, &e), ERR_OK, "%u members: %s", sizes[s], e.msg);
        cr_assert_eq(json_len(json_root(doc)), sizes[s]);
        json_free(doc);
    }
}

Test(json_parse, reports_every_failed_allocation)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    buf_adds(&b, "{\"long\":\"");
    for (int i = 0; i < 20000; i++)
        buf_adds(&b, "\\n\xC3\xA4");
    buf_adds(&b, "\"");
    for (int i = 0; i < 3000; i++)
        buf_addf(&b, ",\"k%d\":[%d,\"\\u00e4%d\",{}]", i, i, i);
    buf_adds(&b, "}");
    unsigned n = 0;
    struct json_doc *doc = NULL;
    enum err_code code;
    do {
        struct err e = ERR_INIT;
        fault_malloc_at(++n);
        code = json_parse(&doc, buf_text(&b), b.len, &e);
        if (code) {
            cr_assert_eq(code, ERR_NOMEM, "allocation %u: %s", n, e.msg);
            cr_assert_null(doc);
        }
    } while (fault_hit());
    cr_assert_eq(code, ERR_OK);
    cr_assert_gt(n, 5u, "yajl's memory and several chunks were asked for");
    cr_assert_eq(json_string_len(json_get(json_root(doc), "long")), 60000);
    json_free(doc);
}

Test(json_check_text, names_what_yajl_lets_pass)
{
    cr_assert_null(json_check_text((const unsigned char *)"", 0));
    cr_assert_null(
        json_check_text((const unsigned char *)"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80 \\ud800 \v", 20));
    for (size_t before = 0; before < 70; before++) {
        unsigned char text[120];
        memset(text, 'x', sizeof text);
        cr_assert_null(json_check_text(text, sizeof text));
        text[before] = '\0';
        cr_assert_str_eq(json_check_text(text, sizeof text), "U+0000 in a string");
        text[before] = 0xED;
        text[before + 1] = 0xA0;
        text[before + 2] = 0x80;
        cr_assert_str_eq(json_check_text(text, sizeof text), "invalid UTF-8");
    }
}

/* ---- what is read ---- */

Test(json, getters_accept_null_and_other_types)
{
    CLEANUP(json_freep) struct json_doc *doc = parse("[1]");
    const struct json *nodes[] = { NULL, json_root(doc), json_at(json_root(doc), 0) };
    for (size_t i = 0; i < 3; i++) {
        const struct json *j = nodes[i];
        cr_assert_null(json_get(j, "a"));
        cr_assert_null(json_path(j, "a.b"));
        cr_assert_null(json_at(j, 1));
        cr_assert_str_eq(json_name(j), "");
        cr_assert_str_eq(json_string(j, "no"), "no");
        cr_assert_eq(json_string_len(j), 0);
        cr_assert_eq(json_bool(j, true), true);
        cr_assert_eq(json_len(j), i == 1 ? 1 : 0);
        cr_assert_eq(json_int(j, 9), i == 2 ? 1 : 9);
    }
    cr_assert_eq(json_type(NULL), JSON_NULL);
    cr_assert_null(json_first(NULL));
    cr_assert_null(json_next(NULL));
    cr_assert_null(json_root(NULL));
    cr_assert_null(json_free(NULL));
    cr_assert(json_double(NULL, 0.5) == 0.5);
}

Test(json, values_of_every_type_are_read)
{
    CLEANUP(json_freep)
    struct json_doc *doc = parse(" {\"n\":null,\"t\":true,\"f\":false,\"i\":-7,\"s\":\"x\\ty\",\"a\":[1,[],{}"
                                 "],\"o\":{\"p.q\":{\"r\":\"deep\"}}} ");
    const struct json *root = json_root(doc);
    cr_assert_eq(json_type(root), JSON_OBJECT);
    cr_assert_eq(json_len(root), 7);
    cr_assert_eq(json_type(json_get(root, "n")), JSON_NULL);
    cr_assert_not_null(json_get(root, "n"), "null is not absent");
    cr_assert_null(json_get(root, "N"));
    cr_assert_null(json_get(root, ""));
    cr_assert_eq(json_bool(json_get(root, "t"), false), true);
    cr_assert_eq(json_bool(json_get(root, "f"), true), false);
    cr_assert_eq(json_int(json_get(root, "i"), 0), -7);
    cr_assert_str_eq(json_string(json_get(root, "s"), ""), "x\ty");
    cr_assert_eq(json_string_len(json_get(root, "s")), 3);
    const struct json *a = json_get(root, "a");
    cr_assert_eq(json_len(a), 3);
    cr_assert_eq(json_type(json_at(a, 1)), JSON_ARRAY);
    cr_assert_eq(json_type(json_at(a, 2)), JSON_OBJECT);
    cr_assert_null(json_at(a, 3));
    cr_assert_null(json_first(json_at(a, 1)));
    cr_assert_str_eq(json_string(json_path(json_get(json_get(root, "o"), "p.q"), "r"), ""), "deep");
    cr_assert_null(json_path(root, "o.p.q.r"), "keys with dots are not for json_path");
    cr_assert_eq(json_path(root, "o"), json_get(root, "o"));
    cr_assert_null(json_path(root, "o."));
}

Test(json, iteration_keeps_the_order_of_the_text)
{
    for (int count = 0; count < 40; count++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT;
        for (int i = 0; i < count; i++)
            buf_addf(&b, "%s\"%d\":%d", i ? "," : "{", 1000 - i, i);
        buf_adds(&b, count ? "}" : "{}");
        CLEANUP(json_freep) struct json_doc *doc = parse(buf_text(&b));
        int seen = 0;
        for (const struct json *c = json_first(json_root(doc)); c; c = json_next(c), seen++) {
            char name[16];
            snprintf(name, sizeof name, "%d", 1000 - seen);
            cr_assert_str_eq(json_name(c), name);
            cr_assert_eq(json_int(c, -1), seen);
            cr_assert_eq(json_get(json_root(doc), name), c);
        }
        cr_assert_eq(seen, count);
    }
}

struct number {
    char text[32];
    long long want_int; /* -77: not an integer in range */
    double want_double;
};

ParameterizedTestParameters(json, numbers)
{
    static struct number cases[] = {
        { "0", 0, 0 },
        { "-0", 0, 0 },
        { "12345678901", 12345678901, 12345678901.0 },
        { "9223372036854775807", INT64_MAX, 9223372036854775807.0 },
        { "-9223372036854775808", INT64_MIN, -9223372036854775808.0 },
        { "9223372036854775808", -77, 9223372036854775808.0 },
        { "-9223372036854775809", -77, -9223372036854775808.0 },
        { "12345678901234567890123", -77, 12345678901234567890123.0 },
        { "1.5", -77, 1.5 },
        { "1.0", -77, 1 },
        { "-1e3", -77, -1000 },
        { "2E-2", -77, 0.02 },
        { "1e999", -77, 0.25 }, /* out of range: the fallback */
        { "1e-999", -77, 0 },
    };
    return cr_make_param_array(struct number, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct number *c, json, numbers)
{
    CLEANUP(json_freep) struct json_doc *doc = parse(c->text);
    cr_assert_eq(json_type(json_root(doc)), JSON_NUMBER);
    cr_assert_eq(json_int(json_root(doc), -77), c->want_int);
    cr_assert(fabs(json_double(json_root(doc), 0.25) - c->want_double) <= 1e-12 * fabs(c->want_double));
}

struct string {
    char text[40], want[24];
};

ParameterizedTestParameters(json, strings)
{
    static struct string cases[] = {
        { "\"\"", "" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
        { "\"\\u0041\\u00e4\\u20AC\\uffff\"", "A\xC3\xA4\xE2\x82\xAC\xEF\xBF\xBF" },
        { "\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80" },
        { "\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF" },
        { "\"\\\\ud800\"", "\\ud800" }, /* an escaped backslash, then letters */
        { "\"\\\\\\ud83d\\ude00x\"", "\\\xF0\x9F\x98\x80x" },
        { "\"\xC2\x80\xE0\xA0\x80\xED\x9F\xBF\xF0\x90\x80\x80\"",
          "\xC2\x80\xE0\xA0\x80\xED\x9F\xBF\xF0\x90\x80\x80" },
        { "\"\x7F\"", "\x7F" },
    };
    return cr_make_param_array(struct string, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct string *c, json, strings)
{
    CLEANUP(json_freep) struct json_doc *doc = parse(c->text);
    cr_assert_str_eq(json_string(json_root(doc), "none"), c->want);
    cr_assert_eq(json_string_len(json_root(doc)), strlen(c->want));
}

Test(json, equality_ignores_the_order_of_keys_and_nothing_else)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "1",
        "1.0",
        "\"1\"",
        "[]",
        "{}",
        "[1,2]",
        "[2,1]",
        "[1]",
        "{\"a\":1}",
        "{\"b\":1}",
        "{\"a\":null}",
        "{\"a\":1,\"b\":2}",
        "{\"a\":2,\"b\":1}",
        "[[1],2]",
        "[[1,2]]",
        "{\"a\":{\"b\":[]}}",
    };
    enum { COUNT = sizeof texts / sizeof texts[0] };
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < COUNT; k++) {
            CLEANUP(json_freep) struct json_doc *a = parse(texts[i]), *b = parse(texts[k]);
            cr_assert_eq(json_equal(json_root(a), json_root(b)), i == k, "%s and %s", texts[i], texts[k]);
        }
    }
    CLEANUP(json_freep) struct json_doc *a = parse("{\"a\":1,\"b\":{\"c\":[],\"d\":\"x\"}}");
    CLEANUP(json_freep) struct json_doc *b = parse("{\"b\": {\"d\":\"\\u0078\",\"c\": [ ]},\"a\":1}");
    cr_assert(json_equal(json_root(a), json_root(b)));
    cr_assert(json_equal(NULL, NULL));
    cr_assert_not(json_equal(json_root(a), NULL));
}
