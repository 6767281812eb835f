/* rules/policy/source.h - what an authenticated sender may claim. Stands in heald.cfg (`sources`), is judged by the core. */
#ifndef RULES_POLICY_SOURCE_H
#define RULES_POLICY_SOURCE_H

#include "rules/model/alert.h"
#include "rules/model/target.h"
#include "rules/policy/config.h"
#include "rules/policy/matcher.h"

struct source {
    char *name;
    struct map force;     /* labels that this source always sets, whatever the sender wrote */
    struct matchers only; /* alerts outside are refused, with this matcher in the reason */
    struct config_strings may_clusters, may_namespaces, may_kinds; /* empty: any; entries are RE2, anchored */
};

/* NULL when the alert is inside `only`, else the matcher that it violates. */
const struct matcher *source_violated(const struct source *s, const struct alert *a);
/* True when the source may name this (resolved) target; else *ret_why says which list refuses it. */
bool source_may(const struct source *s, const struct target *t, char *ret_why, size_t why_size);
/* Overwrite the forced labels. */
enum err_code source_force(const struct source *s, struct map *labels, struct err *e);

extern const struct config_key source_scope_keys[]; /* force, only, may: for the settings' table to include */
void source_release(struct source *s);

#endif
