/* rules/policy/source.h - what an authenticated sender may claim. Stands in heald.cfg (`sources`), is judged
 * by the core. */
#ifndef RULES_POLICY_SOURCE_H
#define RULES_POLICY_SOURCE_H

#include "rules/model/alert.h"
#include "rules/model/target.h"
#include "rules/policy/config.h"
#include "rules/policy/matcher.h"

enum source_kind {
    SOURCE_ALERTMANAGER,
    SOURCE_GRAFANA,
    SOURCE_GITHUB,
    SOURCE_GITLAB,
    SOURCE_JENKINS,
    SOURCE_AZURE,
    SOURCE_CIRCLECI,
    SOURCE_ARGOCD,
    SOURCE_CLOUDEVENTS,
    SOURCE_GENERIC,
    SOURCE_KIND_END_
};

struct source {
    char *name;
    enum source_kind kind; /* what it speaks; a rule without `source` matches the first two only */
    struct map force;      /* labels that this source always sets, whatever the sender wrote */
    struct matchers only;  /* alerts outside are refused, with this matcher in the reason */
    struct matchers may_clusters, may_namespaces,
        may_kinds; /* any of them; empty: everything; entries are RE2, anchored */
};

/* NULL when the alert is inside `only`, else the matcher that it violates. */
const struct matcher *source_violated(const struct source *s, const struct alert *a);
/* True when the source may name this (resolved) target; else *ret_why says which list refuses it. */
bool source_may(const struct source *s, const struct target *t, char *ret_why, size_t why_size);
/* Overwrite the forced labels. */
enum err_code source_force(const struct source *s, struct map *labels, struct err *e);

/* The keys force, only and may, for the settings' table of sources, whose struct holds a struct source at
 * `base`: static const struct config_key keys[] = { { .name = "name", ... },
 * SOURCE_SCOPE_KEYS(offsetof(struct mine, scope)), { 0 } }; What they fill is freed by source_release(), not
 * by config_release(). */
#define SOURCE_SCOPE_KEYS(base)                                                                              \
    { .name = "force",                                                                                       \
      .type = CONFIG_CUSTOM,                                                                                 \
      .parse = source_parse_force,                                                                           \
      .unit = "group of labels",                                                                             \
      .offset = (base) + offsetof(struct source, force),                                                     \
      .help = "Labels that this source always sets, whatever the sender wrote: `{ cluster = \"prod-1\"; "    \
              "}`, or `[ \"a.b=c\" ]`." },                                                                   \
        { .name = "only",                                                                                    \
          .type = CONFIG_CUSTOM,                                                                             \
          .parse = source_parse_matchers,                                                                    \
          .unit = "array of matchers",                                                                       \
          .offset = (base) + offsetof(struct source, only),                                                  \
          .help = "Matchers; an alert that one of them does not match is refused." },                        \
    {                                                                                                        \
        .name = "may", .type = CONFIG_GROUP, .keys = source_may_keys, .offset = (base),                      \
        .help = "What this source may name as a target; a list that is left out allows everything."          \
    }
extern const struct config_key source_scope_keys[]; /* the same three, of a struct source itself */
extern const struct config_key source_may_keys[];
void source_parse_force(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg);
/* A struct matchers from an array of strings; also what a policy's `match` is. */
void source_parse_matchers(struct config_text *text, const config_setting_t *setting, void *field,
                           const void *arg);
/* Frees the name too when it is not NULL. */
void source_release(struct source *s);

#endif
