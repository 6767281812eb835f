/* test/unit/matcher_test.c - Alertmanager's matchers, as its own parsers read them. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "rules/policy/matcher.h"
#include "test/kit/fault.h"

/* Plain data only: Criterion hands parameters to another process. */
struct bad {
    char text[64];
    char blamed[48];
};

ParameterizedTestParameters(matcher, parse_refuses_with_a_remedy)
{
    static struct bad cases[] = {
        { "", "no label name" },
        { "   ", "no label name" },
        { "=x", "no label name" },
        { "\"\"=x", "no label name" },
        { "alertname", "no operator" },
        { "alertname ~ x", "no operator" },
        { "alertname!x", "no operator" },
        { "a b=c", "no operator" },
        { "job=", "no value" },
        { "job=~  ", "no value" },
        { "{foo=\"bar\"}", "braces" },
        { "job=\"value", "closing quote" },
        { "job=\"value\\\"", "closing quote" },
        { "job=value\"", "quote inside" },
        { "contains_unescaped_quote = foo\"bar", "quote inside" },
        { "trickier==\\\\=\\=\\\"\"", "quote inside" },
        { "\"foo=bar", "closing quote" },
        { "\"foo=\\\"bar\\\"\"", "no operator" },
        { "a=\"b\",c=\"d\"", "one matcher a string" },
        { "a=b,c=d", "comma" },
        { "a=\"b\" c", "one matcher a string" },
        { "foo=~\"invalid[regexp\"", "missing ]" },
        { "foo!~\"(\"", "missing )" },
        { "foo=~\"a(?=b)\"", "invalid perl operator" },
        { "foo=~\"a\\\\Cb\"", "escape sequence" },
        { "a={b}", "ends in braces" },
        { "a=b\xE2\x80\xA8", "not plain" },
        { "\"a\"=\"\\d\"", "escape \\d" },
        { "\"a\"=\"\\x00\"", "escape" },
        { "\"a\"=\"\\xff\"", "in quotes" },
        { "\"a\"=\"b\nc\"", "line break" },
        { "\"a\"=b'c", "put it in quotes" },
        { "a=\xC3", "UTF-8" },
        { "a\xFF=b", "UTF-8" },
        { "a=\xED\xA0\x80", "UTF-8" },
    };
    return cr_make_param_array(struct bad, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad *c, matcher, parse_refuses_with_a_remedy)
{
    struct matcher m = { .op = MATCH_REGEX };
    struct err e = ERR_INIT;
    cr_assert_eq(matcher_parse(&m, c->text, &e), ERR_INVALID, "'%s' should be refused", c->text);
    cr_assert(strstr(e.msg, c->blamed), "'%s' should say '%s'", e.msg, c->blamed);
    cr_assert(m.op == MATCH_REGEX && !m.name && !m.value && !m.re, "*ret must stay untouched on failure");
}

Test(matcher, parse_refuses_more_than_its_maximum)
{
    static char text[MATCHER_TEXT_MAX + 2];
    struct matcher m = { .op = MATCH_EQUAL };
    memset(text, 'a', sizeof text - 1);
    text[1] = '=';
    cr_assert_eq(matcher_parse(&m, text, NULL), ERR_LIMIT);
    text[MATCHER_TEXT_MAX] = '\0';
    cr_assert_eq(matcher_parse(&m, text, NULL), ERR_OK);
    matcher_release(&m);
}

struct good {
    char text[96];
    enum matcher_op op;
    char name[24], value[64];
};

ParameterizedTestParameters(matcher, parse_reads_what_alertmanager_reads)
{
    static struct good cases[] = {
        { "foo=\"bar\"", MATCH_EQUAL, "foo", "bar" },
        { "foo=~\"bar.*\"", MATCH_REGEX, "foo", "bar.*" },
        { "foo!=\"bar\"", MATCH_NOT_EQUAL, "foo", "bar" },
        { "foo!~\"bar.*\"", MATCH_NOT_REGEX, "foo", "bar.*" },
        { "  foo \t= \n \"bar\"  ", MATCH_EQUAL, "foo", "bar" },
        { "cluster=eu", MATCH_EQUAL, "cluster", "eu" },
        { "cluster = eu west  ", MATCH_EQUAL, "cluster", "eu west" },
        { "foo=\"\"", MATCH_EQUAL, "foo", "" },
        { "foo=\"bar,quux\"", MATCH_EQUAL, "foo", "bar,quux" },
        { "statuscode=~\"5..\"", MATCH_REGEX, "statuscode", "5.." },
        { "tricky=~~~", MATCH_REGEX, "tricky", "~~" },
        { "trickier==\\\\=\\=\\\"", MATCH_EQUAL, "trickier", "=\\=\\=\"" },
        { "contains_quote != \"\\\"\"", MATCH_NOT_EQUAL, "contains_quote", "\"" },
        { "q=\"She said: \\\"Hi, ladies! That's gender-neutral…\\\"\"", MATCH_EQUAL, "q",
          "She said: \"Hi, ladies! That's gender-neutral…\"" },
        { "a=\"line\\nbreak\"", MATCH_EQUAL, "a", "line\nbreak" },
        { "a=\"\\d\\.\\\\\"", MATCH_EQUAL, "a", "\\d\\.\\" },
        { "a=x\\", MATCH_EQUAL, "a", "x\\" },
        { "\"a b\"=\"c\"", MATCH_EQUAL, "a b", "c" },
        { "\"a\\\"b\" = c", MATCH_EQUAL, "a\"b", "c" },
        { "invalid-name = \"valid label\"", MATCH_EQUAL, "invalid-name", "valid label" },
        { "k8s.pod.name=x", MATCH_EQUAL, "k8s.pod.name", "x" },
        { "grüße=🙂", MATCH_EQUAL, "grüße", "🙂" },
        { "a=\"{b}\"", MATCH_EQUAL, "a", "{b}" },
        { "\"a\\tb\"=\"\\u00e4\\x41\\101\\U0001F642\"", MATCH_EQUAL, "a\tb", "äAA🙂" },
        { "a=\"\\x41\"", MATCH_EQUAL, "a", "\\x41" },
    };
    return cr_make_param_array(struct good, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct good *c, matcher, parse_reads_what_alertmanager_reads)
{
    CLEANUP(matcher_release) struct matcher m = { .op = MATCH_EQUAL };
    struct err e = ERR_INIT;
    cr_assert_eq(matcher_parse(&m, c->text, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(m.op, c->op);
    cr_assert_str_eq(m.name, c->name);
    cr_assert_str_eq(m.value, c->value);
    cr_assert_eq(m.pattern != NULL, c->op == MATCH_REGEX || c->op == MATCH_NOT_REGEX);

    CLEANUP(buf_release) struct buf written = BUF_INIT;
    CLEANUP(matcher_release) struct matcher again = { .op = MATCH_EQUAL };
    matcher_format(&written, &m);
    cr_assert_eq(matcher_parse(&again, buf_text(&written), &e), ERR_OK, "%s: %s", buf_text(&written), e.msg);
    cr_assert(again.op == m.op && !strcmp(again.name, m.name) && !strcmp(again.value, m.value), "%s",
              buf_text(&written));
}

Test(matcher, format_quotes_only_names_that_need_it)
{
    CLEANUP(buf_release) struct buf out = BUF_INIT;
    CLEANUP(matcher_release) struct matcher plain = { .op = MATCH_EQUAL }, odd = { .op = MATCH_EQUAL };
    cr_assert_eq(matcher_parse(&plain, "alertname!~X|Y", NULL), ERR_OK);
    cr_assert_eq(matcher_parse(&odd, "\"a b\"=\"c\"", NULL), ERR_OK);
    matcher_format(&out, &plain);
    buf_addc(&out, ' ');
    matcher_format(&out, &odd);
    cr_assert_str_eq(buf_text(&out), "alertname!~\"X|Y\" \"a b\"=\"c\"");
}

struct match {
    char matcher[32];
    char value[16]; /* of label a; "" leaves it out */
    bool matches;
};

ParameterizedTestParameters(matcher, matches_as_alertmanager)
{
    static struct match cases[] = {
        { "a=x", "x", true },       { "a=x", "xx", false },
        { "a=x", "", false },       { "a=\"\"", "", true },
        { "a=\"\"", "x", false },   { "a!=x", "x", false },
        { "a!=x", "y", true },      { "a!=x", "", true },
        { "a=~x", "axa", false },   { "a=~x|y", "y", true },
        { "a=~x|y", "xy", false },  { "a=~\".*\"", "", true },
        { "a=~\".+\"", "", false }, { "a=~\"x.y\"", "x\ny", false },
        { "a!~x", "xx", true },     { "a!~x", "x", false },
        { "a!~\".+\"", "", true },  { "a=~\"(?i)x\"", "X", true },
        { "a=~X", "x", false },     { "b=\"\"", "x", true },
    };
    return cr_make_param_array(struct match, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct match *c, matcher, matches_as_alertmanager)
{
    CLEANUP(matcher_release) struct matcher m = { .op = MATCH_EQUAL };
    CLEANUP(map_release) struct map labels = MAP_INIT;
    cr_assert_eq(matcher_parse(&m, c->matcher, NULL), ERR_OK);
    if (c->value[0])
        cr_assert_eq(map_set(&labels, "a", c->value, NULL), ERR_OK);
    cr_assert_eq(matcher_matches(&m, &labels), c->matches, "%s with '%s'", c->matcher, c->value);
}

Test(matcher, all_of_a_list_must_match_and_the_first_that_fails_is_named)
{
    struct matcher list[3] = { { .op = MATCH_EQUAL } };
    struct matchers all = { .list = list, .len = 3 };
    const struct matcher *failed = NULL;
    CLEANUP(map_release) struct map labels = MAP_INIT;
    cr_assert_eq(matcher_parse(&list[0], "a=1", NULL), ERR_OK);
    cr_assert_eq(matcher_parse(&list[1], "b=2", NULL), ERR_OK);
    cr_assert_eq(matcher_parse(&list[2], "c=3", NULL), ERR_OK);
    cr_assert_eq(map_set(&labels, "a", "1", NULL), ERR_OK);
    cr_assert_not(matchers_match(&all, &labels, &failed));
    cr_assert_eq(failed, &list[1]);
    cr_assert_not(matchers_match(&all, &labels, NULL));
    cr_assert_eq(map_set(&labels, "b", "2", NULL), ERR_OK);
    cr_assert_eq(map_set(&labels, "c", "3", NULL), ERR_OK);
    cr_assert(matchers_match(&all, &labels, &failed));
    for (size_t i = 0; i < 3; i++)
        matcher_release(&list[i]);
}

Test(matcher, empty_list_matches_everything)
{
    struct matchers none = { .len = 0 };
    struct map labels = MAP_INIT;
    cr_assert(matchers_match(&none, &labels, NULL));
    matchers_release(&none);
}

Test(matcher, matching_takes_no_memory)
{
    CLEANUP(matcher_release) struct matcher m = { .op = MATCH_EQUAL }, re = { .op = MATCH_EQUAL };
    CLEANUP(map_release) struct map labels = MAP_INIT;
    cr_assert_eq(matcher_parse(&m, "a!=x", NULL), ERR_OK);
    cr_assert_eq(matcher_parse(&re, "a=~y+", NULL), ERR_OK);
    cr_assert_eq(map_set(&labels, "a", "yyy", NULL), ERR_OK);
    fault_malloc_at(1);
    bool matched = matcher_matches(&m, &labels) && matcher_matches(&re, &labels);
    cr_assert_not(fault_hit());
    cr_assert(matched);
}

Test(matcher, parse_without_memory_says_so)
{
    unsigned n = 0;
    do {
        struct matcher m = { .op = MATCH_EQUAL };
        fault_malloc_at(++n);
        enum err_code code = matcher_parse(&m, "\"a b\"=\"c\"", NULL);
        cr_assert(code == ERR_OK || (code == ERR_NOMEM && !m.name && !m.value), "allocation %u", n);
        matcher_release(&m);
    } while (fault_hit());
    cr_assert_gt(n, 2u, "name and value both take memory");
}
