/* test/unit/template_test.c - texts with references: read, filled in, encoded by where they stand. */
#include "rules/policy/template.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

static void fill(struct map *labels, struct map *annotations)
{
    cr_assert_eq(map_set(labels, "app", "Shop", NULL), ERR_OK);
    cr_assert_eq(map_set(labels, "evil", "a\"} or vector(1) #/../?x=1&y", NULL), ERR_OK);
    cr_assert_eq(map_set(labels, "dots", "..", NULL), ERR_OK);
    cr_assert_eq(map_set(labels, "tick", "a`b", NULL), ERR_OK);
    cr_assert_eq(map_set(labels, "long", "b\xC3\xA4r-1.2+3", NULL), ERR_OK);
    cr_assert_eq(map_set(labels, "empty", "", NULL), ERR_OK);
    cr_assert_eq(map_set(labels, "window", "5m", NULL), ERR_OK);
    cr_assert_eq(map_set(annotations, "say", "two\nlines", NULL), ERR_OK);
}

static enum err_code render(struct buf *ret, const char *text, enum template_place place, struct err *e)
{
    CLEANUP(map_release) struct map labels = MAP_INIT;
    CLEANUP(map_release) struct map annotations = MAP_INIT;
    struct target target = { .cluster = "c", .namespace = "n", .kind = "Deployment", .name = "web" };
    struct evidence evidence = EVIDENCE_INIT;
    text_copy(evidence.reason, sizeof evidence.reason, "CrashLoopBackOff");
    evidence.exit_code = 137;
    fill(&labels, &annotations);
    return template_render(
        ret, text, place,
        &(struct template_values){
            .labels = &labels, .annotations = &annotations, .target = &target, .evidence = &evidence },
        e);
}

struct filled {
    enum template_place place;
    char text[96], expected[128];
};

ParameterizedTestParameters(template, render_encodes_by_place)
{
    static struct filled cases[] = {
        { PLACE_TEXT, "no references", "no references" },
        { PLACE_TEXT, "${labels.app}-${target.kind}/${target.name}", "Shop-Deployment/web" },
        { PLACE_TEXT, "${target.cluster}:${target.namespace}", "c:n" },
        { PLACE_TEXT, "${evidence.reason} ${evidence.exit_code}", "CrashLoopBackOff 137" },
        { PLACE_TEXT, "${annotations.say}", "two lines" },
        { PLACE_TEXT, "${labels.none:-nobody}", "nobody" },
        { PLACE_TEXT, "${labels.empty:-nobody}", "nobody" },
        { PLACE_TEXT, "${labels.app:-nobody}", "Shop" },
        { PLACE_TEXT, "${labels.none:-}.", "." },
        { PLACE_TEXT, "${labels.none:-A|lower}", "a" },
        { PLACE_TEXT, "${labels.app|lower|cut 2}", "sh" },
        { PLACE_TEXT, "${labels.long|cut 2}", "b" },
        { PLACE_TEXT, "${labels.long|cut 3}", "b\xC3\xA4" },
        { PLACE_TEXT, "${labels.app|hash}", "716a5f24e3" },
        { PLACE_TEXT, "$${labels.app} costs 5$", "${labels.app} costs 5$" },
        { PLACE_NAME, "${labels.app|lower}-web", "shop-web" },
        { PLACE_SELECTOR, "app=${labels.app}", "app=Shop" },
        { PLACE_QUERY, "up{job=\"${labels.evil}\"}", "up{job=\"a\\\"} or vector(1) #/../?x=1&y\"}" },
        { PLACE_QUERY, "up{job='${labels.app}'}", "up{job='Shop'}" },
        { PLACE_QUERY, "up{job=~\"${labels.long}\"}", "up{job=~\"b\xC3\xA4r-1\\\\.2\\\\+3\"}" },
        { PLACE_QUERY, "up{job=~`${labels.long}`}", "up{job=~`b\xC3\xA4r-1\\.2\\+3`}" },
        { PLACE_QUERY, "{a=\"b\"} |~ \"${labels.long|cut 5}\"", "{a=\"b\"} |~ \"b\xC3\xA4r-\"" },
        { PLACE_QUERY, "rate(x[${labels.window}])", "rate(x[5m])" },
        { PLACE_QUERY, "a=\"\\\"${labels.evil|cut 2}\"", "a=\"\\\"a\\\"\"" },
        { PLACE_URL, "http://h/a/${labels.evil|cut 3}/b", "http://h/a/a%22%7D/b" },
        { PLACE_URL, "https://h/?q=${labels.evil}",
          "https://h/?q=a%22%7D%20or%20vector%281%29%20%23%2F..%2F%3Fx%3D1%26y" },
    };
    return cr_make_param_array(struct filled, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct filled *c, template, render_encodes_by_place)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    struct err e = ERR_INIT;
    cr_assert_eq(template_check(c->text, c->place, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(render(&b, c->text, c->place, &e), ERR_OK, "%s", e.msg);
    cr_assert_str_eq(buf_text(&b), c->expected);
}

struct refused {
    enum template_place place;
    bool at_use; /* the text is right, the value is not */
    char text[64], blamed[96];
};

ParameterizedTestParameters(template, what_cannot_stand_is_refused)
{
    static struct refused cases[] = {
        { PLACE_TEXT, false, "${labels.app", "is not closed" },
        { PLACE_TEXT, false, "${app}", "names nothing; write ${labels.x}" },
        { PLACE_TEXT, false, "${label.app}", "names nothing" },
        { PLACE_TEXT, false, "${labels.}", "needs a name" },
        { PLACE_TEXT, false, "${target.uid}", "it has name, namespace, kind and cluster" },
        { PLACE_TEXT, false, "${evidence.color}", "evidence has no \"color\"" },
        { PLACE_TEXT, false, "${labels.a|upper}", "no filter \"upper\"" },
        { PLACE_TEXT, false, "${labels.a|cut}", "cut with a number" },
        { PLACE_TEXT, false, "${labels.a|cut 0}", "cut with a number" },
        { PLACE_TEXT, false, "${labels.a|lower 3}", "is no filter" },
        { PLACE_TEXT, false, "${labels.a|lower|lower|lower|lower|lower}", "more than 4 filters" },
        { PLACE_NONE, false, "${labels.app}", "is taken as it is" },
        { PLACE_URL, false, "https://${labels.app}/x", "cannot choose whom to ask" },
        { PLACE_URL, false, "${labels.app}", "cannot choose whom to ask" },
        { PLACE_TEXT, true, "${labels.none}", "has no label \"none\"; it has app, dots" },
        { PLACE_TEXT, true, "${labels.empty}", "has no label \"empty\"" },
        { PLACE_TEXT, true, "${annotations.x}", "has no annotation \"x\"; it has say" },
        { PLACE_TEXT, true, "${evidence.pod}", "is not known" },
        { PLACE_TEXT, true, "${params.x}", "is not known" },
        { PLACE_NAME, true, "${labels.app}", "cannot be the name of an object" },
        { PLACE_NAME, true, "x-${labels.evil}", "cannot be the name" },
        { PLACE_SELECTOR, true, "app=${labels.evil}", "cannot be the value of a label" },
        { PLACE_QUERY, true, "rate(x[${labels.app}])", "only a number or a duration" },
        { PLACE_QUERY, true, "x=`${labels.tick}`", "has a backquote" },
        { PLACE_URL, true, "http://h/${labels.dots}/x", "cannot be a segment of a path" },
    };
    return cr_make_param_array(struct refused, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct refused *c, template, what_cannot_stand_is_refused)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    struct err e = ERR_INIT;
    enum err_code checked = template_check(c->text, c->place, &e);
    cr_assert_eq(checked == ERR_OK, c->at_use, "%s", e.msg);
    cr_assert_neq(render(&b, c->text, c->place, &e), ERR_OK);
    cr_assert(strstr(e.msg, c->blamed), "'%s' should say '%s'", e.msg, c->blamed);
}

Test(template, a_value_that_is_too_long_is_refused)
{
    char value[TEMPLATE_VALUE_MAX + 2];
    CLEANUP(map_release) struct map labels = MAP_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    memset(value, 'a', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    cr_assert_eq(map_set(&labels, "a", value, NULL), ERR_OK);
    struct template_values v = { .labels = &labels };
    cr_assert_eq(template_render(&b, "${labels.a}", PLACE_TEXT, &v, NULL), ERR_LIMIT);
}

static const char *param(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "app") == 0    ? "${labels.app}"
           : strcmp(name, "text") == 0 ? "Some Text"
           : strcmp(name, "both") == 0 ? "x-${labels.app}"
                                       : NULL;
}

struct substituted {
    char text[64], expected[64];
    bool open;
};

ParameterizedTestParameters(template, parameters_are_put_in)
{
    static struct substituted cases[] = {
        { "${params.app}-web", "${labels.app}-web", false },
        { "${params.app|lower|cut 3}", "${labels.app|lower|cut 3}", false },
        { "${params.text|lower}", "some text", false },
        { "${params.both}", "x-${labels.app}", false },
        { "${params.none:-5m}", "5m", false },
        { "${params.none}", "${params.none}", true },
        { "${labels.a} $${x}", "${labels.a} $${x}", false },
    };
    return cr_make_param_array(struct substituted, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct substituted *c, template, parameters_are_put_in)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    bool open = false;
    cr_assert_eq(template_substitute(&b, c->text, param, NULL, &open, NULL), ERR_OK);
    cr_assert_str_eq(buf_text(&b), c->expected);
    cr_assert_eq(open, c->open);
}

Test(template, filters_cannot_be_put_on_a_parameter_of_several_parts)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    struct err e = ERR_INIT;
    bool open = false;
    cr_assert_eq(template_substitute(&b, "${params.both|lower}", param, NULL, &open, &e), ERR_INVALID);
    cr_assert(strstr(e.msg, "put them into the parameter"), "%s", e.msg);
}

static void count(void *arg, const char *scope, const char *name, bool has_default)
{
    buf_addf(arg, "%s.%s%s ", scope, name, has_default ? "?" : "");
}

Test(template, each_reference_is_named)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    template_each("${labels.a} ${params.b:-x|lower} $${no} ${target.name}", count, &b);
    cr_assert_str_eq(buf_text(&b), "labels.a params.b? target.name ");
}
