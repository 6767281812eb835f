/* test/unit/config_test.c - settings read by tables: errors first. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/config.h"
#include "test/kit/fault.h"

struct item {
    char *name;
    int64_t wait_ms;
    int line;
};
struct sample {
    char *text;
    bool flag;
    int64_t number, wait_ms, size, most;
    int choice;
    struct config_strings words;
    struct {
        int64_t inner;
    } group;
    struct item *items;
    size_t items_len;
    int custom, line;
};

static void parse_custom(struct config_text *text, const config_setting_t *setting, void *field,
                         const void *arg)
{
    *(int *)field = config_setting_get_int(setting) + *(const int *)arg;
    if (*(int *)field < 0)
        config_error(text, setting, "custom is negative");
}

static void check_item(struct config_text *text, const config_setting_t *group, void *target, const void *arg)
{
    const struct item *item = target;
    (void)arg;
    if (item->name && strcmp(item->name, "bad") == 0)
        config_error(text, config_setting_get_member(group, "name"), "this item is bad");
}

static const struct config_key item_keys[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .required = true,
      .min = 1,
      .max = 8,
      .offset = offsetof(struct item, name),
      .help = "n" },
    { .name = "wait",
      .type = CONFIG_DURATION,
      .min = 0,
      .max = 3600000,
      .default_text = "5s",
      .offset = offsetof(struct item, wait_ms),
      .help = "w" },
    { .name = "line", .type = CONFIG_LINE, .offset = offsetof(struct item, line), .help = "" },
    { .name = NULL },
};
static const struct config_key group_keys[] = {
    { .name = "inner",
      .type = CONFIG_INT,
      .min = 1,
      .max = 9,
      .default_text = "7",
      .offset = 0,
      .help = "Inside." },
    { .name = NULL },
};
static const struct config_key keys[] = {
    { .name = "text",
      .type = CONFIG_STRING,
      .offset = offsetof(struct sample, text),
      .default_text = "hello",
      .help = "Some text." },
    { .name = "flag",
      .type = CONFIG_BOOL,
      .offset = offsetof(struct sample, flag),
      .default_text = "true",
      .help = "f" },
    { .name = "number",
      .type = CONFIG_INT,
      .min = -5,
      .max = 10000000000,
      .offset = offsetof(struct sample, number),
      .help = "n" },
    { .name = "wait",
      .type = CONFIG_DURATION,
      .none = true,
      .min = 1000,
      .max = 3600000,
      .default_text = "15m",
      .offset = offsetof(struct sample, wait_ms),
      .help = "How long." },
    { .name = "size",
      .type = CONFIG_SIZE,
      .min = 1,
      .max = 1 << 30,
      .default_text = "64KiB",
      .offset = offsetof(struct sample, size),
      .help = "s" },
    { .name = "most",
      .type = CONFIG_INT,
      .none = true,
      .min = 1,
      .max = 10,
      .default_text = "none",
      .unit = "things",
      .offset = offsetof(struct sample, most),
      .help = "m" },
    { .name = "choice",
      .type = CONFIG_CHOICE,
      .choices = "observe|dry_run|act",
      .default_text = "dry_run",
      .offset = offsetof(struct sample, choice),
      .help = "c" },
    { .name = "words",
      .type = CONFIG_STRINGS,
      .len_max = 3,
      .default_text = "[ \"a\", \"b\" ]",
      .offset = offsetof(struct sample, words),
      .help = "w | bar" },
    { .name = "group",
      .type = CONFIG_GROUP,
      .keys = group_keys,
      .offset = offsetof(struct sample, group),
      .help = "g" },
    { .name = "items",
      .type = CONFIG_LIST,
      .keys = item_keys,
      .item_size = sizeof(struct item),
      .len_max = 3,
      .check = check_item,
      .offset = offsetof(struct sample, items),
      .help = "i" },
    { .name = "custom",
      .type = CONFIG_CUSTOM,
      .parse = parse_custom,
      .default_text = "1",
      .example = "7",
      .offset = offsetof(struct sample, custom),
      .help = "u" },
    { .name = "line", .type = CONFIG_LINE, .offset = offsetof(struct sample, line), .help = "" },
    { .name = NULL },
};
static const int one_hundred = 100;

/* Reads `text`; errors go to `errors`. */
static enum err_code read(struct sample *ret, const char *text, struct buf *errors)
{
    return config_parse("x.cfg", text, strlen(text), keys, ret, &one_hundred, errors, NULL);
}

struct bad {
    char text[112];
    char blamed[80];
};

ParameterizedTestParameters(config, wrong_values_are_named_with_the_remedy)
{
    static struct bad cases[] = {
        { "texd = \"x\";", "unknown key \"texd\"; did you mean \"text\"?" },
        { "quite_other = 1;", "unknown key \"quite_other\"; the keys here are \"text\", \"flag\"" },
        { "line = 1;", "unknown key \"line\"" },
        { "text = 5;", "\"text\" must be a string in quotes, not a number" },
        { "text = \"a\\x01\";", "\"text\" holds a control character" },
        { "text = \"a\\xff\";", "a string holds" },
        { "flag = 1;", "\"flag\" must be true or false, not a number" },
        { "flag = \"true\";", "must be true or false, not a string" },
        { "number = \"5\";", "\"number\" must be a whole number, not a string" },
        { "number = 1.5;", "must be a whole number" },
        { "number = -6;", "\"number\" is -6; it must be from -5 to 10000000000" },
        { "number = 10000000001;", "\"number\" is 10000000001; it must be" },
        { "number = 99999999999999999999;", "too large" },
        { "number = \"none\";", "must be a whole number" },
        { "wait = 15;", "a time with its unit, such as \"90s\" or \"15m\", or \"none\"" },
        { "wait = \"15 min\";", "write a time such as \"90s\"" },
        { "wait = \"2h\";", "\"wait\" is 2h; it must be from 1s to 1h, or \"none\"" },
        { "size = \"64k\";", "a size such as 4096, \"64KiB\"" },
        { "size = \"2GiB\";", "it must be from 1 to 1073741824" },
        { "size = \"99999999999GiB\";", "a size such as" },
        { "most = 11;", "from 1 to 10, or \"none\" for no limit" },
        { "most = true;", "a whole number of things, or \"none\"" },
        { "choice = \"observ\";", "\"choice\" is \"observ\"; did you mean \"observe\"?" },
        { "choice = \"heal\";", "write \"observe\", \"dry_run\" or \"act\"" },
        { "choice = 1;", "write \"observe\", \"dry_run\" or \"act\"" },
        { "words = \"a\";", "must be an array of strings" },
        { "words = [ 1 ];", "a string in quotes must stand here, not a number" },
        { "words = [ \"a\", \"b\", \"c\", \"d\" ];", "\"words\" has 4 entries; it must have from 0 to 3" },
        { "group = 5;", "\"group\" must be a group, { ... }" },
        { "group = { inner = 0; };", "\"inner\" is 0" },
        { "group = { iner = 1; };", "did you mean \"inner\"?" },
        { "items = { name = \"x\"; };", "\"items\" must be a list of groups, ( { ... }, { ... } )" },
        { "items = [ ];", "must be a list of groups" },
        { "items = ( 5 );", "an entry of \"items\" must be a group" },
        { "items = ( { } );", "key \"name\" is missing" },
        { "items = ( { name = \"\"; } );", "\"name\" may not be empty" },
        { "items = ( { name = \"123456789\"; } );", "\"name\" has 9 bytes; 8 is the most" },
        { "items = ( { name = \"bad\"; } );", "this item is bad" },
        { "items = ( {name=\"a\";},{name=\"a\";},{name=\"a\";},{name=\"a\";} );",
          "has 4 entries; it must have from 0 to 3" },
        { "custom = -101;", "custom is negative" },
    };
    return cr_make_param_array(struct bad, cases, sizeof cases / sizeof cases[0]);
}

static void assert_blamed(const char *text, const char *blamed)
{
    struct sample s = { .text = NULL };
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(read(&s, text, &errors), ERR_INVALID, "'%s' should be refused", text);
    config_release(keys, &s);
    cr_assert(strstr(buf_text(&errors), blamed), "'%s' should say '%s'", buf_text(&errors), blamed);
    cr_assert_eq(strncmp(buf_text(&errors), "x.cfg:1:", 8), 0, "'%s' should name the line",
                 buf_text(&errors));
}

ParameterizedTest(struct bad *c, config, wrong_values_are_named_with_the_remedy)
{
    assert_blamed(c->text, c->blamed);
}

ParameterizedTestParameters(config, wrong_syntax_is_named_with_the_remedy)
{
    static struct bad cases[] = {
        { "words = [ \"a\", ];", "a comma may not stand before the closing \"]\"; remove the comma" },
        { "items = ( { name = \"a\"; }, );", "a comma may not stand before the closing \")\"" },
        { "items = ( { name = \"a\"; } { name = \"b\"; } );", "a comma is missing before \"{\"" },
        { "words = [ \"a\" \"b\" ];", "a comma is missing between two strings" },
        { "words = [ , \"a\" ];", "a comma stands here without a value" },
        { "flag = true, number = 1;", "settings are separated by \";\"" },
        { "choice = act;", "act needs quotes: \"act\"" },
        { "wait = 15m;", "15m needs quotes: \"15m\"" },
        { "items = ( name = \"a\" );", "\"name\" cannot stand in a list" },
        { "text = \"abc;\n", "a string has no closing quote on its line" },
        { "text = \"a\\x00b\";", "a string may not hold \\x00" },
        { "/* abc\n\n", "a comment begins here and never ends" },
        { "group = { inner = 1; ;", "\"{\" is opened here and never closed" },
        { "group = { inner = 1; );", "\")\" does not close \"{\" of line 1" },
        { "flag = true; }", "\"}\" closes nothing" },
        { "flag = true; flag = true;", "was set before in the same group" },
        { "flag true;", "\"flag\" is neither set nor a value; write flag = ...;" },
        { "flag == true;", "one \"=\" is enough" },
        { "flag = ;", "a value is missing before \";\"" },
        { "= true;", "a name is missing before \"=\"" },
        { "{ \"flag\": true }", "names stand without quotes: name = value;" },
        { "words = [ \"a\"; \"b\" ];", "values of a list are separated by commas, not by \";\"" },
        { "words = [ \"a\" b ];", "a comma is missing before \"b\"" },
        { "items: - name: a", "\"-\" cannot stand here; a list of groups is ( { ... }, { ... } )" },
        { "number = 25%;", "25% needs quotes: \"25%\"" },
        { "items = ( { name = \"a\"; }; flag = true;", "\"(\" of line 1 is not closed before \";\"" },
        { "number = 2.5;", "not a number with a point" },
        { "words = [ \"a\", 1 ];", "all values of an array [ ] must have one type" },
        { "@include \"/etc/hostname\"",
          "\"@include\" is refused: this text stands alone; put it into one file" },
        { "flag = true; @include \"a\"", "\"@include\" is refused" },
        { "flag = true; @", "\"@\" cannot stand here" },
        { "flag = 'x';", "strings stand in double quotes" },
        { "flag = \001;", "a control character" },
        { "text = \"\xC3(\";", "the text is not UTF-8" },
    };
    return cr_make_param_array(struct bad, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad *c, config, wrong_syntax_is_named_with_the_remedy)
{
    assert_blamed(c->text, c->blamed);
}

Test(config, nul_in_a_text_is_refused)
{
    struct sample s = { .text = NULL };
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(config_parse("x.cfg", "flag = true;\0bad", 16, keys, &s, &one_hundred, &errors, NULL),
                 ERR_INVALID);
    cr_assert(strstr(buf_text(&errors), "x.cfg:1:"), "%s", buf_text(&errors));
}

Test(config, include_is_never_opened_wherever_it_stands)
{
    struct sample s = { .text = NULL };
    cr_assert_eq(read(&s, "text = \"a\n@include \"/etc/hostname\"\n\";", NULL), ERR_INVALID);
    config_release(keys, &s);
    cr_assert_eq(read(&s, "/* \n@include \"/etc/hostname\"\n*/ text = \"\n@include\";", NULL), ERR_INVALID);
    config_release(keys, &s);
    cr_assert_eq(read(&s, "/* \n@include \"/etc/hostname\"\n*/ text = \"@include \";\n#@include \"x\"", NULL),
                 ERR_OK);
    cr_assert_str_eq(s.text, "@include ");
    config_release(keys, &s);
}

Test(config, too_long_a_text_is_refused_unread)
{
    char *bytes = calloc(1, CONFIG_TEXT_MAX + 1);
    struct sample s = { .text = NULL };
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    memset(bytes, ' ', CONFIG_TEXT_MAX + 1);
    cr_assert_eq(config_parse("x.cfg", bytes, CONFIG_TEXT_MAX + 1, keys, &s, NULL, &errors, &e), ERR_LIMIT);
    cr_assert(strstr(e.msg, "4194304"), "%s", e.msg);
    cr_assert_gt(errors.len, 0);
    free(bytes);
}

Test(config, deep_nesting_is_refused)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    buf_adds(&text, "items = ");
    for (int i = 0; i < 10000; i++)
        buf_adds(&text, "(");
    assert_blamed(buf_text(&text), "nested more than 64 deep");
}

Test(config, all_errors_come_by_line_each_with_its_line)
{
    struct sample s = { .text = NULL };
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    const char *text = "# a comment\n"
                       "choice = \"heal\";\n"
                       "items = (\n"
                       "  { name = \"a\";\n"
                       "    wait = \"9h\"; },\n"
                       "  { wiat = \"1s\"; name = \"b\"; }\n"
                       ");\n"
                       "words = [\n"
                       "  1,\n"
                       "  2\n"
                       "];\n"
                       "flag = 1;\n";
    cr_assert_eq(config_parse("x.cfg", text, strlen(text), keys, &s, &one_hundred, &errors, &e), ERR_INVALID);
    config_release(keys, &s);
    cr_assert_str_eq(buf_text(&errors),
                     "x.cfg:2:1: \"choice\" is \"heal\"; write \"observe\", \"dry_run\" or \"act\"\n"
                     "    choice = \"heal\";\n"
                     "    ^\n"
                     "x.cfg:5:5: \"wait\" is 9h; it must be from 0s to 1h\n"
                     "    wait = \"9h\"; },\n"
                     "    ^\n"
                     "x.cfg:6:5: unknown key \"wiat\"; did you mean \"wait\"?\n"
                     "    { wiat = \"1s\"; name = \"b\"; }\n"
                     "      ^\n"
                     "x.cfg:9:3: a string in quotes must stand here, not a number\n"
                     "    1,\n"
                     "    ^\n"
                     "x.cfg:10:3: a string in quotes must stand here, not a number\n"
                     "    2\n"
                     "    ^\n"
                     "x.cfg:12:1: \"flag\" must be true or false, not a number\n"
                     "    flag = 1;\n"
                     "    ^\n");
    cr_assert_eq(strncmp(e.msg, "6 errors, the first: x.cfg:2: \"choice\"", 38), 0, "%s", e.msg);
}

/* libconfig gives a string the line of the token behind it. */
Test(config, lines_of_strings_are_right)
{
    struct sample s = { .text = NULL };
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(read(&s, "words = [\n \"a\\xff\" # one\n /* two\n */ ,\n \"b\\xff\"\n\n];", &errors),
                 ERR_INVALID);
    config_release(keys, &s);
    cr_assert(strstr(buf_text(&errors), "x.cfg:2:"), "%s", buf_text(&errors));
    cr_assert(strstr(buf_text(&errors), "x.cfg:5:"), "%s", buf_text(&errors));
}

Test(config, more_errors_than_the_maximum_are_counted)
{
    struct sample s = { .text = NULL };
    CLEANUP(buf_release) struct buf text = BUF_INIT, errors = BUF_INIT;
    for (unsigned i = 0; i < CONFIG_ERRORS_MAX + 20; i++)
        buf_addf(&text, "unknown%u = 1;\n", i);
    cr_assert_eq(read(&s, buf_text(&text), &errors), ERR_INVALID);
    config_release(keys, &s);
    cr_assert(strstr(buf_text(&errors), "x.cfg: and 20 more errors"), "%s", buf_text(&errors));
}

Test(config, long_lines_are_cut_between_characters)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT, errors = BUF_INIT;
    struct sample s = { .text = NULL };
    buf_adds(&text, "wrong = \"x");
    for (int i = 0; i < 200; i++)
        buf_adds(&text, "é");
    buf_adds(&text, "\";\n");
    cr_assert_eq(read(&s, buf_text(&text), &errors), ERR_INVALID);
    config_release(keys, &s);
    cr_assert(strstr(buf_text(&errors), "é...\n"), "%s", buf_text(&errors));
}

Test(config, defaults_stand_where_nothing_is_written)
{
    struct sample s = { .text = NULL };
    cr_assert_eq(read(&s, "", NULL), ERR_OK);
    cr_assert_str_eq(s.text, "hello");
    cr_assert(s.flag);
    cr_assert_eq(s.number, 0);
    cr_assert_eq(s.wait_ms, 900000);
    cr_assert_eq(s.size, 65536);
    cr_assert_eq(s.most, INT64_MAX);
    cr_assert_eq(s.choice, 1);
    cr_assert_eq(s.words.len, 2);
    cr_assert_str_eq(s.words.list[1], "b");
    cr_assert_eq(s.group.inner, 7);
    cr_assert_eq(s.items_len, 0);
    cr_assert_eq(s.custom, 101, "a custom default goes through its parser");
    config_release(keys, &s);
}

Test(config, values_are_read)
{
    struct sample s = { .text = NULL };
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    const char *text =
        "\xEF\xBB\xBF# byte order mark, comments, all separators\r\n"
        "text : \"a\" \"b\"; // joined\n"
        "flag = FALSE\n"
        "number = 9999999999; wait = \"none\" size = \"1MiB\"; most = 3; choice = \"act\"; words = ();\n"
        "group : { inner = 0x3 };\n"
        "items = ( { name = \"x\"; }, /* c */\n { name = \"y\"; wait = \"0\"; } );\n"
        "custom = -1;";
    cr_assert_eq(read(&s, text, &errors), ERR_OK, "%s", buf_text(&errors));
    cr_assert_str_eq(s.text, "ab");
    cr_assert_not(s.flag);
    cr_assert_eq(s.number, 9999999999, "not cut to 32 bits");
    cr_assert_eq(s.wait_ms, INT64_MAX);
    cr_assert_eq(s.size, 1 << 20);
    cr_assert_eq(s.most, 3);
    cr_assert_eq(s.choice, 2);
    cr_assert_eq(s.words.len, 0);
    cr_assert_eq(s.group.inner, 3);
    cr_assert_eq(s.items_len, 2);
    cr_assert_str_eq(s.items[1].name, "y");
    cr_assert_eq(s.items[0].wait_ms, 5000);
    cr_assert_eq(s.items[1].wait_ms, 0);
    cr_assert_eq(s.items[1].line, 7);
    cr_assert_eq(s.custom, 99);
    config_release(keys, &s);
    config_release(keys, &s); /* twice is fine */
}

Test(config, without_memory_it_says_so)
{
    const char *text = "text = \"a\"; words = [ \"x\" ]; items = ( { name = \"x\"; } ); quite_other = 1;";
    unsigned n = 0, out_of_memory = 0;
    do {
        struct sample s = { .text = NULL };
        CLEANUP(buf_release) struct buf errors = BUF_INIT;
        fault_malloc_at(++n);
        enum err_code code = read(&s, text, &errors);
        config_release(keys, &s);
        cr_assert(code == ERR_NOMEM || code == ERR_INVALID, "allocation %u", n);
        out_of_memory += code == ERR_NOMEM;
    } while (fault_hit());
    cr_assert_gt(out_of_memory, 5u);
}

Test(config, nearest_word)
{
    const char *const words[] = { "cooldown", "attempts", "attempts_per", "target", "to", NULL };
    cr_assert_str_eq(config_nearest("cooldwon", words), "cooldown");
    cr_assert_str_eq(config_nearest("Cooldown", words), "cooldown");
    cr_assert_str_eq(config_nearest("attempt", words), "attempts");
    cr_assert_str_eq(config_nearest("attemptsper", words), "attempts_per");
    cr_assert_str_eq(config_nearest("to", words), "to");
    cr_assert_null(config_nearest("if", words));
    cr_assert_null(config_nearest("", words));
    cr_assert_null(config_nearest("environments", words));
    cr_assert_null(
        config_nearest("a_word_that_is_far_longer_than_any_key_in_any_table_of_this_project_xx", words));
}

Test(config, reference_lists_every_key_once)
{
    CLEANUP(buf_release) struct buf out = BUF_INIT;
    config_reference(&out, "x.cfg", keys, 2);
    const char *text = buf_text(&out);
    cr_assert_eq(strncmp(text, "## x.cfg\n\n| key | value | default | example | what it does |\n", 60), 0,
                 "%s", text);
    cr_assert(
        strstr(text,
               "| `wait` | time, 1s to 1h, or `\"none\"` | `\"15m\"` | `wait = \"15m\";` | How long. |\n"),
        "%s", text);
    cr_assert(strstr(text, "| `choice` | `\"observe\"`, `\"dry_run\"`, `\"act\"` | `\"dry_run\"` | `choice = "
                           "\"act\";` | c |\n"),
              "%s", text);
    cr_assert(
        strstr(text, "| `most` | number (things), 1 to 10, or `\"none\"` | `\"none\"` | `most = 1;` | m |\n"),
        "%s", text);
    cr_assert(strstr(text, "| w \\| bar |\n"), "a bar does not end a cell: %s", text);
    cr_assert(strstr(text, "### x.cfg: `items`\n"), "%s", text);
    cr_assert(strstr(text, "| `name` | string | required | `name = \"shop\";` | n |\n"), "%s", text);
    cr_assert_null(strstr(text, "`line`"), "%s", text);
}
