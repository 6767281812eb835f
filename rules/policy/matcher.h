/* rules/policy/matcher.h - Alertmanager's matchers: name = "value", !=, =~, !~; regular expressions are RE2,
 * fully anchored, "." is any character but a newline, in the label "message" a newline too; a label that is
 * absent has the value "". Names may be any UTF-8 when quoted. Source: prometheus/alertmanager pkg/labels,
 * matcher/parse. */
#ifndef RULES_POLICY_MATCHER_H
#define RULES_POLICY_MATCHER_H

#include <stdbool.h>

#include "rules/base/map.h"
#include "rules/base/re.h"
#include "rules/policy/pattern.h"

enum matcher_op { MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX };

struct matcher {
    enum matcher_op op;
    char *name;
    char *value;
    /* for the two regex operators */
    struct pattern *pattern; /* its alternatives */
    struct re *re;           /* NULL when the pattern says all */
};
struct matchers {
    struct matcher *list;
    size_t len;
};

#define MATCHER_TEXT_MAX 8192u /* bytes of one matcher as written */

/* Parse one matcher: alertname="X", namespace=~"a|b", cluster=eu (unquoted as Alertmanager allows, without a
 * comma), "a b"="c". In values \" \\ and \n are escapes; any other backslash stands for itself, as in
 * Alertmanager; behind a name with other characters than letters, digits, _ and :, quoted texts have Go's
 * escapes, as there. No allocation but *ret's. ERR_INVALID  not a matcher, invalid UTF-8, a regular
 * expression that RE2 refuses (with its reason); ERR_LIMIT; ERR_NOMEM */
enum err_code matcher_parse(struct matcher *ret, const char *text, struct err *e);
/* Matching takes no memory: policies are asked for every alert. */
bool matcher_matches(const struct matcher *m, const struct map *labels);
bool matcher_matches_value(const struct matcher *m,
                           const char *value); /* the label's value, "" when absent */
void matcher_release(struct matcher *m);
/* All of them match (an empty list matches everything). *ret_failed (may be NULL) gets the first that does
 * not. */
bool matchers_match(const struct matchers *m, const struct map *labels, const struct matcher **ret_failed);
void matchers_release(struct matchers *m);
/* As written in a policy: alertname="X" */
void matcher_format(struct buf *out, const struct matcher *m);

#endif
