/* test/unit/actions_test.c - the four actions: exact requests, and what each answer means. */
#include "actions/catalogue.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "actions/workload/write.h"
#include "rules/model/observation.h"
#include "test/kit/sample.h"

/* ---- the mapping of answers ---- */

struct answer_case {
    int code; /* enum err_code that kube_call returned */
    long status;
    int64_t retry_after_ms, sent_ms;
    int result; /* enum act_result */
    int64_t retry_ms;
    char word[40];
};

ParameterizedTestParameters(actions, map_every_answer_to_one_result)
{
    static struct answer_case cases[] = {
        { ERR_OK, 200, -1, 5, ACT_DONE, 0, "" },
        { ERR_OK, 202, -1, 5, ACT_DONE, 0, "" },
        { ERR_CONFLICT, 409, -1, 5, ACT_CONFLICT, 0, "409" },
        { ERR_CONFLICT, 422, -1, 5, ACT_CONFLICT, 0, "422" },
        { ERR_INVALID, 422, -1, 5, ACT_FAILED, 0, "422" },
        { ERR_NOT_FOUND, 404, -1, 5, ACT_FAILED, 0, "gone" },
        { ERR_REFUSED, 403, -1, 5, ACT_FAILED, 0, "grant heald \"patch x\"" },
        { ERR_REFUSED, 401, -1, 5, ACT_FAILED, 0, "401" },
        { ERR_INVALID, 400, -1, 5, ACT_FAILED, 0, "400" },
        { ERR_INVALID, 415, -1, 5, ACT_FAILED, 0, "415" },
        { ERR_INVALID, 302, -1, 5, ACT_FAILED, 0, "302" },
        { ERR_UNAVAILABLE, 429, 3000, 5, ACT_RETRY, 3000, "429" },
        { ERR_INVALID, 429, -1, 5, ACT_RETRY, WRITE_RETRY_MS, "429" },
        { ERR_UNAVAILABLE, 503, 2000, 5, ACT_RETRY, 2000, "503" },
        { ERR_UNAVAILABLE, 503, 0, 5, ACT_RETRY, WRITE_RETRY_MS, "503" },
        { ERR_INVALID, 503, -1, 5, ACT_UNKNOWN, 0, "503" },
        { ERR_UNAVAILABLE, 500, 1000, 5, ACT_UNKNOWN, 0, "500" },
        { ERR_INVALID, 500, -1, 5, ACT_UNKNOWN, 0, "500" },
        { ERR_INVALID, 502, -1, 5, ACT_UNKNOWN, 0, "502" },
        { ERR_UNKNOWN, 504, -1, 5, ACT_UNKNOWN, 0, "504" },
        { ERR_INVALID, 408, -1, 5, ACT_UNKNOWN, 0, "408" },
        { ERR_UNKNOWN, 200, -1, 5, ACT_UNKNOWN, 0, "200" }, /* a cut body */
        { ERR_LIMIT, 200, -1, 5, ACT_UNKNOWN, 0, "200" },
        { ERR_UNKNOWN, 0, -1, 5, ACT_UNKNOWN, 0, "no answer" },
        { ERR_LIMIT, 0, -1, 5, ACT_UNKNOWN, 0, "no answer" },
        { ERR_NOMEM, 0, -1, 5, ACT_UNKNOWN, 0, "no answer" },
        { ERR_UNAVAILABLE, 0, -1, 0, ACT_RETRY, WRITE_RETRY_MS, "not sent" },
        { ERR_NOMEM, 0, -1, 0, ACT_RETRY, WRITE_RETRY_MS, "not sent" },
        { ERR_IO, 0, -1, 0, ACT_RETRY, WRITE_RETRY_MS, "not sent" },
        { ERR_INVALID, 0, -1, 0, ACT_FAILED, 0, "not sent" },
        { ERR_REFUSED, 0, -1, 0, ACT_FAILED, 0, "not sent" },
    };
    return cr_make_param_array(struct answer_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct answer_case *c, actions, map_every_answer_to_one_result)
{
    struct kube_reply reply = { .status = c->status,
                                .retry_after_ms = c->retry_after_ms,
                                .sent_ms = c->sent_ms };
    struct err e = ERR_INIT;
    struct act_report r;
    memset(&r, 0xff, sizeof r);
    err_set(&e, (enum err_code)c->code, "%s", "because");
    write_report(&r, (enum err_code)c->code, &reply, &e, "patch x", "shop");
    cr_assert_eq((int)r.result, c->result, "code %d status %ld: %d \"%s\"", c->code, c->status, (int)r.result,
                 r.reason);
    cr_assert_eq(r.retry_ms, c->retry_ms);
    cr_assert_eq(r.sent_ms, c->sent_ms);
    cr_assert_not_null(strstr(r.reason, c->word), "\"%s\" should say \"%s\"", r.reason, c->word);
}

Test(actions, a_read_that_fails_never_leaves_a_doubt)
{
    struct act_report r;
    struct err e = ERR_INIT;
    err_set(&e, ERR_UNKNOWN, "timeout");
    write_read_failed(&r, ERR_UNKNOWN, &e, "checkout-a");
    cr_assert_eq(r.result, ACT_RETRY);
    cr_assert_eq(r.retry_ms, WRITE_RETRY_MS);
    cr_assert_eq(r.sent_ms, 0);
    write_read_failed(&r, ERR_NOT_FOUND, &e, "checkout-a");
    cr_assert_eq(r.result, ACT_FAILED);
    cr_assert_not_null(strstr(r.reason, "checkout-a"), "%s", r.reason);
}

/* ---- the catalogue ---- */

Test(catalogue, says_the_same_of_an_action_in_both_tables)
{
    size_t len = 0, specs_len = 0;
    const struct action *actions = catalogue(&len);
    const struct action_spec *specs = catalogue_specs(&specs_len);
    cr_assert_eq(len, specs_len);
    for (size_t k = 0; k < len; k++) {
        const struct action_spec *a = &actions[k].spec, *b = &specs[k];
        cr_assert_str_eq(a->name, b->name);
        cr_assert_eq(a->proof, b->proof);
        cr_assert_eq(a->needs, b->needs);
        cr_assert_not_null(actions[k].run);
        cr_assert_eq(catalogue_find(a->name), &actions[k]);
        cr_assert(strlen(a->help) > 0 && strlen(a->verbs) > 0);
        cr_assert_lt(strlen(a->name), ACTION_NAME_SIZE);
    }
    cr_assert_null(catalogue_find("reboot"));
}

Test(catalogue, knows_what_each_needs_and_shows)
{
    const struct action_spec *restart = &catalogue_find("restart")->spec,
                             *rollback = &catalogue_find("rollback")->spec;
    const struct action_spec *scale = &catalogue_find("scale")->spec,
                             *delete_pod = &catalogue_find("delete_pod")->spec;
    cr_assert_eq(restart->needs, 0u);
    cr_assert_eq(scale->needs, (unsigned)OBSERVE_HPA);
    cr_assert_eq(rollback->needs, (unsigned)(OBSERVE_HISTORY | OBSERVE_PODS));
    cr_assert_eq(delete_pod->needs, (unsigned)(OBSERVE_POD | OBSERVE_PDB));
    cr_assert_eq(restart->proof, PROOF_RESTARTED_AT);
    cr_assert_eq(rollback->proof, PROOF_TEMPLATE_HASH);
    cr_assert_eq(scale->proof, PROOF_REPLICAS);
    cr_assert_eq(delete_pod->proof, PROOF_POD_GONE);
    cr_assert_str_eq(scale->params[0].name, "replicas");
    cr_assert(scale->params[0].required);
    cr_assert_eq(scale->params[0].min, 1, "0 pods cannot be verified");
    cr_assert_eq(scale->params[0].max, 1000);
    cr_assert_str_eq(rollback->params[0].default_text, "last_stable");
    cr_assert_null(rollback->params[1].name);
    cr_assert_null(restart->params[0].name);
}
