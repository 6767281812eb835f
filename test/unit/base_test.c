/* test/unit/base_test.c - errors and buffers. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/buf.h"
#include "rules/base/err.h"
#include "test/kit/fault.h"

/* ---- err ---- */

Test(err, set_without_an_err_still_returns_the_code)
{
    cr_assert_eq(err_set(NULL, ERR_CONFLICT, "%d", 1), ERR_CONFLICT);
    cr_assert_eq(err_wrap(NULL, ERR_IO, "%d", 1), ERR_IO);
}

Test(err, set_cuts_long_text_and_terminates_it)
{
    struct err e = ERR_INIT;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cr_assert_eq(err_set(&e, ERR_LIMIT, "%s", text), ERR_LIMIT);
    cr_assert_eq(strlen(e.msg), sizeof e.msg - 1);
    cr_assert_eq(e.code, ERR_LIMIT);
}

Test(err, a_cut_never_splits_a_character)
{
    struct err e = ERR_INIT;
    char text[2000] = "";
    for (size_t i = 0; i + 3 < sizeof text; i += 3)
        memcpy(text + i, "\xE2\x82\xAC", 4); /* the euro sign */
    for (int shift = 0; shift < 3; shift++) {
        err_set(&e, ERR_IO, "%.*s%s", shift, "abc", text);
        cr_assert_eq((strlen(e.msg) - (size_t)shift) % 3, 0, "shift %d: %zu bytes", shift, strlen(e.msg));
        cr_assert_geq(strlen(e.msg), sizeof e.msg - 3);
    }
}

Test(err, set_may_take_its_own_message_as_argument)
{
    struct err e = ERR_INIT;
    err_set(&e, ERR_IO, "disk");
    err_set(&e, ERR_FULL, "%s is full", e.msg);
    cr_assert_str_eq(e.msg, "disk is full");
    cr_assert_eq(e.code, ERR_FULL);
}

Test(err, wrap_puts_context_in_front_and_keeps_it_when_the_text_is_long)
{
    struct err e = ERR_INIT;
    err_set(&e, ERR_INVALID, "byte %d: no such key", 7);
    cr_assert_eq(err_wrap(&e, ERR_REFUSED, "policy '%s'", "a.cfg"), ERR_REFUSED);
    cr_assert_str_eq(e.msg, "policy 'a.cfg': byte 7: no such key");
    cr_assert_eq(e.code, ERR_REFUSED);
    memset(e.msg, 'y', sizeof e.msg - 1);
    err_wrap(&e, ERR_REFUSED, "context");
    cr_assert_eq(strncmp(e.msg, "context: yyy", 12), 0);
    cr_assert_eq(strlen(e.msg), sizeof e.msg - 1);
}

Test(err, wrap_without_text_is_the_context_alone)
{
    struct err e = ERR_INIT;
    err_wrap(&e, ERR_IO, "reading");
    cr_assert_str_eq(e.msg, "reading");
}

Test(err, every_code_has_its_own_name)
{
    for (int i = 0; i < ERR_MAX_; i++)
        for (int k = 0; k < i; k++)
            cr_assert_str_neq(err_code_name((enum err_code)i), err_code_name((enum err_code)k));
    cr_assert_str_eq(err_code_name(ERR_NOT_FOUND), "not_found");
    cr_assert_str_eq(err_code_name(ERR_MAX_), "no_such_code");
    cr_assert_str_eq(err_code_name((enum err_code) - 1), "no_such_code");
}

static void count_release(int **p)
{
    if (*p)
        ++**p;
}

Test(err, take_disarms_cleanup)
{
    int released = 0;
    int *kept = NULL;
    {
        CLEANUP(count_release) int *one = &released;
        CLEANUP(count_release) int *two = &released;
        kept = TAKE(two);
        cr_assert_not_null(one);
    }
    cr_assert_eq(released, 1);
    cr_assert_eq(kept, &released);
}

/* ---- buf ---- */

Test(buf, an_addition_over_the_maximum_is_refused_whole_and_sticks)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT_MAX(5);
    buf_adds(&b, "abc");
    buf_adds(&b, "def");
    cr_assert_not(buf_ok(&b));
    cr_assert_str_eq(buf_text(&b), "abc");
    buf_addc(&b, 'x');
    buf_addf(&b, "%d", 1);
    cr_assert_str_eq(buf_text(&b), "abc", "further additions do nothing");
    cr_assert_null(buf_detach(&b));
    buf_clear(&b);
    buf_addf(&b, "%s", "12345");
    cr_assert(buf_ok(&b));
    cr_assert_str_eq(buf_text(&b), "12345");
    buf_addf(&b, "%s", "6");
    cr_assert_not(buf_ok(&b));
    cr_assert_str_eq(buf_text(&b), "12345");
}

Test(buf, failed_allocations_leave_what_was_there)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    fault_malloc_at(1);
    buf_adds(&b, "first");
    cr_assert(fault_hit());
    cr_assert_not(buf_ok(&b));
    cr_assert_str_eq(buf_text(&b), "");
    buf_clear(&b);
    buf_adds(&b, "first");
    fault_malloc_at(1);
    buf_addf(&b, "%0*d", 1000, 7);
    cr_assert(fault_hit());
    cr_assert_not(buf_ok(&b));
    cr_assert_str_eq(buf_text(&b), "first");
    cr_assert_eq(b.len, 5);
}

Test(buf, an_impossible_size_fails_without_being_touched)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    buf_addc(&b, 'x');
    buf_add(&b, "y", SIZE_MAX);
    cr_assert_not(buf_ok(&b));
    cr_assert_str_eq(buf_text(&b), "x");
}

Test(buf, an_extension_is_the_callers_to_fill)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT_MAX(100);
    buf_adds(&b, "ab");
    char *at = buf_extend(&b, 3);
    cr_assert_not_null(at);
    memcpy(at, "cde", 3);
    cr_assert_str_eq(buf_text(&b), "abcde");
    cr_assert_null(buf_extend(&b, 96));
    cr_assert_not(buf_ok(&b));
    cr_assert_eq(b.len, 5);
}

Test(buf, empty_reads_as_empty_text)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    cr_assert_str_eq(buf_text(&b), "");
    buf_add(&b, NULL, 0);
    cr_assert(buf_ok(&b));
    cr_assert_str_eq(buf_text(&b), "");
    buf_addf(&b, "%s", "");
    cr_assert_str_eq(buf_text(&b), "");
    cr_assert_eq(b.len, 0);
}

Test(buf, detach_hands_over_and_starts_anew)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT_MAX(100);
    char *empty = buf_detach(&b);
    cr_assert_str_eq(empty, "");
    free(empty);
    buf_add(&b, "a\0b", 3);
    char *text = buf_detach(&b);
    cr_assert_eq(memcmp(text, "a\0b", 4), 0);
    free(text);
    cr_assert_eq(b.len, 0);
    cr_assert_eq(b.max, 100);
    cr_assert_str_eq(buf_text(&b), "");
}

Test(buf, detach_of_an_empty_one_reports_out_of_memory)
{
    struct buf b = BUF_INIT;
    fault_malloc_at(1);
    cr_assert_null(buf_detach(&b));
    cr_assert(fault_hit());
    cr_assert_not(buf_ok(&b));
}

/* Same seed, same run: random additions against one large array. */
Test(buf, agrees_with_a_plain_array)
{
    enum { MOST = 20000 };
    static char model[MOST + 200];
    CLEANUP(buf_release) struct buf b = BUF_INIT_MAX(MOST);
    size_t len = 0;
    uint64_t seed = 7;
    while (len < MOST) {
        char piece[100];
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t n = (size_t)(seed >> 40) % sizeof piece;
        n = n < MOST - len ? n : MOST - len;
        memset(piece, 'a' + (int)(seed >> 60), n);
        if (seed >> 63)
            buf_add(&b, piece, n);
        else
            buf_addf(&b, "%.*s", (int)n, piece);
        memcpy(model + len, piece, n);
        len += n;
        cr_assert_eq(b.len, len);
        cr_assert_eq(b.ptr ? b.ptr[b.len] : '\0', '\0');
    }
    cr_assert(buf_ok(&b));
    cr_assert_eq(memcmp(buf_text(&b), model, len), 0);
    cr_assert_leq(b.cap, MOST + 1u);
}

/* ---- text_copy ---- */

struct copy_case {
    char text[16];
    unsigned size;
    char want[16];
    int whole;
};

ParameterizedTestParameters(text_copy, cuts_on_a_boundary)
{
    static struct copy_case cases[] = {
        { "abc", 4, "abc", 1 },
        { "abc", 3, "ab", 0 },
        { "abc", 1, "", 0 },
        { "", 1, "", 1 },
        { "a\xC3\xA4", 4, "a\xC3\xA4", 1 },
        { "a\xC3\xA4", 3, "a", 0 },
        { "\xE2\x82\xAC", 3, "", 0 },
        { "x\xF0\x9F\x98\x80", 5, "x", 0 },
        { "x\xF0\x9F\x98\x80y", 6, "x\xF0\x9F\x98\x80", 0 },
        { "\x80\x80\x80\x80\x80\x80", 6, "\x80\x80", 0 }, /* not UTF-8: cut all the same */
    };
    return cr_make_param_array(struct copy_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct copy_case *c, text_copy, cuts_on_a_boundary)
{
    char got[16];
    memset(got, '#', sizeof got);
    cr_assert_eq(text_copy(got, c->size, c->text), c->whole);
    cr_assert_str_eq(got, c->want);
    for (size_t i = c->size; i < sizeof got; i++)
        cr_assert_eq(got[i], '#', "byte %zu is outside of the array", i);
}

/* ---- text from outside ---- */

Test(text, clean_leaves_nothing_that_changes_how_the_text_around_it_is_shown)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "plain", "plain" },
        { " \n two\tlines\r\n", "two lines" },
        { "\033[31mred", "[31mred" },
        { "a\xe2\x80\xae"
          "b",
          "a b" },
        { "caf\xc3\xa9", "caf\xc3\xa9" },
        { "bad\xff\xc0\xaf", "bad???" },
        { "cut\xe2\x82", "cut??" },
    };
    char text[64], little[6];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text_clean(text, sizeof text, cases[i][0], strlen(cases[i][0]));
        cr_assert_str_eq(text, cases[i][1], "case %zu gave \"%s\"", i, text);
    }
    text_clean(little, sizeof little, "1234\xc3\xa9", 6);
    cr_assert_str_eq(little, "1234", "a character is not cut in two");
    text_clean(text, sizeof text, "a\0b", 3);
    cr_assert_str_eq(text, "a b");
}
