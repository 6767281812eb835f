/* test/unit/cause_test.c - the class of cause that evidence points to, its fields, its record and its text.
 */
#include "rules/model/cause.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "test/kit/sample.h"

struct cause_case {
    char reason[40], ended[40];
    int32_t exit_code;
    bool probed;
    char message[64];
    char cause[16];
};

ParameterizedTestParameters(cause, is_told_by_reasons)
{
    static struct cause_case cases[] = {
        { "CrashLoopBackOff", "Error", 1, false, "", "crash" },
        { "CrashLoopBackOff", "Completed", 0, true, "", "crash" },
        { "CrashLoopBackOff", "", -1, false, "", "crash" },
        { "CrashLoopBackOff", "OOMKilled", 137, true, "", "oom" },
        { "", "OOMKilled", 137, false, "", "oom" },
        { "CrashLoopBackOff", "StartError", 128, false, "", "config" },
        { "CrashLoopBackOff", "Error", 137, true, "", "probe" },
        { "", "Error", 143, true, "", "probe" },
        { "CrashLoopBackOff", "Error", 137, false, "", "crash" },
        { "CrashLoopBackOff", "Error", 1, true, "", "crash" },
        { "ImagePullBackOff", "", -1, false, "", "image" },
        { "ErrImagePull", "Error", 1, false, "", "image" },
        { "CreateContainerConfigError", "", -1, false, "", "config" },
        { "Unschedulable", "", -1, false, "", "unschedulable" },
        { "ContainersNotReady", "", -1, false, "", "not_ready" },
        { "ReadinessGatesNotReady", "", -1, false, "", "not_ready" },
        { "FailedCreate", "", -1, false, "pods is forbidden: exceeded quota: tight", "quota" },
        { "FailedCreate", "", -1, false, "pods is forbidden: violates PodSecurity", "forbidden" },
        { "Evicted", "", -1, false, "", "node" },
        { "ContainerCreating", "", -1, false, "", "creating" },
        { "SomethingNew", "", -1, false, "", "unknown" },
        { "SomethingNew", "OOMKilled", 137, false, "", "oom" },
        { "", "", -1, true, "", "unknown" },
    };
    return cr_make_param_array(struct cause_case, cases, sizeof cases / sizeof cases[0]);
}

ParameterizedTest(struct cause_case *c, cause, is_told_by_reasons)
{
    struct evidence v = EVIDENCE_INIT;
    text_copy(v.reason, sizeof v.reason, c->reason);
    text_copy(v.ended, sizeof v.ended, c->ended);
    text_copy(v.message, sizeof v.message, c->message);
    v.exit_code = c->exit_code;
    v.probed = c->probed;
    cr_assert_str_eq(cause_name(cause_of(&v)), c->cause, "\"%s\" after \"%s\"", c->reason, c->ended);
}

Test(cause, words_are_the_names_in_order)
{
    struct buf words = BUF_INIT;
    for (int c = CAUSE_UNKNOWN; c <= CAUSE_CREATING; c++)
        buf_addf(&words, "%s%s", c ? "|" : "", cause_name((enum cause)c));
    cr_assert_str_eq(buf_text(&words), CAUSE_WORDS);
    buf_release(&words);
}

static struct evidence full(void)
{
    return (struct evidence){ .cause = CAUSE_OOM,
                              .probed = true,
                              .reason = "CrashLoopBackOff",
                              .ended = "OOMKilled",
                              .exit_code = 137,
                              .restarts = 5,
                              .container = "app",
                              .pod = "checkout-x",
                              .node = "worker-07",
                              .message = "back-off 2m40s" };
}

Test(evidence, every_named_field_can_be_asked)
{
    char words[] = EVIDENCE_WORDS, number[EVIDENCE_NUMBER_SIZE], *save = NULL;
    struct evidence v = full(), none = EVIDENCE_INIT;
    size_t n = 0;
    for (char *w = strtok_r(words, "|", &save); w; w = strtok_r(NULL, "|", &save), n++) {
        const char *text = evidence_field(&v, w, number);
        cr_assert(text && *text, "\"%s\" has no text", w);
        cr_assert_str_eq(evidence_field(&none, w, number), "", "\"%s\" is not known", w);
    }
    cr_assert_eq(n, 8);
    cr_assert_str_eq(evidence_field(&v, "exit_code", number), "137");
    cr_assert_str_eq(evidence_field(&v, "restarts", number), "5");
    cr_assert_str_eq(evidence_field(&v, "ended", number), "OOMKilled");
    cr_assert_null(evidence_field(&v, "colour", number));
}

static struct evidence through_json(const struct evidence *v)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    struct evidence back;
    size_t len = 0;
    cr_assert_eq(json_writer_new(&w, NULL), ERR_OK);
    evidence_write(w, v);
    const char *text = jw_text(w, &len);
    cr_assert_not_null(text);
    cr_assert_eq(json_parse(&doc, text, len, NULL), ERR_OK);
    evidence_read(&back, json_root(doc));
    return back;
}

Test(evidence, comes_back_from_its_record)
{
    struct evidence v = full(), none = EVIDENCE_INIT, back = through_json(&v), still = through_json(&none);
    cr_assert_eq(back.cause, CAUSE_OOM);
    cr_assert(back.probed);
    cr_assert_str_eq(back.reason, v.reason);
    cr_assert_str_eq(back.ended, v.ended);
    cr_assert_eq(back.exit_code, 137);
    cr_assert_eq(back.restarts, 5);
    cr_assert_str_eq(back.container, v.container);
    cr_assert_str_eq(back.pod, v.pod);
    cr_assert_str_eq(back.node, v.node);
    cr_assert_str_eq(back.message, v.message);
    cr_assert_eq(still.exit_code, -1);
    cr_assert_eq(still.restarts, -1);
    cr_assert_eq(still.cause, CAUSE_UNKNOWN);
}

Test(evidence, of_an_older_or_newer_journal_is_read_as_far_as_it_goes)
{
    struct evidence v;
    CLEANUP(json_freep)
    struct json_doc *doc =
        sample_text("{'cause':'aliens','exit_code':-7,'restarts':'many','colour':1,'pod':7}");
    evidence_read(&v, json_root(doc));
    cr_assert_eq(v.cause, CAUSE_UNKNOWN);
    cr_assert_eq(v.exit_code, -1);
    cr_assert_eq(v.restarts, -1);
    cr_assert_str_eq(v.pod, "");
    evidence_read(&v, NULL);
    cr_assert_eq(v.exit_code, -1);
}

Test(evidence, reads_like_a_sentence)
{
    char text[300], little[24];
    struct evidence v = full(), none = EVIDENCE_INIT;
    struct evidence quota = EVIDENCE_INIT, node = EVIDENCE_INIT;
    evidence_say(text, sizeof text, &v);
    cr_assert_str_eq(text,
                     "oom: container \"app\" of pod \"checkout-x\" on node \"worker-07\", CrashLoopBackOff "
                     "after OOMKilled (exit code 137), 5 restarts: back-off 2m40s");
    evidence_say(text, sizeof text, &none);
    cr_assert_str_eq(text, "unknown");
    quota.cause = CAUSE_QUOTA;
    text_copy(quota.reason, sizeof quota.reason, "FailedCreate");
    text_copy(quota.message, sizeof quota.message, "exceeded quota");
    evidence_say(text, sizeof text, &quota);
    cr_assert_str_eq(text, "quota: FailedCreate: exceeded quota");
    node.cause = CAUSE_NODE;
    text_copy(node.pod, sizeof node.pod, "p");
    evidence_say(text, sizeof text, &node);
    cr_assert_str_eq(text, "node: pod \"p\"");
    evidence_say(little, sizeof little, &v);
    cr_assert_str_eq(little, "oom: container \"app\" of");
}
