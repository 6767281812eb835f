/* rules/policy/pattern.h - what can be said of a regular expression without running it: its alternatives,
 * each a literal text with perhaps something behind it. Most expressions of policies are "a|b|c" or
 * "team-1-.*". */
#ifndef RULES_POLICY_PATTERN_H
#define RULES_POLICY_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/base/err.h"
#include "rules/base/re.h"

#define PATTERN_BRANCHES_MAX 64u

enum behind {
    BEHIND_NOTHING, /* the literal is the whole */
    BEHIND_ANY,     /* .* */
    BEHIND_SOME,    /* .+ */
    BEHIND_MORE,    /* something that only RE2 understands */
};
struct pattern_branch {
    const char *literal; /* not terminated */
    size_t len;
    enum behind behind;
};
struct pattern {
    char *text; /* of all literals */
    struct pattern_branch *branches;
    size_t len;
    enum re_dot dot;
    bool simple; /* no branch is BEHIND_MORE: pattern_matches() is the whole truth */
};

/* Split an expression that RE2 takes. More than PATTERN_BRANCHES_MAX alternatives are one of no literal and
 * BEHIND_MORE. ERR_NOMEM. */
enum err_code pattern_new(struct pattern **ret, const char *regex, enum re_dot dot, struct err *e);
struct pattern *pattern_free(struct pattern *p);
/* Only for a simple one. */
bool pattern_matches(const struct pattern *p, const char *value);

#endif
