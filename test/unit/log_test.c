/* test/unit/log_test.c - what a log line looks like, with any text from outside in it. */
#include "receiver/runtime/log.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rules/base/json.h"

static int pipe_fds[2];

static void begin(enum log_level level, enum log_format format)
{
    cr_assert_eq(pipe(pipe_fds), 0);
    cr_assert_eq(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), 0);
    log_setup(level, format, pipe_fds[1]);
}

/* What was written since; *at_message is behind the time. */
static const char *written(void)
{
    static char text[65536];
    ssize_t n = read(pipe_fds[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static const char *without_time(const char *line)
{
    cr_assert_eq(strncmp(line, "ts=20", 5), 0, "%s", line);
    cr_assert_eq(line[26], 'Z', "%s", line);
    return line + 28;
}

Test(log, a_line_is_logfmt)
{
    begin(LOG_INFO, LOG_LOGFMT);
    log_info("incident opened", "incident", "06f3k9q2", "rule", "crash-looping", NULL);
    cr_assert_str_eq(without_time(written()),
                     "level=info msg=\"incident opened\" incident=06f3k9q2 rule=crash-looping\n");
}

Test(log, a_line_is_json_by_setting)
{
    begin(LOG_INFO, LOG_JSON);
    log_error("cannot commit", "error", "disk \"x\" full", "empty", "", "none", NULL, "last", "1", NULL);
    const char *line = written();
    struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    cr_assert_eq(json_parse(&doc, line, strlen(line), &e), ERR_OK, "%s in %s", e.msg, line);
    cr_assert_str_eq(json_string(json_get(json_root(doc), "level"), ""), "error");
    cr_assert_str_eq(json_string(json_get(json_root(doc), "msg"), ""), "cannot commit");
    cr_assert_str_eq(json_string(json_get(json_root(doc), "error"), ""), "disk \"x\" full");
    cr_assert_str_eq(json_string(json_get(json_root(doc), "last"), ""), "1");
    cr_assert_eq(json_len(json_root(doc)), 5, "what has no value leaves its key out");
    json_free(doc);
}

Test(log, lines_below_the_threshold_are_not_written)
{
    begin(LOG_WARN, LOG_LOGFMT);
    cr_assert_eq(log_threshold(), LOG_WARN);
    log_debug("a", NULL);
    log_info("b", NULL);
    cr_assert_str_eq(written(), "");
    log_warn("c", NULL);
    cr_assert_str_eq(without_time(written()), "level=warn msg=c\n");
}

struct value_case {
    char value[40], logfmt[64];
};

ParameterizedTestParameters(log, values_are_quoted_and_escaped_where_needed)
{
    static struct value_case cases[] = {
        { "plain", "k=plain" },
        { "with space", "k=\"with space\"" },
        { "a=b", "k=\"a=b\"" },
        { "say \"x\"", "k=\"say \\\"x\\\"\"" },
        { "back\\slash", "k=\"back\\\\slash\"" },
        { "two\nlines\r\n", "k=\"two\\nlines\\r\\n\"" },
        { "tab\there", "k=\"tab\\there\"" },
        { "\x1b[31mred", "k=\"\\u001b[31mred\"" },
        { "\x7f", "k=\"\\u007f\"" },
        { "caf\xc3\xa9", "k=caf\xc3\xa9" },
        { "\xff\xfe", "k=\"\\ufffd\\ufffd\"" },
        { "\xc0\xaf", "k=\"\\ufffd\\ufffd\"" },            /* overlong */
        { "\xed\xa0\x80", "k=\"\\ufffd\\ufffd\\ufffd\"" }, /* surrogate */
        { "cut \xe2\x82", "k=\"cut \\ufffd\\ufffd\"" },
        { "\xc2\x85next", "k=\"\\u0085next\"" },     /* C1 control */
        { "a\xe2\x80\xaegpj", "k=\"a\\u202egpj\"" }, /* right-to-left override */
        { "a\xe2\x80\xa8z", "k=\"a\\u2028z\"" },     /* line separator */
        { "\xf0\x9f\x98\x80", "k=\xf0\x9f\x98\x80" },
    };
    return cr_make_param_array(struct value_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct value_case *c, log, values_are_quoted_and_escaped_where_needed)
{
    char want[128];
    begin(LOG_INFO, LOG_LOGFMT);
    log_info("m", "k", c->value, NULL);
    snprintf(want, sizeof want, "level=info msg=m %s\n", c->logfmt);
    cr_assert_str_eq(without_time(written()), want);

    struct json_doc *doc = NULL;
    begin(LOG_INFO, LOG_JSON);
    log_info("m", "k", c->value, NULL);
    const char *line = written();
    cr_assert_eq(json_parse(&doc, line, strlen(line), NULL), ERR_OK, "%s", line);
    cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1, "one line: %s", line);
    json_free(doc);
}

Test(log, a_long_value_is_cut_on_a_character)
{
    char value[3000];
    memset(value, 'a', 1023);
    for (int i = 1023; i < 2997; i += 2)
        memcpy(value + i, "\xc3\xa9", 3);
    begin(LOG_INFO, LOG_LOGFMT);
    log_info("m", "k", value, NULL);
    const char *line = without_time(written());
    cr_assert_eq(strlen(line), strlen("level=info msg=m k=\n") + 1023 + 3, "%zu", strlen(line));
    cr_assert_not_null(strstr(line, "aaa...\n"));
}

Test(log, a_line_too_long_loses_whole_pairs_and_says_so)
{
    char v[1100];
    struct json_doc *doc = NULL;
    memset(v, '\n', sizeof v - 1);
    v[sizeof v - 1] = '\0';
    begin(LOG_INFO, LOG_JSON);
    log_info("m", "a", v, "b", v, "c", v, "d", v, "e", v, "f", "small", NULL);
    const char *line = written();
    cr_assert_eq(json_parse(&doc, line, strlen(line), NULL), ERR_OK, "%s", line);
    cr_assert_str_eq(json_string(json_get(json_root(doc), "log"), ""), "cut");
    cr_assert_eq(json_string_len(json_get(json_root(doc), "c")), 1024 + 3);
    cr_assert_null(json_get(json_root(doc), "e"));
    json_free(doc);

    begin(LOG_INFO, LOG_LOGFMT);
    log_info("m", "a", v, "b", v, "c", v, "d", v, "e", v, NULL);
    line = written();
    cr_assert_str_eq(line + strlen(line) - 9, " log=cut\n");
}

static void *log_many(void *who)
{
    for (int i = 0; i < 200; i++)
        log_info("thread", "who", who, "pad", "0123456789012345678901234567890123456789", NULL);
    return NULL;
}

Test(log, lines_of_two_threads_do_not_mix)
{
    pthread_t a, b;
    begin(LOG_INFO, LOG_LOGFMT);
    cr_assert_eq(pthread_create(&a, NULL, log_many, (void *)"one"), 0);
    cr_assert_eq(pthread_create(&b, NULL, log_many, (void *)"two"), 0);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    int lines = 0;
    char *save = NULL, *text = (char *)(uintptr_t)written();
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++) {
        const char *rest = without_time(line);
        cr_assert(
            !strcmp(rest, "level=info msg=thread who=one pad=0123456789012345678901234567890123456789") ||
                !strcmp(rest, "level=info msg=thread who=two pad=0123456789012345678901234567890123456789"),
            "%s", line);
    }
    cr_assert_eq(lines, 400);
}

Test(log, errno_survives_a_line)
{
    begin(LOG_INFO, LOG_LOGFMT);
    close(pipe_fds[1]);
    errno = EEXIST;
    log_info("to nowhere", NULL);
    cr_assert_eq(errno, EEXIST);
}
