#include "receiver/rehearse/script.h"

#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/policy.h"
#include "rules/policy/source.h"

#define SECOND_MS 1000ll
#define DAY_MS 86400000ll
#define START_TEXT "2026-01-05T09:00:00Z"

static void parse_start(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg);
static void check_event(struct config_text *text, const config_setting_t *group, void *target,
                        const void *arg);
static void check_expect(struct config_text *text, const config_setting_t *group, void *target,
                         const void *arg);

#define TEXT_KEY(type_, name_, member_, help_)                                                               \
    {                                                                                                        \
        .name = name_, .type = CONFIG_STRING, .offset = offsetof(type_, member_), .help = help_              \
    }

static const struct config_key object_keys[] = {
    { .name = "namespace",
      .type = CONFIG_STRING,
      .default_text = "default",
      .offset = offsetof(struct script_object, namespace),
      .help = "Its namespace." },
    { .name = "name",
      .type = CONFIG_STRING,
      .offset = offsetof(struct script_object, name),
      .help = "Its name; taken from `manifest` when that is given." },
    { .name = "kind",
      .type = CONFIG_STRING,
      .default_text = "Deployment",
      .offset = offsetof(struct script_object, kind),
      .help = "As Kubernetes names it: `\"Deployment\"`, `\"Job\"`, `\"Node\"`, ..." },
    { .name = "cluster",
      .type = CONFIG_STRING,
      .default_text = "local",
      .offset = offsetof(struct script_object, cluster),
      .help = "The cluster's name." },
    { .name = "labels",
      .type = CONFIG_CUSTOM,
      .parse = source_parse_force,
      .unit = "group of labels",
      .offset = offsetof(struct script_object, labels),
      .help = "Its labels; only a `selector` looks at them." },
    { .name = "manifest",
      .type = CONFIG_STRING,
      .min = 1,
      .offset = offsetof(struct script_object, manifest),
      .help =
          "A file with the object as Kubernetes has it, in YAML or JSON, beside this one: namespace, "
          "name, kind, labels, replicas, owner and `heald.dev/ignore` come from there, and a name for the "
          "template, which is the first container's image without its registry: `\"web:v2\"`." },
    { .name = "template",
      .type = CONFIG_STRING,
      .min = 1,
      .max = 30,
      .default_text = "v1",
      .offset = offsetof(struct script_object, template),
      .help = "A name for its pod template." },
    { .name = "owner",
      .type = CONFIG_STRING,
      .offset = offsetof(struct script_object, owner),
      .help = "Who else manages it, such as `\"Helm release shop\"`." },
    { .name = "replicas",
      .type = CONFIG_INT,
      .min = 0,
      .max = 10000,
      .default_text = "2",
      .offset = offsetof(struct script_object, replicas),
      .help = "How many pods it wants." },
    { .name = "proven",
      .type = CONFIG_BOOL,
      .default_text = "true",
      .offset = offsetof(struct script_object, proven),
      .help = "Whether its template was proven well before." },
    { .name = "ignored",
      .type = CONFIG_BOOL,
      .default_text = "false",
      .offset = offsetof(struct script_object, ignored),
      .help = "Whether it says heald.dev/ignore: \"true\"." },
    { .name = "rollout",
      .type = CONFIG_DURATION,
      .min = 0,
      .max = DAY_MS,
      .default_text = "20s",
      .offset = offsetof(struct script_object, rollout_ms),
      .help = "How long a new template takes until it is rolled out." },
    { .name = "pods",
      .type = CONFIG_STRINGS,
      .min = 1,
      .len_max = 100,
      .offset = offsetof(struct script_object, pods),
      .help = "Names of its pods as alerts say them; left out: every name that begins with the object's and "
              "a dash." },
    { .name = "line", .type = CONFIG_LINE, .offset = offsetof(struct script_object, line), .help = "" },
    { .name = NULL },
};

#define LABELS_KEY(name_, help_)                                                                             \
    {                                                                                                        \
        .name = #name_, .type = CONFIG_CUSTOM, .parse = source_parse_force, .unit = "group of labels",       \
        .offset = offsetof(struct script_event, name_), .help = help_                                        \
    }
static const struct config_key event_keys[] = {
    { .name = "at",
      .type = CONFIG_DURATION,
      .required = true,
      .min = 0,
      .max = 366 * DAY_MS,
      .offset = offsetof(struct script_event, at_ms),
      .help = "When, since the test's begin." },
    TEXT_KEY(struct script_event, "object", object, "What it happens to: `\"namespace/name\"`."),
    TEXT_KEY(struct script_event, "deploys", deploys, "Somebody rolls out this template."),
    TEXT_KEY(struct script_event, "manifest", manifest,
             "Somebody applies this file: a workload as Kubernetes has it, in YAML or JSON, that stands "
             "among `objects`; its replicas, template and owner become those of the file."),
    TEXT_KEY(struct script_event, "breaks", breaks, "It breaks, and its pods' status gives this reason."),
    { .name = "cause",
      .type = CONFIG_STRING,
      .default_text = "crash",
      .offset = offsetof(struct script_event, cause),
      .help = "With `breaks`: the cause that the status points to." },
    { .name = "exit_code",
      .type = CONFIG_INT,
      .min = -1,
      .max = 255,
      .default_text = "1",
      .offset = offsetof(struct script_event, exit_code),
      .help = "With `breaks`: the container's last exit code; -1: none." },
    { .name = "mended_by",
      .type = CONFIG_STRINGS,
      .len_max = 16,
      .offset = offsetof(struct script_event, mended_by),
      .help = "With `breaks`: the actions after which it is well again; left out: none." },
    { .name = "available",
      .type = CONFIG_INT,
      .min = 0,
      .max = 10000,
      .default_text = "0",
      .offset = offsetof(struct script_event, available),
      .help = "With `breaks`: how many of its pods stay available." },
    { .name = "worsened_by",
      .type = CONFIG_STRINGS,
      .len_max = 16,
      .offset = offsetof(struct script_event, worsened_by),
      .help = "With `breaks`: the actions after which none of its pods is available." },
    { .name = "mends",
      .type = CONFIG_BOOL,
      .default_text = "false",
      .offset = offsetof(struct script_event, mends),
      .help = "It is well again by itself." },
    { .name = "scales",
      .type = CONFIG_INT,
      .min = -1,
      .max = 10000,
      .default_text = "-1",
      .offset = offsetof(struct script_event, scales),
      .help = "Somebody sets its replicas." },
    LABELS_KEY(fires, "An alert with these labels fires."),
    LABELS_KEY(resolves, "The alert with these labels resolves."),
    LABELS_KEY(annotations, "With `fires`: the alert's annotations."),
    { .name = "since",
      .type = CONFIG_DURATION,
      .min = 0,
      .max = 366 * DAY_MS,
      .default_text = "0",
      .offset = offsetof(struct script_event, since_ms),
      .help = "With `fires`: it began so long before." },
    { .name = "source",
      .type = CONFIG_STRING,
      .default_text = "alertmanager",
      .offset = offsetof(struct script_event, source),
      .help = "With `fires` and `resolves`: the source." },
    TEXT_KEY(struct script_event, "quiet_with", quiet_with,
             "With `fires`: the alert resolves by itself when this object is well again."),
    { .name = "say",
      .type = CONFIG_CHOICE,
      .choices = SCRIPT_SAY_WORDS,
      .default_text = "nothing",
      .offset = offsetof(struct script_event, say),
      .help = "An operator's word, on the oldest open incident, or on everything." },
    { .name = "who",
      .type = CONFIG_STRING,
      .default_text = "oncall",
      .offset = offsetof(struct script_event, who),
      .help = "With `say`: who." },
    { .name = "reason",
      .type = CONFIG_STRING,
      .default_text = "the test says so",
      .offset = offsetof(struct script_event, reason),
      .help = "With `say`: why." },
    { .name = "groups",
      .type = CONFIG_STRINGS,
      .len_max = 8,
      .offset = offsetof(struct script_event, groups),
      .help = "With `say`: the roles that this person may approve for." },
    TEXT_KEY(struct script_event, "query", query,
             "From now on this PromQL or LogQL query, or URL, is answered with `values` or `status`."),
    { .name = "values",
      .type = CONFIG_STRINGS,
      .len_max = 64,
      .offset = offsetof(struct script_event, values),
      .help = "With `query`: numbers in quotes, one for each series; left out: there is no data." },
    { .name = "status",
      .type = CONFIG_INT,
      .min = 0,
      .max = 599,
      .default_text = "0",
      .offset = offsetof(struct script_event, status),
      .help = "With `query`: the HTTP status of a URL; 0: no answer." },
    TEXT_KEY(struct script_event, "body", body,
             "With `status`: what the URL answers; left out: whatever is looked for in it."),
    TEXT_KEY(struct script_event, "policy", policy, "From now on this policy file is in force."),
    { .name = "line", .type = CONFIG_LINE, .offset = offsetof(struct script_event, line), .help = "" },
    { .name = NULL },
};

static const struct config_key expect_keys[] = {
    TEXT_KEY(struct script_expect, "rule", rule, "An incident of this rule is opened."),
    TEXT_KEY(struct script_expect, "target", target, "Its target is found: `\"namespace/Kind/name\"`."),
    TEXT_KEY(struct script_expect, "mode", mode, "With `target`: the mode."),
    TEXT_KEY(struct script_expect, "do", action, "A write is begun by this action."),
    TEXT_KEY(struct script_expect, "step", step, "With `do`, `verdict`, `refused`: the step's path."),
    TEXT_KEY(struct script_expect, "with", with,
             "With `do`: the replicas, or the template's name, that it leads to."),
    TEXT_KEY(struct script_expect, "verdict", verdict, "`\"fixed\"`, `\"not_fixed\"` or `\"unknown\"`."),
    TEXT_KEY(struct script_expect, "refused", refused, "This guard refuses or delays a step."),
    TEXT_KEY(struct script_expect, "asked", asked, "A person's yes is asked for: the role, or `\"\"`."),
    TEXT_KEY(struct script_expect, "notify", notify, "This receiver is told."),
    TEXT_KEY(struct script_expect, "outcome", outcome, "An incident ends so."),
    TEXT_KEY(struct script_expect, "says", says, "The reason contains this text."),
    { .name = "after",
      .type = CONFIG_DURATION,
      .min = 0,
      .max = 366 * DAY_MS,
      .default_text = "0",
      .offset = offsetof(struct script_expect, after_ms),
      .help = "Not before, since the test's begin." },
    { .name = "by",
      .type = CONFIG_DURATION,
      .none = true,
      .min = 0,
      .max = 366 * DAY_MS,
      .default_text = "none",
      .offset = offsetof(struct script_expect, by_ms),
      .help = "Not later." },
    { .name = "line", .type = CONFIG_LINE, .offset = offsetof(struct script_expect, line), .help = "" },
    { .name = NULL },
};

#define LIST_KEY(name_, keys_, check_, max_, help_)                                                          \
    {                                                                                                        \
        .name = #name_, .type = CONFIG_LIST, .keys = keys_, .check = check_, .len_max = max_,                \
        .item_size = sizeof(*((struct script_test *)0)->name_),                                              \
        .offset = offsetof(struct script_test, name_), .help = help_                                         \
    }
static const struct config_key test_keys[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .required = true,
      .min = 1,
      .max = 200,
      .offset = offsetof(struct script_test, name),
      .help = "A sentence." },
    { .name = "start",
      .type = CONFIG_CUSTOM,
      .parse = parse_start,
      .unit = "time",
      .default_text = "\"" START_TEXT "\"",
      .offset = offsetof(struct script_test, start_ms),
      .help = "The wall clock when it begins (a Monday morning, when left out)." },
    { .name = "until",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = 366 * DAY_MS,
      .default_text = "2h",
      .offset = offsetof(struct script_test, until_ms),
      .help = "How long it is played." },
    LIST_KEY(objects, object_keys, NULL, SCRIPT_OBJECTS_MAX, "Workloads of the cluster."),
    LIST_KEY(events, event_keys, check_event, SCRIPT_EVENTS_MAX, "What happens."),
    LIST_KEY(expect, expect_keys, check_expect, SCRIPT_EXPECT_MAX,
             "What heald does, in this order. Writes and outcomes that do not stand here fail the test."),
    { .name = "exactly",
      .type = CONFIG_BOOL,
      .default_text = "false",
      .offset = offsetof(struct script_test, exactly),
      .help = "Refusals and notifications that do not stand in `expect` fail the test too." },
    { .name = "line", .type = CONFIG_LINE, .offset = offsetof(struct script_test, line), .help = "" },
    { .name = NULL },
};

const struct config_key script_keys[] = {
    { .name = "version",
      .type = CONFIG_INT,
      .required = true,
      .min = 1,
      .max = 1,
      .offset = offsetof(struct script, version),
      .help = "Write version = 1." },
    { .name = "policy",
      .type = CONFIG_STRING,
      .required = true,
      .min = 1,
      .offset = offsetof(struct script, policy),
      .help = "The policy to test, relative to this file's folder." },
    { .name = "prometheus",
      .type = CONFIG_BOOL,
      .default_text = "true",
      .offset = offsetof(struct script, prometheus),
      .help = "Whether heald can ask a Prometheus for the alerts." },
    { .name = "tests",
      .type = CONFIG_LIST,
      .keys = test_keys,
      .len_max = SCRIPT_TESTS_MAX,
      .item_size = sizeof(struct script_test),
      .offset = offsetof(struct script, tests),
      .help = "The tests." },
    { .name = NULL },
};

static void parse_start(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg)
{
    const char *value = config_get_text(text, setting);
    struct err e = ERR_INIT;
    (void)arg;
    if (value && time_parse(field, value, strlen(value), &e) != ERR_OK)
        config_error(text, setting, "\"start\": %s; write a time such as \"" START_TEXT "\"", e.msg);
}

static void check_event(struct config_text *text, const config_setting_t *group, void *target,
                        const void *arg)
{
    const struct script_event *v = target;
    bool changes = v->deploys || v->breaks || v->mends || v->scales >= 0;
    (void)arg;
    if (changes && !v->object && !v->manifest)
        config_error(text, group, "it needs object = \"namespace/name\": what does it happen to?");
    if (!changes && !v->fires.len && !v->resolves.len && !v->say && !v->query && !v->policy && !v->manifest)
        config_error(text, group,
                     "nothing happens here; write fires, resolves, deploys, breaks, mends, scales, say, "
                     "query or policy");
}

static void check_expect(struct config_text *text, const config_setting_t *group, void *target,
                         const void *arg)
{
    const struct script_expect *x = target;
    (void)arg;
    if (!x->rule && !x->target && !x->action && !x->verdict && !x->refused && !x->asked && !x->notify &&
        !x->outcome)
        config_error(
            text, group,
            "nothing is expected here; write rule, target, do, verdict, refused, asked, notify or outcome");
}

static void check_tests(struct config_text *text, const config_setting_t *root, void *target, const void *arg)
{
    const struct script *s = target;
    (void)arg;
    if (!s->tests_len)
        config_error(text, root, "there is no test; write tests = ( { name = \"...\"; } )");
}

enum err_code script_parse(struct script *ret, const char *name, const char *bytes, size_t len,
                           struct buf *ret_errors, struct err *e)
{
    return config_parse_checked(name, bytes, len, script_keys, ret, NULL, check_tests, ret_errors, e);
}

void script_release(struct script *s)
{
    for (size_t i = 0; i < s->tests_len; i++) {
        for (size_t k = 0; k < s->tests[i].objects_len; k++)
            map_release(&s->tests[i].objects[k].labels);
        for (size_t k = 0; k < s->tests[i].events_len; k++) {
            map_release(&s->tests[i].events[k].fires);
            map_release(&s->tests[i].events[k].resolves);
            map_release(&s->tests[i].events[k].annotations);
        }
    }
    config_release(script_keys, s);
}
