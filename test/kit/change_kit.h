/* test/kit/change_kit.h - asks actions that set fields what they would change in an object of the test. */
#ifndef TEST_KIT_CHANGE_KIT_H
#define TEST_KIT_CHANGE_KIT_H

#include <criterion/criterion.h>

#include "actions/catalogue.h"
#include "test/kit/sample.h"

static const struct target target = {
    .cluster = "prod-1", .namespace = "shop", .kind = "Deployment", .name = "web", .uid = "u-1"
};

/* Ask an action what it would change in the object; single quotes stand for double ones. */
static inline struct observation look(const char *action, const char *object, const char *params)
{
    CLEANUP(json_freep) struct json_doc *o = sample_text(object);
    CLEANUP(json_freep) struct json_doc *p = sample_text(params);
    struct observation seen;
    struct err e = ERR_INIT;
    struct change_ask a = { .target = &target, .object = json_root(o), .params = json_root(p) };
    memset(&seen, 0, sizeof seen);
    cr_assert_eq(change_look(&a, catalogue_find(action)->prepare, &seen, &e), ERR_OK, "%s", e.msg);
    return seen;
}

static inline void expect_json(const char *got, const char *want)
{
    CLEANUP(json_freep) struct json_doc *wanted = sample_text(want);
    CLEANUP(json_freep) struct json_doc *is = sample_text(got);
    cr_assert(json_equal(json_root(wanted), json_root(is)), "got  %s\nwant %s", got, want);
}

static inline void possible(const char *action, const char *object, const char *params, const char *want,
                            const char *say)
{
    struct observation o = look(action, object, params);
    cr_assert_eq(o.change, CHANGE_POSSIBLE, "%s", o.change_say);
    expect_json(o.change_text, want);
    cr_assert_str_eq(o.change_say, say);
}

static inline void refused(const char *action, const char *object, const char *params, const char *why)
{
    struct observation o = look(action, object, params);
    cr_assert_eq(o.change, CHANGE_IMPOSSIBLE, "%s", o.change_text);
    cr_assert_not_null(strstr(o.change_say, why), "\"%s\" should say \"%s\"", o.change_say, why);
}

static inline int64_t engine_now(void *ctx)
{
    (void)ctx;
    return 1787217310000;
}

static inline struct intent intent_of(const char *change, bool rolls)
{
    struct intent i;
    memset(&i, 0, sizeof i);
    snprintf(i.incident, sizeof i.incident, "i-7");
    snprintf(i.step, sizeof i.step, "steps.0");
    snprintf(i.action, sizeof i.action, "set_env");
    i.attempt = i.write = 1;
    i.proof = PROOF_CHANGE;
    i.rolls = rolls;
    i.target = target;
    i.at_ms = engine_now(NULL);
    i.expires_ms = i.at_ms + INTENT_EXPIRES_MS;
    snprintf(i.resource_version, sizeof i.resource_version, "41");
    CLEANUP(json_freep) struct json_doc *doc = sample_text(change);
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    json_write(&text, json_root(doc), false);
    snprintf(i.change, sizeof i.change, "%s", buf_text(&text));
    return i;
}

#endif
