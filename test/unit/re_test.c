/* test/unit/re_test.c - regular expressions as Prometheus and Alertmanager read them. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "rules/base/re.h"

struct bad_pattern {
    char pattern[32], blamed[40];
};

ParameterizedTestParameters(re, new_refuses)
{
    static struct bad_pattern cases[] = {
        { "(", "missing )" },
        { "a)(b", "unexpected )" }, /* anchoring must not repair it */
        { "[a", "missing ]" },
        { "*a", "no argument" },
        { "a{1001}", "repetition" },
        { "(?=a)", "(?=" },  /* no look-ahead in RE2 */
        { "(a)\\1", "\\1" }, /* no back-references */
        { "\\", "\\" },
        { "\xC0\xAF", "UTF-8" },
        { "((a{100}){100}){100}", "repetition" },
        { "(\\pL{500}\\pN{500}){2}", "too large" }, /* RE_MEMORY_MAX */
    };
    return cr_make_param_array(struct bad_pattern, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad_pattern *c, re, new_refuses)
{
    struct re *re = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(re_new(&re, c->pattern, RE_DOT_LINE, &e), ERR_INVALID, "'%s'", c->pattern);
    cr_assert_null(re, "*ret must stay untouched on failure");
    cr_assert_not_null(strstr(e.msg, c->blamed), "'%s' should name '%s'", e.msg, c->blamed);
    cr_assert_eq(re_new(&re, c->pattern, RE_DOT_LINE, NULL), ERR_INVALID, "without an err");
}

Test(re, new_refuses_long_patterns)
{
    static char pattern[RE_PATTERN_MAX + 2];
    memset(pattern, 'a', RE_PATTERN_MAX + 1);
    struct re *re = NULL;
    cr_assert_eq(re_new(&re, pattern, RE_DOT_LINE, NULL), ERR_LIMIT);
    pattern[RE_PATTERN_MAX] = '\0';
    cr_assert_eq(re_new(&re, pattern, RE_DOT_LINE, NULL), ERR_OK);
    cr_assert(re_matches(re, pattern, RE_PATTERN_MAX));
    cr_assert_not(re_matches(re, pattern, RE_PATTERN_MAX - 1));
    cr_assert_null(re_free(re));
    cr_assert_null(re_free(NULL));
}

struct match {
    char pattern[32], text[32];
    int want;
};

ParameterizedTestParameters(re, matches_the_whole_text)
{
    static struct match cases[] = {
        { "", "", 1 },
        { "", "a", 0 },
        { "a", "a", 1 },
        { "a", "ab", 0 },
        { "a", "ba", 0 },
        { "a|bc", "abc", 0 },
        { "a|ab", "ab", 1 },
        { "a|bc", "bc", 1 },
        { "a$", "a\n", 0 },
        { ".*", "", 1 },
        { ".*", "two\nlines", 0 },
        { "(?s).*", "two\nlines", 1 },
        { "two.lines", "two\nlines", 0 },
        { "^prod-.*$", "prod-eu", 1 },
        { "(?i)PROD", "prod", 1 },
        { "PROD", "prod", 0 },
        { "gr.n", "gr\xC3\xBCn", 1 }, /* one character, two bytes */
        { "\\d{3}", "123", 1 },
        { "[[:alpha:]]+", "abc", 1 },
        { "\\pL+", "\xC3\xA4", 1 },
    };
    return cr_make_param_array(struct match, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct match *c, re, matches_the_whole_text)
{
    struct re *re = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(re_new(&re, c->pattern, RE_DOT_LINE, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(re_matches(re, c->text, strlen(c->text)), c->want, "'%s' on '%s'", c->pattern, c->text);
    re_free(re);
}

Test(re, the_dot_matches_a_newline_where_that_is_wanted)
{
    struct re *re = NULL;
    cr_assert_eq(re_new(&re, "two.lines", RE_DOT_ALL, NULL), ERR_OK);
    cr_assert(re_matches(re, "two\nlines", 9));
    re_free(re);
}

Test(re, one_byte_is_refused_as_go_does)
{
    struct re *re = NULL;
    cr_assert_eq(re_new(&re, "a\\Cb", RE_DOT_LINE, NULL), ERR_INVALID);
    cr_assert_eq(re_new(&re, "\\Qa\\Cb\\E\\\\C", RE_DOT_LINE, NULL), ERR_OK,
                 "a literal, and a backslash before a C");
    cr_assert(re_matches(re, "a\\Cb\\C", 6));
    re_free(re);
}

/* Backtracking would take 2^40 steps; the test's own time limit is far away from linear time. */
Test(re, hostile_patterns_take_linear_time, .timeout = 60)
{
    struct re *re = NULL;
    cr_assert_eq(re_new(&re, "(a*)*(a|aa)+b", RE_DOT_LINE, NULL), ERR_OK);
    static char text[100000];
    memset(text, 'a', sizeof text);
    cr_assert_not(re_matches(re, text, sizeof text));
    text[sizeof text - 1] = 'b';
    cr_assert(re_matches(re, text, sizeof text));
    re_free(re);
}

Test(re, found_looks_anywhere_and_matches_wants_the_whole)
{
    struct re *re = NULL;
    cr_assert_eq(re_new(&re, "b+", RE_DOT_LINE, NULL), ERR_OK);
    cr_assert(re_found(re, "abbc", 4));
    cr_assert_not(re_matches(re, "abbc", 4));
    cr_assert_not(re_found(re, "ac", 2));
    cr_assert_not(re_found(re, "aab", 2), "only the length given is looked at");
    re_free(re);
}
