/* Which object a rule heals. */
#include <string.h>

#include "rules/model/kind.h"
#include "rules/model/observation.h"
#include "rules/policy/policy_internal.h"

#define OWNERS "\"Deployment\", \"StatefulSet\", \"DaemonSet\", \"Job\" or \"CronJob\""
#define KINDS                                                                                                \
    "\"Deployment\", \"StatefulSet\", \"DaemonSet\", \"Job\", \"CronJob\", \"Node\", "                       \
    "\"HorizontalPodAutoscaler\", \"PersistentVolumeClaim\", \"Service\" or \"Application\""
#define AT(member) .offset = offsetof(struct target_spec, member)

static_assert(sizeof(enum target_from) == sizeof(int), "choices are ints");

const struct config_key policy_target_keys[] = {
    { .name = "from",
      .type = CONFIG_CHOICE,
      .choices = TARGET_FROM_WORDS,
      AT(from),
      .help = "The label that names the object, beside `namespace`." },
    { .name = "owner",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      AT(owner),
      .help = "With `from = \"pod\"`: the kind of owner to heal, `\"Deployment\"`, `\"StatefulSet\"`, "
              "`\"DaemonSet\"`, `\"Job\"` or `\"CronJob\"`." },
    { .name = "name",
      .type = CONFIG_STRING,
      .place = PLACE_NAME,
      .min = 1,
      .max = 1000,
      AT(name),
      .help = "In place of `from`: the object's name, such as `\"${labels.app}-web\"`." },
    { .name = "selector",
      .type = CONFIG_STRING,
      .place = PLACE_SELECTOR,
      .min = 1,
      .max = 1000,
      AT(selector),
      .help = "In place of `from`: labels that the objects have, such as `\"app=${labels.app}\"`." },
    { .name = "limit",
      .type = CONFIG_INT,
      .min = 1,
      .max = OBSERVATION_FOUND_MAX,
      .default_text = "1",
      AT(limit),
      .help =
          "With `selector`: when it finds more objects, nothing is done. Each that it finds is an incident "
          "of its own, in the order of their names." },
    { .name = "kind",
      .type = CONFIG_STRING,
      .place = PLACE_NONE,
      AT(kind),
      .help = "With `name` and `selector`: what kind of object it is, as Kubernetes names it, such as "
              "`\"Deployment\"`, `\"Job\"` or `\"Node\"`." },
    { .name = "namespace",
      .type = CONFIG_STRING,
      .place = PLACE_NAME,
      .min = 1,
      .max = 1000,
      AT(namespace),
      .help = "Left out: the alert's label `namespace`." },
    { .name = "cluster",
      .type = CONFIG_STRING,
      .place = PLACE_TEXT,
      .min = 1,
      .max = 1000,
      AT(cluster),
      .help = "Left out: the alert's label `cluster`, or the only cluster there is." },
    { .name = "line", .type = CONFIG_LINE, AT(line), .help = "" },
    { .name = NULL },
};

static void check_from(struct config_text *text, const config_setting_t *group, const char *word,
                       const struct target_spec *t)
{
    const config_setting_t *owner = config_setting_get_member(group, "owner");
    bool pod = strcmp(word, "pod") == 0 || strcmp(word, "container") == 0;
    if (pod && !owner)
        config_error(text, group,
                     "from = \"%s\" needs owner = " OWNERS ": a pod without an owner would not come back",
                     word);
    else if (pod && t->owner && !kind_among(KIND_OWNERS, t->owner))
        config_error(text, owner, "\"owner\" is \"%s\"; write " OWNERS, t->owner);
    else if (!pod && owner)
        config_error(
            text, owner,
            "\"owner\" goes with from = \"pod\" only; remove it: from = \"%s\" names the object itself",
            word);
}

/* `name` or `selector`, and what goes with them. */
static void check_named(struct config_text *text, const config_setting_t *group, struct target_spec *t,
                        const char *by)
{
    const config_setting_t *kind = config_setting_get_member(group, "kind");
    const config_setting_t *owner = config_setting_get_member(group, "owner");
    t->from = FROM_NOTHING;
    if (!kind)
        config_error(text, group, "\"%s\" needs kind = " KINDS, by);
    else if (t->kind && !kind_find(t->kind))
        config_error(text, kind, "\"kind\" is \"%s\"; write " KINDS, t->kind);
    if (owner)
        config_error(text, owner, "\"owner\" goes with from = \"pod\" only; remove it");
}

/* Keys that say nothing without another. */
static void check_beside(struct config_text *text, const config_setting_t *group, const char *key,
                         const char *beside, bool there)
{
    const config_setting_t *at = config_setting_get_member(group, key);
    if (at && !there)
        config_error(text, at, "\"%s\" goes with %s only; remove it", key, beside);
}

void policy_parse_target(struct config_text *text, const config_setting_t *group, struct target_spec *ret,
                         const void *arg)
{
    config_parse_group(text, group, policy_target_keys, ret, arg);
    const config_setting_t *from = config_setting_get_member(group, "from");
    const config_setting_t *name = config_setting_get_member(group, "name");
    const config_setting_t *selector = config_setting_get_member(group, "selector");
    int ways = !!from + !!name + !!selector;
    const char *word =
        from && config_setting_type(from) == CONFIG_TYPE_STRING ? config_setting_get_string(from) : NULL;
    if (ways == 0)
        config_error(text, group,
                     "key \"from\" is missing: The label that names the object, beside `namespace`; \"name\" "
                     "or \"selector\" can stand in its place");
    else if (ways > 1)
        config_error(text, group, "\"from\", \"name\" and \"selector\" exclude each other; keep one of them");
    else if (name || selector)
        check_named(text, group, ret, name ? "name" : "selector");
    else if (word && choice_index(TARGET_FROM_WORDS, word) >= 0)
        check_from(text, group, word, ret);
    check_beside(text, group, "limit", "\"selector\"", selector);
    check_beside(text, group, "kind", "\"name\" or \"selector\"", name || selector);
}

const char *target_from_word(enum target_from from)
{
    static const char *const words[] = {
        [FROM_POD] = "pod",
        [FROM_DEPLOYMENT] = "deployment",
        [FROM_STATEFULSET] = "statefulset",
        [FROM_DAEMONSET] = "daemonset",
        [FROM_JOB] = "job",
        [FROM_CRONJOB] = "cronjob",
        [FROM_NODE] = "node",
        [FROM_HPA] = "hpa",
        [FROM_PERSISTENTVOLUMECLAIM] = "persistentvolumeclaim",
        [FROM_CONTAINER] = "container",
        [FROM_SERVICE] = "service",
        [FROM_APPLICATION] = "application",
        [FROM_NOTHING] = "",
    };
    return words[from];
}

const char *target_from_label(enum target_from from)
{
    const struct kind *k = kind_by_word(target_from_word(from));
    return k ? k->label : from == FROM_POD || from == FROM_CONTAINER ? "pod" : "";
}
