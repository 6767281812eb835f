/* test/unit/time_test.c - times and durations as text. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>
#include <time.h>

#include "rules/base/timetext.h"

#define YEAR_9999_END_MS 253402300799999LL

struct bad_text {
    char text[48];
    enum err_code code;
    char blamed[32];
};

ParameterizedTestParameters(time, parse_refuses)
{
    static struct bad_text cases[] = {
        { "", ERR_INVALID, "RFC 3339" },
        { "2026-08-20", ERR_INVALID, "'2026-08-20'" },
        { "2026-08-20T09:15:00", ERR_INVALID, "RFC 3339" },
        { "2026-08-20 09:15:00Z", ERR_INVALID, "RFC 3339" },
        { "2026-08-20t09:15:00Z", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T09:15:00z", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T09:15:00Zx", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T09:15:00Z ", ERR_INVALID, "RFC 3339" },
        { " 2026-08-20T09:15:00Z", ERR_INVALID, "RFC 3339" },
        { "2026-8-20T09:15:00Z", ERR_INVALID, "RFC 3339" },
        { "26-08-20T09:15:00Z", ERR_INVALID, "RFC 3339" },
        { "12026-08-20T09:15:00Z", ERR_INVALID, "RFC 3339" },
        { "-026-08-20T09:15:00Z", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T9:15:00Z", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T09:15Z", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T09:15:00.Z", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T09:15:00,5Z", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T09:15:00.1234567890Z", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T09:15:00+0200", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T09:15:00+02", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T09:15:00+24:00", ERR_INVALID, "RFC 3339" },
        { "2026-08-20T09:15:00+02:60", ERR_INVALID, "RFC 3339" },
        { "2026-00-20T09:15:00Z", ERR_INVALID, "calendar" },
        { "2026-13-20T09:15:00Z", ERR_INVALID, "calendar" },
        { "2026-08-00T09:15:00Z", ERR_INVALID, "calendar" },
        { "2026-04-31T09:15:00Z", ERR_INVALID, "calendar" },
        { "2026-02-29T09:15:00Z", ERR_INVALID, "calendar" },
        { "2100-02-29T09:15:00Z", ERR_INVALID, "calendar" },
        { "2026-08-20T24:00:00Z", ERR_INVALID, "calendar" },
        { "2026-08-20T23:60:00Z", ERR_INVALID, "calendar" },
        { "2026-08-20T23:59:61Z", ERR_INVALID, "calendar" },
        { "1969-12-31T23:59:59Z", ERR_INVALID, "1970 to 9999" },
        { "1970-01-01T00:00:00+00:01", ERR_INVALID, "1970 to 9999" },
        { "9999-12-31T23:59:59-00:01", ERR_INVALID, "1970 to 9999" },
        { "0001-01-01T00:00:01Z", ERR_INVALID, "1970 to 9999" },
        { "0001-01-01T00:00:00+01:00", ERR_INVALID, "1970 to 9999" },
        { "0000-01-01T00:00:00Z", ERR_INVALID, "1970 to 9999" },
    };
    return cr_make_param_array(struct bad_text, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad_text *c, time, parse_refuses)
{
    int64_t ms = -5;
    struct err e = ERR_INIT;
    cr_assert_eq(time_parse(&ms, c->text, strlen(c->text), &e), c->code, "'%s'", c->text);
    cr_assert_eq(ms, -5, "*ret must stay untouched on failure");
    cr_assert_not_null(strstr(e.msg, c->blamed), "'%s' should name '%s'", e.msg, c->blamed);
}

struct good_time {
    char text[40];
    long long want_ms;
};

ParameterizedTestParameters(time, parse_accepts)
{
    static struct good_time cases[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "0001-01-01T00:00:00Z", 0 }, /* Go's zero time */
        { "2026-08-20T09:15:00Z", 1787217300000 },
        { "2026-08-20T09:15:00.1Z", 1787217300100 },
        { "2026-08-20T09:15:00.12Z", 1787217300120 },
        { "2026-08-20T09:15:00.123Z", 1787217300123 },
        { "2026-08-20T09:15:00.123999999Z", 1787217300123 },
        { "2026-08-20T09:15:00.000000001Z", 1787217300000 },
        { "2026-08-20T11:15:00+02:00", 1787217300000 },
        { "2026-08-20T03:45:00.5-05:30", 1787217300500 },
        { "2026-08-20T09:15:00-00:00", 1787217300000 },
        { "2000-02-29T00:00:00Z", 951782400000 },
        { "2016-12-31T23:59:60Z", 1483228799000 }, /* a leap second */
        { "1970-01-01T01:00:00+01:00", 0 },
        { "9999-12-31T23:59:59.999Z", YEAR_9999_END_MS },
    };
    return cr_make_param_array(struct good_time, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct good_time *c, time, parse_accepts)
{
    int64_t ms = -5;
    struct err e = ERR_INIT;
    cr_assert_eq(time_parse(&ms, c->text, strlen(c->text), &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(ms, c->want_ms, "'%s' gave %lld", c->text, (long long)ms);
}

Test(time, parse_looks_at_no_byte_after_the_length)
{
    int64_t ms;
    cr_assert_eq(time_parse(&ms, "2026-08-20T09:15:00Zgarbage", 20, NULL), ERR_OK);
    for (size_t len = 0; len < 20; len++)
        cr_assert_eq(time_parse(&ms, "2026-08-20T09:15:00Z", len, NULL), ERR_INVALID, "%zu bytes", len);
}

/* libc is the judge: every day of four centuries, and random instants. */
Test(time, format_agrees_with_libc_and_parses_back, .timeout = 60)
{
    uint64_t seed = 42;
    for (int i = 0; i < 300000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int64_t ms = i < 150000 ? i * 86400000LL : (int64_t)((seed >> 1) % (YEAR_9999_END_MS + 1));
        time_t seconds = (time_t)(ms / 1000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        char want[80], got[TIME_TEXT_SIZE];
        strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &tm);
        cr_assert_str_eq(time_format_seconds(got, ms), want);
        int64_t back;
        time_format(got, ms);
        cr_assert_eq(time_parse(&back, got, strlen(got), NULL), ERR_OK, "%s", got);
        cr_assert_eq(back, ms, "%s", got);
    }
}

Test(time, format_fits_whatever_the_time)
{
    char text[TIME_TEXT_SIZE];
    cr_assert_str_eq(time_format(text, INT64_MAX), "292278994-08-17T07:12:55.807Z");
    cr_assert_str_eq(time_format(text, INT64_MIN), "-292275055-05-16T16:47:04.192Z");
    cr_assert_str_eq(time_format(text, -1), "1969-12-31T23:59:59.999Z");
    cr_assert_str_eq(time_format_seconds(text, 999), "1970-01-01T00:00:00Z");
}

/* ---- durations ---- */

ParameterizedTestParameters(duration, parse_refuses)
{
    static struct bad_text cases[] = {
        { "", ERR_INVALID, "''" },
        { "5", ERR_INVALID, "'5'" },
        { "00", ERR_INVALID, "'00'" },
        { "s", ERR_INVALID, "'s'" },
        { "-5s", ERR_INVALID, "'-5s'" },
        { "+5s", ERR_INVALID, "'+5s'" },
        { "1.5h", ERR_INVALID, "'1.5h'" },
        { " 5s", ERR_INVALID, "5s" },
        { "5s ", ERR_INVALID, "5s" },
        { "5 s", ERR_INVALID, "5 s" },
        { "5S", ERR_INVALID, "5S" },
        { "5sec", ERR_INVALID, "5sec" },
        { "5us", ERR_INVALID, "5us" },
        { "1h1h", ERR_INVALID, "1h1h" },
        { "30m1h", ERR_INVALID, "in this order" },
        { "5ms1s", ERR_INVALID, "in this order" },
        { "1h5", ERR_INVALID, "1h5" },
        { "367d", ERR_LIMIT, "366d" },
        { "1y1d1s", ERR_LIMIT, "366d" },
        { "366d1ms", ERR_LIMIT, "366d" },
        { "9223372036854775808ms", ERR_LIMIT, "366d" },
        { "99999999999999999999999999999999y", ERR_LIMIT, "366d" },
        { "18446744073709551617s", ERR_LIMIT, "366d" }, /* 2^64 + 1 */
    };
    return cr_make_param_array(struct bad_text, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad_text *c, duration, parse_refuses)
{
    int64_t ms = -5;
    struct err e = ERR_INIT;
    cr_assert_eq(duration_parse(&ms, c->text, &e), c->code, "'%s' gave %lld", c->text, (long long)ms);
    cr_assert_eq(ms, -5, "*ret must stay untouched on failure");
    cr_assert_not_null(strstr(e.msg, c->blamed), "'%s' should name '%s'", e.msg, c->blamed);
}

ParameterizedTestParameters(duration, parse_accepts)
{
    static struct good_time cases[] = {
        { "0", 0 },
        { "0s", 0 },
        { "500ms", 500 },
        { "90s", 90000 },
        { "1h30m", 5400000 },
        { "1d", 86400000 },
        { "1w", 604800000 },
        { "1y", 31536000000 },
        { "1w2d3h4m5s6ms", 788645006 },
        { "1m1ms", 60001 },
        { "0h0m1s", 1000 },
        { "007s", 7000 },
        { "366d", DURATION_MS_MAX },
        { "1y1d", DURATION_MS_MAX },
    };
    return cr_make_param_array(struct good_time, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct good_time *c, duration, parse_accepts)
{
    int64_t ms = -5;
    struct err e = ERR_INIT;
    cr_assert_eq(duration_parse(&ms, c->text, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(ms, c->want_ms, "'%s' gave %lld", c->text, (long long)ms);
}

Test(duration, format_is_short_and_fits_whatever_the_value)
{
    char text[DURATION_TEXT_SIZE];
    cr_assert_str_eq(duration_format(text, 0), "0s");
    cr_assert_str_eq(duration_format(text, 1), "1ms");
    cr_assert_str_eq(duration_format(text, 90000), "1m30s");
    cr_assert_str_eq(duration_format(text, 86400000), "1d");
    cr_assert_str_eq(duration_format(text, -1500), "-1s500ms");
    cr_assert_str_eq(duration_format(text, 365 * 86400000LL + 86399999), "365d23h59m59s999ms");
    cr_assert_str_eq(duration_format(text, INT64_MAX), "106751991167d7h12m55s807ms");
    cr_assert_str_eq(duration_format(text, INT64_MIN), "-106751991167d7h12m55s808ms");
}

Test(duration, format_parses_back)
{
    uint64_t seed = 42;
    for (int i = 0; i < 200000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int64_t ms = (int64_t)(seed >> 8) % (DURATION_MS_MAX + 1);
        for (unsigned shift = (unsigned)(seed & 3) * 10; shift; shift--)
            ms /= 2; /* small ones as well */
        char text[DURATION_TEXT_SIZE];
        int64_t back = -1;
        cr_assert_eq(duration_parse(&back, duration_format(text, ms), NULL), ERR_OK, "%s", text);
        cr_assert_eq(back, ms, "%s", text);
    }
}
