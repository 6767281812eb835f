/* What `when`, `wait` and `verify` may ask, as it stands in a policy. */
#include <stdlib.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/policy_internal.h"

static void parse_evidence(struct config_text *text, const config_setting_t *setting, void *field,
                           const void *arg);
static void parse_not(struct config_text *text, const config_setting_t *setting, void *field,
                      const void *arg);
static void parse_any(struct config_text *text, const config_setting_t *setting, void *field,
                      const void *arg);
static void check_http(struct config_text *text, const config_setting_t *group, void *target,
                       const void *arg);

static const struct config_key query_keys[] = {
    { .name = "query",
      .type = CONFIG_STRING,
      .place = PLACE_QUERY,
      .required = true,
      .min = 1,
      .max = PROBE_TEXT_SIZE - 1,
      .offset = offsetof(struct query, query),
      .help = "The query; `${labels.x}` and the like are put in, quoted as the language wants it." },
    { .name = "is",
      .type = CONFIG_STRING,
      .min = 1,
      .offset = offsetof(struct query, is),
      .help = "What every series' newest value must satisfy: `\"> 0.5\"`, with `<`, `<=`, `==`, `!=`, `>=`, "
              "`>`; `\"empty\"`: there is no series; `\"any\"` (left out): "
              "there is one. No answer is neither." },
    { .name = NULL },
};

static const struct config_key http_keys[] = {
    { .name = "url",
      .type = CONFIG_STRING,
      .place = PLACE_URL,
      .required = true,
      .min = 1,
      .max = PROBE_TEXT_SIZE - 1,
      .offset = offsetof(struct http_probe, url),
      .help = "Asked by GET; its host must stand in heald.cfg." },
    { .name = "status",
      .type = CONFIG_INT,
      .min = 100,
      .max = 599,
      .offset = offsetof(struct http_probe, status),
      .help = "The status that is good; left out: any 2xx." },
    { .name = "body",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      .min = 1,
      .max = PROBE_BODY_SIZE - 1,
      .offset = offsetof(struct http_probe, body),
      .help = "A regular expression that must be found in the first 64 KiB of the body." },
    { .name = NULL },
};

static const struct config_key step_result_keys[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .required = true,
      .min = 1,
      .max = POLICY_NAME_MAX,
      .offset = 0,
      .help = "The step's `name`." },
    { .name = "result",
      .type = CONFIG_CHOICE,
      .required = true,
      .choices = STEP_RESULT_WORDS,
      .offset = offsetof(struct conditions, step.result) - offsetof(struct conditions, step),
      .help = "How it ended." },
    { .name = NULL },
};

#define QUERY_KEY(type_, member_, system_)                                                                   \
    {                                                                                                        \
        .name = #member_, .type = CONFIG_GROUP, .keys = query_keys, .check = policy_check_query,             \
        .offset = offsetof(type_, member_), .help = "A query to " system_ " whose answer must fit."          \
    }
#define HTTP_KEY(type_)                                                                                      \
    {                                                                                                        \
        .name = "http", .type = CONFIG_GROUP, .keys = http_keys, .check = check_http,                        \
        .offset = offsetof(type_, http), .help = "An HTTP GET whose answer must fit."                        \
    }

const struct config_key policy_conditions_keys[] = {
    { .name = "changed",
      .type = CONFIG_CHOICE,
      .choices = CHANGE_WORDS,
      .default_text = "whatever",
      .offset = offsetof(struct conditions, changed),
      .help = "What changed since the workload was last proven well and before the trouble began." },
    { .name = "match",
      .type = CONFIG_CUSTOM,
      .parse = source_parse_matchers,
      .unit = "array of matchers",
      .offset = offsetof(struct conditions, match),
      .help = "Matchers on the alert's labels." },
    { .name = "annotations",
      .type = CONFIG_CUSTOM,
      .parse = source_parse_matchers,
      .unit = "array of matchers",
      .offset = offsetof(struct conditions, annotations),
      .help = "Matchers on the alert's annotations." },
    { .name = "evidence",
      .type = CONFIG_CUSTOM,
      .parse = parse_evidence,
      .unit = "array of matchers",
      .offset = offsetof(struct conditions, evidence),
      .help = "Matchers on what the cluster's status says of the failing pod: `reason`, `ended`, "
              "`exit_code`, `restarts`, "
              "`container`, `pod`, `node`, `message`." },
    { .name = "cause",
      .type = CONFIG_STRINGS,
      .min = 1,
      .len_max = 16,
      .offset = offsetof(struct conditions, cause),
      .help =
          "The cause that the cluster's status points to is one of these: `none`, `crash`, `oom`, `image`, "
          "`config`, `unschedulable`, `probe` (killed for a failing probe), `not_ready`, `quota`, "
          "`forbidden` "
          "(its pods are refused), `node`, `creating` (a volume or the network is missing)." },
    { .name = "environment",
      .type = CONFIG_STRINGS,
      .min = 1,
      .len_max = 64,
      .offset = offsetof(struct conditions, environment),
      .help = "The target's environment is one of these." },
    { .name = "during",
      .type = CONFIG_STRING,
      .min = 1,
      .max = POLICY_NAME_MAX,
      .offset = offsetof(struct conditions, during),
      .help = "This window of `windows` is open." },
    { .name = "attempt",
      .type = CONFIG_INT,
      .min = 1,
      .max = 1000,
      .offset = offsetof(struct conditions, attempt),
      .help = "It is at least the nth incident of the rule for this target within `attempts_per`." },
    { .name = "step",
      .type = CONFIG_GROUP,
      .keys = step_result_keys,
      .offset = offsetof(struct conditions, step),
      .help = "How an earlier step of this plan ended." },
    QUERY_KEY(struct conditions, promql, "Prometheus"),
    QUERY_KEY(struct conditions, loki, "Loki"),
    HTTP_KEY(struct conditions),
    { .name = "not",
      .type = CONFIG_CUSTOM,
      .parse = parse_not,
      .unit = "group of conditions",
      .offset = offsetof(struct conditions, not_all),
      .help = "What is asked in here must be answered, and not all of it with yes." },
    { .name = "any",
      .type = CONFIG_CUSTOM,
      .parse = parse_any,
      .unit = "list of groups of conditions",
      .offset = offsetof(struct conditions, any),
      .help = "At least one of these groups holds." },
    { .name = NULL },
};

const struct config_key policy_verify_keys[] = {
    { .name = "rollout",
      .type = CONFIG_CHOICE,
      .choices = "ignore|complete",
      .default_text = "complete",
      .offset = offsetof(struct verify, rollout),
      .help =
          "Whether the workload's rollout must be complete, and stay so at every event while it is held." },
    { .name = "alert",
      .type = CONFIG_CHOICE,
      .choices = "ignore|quiet",
      .default_text = "quiet",
      .offset = offsetof(struct verify, alert),
      .help = "Whether the alert must be quiet too: neither firing nor pending for anything that belongs to "
              "the target." },
    { .name = "hold",
      .type = CONFIG_DURATION,
      .min = 0,
      .max = DAY_MS,
      .default_text = "1m",
      .offset = offsetof(struct verify, hold_ms),
      .help = "How long all this must hold." },
    { .name = "within",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = DAY_MS,
      .default_text = "20m",
      .offset = offsetof(struct verify, within_ms),
      .help = "The step has failed when it is not proven by then; longer than `hold`." },
    { .name = "every",
      .type = CONFIG_DURATION,
      .min = SECOND_MS,
      .max = HOUR_MS,
      .default_text = "5s",
      .offset = offsetof(struct verify, every_ms),
      .help = "How often to look, beside the events of the watch." },
    QUERY_KEY(struct verify, promql, "Prometheus"),
    QUERY_KEY(struct verify, loki, "Loki"),
    HTTP_KEY(struct verify),
    { .name = "condition",
      .type = CONFIG_STRING,
      .min = 1,
      .max = POLICY_NAME_MAX,
      .offset = offsetof(struct verify, condition),
      .help = "A condition of the target's status that must be True, such as `\"Available\"`." },
    { .name = "need",
      .type = CONFIG_INT,
      .min = 1,
      .max = 6,
      .offset = offsetof(struct verify, need),
      .help = "How many of the checks that are asked for must hold; left out: all." },
    { .name = "on_unknown",
      .type = CONFIG_CHOICE,
      .choices = UNKNOWN_WORDS,
      .default_text = "stop",
      .offset = offsetof(struct verify, on_unknown),
      .help = "What the verdict unknown leads to: the incident ends as unknown, a person is told, or the "
              "next step." },
    { .name = NULL },
};

static void parse_evidence(struct config_text *text, const config_setting_t *setting, void *field,
                           const void *arg)
{
    const struct matchers *m = field;
    source_parse_matchers(text, setting, field, arg);
    for (size_t i = 0; i < m->len; i++)
        if (choice_index(EVIDENCE_WORDS, m->list[i].name) < 0)
            config_error(text, setting,
                         "evidence has no \"%s\"; it has reason, ended, exit_code, restarts, container, pod, "
                         "node and message",
                         m->list[i].name);
}

void policy_check_query(struct config_text *text, const config_setting_t *group, void *target,
                        const void *arg)
{
    struct query *q = target;
    struct err e = ERR_INIT;
    (void)arg;
    if (q->is && !strstr(q->is, "${params.") && comparison_parse(q, q->is, &e) != ERR_OK)
        config_error(text, config_setting_get_member(group, "is"), "%s", e.msg);
}

static void check_http(struct config_text *text, const config_setting_t *group, void *target, const void *arg)
{
    const struct http_probe *p = target;
    struct err e = ERR_INIT;
    struct re *re = NULL;
    (void)arg;
    if (p->url && strncmp(p->url, "http://", 7) != 0 && strncmp(p->url, "https://", 8) != 0)
        config_error(text, config_setting_get_member(group, "url"),
                     "\"url\" is \"%s\"; it must begin with http:// or https://", p->url);
    if (p->body && re_new(&re, p->body, RE_DOT_ALL, &e) != ERR_OK)
        config_error(text, config_setting_get_member(group, "body"), "%s", e.msg);
    re_free(re);
}

/* How deep this group stands in `not` and `any`. */
static unsigned nesting(const config_setting_t *setting)
{
    unsigned depth = 0;
    for (; setting; setting = config_setting_parent(setting)) {
        const char *name = config_setting_name(setting);
        depth += name && (strcmp(name, "not") == 0 || strcmp(name, "any") == 0);
    }
    return depth;
}

static void parse_groups(struct config_text *text, const config_setting_t *setting, size_t len,
                         struct config_list *ret, const void *arg)
{
    if (nesting(setting) > CONDITION_DEPTH_MAX) {
        config_error(text, setting, "conditions stand in each other more than %u levels deep",
                     CONDITION_DEPTH_MAX);
        return;
    }
    struct conditions *list = calloc(len, sizeof *list);
    if (!list) {
        config_out_of_memory(text);
        return;
    }
    ret->items = list;
    for (unsigned i = 0; i < len; i++) {
        const config_setting_t *group =
            config_setting_is_group(setting) ? setting : config_setting_get_elem(setting, i);
        ret->len = i + 1;
        if (!config_setting_is_group(group)) {
            config_error(text, group,
                         "a group of conditions must stand here, { match = [ \"severity=critical\" ]; }");
            continue;
        }
        config_parse_group(text, group, policy_conditions_keys, &list[i], arg);
        policy_check_conditions(text, group, &list[i], arg);
    }
}

static void parse_not(struct config_text *text, const config_setting_t *setting, void *field, const void *arg)
{
    if (config_setting_is_group(setting))
        parse_groups(text, setting, 1, field, arg);
    else
        config_error(text, setting, "\"not\" must be a group of conditions, { during = \"office-hours\"; }");
}

static void parse_any(struct config_text *text, const config_setting_t *setting, void *field, const void *arg)
{
    size_t len = (size_t)config_setting_length(setting);
    if (config_setting_is_list(setting) && len >= 1 && len <= CONDITION_ALTERNATIVES_MAX)
        parse_groups(text, setting, len, field, arg);
    else
        config_error(text, setting,
                     "\"any\" must be a list of 1 to %u groups of conditions, ( { ... }, { ... } )",
                     CONDITION_ALTERNATIVES_MAX);
}

void policy_check_conditions(struct config_text *text, const config_setting_t *group, void *target,
                             const void *arg)
{
    const struct conditions *c = target;
    (void)arg;
    for (unsigned i = 0; i < c->cause.len; i++)
        if (choice_index(CAUSE_WORDS, c->cause.list[i]) <= CAUSE_UNKNOWN)
            config_error(
                text, config_setting_get_elem(config_setting_get_member(group, "cause"), i),
                "there is no cause \"%s\"; there are none, crash, oom, image, config, unschedulable, probe, "
                "not_ready, quota, forbidden, node and creating",
                c->cause.list[i]);
    if (conditions_empty(target) && config_setting_length(group) == 0)
        config_error(text, group, "nothing is asked here; write a condition, such as changed = \"template\"");
}

void policy_check_verify(struct config_text *text, const config_setting_t *group, void *target,
                         const void *arg)
{
    const struct verify *v = target;
    char hold[DURATION_TEXT_SIZE], within[DURATION_TEXT_SIZE];
    (void)arg;
    const config_setting_t *at = config_setting_get_member(group, "within");
    if (v->within_ms > 0 && v->within_ms <= v->hold_ms)
        config_error(text, at ? at : group, "\"within\" is %s; it must be longer than \"hold\", which is %s",
                     duration_format(within, v->within_ms), duration_format(hold, v->hold_ms));
    int checks = v->rollout + v->alert + (v->promql.query != NULL) + (v->loki.query != NULL) +
                 (v->http.url != NULL) + (v->condition != NULL);
    if (v->need > checks)
        config_error(text, config_setting_get_member(group, "need"),
                     "\"need\" is %lld, but only %d checks are asked for", (long long)v->need, checks);
    if (checks == 0)
        config_error(text, group,
                     "nothing is verified here; a repair that nobody looks at is none: leave rollout = "
                     "\"complete\", or ask something else");
}
