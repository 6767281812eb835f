/* test/fuzz/policy_fuzz.c - any bytes as a policy: refused with an error, or read into a policy whose plans
 * survive the journal. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy.h"
#include "test/kit/catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the string it has read last when the text is malformed: not ours to mend. */
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "violated: %s\n", what);
    abort();
}

static char *written(struct json_writer *w, const struct plan *p)
{
    jw_reset(w);
    plan_write(w, p);
    const char *text = jw_text(w, NULL);
    expect(text != NULL, "a plan that was read can be written");
    return strdup(text);
}

static void check_plan(const struct plan *p)
{
    struct json_writer *w = NULL;
    struct json_doc *doc = NULL;
    struct plan *again = NULL;
    struct err e = ERR_INIT;
    expect(json_writer_new(&w, &e) == ERR_OK, "memory");
    char *first = written(w, p);
    expect(json_parse(&doc, first, strlen(first), &e) == ERR_OK, "a written plan is JSON");
    expect(plan_parse(&again, json_root(doc), kit_actions, KIT_ACTIONS_LEN, &e) == ERR_OK,
           "a written plan can be read");
    char *second = written(w, again);
    expect(strcmp(first, second) == 0, "and is written equally again");
    free(first);
    free(second);
    plan_free(again);
    json_free(doc);
    json_writer_free(w);
}

static void check_matchers(const struct matchers *list)
{
    for (size_t i = 0; i < list->len; i++) {
        struct buf text = BUF_INIT;
        struct matcher again = { .op = MATCH_EQUAL };
        matcher_format(&text, &list->list[i]);
        if (text.len <= MATCHER_TEXT_MAX) { /* escapes make it longer */
            expect(matcher_parse(&again, buf_text(&text), NULL) == ERR_OK, "a written matcher can be read");
            expect(strcmp(again.value, list->list[i].value) == 0, "and has the same value");
        }
        matcher_release(&again);
        buf_release(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *p = NULL;
    struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    enum err_code code =
        policy_load(&p, "policy.cfg", (const char *)data, size, kit_actions, KIT_ACTIONS_LEN, &errors, &e);
    expect((code == ERR_OK) == (p != NULL), "a policy is given on success only");
    expect((code == ERR_OK) == (errors.len == 0), "an error is said, on failure only");
    for (size_t i = 0; p && i < p->plans_len; i++)
        check_plan(&p->plans[i]);
    for (size_t i = 0; p && i < p->rules_len; i++) {
        check_matchers(&p->rules[i].match);
        expect(p->rules[i].plan != NULL && p->rules[i].match.len > 0,
               "a rule has a plan, and never matches everything unsaid");
    }
    policy_free(p);
    buf_release(&errors);
    return 0;
}
