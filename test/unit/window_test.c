/* test/unit/window_test.c - calendar windows, with the clock put forward and back. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/policy.h"
#include "test/kit/catalogue.h"

/* Berlin in 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC. */
static enum err_code find_zone(void *arg, const char *name, struct zone **ret, struct err *e)
{
    static const struct zone_change changes[] = { { 1774746000, 7200 }, { 1792890000, 3600 } };
    (void)arg;
    if (strcmp(name, "Europe/Berlin") != 0)
        return err_set(e, ERR_NOT_FOUND, "there is no \"%s\"", name);
    return zone_new(ret, 3600, changes, 2, e);
}

static enum err_code load(struct policy **ret, const char *windows, struct buf *errors)
{
    static const struct policy_shell shell = { .zone = find_zone };
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    buf_addf(&text, "version = 1; windows = ( %s );", windows);
    return policy_load_with(ret, "policy.cfg", buf_text(&text), text.len, kit_actions, KIT_ACTIONS_LEN,
                            &shell, errors, NULL);
}

static struct policy *loaded(const char *windows)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(load(&p, windows, &errors), ERR_OK, "%s", buf_text(&errors));
    return p;
}

static int64_t at(const char *text)
{
    int64_t ms = 0;
    cr_assert_eq(time_parse(&ms, text, strlen(text), NULL), ERR_OK, "%s", text);
    return ms;
}

struct when {
    char window[160], time[32];
    bool open;
    char changes[32]; /* "" is never */
};

#define BERLIN " zone = \"Europe/Berlin\"; }"
#define OFFICE "{ name = \"w\"; days = \"Mon-Fri\"; from = \"09:00\"; to = \"17:00\";" BERLIN
#define NIGHT "{ name = \"w\"; days = \"Sat\"; from = \"22:00\"; to = \"06:00\";" BERLIN
#define GAP "{ name = \"w\"; from = \"02:15\"; to = \"02:45\";" BERLIN
#define CHRISTMAS "{ name = \"w\"; dates = \"2026-12-24..2026-12-26\";" BERLIN

ParameterizedTestParameters(window, open_by_the_clock_on_the_wall)
{
    static struct when cases[] = {
        { OFFICE, "2026-01-05T07:59:59Z", false, "2026-01-05T08:00:00Z" }, /* a Monday in winter */
        { OFFICE, "2026-01-05T08:00:00Z", true, "2026-01-05T16:00:00Z" },
        { OFFICE, "2026-01-05T16:00:00Z", false, "2026-01-06T08:00:00Z" },
        { OFFICE, "2026-07-06T07:00:00Z", true, "2026-07-06T15:00:00Z" },  /* a Monday in summer */
        { OFFICE, "2026-07-10T15:00:00Z", false, "2026-07-13T07:00:00Z" }, /* over the weekend */
        { OFFICE, "2026-03-27T16:00:00Z", false,
          "2026-03-30T07:00:00Z" }, /* over the change to summer time */
        { NIGHT, "2026-01-03T20:59:00Z", false, "2026-01-03T21:00:00Z" },
        { NIGHT, "2026-01-04T04:59:00Z", true, "2026-01-04T05:00:00Z" },  /* Sunday morning belongs to it */
        { NIGHT, "2026-01-03T04:00:00Z", false, "2026-01-03T21:00:00Z" }, /* Saturday morning does not */
        { NIGHT, "2026-03-28T22:00:00Z", true, "2026-03-29T04:00:00Z" },  /* the night with a gap */
        { NIGHT, "2026-10-24T21:00:00Z", true, "2026-10-25T05:00:00Z" },  /* the night with an hour more */
        { GAP, "2026-03-28T23:30:00Z", false, "2026-03-30T00:15:00Z" },   /* skipped on the 29th */
        { GAP, "2026-10-25T00:20:00Z", true, "2026-10-25T00:45:00Z" },    /* twice on the 25th of October */
        { GAP, "2026-10-25T00:50:00Z", false, "2026-10-25T01:15:00Z" },
        { GAP, "2026-10-25T01:20:00Z", true, "2026-10-25T01:45:00Z" },
        { CHRISTMAS, "2026-12-23T22:59:59Z", false, "2026-12-23T23:00:00Z" },
        { CHRISTMAS, "2026-12-26T22:59:59Z", true, "2026-12-26T23:00:00Z" },
        { CHRISTMAS, "2026-12-26T23:00:00Z", false, "" },
        { "{ name = \"w\"; }", "2026-12-26T23:00:00Z", true, "" },
        { "{ name = \"w\"; days = \"Sat,Sun\"; }", "2026-01-04T12:00:00Z", true, "2026-01-05T00:00:00Z" },
        { "{ name = \"w\"; days = \"Fri-Mon\"; }", "2026-01-02T00:00:00Z", true, "2026-01-06T00:00:00Z" },
        { "{ name = \"w\"; dates = [ \"2026-01-05\", \"2026-01-07\" ]; from = \"23:00\"; to = \"01:00\"; }",
          "2026-01-06T00:30:00Z", true, "2026-01-06T01:00:00Z" },
    };
    return cr_make_param_array(struct when, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct when *c, window, open_by_the_clock_on_the_wall)
{
    CLEANUP(policy_freep) struct policy *p = loaded(c->window);
    int64_t now = at(c->time), changes = window_changes_ms(policy_window(p, "w"), now);
    char text[TIME_TEXT_SIZE] = "";
    cr_assert_eq(window_open(policy_window(p, "w"), now), c->open);
    if (changes != INT64_MAX)
        time_format_seconds(text, changes);
    cr_assert_str_eq(text, c->changes);
}

Test(window, the_first_open_one_of_a_list_is_found)
{
    CLEANUP(policy_freep)
    struct policy *p = loaded("{ name = \"a\"; days = \"Mon\"; }, { name = \"b\"; days = \"Mon-Tue\"; }");
    char a[] = "a", b[] = "b", gone[] = "gone", *words[] = { a, b, gone };
    struct config_strings names = { .list = words, .len = 3 };
    cr_assert_str_eq(policy_open_window(p, &names, at("2026-01-05T12:00:00Z"))->name, "a");
    cr_assert_str_eq(policy_open_window(p, &names, at("2026-01-06T12:00:00Z"))->name, "b");
    cr_assert_null(policy_open_window(p, &names, at("2026-01-07T12:00:00Z")));
    cr_assert_null(policy_window(p, "gone"));
}

struct bad {
    char window[160], blamed[96];
};

ParameterizedTestParameters(window, load_refuses_with_a_remedy)
{
    static struct bad cases[] = {
        { "{ }", "key \"name\" is missing" },
        { "{ name = \"w\"; days = \"Monday\"; }", "write Mon, Tue" },
        { "{ name = \"w\"; days = \"\"; }", "write Mon, Tue" },
        { "{ name = \"w\"; days = \"Mon-\"; }", "write Mon, Tue" },
        { "{ name = \"w\"; from = \"9:00\"; }", "a time of day from \"00:00\" to \"24:00\"" },
        { "{ name = \"w\"; to = \"24:01\"; }", "a time of day" },
        { "{ name = \"w\"; from = \"-1:00\"; }", "a time of day" },
        { "{ name = \"w\"; from = \"09:00\"; to = \"09:00\"; }", "the window is never open" },
        { "{ name = \"w\"; from = \"24:00\"; to = \"01:00\"; }", "the window is never open" },
        { "{ name = \"w\"; dates = \"2026-02-30\"; }", "is no date" },
        { "{ name = \"w\"; dates = \"2026-02-03..2026-02-01\"; }", "ends before it begins" },
        { "{ name = \"w\"; dates = [ ]; }", "an array of 1 to 64 dates" },
        { "{ name = \"w\"; zone = \"Berlin\"; }", "time zone \"Berlin\" cannot be used" },
        { "{ name = \"w\"; }, { name = \"w\"; }", "names are unique" },
    };
    return cr_make_param_array(struct bad, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct bad *c, window, load_refuses_with_a_remedy)
{
    struct policy *p = NULL;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    cr_assert_eq(load(&p, c->window, &errors), ERR_INVALID, "'%s' should be refused", c->window);
    cr_assert(strstr(buf_text(&errors), c->blamed), "'%s' should say '%s'", buf_text(&errors), c->blamed);
}

Test(window, a_zone_out_of_order_is_refused)
{
    static const struct zone_change changes[] = { { 10, 0 }, { 10, 3600 } };
    static const struct zone_change far_off[] = { { 10, 27 * 3600 } };
    struct zone *z = NULL;
    cr_assert_eq(zone_new(&z, 0, changes, 2, NULL), ERR_INVALID);
    cr_assert_eq(zone_new(&z, 0, far_off, 1, NULL), ERR_INVALID);
    cr_assert_eq(zone_new(&z, 0, changes, ZONE_CHANGES_MAX + 1, NULL), ERR_LIMIT);
    cr_assert_null(z);
}
