/* rules/policy/check.h - internal to rules/policy: what is wrong, or probably not meant, in a policy whose
 * parts are right each by itself. Errors and warnings have stable names. Done once a policy was read, and
 * before it is used. */
#ifndef RULES_POLICY_CHECK_H
#define RULES_POLICY_CHECK_H

#include "rules/policy/policy_internal.h"

struct checking {
    struct config_text *text;
    const struct policy *policy;
    const struct policy *world;       /* whose windows and environments may be named */
    const config_setting_t *root;     /* of the text */
    const struct policy_shell *shell; /* NULL: nothing is known of heald.cfg */
};

/* check_plan.c: steps that cannot be reached, names that do not exist, writes that nobody asked for */
void check_plans(const struct checking *c);
/* check_match.c: matchers that match everything or nothing, rules and environments that an earlier one hides
 */
void check_matches(const struct checking *c);
/* check_rule.c: plans, windows, profiles that nobody uses; limits that can never be reached; names of
 * heald.cfg */
void check_rules(const struct checking *c);
void check_acting(const struct checking *c); /* nothing to do, or nowhere */

/* True when the list is NULL (not known) or has the word. */
bool check_known(const struct config_strings *list, const char *word);

#endif
