/* test/unit/json_write_test.c - writing JSON. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdint.h>
#include <string.h>

#include "rules/base/json.h"
#include "test/kit/fault.h"

static struct json_doc *parse(const char *text, size_t len)
{
    struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(json_parse(&doc, text, len, &e), ERR_OK, "%s: %s", text, e.msg);
    return doc;
}

static struct json_writer *writer(void)
{
    struct json_writer *w = NULL;
    cr_assert_eq(json_writer_new(&w, NULL), ERR_OK);
    return w;
}

/* ---- a writer used wrongly ---- */

struct misuse {
    char calls[16]; /* { } [ ] k(ey) s(tring) i(nt) n(ull) b(ool) x(invalid UTF-8) 0(null pointer) */
};

static void call(struct json_writer *w, char c)
{
    switch (c) {
    case '{':
        jw_object(w);
        break;
    case '}':
        jw_object_end(w);
        break;
    case '[':
        jw_array(w);
        break;
    case ']':
        jw_array_end(w);
        break;
    case 'k':
        jw_key(w, "k");
        break;
    case 's':
        jw_string(w, "s");
        break;
    case 'i':
        jw_int(w, 1);
        break;
    case 'b':
        jw_bool(w, true);
        break;
    case 'n':
        jw_null(w);
        break;
    case 'x':
        jw_string(w, "\xED\xA0\x80");
        break;
    case '0':
        jw_string(w, NULL);
        break;
    default:
        cr_assert_fail("no such call '%c'", c);
    }
}

ParameterizedTestParameters(json_writer, misuse_fails_and_sticks)
{
    static struct misuse cases[] = {
        { "" },    { "{" },    { "[" },   { "}" },    { "]" },    { "[}" },    { "{]" },
        { "{i}" }, { "{k}" },  { "{kk" }, { "{ki" },  { "[k]" },  { "k" },     { "ii" },
        { "[]i" }, { "{}{}" }, { "{s}" }, { "{[]}" }, { "x" },    { "[x]" },   { "{kx}" },
        { "[0]" }, { "[]]" },  { "{}}" }, { "[[]" },  { "{k[}" }, { "{kiki" },
    };
    return cr_make_param_array(struct misuse, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct misuse *c, json_writer, misuse_fails_and_sticks)
{
    CLEANUP(json_writer_freep) struct json_writer *w = writer();
    for (const char *at = c->calls; *at; at++)
        call(w, *at);
    cr_assert_null(jw_text(w, NULL), "after '%s'", c->calls);
    jw_reset(w);
    jw_bool(w, true);
    cr_assert_str_eq(jw_text(w, NULL), "true", "reset begins a new text");
}

Test(json_writer, ends_at_the_depth_limit)
{
    for (unsigned depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 70; depth++) {
        CLEANUP(json_writer_freep) struct json_writer *w = writer();
        for (unsigned i = 0; i < depth; i++)
            jw_array(w);
        for (unsigned i = 0; i < depth; i++)
            jw_array_end(w);
        size_t len = 0;
        const char *text = jw_text(w, &len);
        cr_assert_eq(text != NULL, depth <= JSON_DEPTH_MAX);
        cr_assert_eq(len, text ? depth * 2 : 0);
    }
}

Test(json_writer, a_node_does_not_fit_below_the_depth_limit)
{
    CLEANUP(json_freep) struct json_doc *doc = parse("[[1]]", 5);
    CLEANUP(json_writer_freep) struct json_writer *w = writer();
    for (unsigned depth = JSON_DEPTH_MAX - 2; depth <= JSON_DEPTH_MAX; depth++) {
        jw_reset(w);
        for (unsigned i = 0; i < depth; i++)
            jw_array(w);
        jw_node(w, json_root(doc));
        for (unsigned i = 0; i < depth; i++)
            jw_array_end(w);
        cr_assert_eq(jw_text(w, NULL) != NULL, depth + 2 <= JSON_DEPTH_MAX);
    }
}

Test(json_writer, refuses_nul_and_invalid_text_in_keys_too)
{
    CLEANUP(json_writer_freep) struct json_writer *w = writer();
    jw_string_len(w, "a\0b", 3);
    cr_assert_null(jw_text(w, NULL));
    jw_reset(w);
    jw_object(w);
    jw_kint(w, "\xC0\xAF", 1);
    jw_object_end(w);
    cr_assert_null(jw_text(w, NULL));
}

Test(json_writer, reports_every_failed_allocation)
{
    unsigned n = 0;
    bool hit;
    do {
        struct json_writer *w = NULL;
        fault_malloc_at(++n);
        enum err_code code = json_writer_new(&w, NULL);
        const char *text = NULL;
        if (code == ERR_OK) {
            jw_array(w);
            for (int i = 0; i < 100; i++)
                jw_string(w, "some text that makes the buffer grow");
            jw_array_end(w);
            text = jw_text(w, NULL);
        }
        hit = fault_hit();
        cr_assert_eq(text != NULL, !hit, "allocation %u", n);
        cr_assert_eq(code, w ? ERR_OK : ERR_NOMEM);
        json_writer_free(w);
    } while (hit);
    cr_assert_gt(n, 3u);
}

/* ---- what is written ---- */

Test(json_writer, writes_every_kind)
{
    CLEANUP(json_freep) struct json_doc *doc = parse("{\"x\":[1.50,null]}", 17);
    CLEANUP(json_writer_freep) struct json_writer *w = writer();
    for (int round = 0; round < 3; round++) {
        jw_reset(w);
        jw_object(w);
        jw_kstring(w, "s", "a\"\\/\n\t\x01 \x7F gr\xC3\xBC\xC3\x9F");
        jw_kint(w, "least", INT64_MIN);
        jw_kint(w, "most", INT64_MAX);
        jw_kbool(w, "t", true);
        jw_key(w, "a");
        jw_array(w);
        jw_null(w);
        jw_bool(w, false);
        jw_string_len(w, "xyz", 2);
        jw_object(w);
        jw_object_end(w);
        jw_array_end(w);
        jw_key(w, "node");
        jw_node(w, json_root(doc));
        jw_key(w, "none");
        jw_node(w, NULL);
        jw_object_end(w);
        size_t len;
        const char *want =
            "{\"s\":\"a\\\"\\\\/\\n\\t\\u0001 \x7F gr\xC3\xBC\xC3\x9F\",\"least\":-9223372036854775808,"
            "\"most\":9223372036854775807,\"t\":true,\"a\":[null,false,\"xy\",{}],"
            "\"node\":{\"x\":[1.50,null]},\"none\":null}";
        cr_assert_str_eq(jw_text(w, &len), want);
        cr_assert_eq(len, strlen(want));
    }
}

struct canonical {
    char text[56], want[56];
};

ParameterizedTestParameters(json_write, canonical)
{
    static struct canonical cases[] = {
        { " { } ", "{}" },
        { "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}" },
        { "{\"b\":{\"d\":[{\"z\":1,\"y\":2}],\"c\":0}}", "{\"b\":{\"c\":0,\"d\":[{\"y\":2,\"z\":1}]}}" },
        { "{\"aa\":1,\"a\":2,\"\":3,\"B\":4}", "{\"\":3,\"B\":4,\"a\":2,\"aa\":1}" },
        { "{\"\xC3\xA4\":1,\"z\":2}", "{\"z\":2,\"\xC3\xA4\":1}" },
        { "[3,1,2]", "[3,1,2]" },
        { "[1.50,1e2,-0,12345678901234567890]", "[1.50,1e2,-0,12345678901234567890]" },
        { "\"\\u0061\\/\\u00e4\"", "\"a/\xC3\xA4\"" },
    };
    return cr_make_param_array(struct canonical, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct canonical *c, json_write, canonical)
{
    CLEANUP(json_freep) struct json_doc *doc = parse(c->text, strlen(c->text));
    CLEANUP(buf_release) struct buf out = BUF_INIT;
    json_write(&out, json_root(doc), true);
    cr_assert_str_eq(buf_text(&out), c->want);
}

Test(json_write, appends_and_reports_a_full_buffer)
{
    CLEANUP(json_freep) struct json_doc *doc = parse("[1,2]", 5);
    CLEANUP(buf_release) struct buf out = BUF_INIT_MAX(7);
    buf_adds(&out, "x=");
    json_write(&out, json_root(doc), false);
    cr_assert(buf_ok(&out));
    cr_assert_str_eq(buf_text(&out), "x=[1,2]");
    json_write(&out, NULL, false);
    cr_assert_not(buf_ok(&out));
}

/* ---- property: random trees ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void random_string(struct buf *b, uint64_t *seed)
{
    static const char *const pieces[] = { "a",
                                          "B",
                                          "\\n",
                                          "\\\"",
                                          "\\\\",
                                          "\\/",
                                          "\\u0007",
                                          "\xC3\xA4",
                                          "\\ud83d\\ude00",
                                          "\\u20ac",
                                          "\xF0\x9F\x98\x80",
                                          " " };
    size_t count = next_random(seed) % 12;
    buf_addc(b, '"');
    while (count--)
        buf_adds(b, pieces[next_random(seed) % (sizeof pieces / sizeof pieces[0])]);
}

static void random_value(struct buf *b, uint64_t *seed, unsigned depth);

/* Members in random order, between `from` and 64 of them; keys differ by a number. */
static void random_container(struct buf *b, uint64_t *seed, unsigned depth, bool object)
{
    size_t count = next_random(seed) % (next_random(seed) % 8 ? 5 : 40);
    buf_addc(b, object ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        buf_adds(b, i ? " ," : "\n");
        if (object) {
            random_string(b, seed);
            buf_addf(b, "%zu\"\t: ", i * 37 % 1000);
        }
        random_value(b, seed, depth + 1);
    }
    buf_addc(b, object ? '}' : ']');
}

static void random_value(struct buf *b, uint64_t *seed, unsigned depth)
{
    static const char *const plain[] = { "null", "true", "false", "0", "-1.5e+10", "123456789012345678901" };
    uint64_t kind = next_random(seed) % (depth < 5 ? 10 : 6);
    if (kind < 4) {
        buf_adds(b, plain[next_random(seed) % (sizeof plain / sizeof plain[0])]);
    } else if (kind < 6) {
        random_string(b, seed);
        buf_addc(b, '"');
    } else {
        random_container(b, seed, depth, kind < 8);
    }
}

Test(json_write, random_trees_survive_write_and_parse, .timeout = 60)
{
    uint64_t seed = 42;
    size_t nodes = 0;
    for (int round = 0; round < 3000; round++) {
        CLEANUP(buf_release)
        struct buf text = BUF_INIT, once = BUF_INIT, twice = BUF_INIT, canonical = BUF_INIT, again = BUF_INIT;
        random_value(&text, &seed, 0);
        CLEANUP(json_freep) struct json_doc *first = parse(buf_text(&text), text.len);
        json_write(&once, json_root(first), false);
        CLEANUP(json_freep) struct json_doc *second = parse(buf_text(&once), once.len);
        json_write(&twice, json_root(second), false);
        cr_assert_str_eq(buf_text(&once), buf_text(&twice), "round %d", round);
        cr_assert(json_equal(json_root(first), json_root(second)), "round %d", round);

        json_write(&canonical, json_root(first), true);
        CLEANUP(json_freep) struct json_doc *third = parse(buf_text(&canonical), canonical.len);
        json_write(&again, json_root(third), true);
        cr_assert_str_eq(buf_text(&canonical), buf_text(&again), "round %d", round);
        cr_assert(json_equal(json_root(first), json_root(third)), "round %d", round);
        cr_assert_eq(canonical.len, once.len, "the same members in another order");
        nodes += json_len(json_root(first));
    }
    cr_assert_gt(nodes, 1000u, "the generator makes more than empty texts");
}
