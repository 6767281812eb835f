/* rules/policy/match_index.h - which of many lists of matchers may match an alert, without asking each of
 * them.
 *
 * Each list is filed under the rarest of its matchers that an alert must have a label for: name="value" in a
 * hash table, name=~"..." in one set of regular expressions a label name; a list without such a matcher is
 * always asked. What is found are candidates, a superset: the caller asks their matchers. Immutable once
 * made; any number of threads may ask. */
#ifndef RULES_POLICY_MATCH_INDEX_H
#define RULES_POLICY_MATCH_INDEX_H

#include "rules/policy/matcher.h"

#define MATCH_LISTS_MAX 10000u
#define MATCH_WORDS ((MATCH_LISTS_MAX + 63u) / 64u)

struct match_index;
struct match_candidates {       /* a bit a list */
    uint64_t bits[MATCH_WORDS]; /* a word counts when its bit in `used` is set */
    uint64_t used[(MATCH_WORDS + 63u) / 64u];
};

/* The i-th list is list_of(arg, i); it must outlive the index. ERR_LIMIT: more than MATCH_LISTS_MAX;
 * ERR_NOMEM. */
enum err_code match_index_new(struct match_index **ret, size_t lists,
                              const struct matchers *(*list_of)(const void *arg, size_t index),
                              const void *arg, struct err *e);
struct match_index *match_index_free(struct match_index *x);
/* `message` (may be NULL) is the value of the label `message` when the labels lack it. */
void match_index_ask(const struct match_index *x, const struct map *labels, const char *message,
                     struct match_candidates *ret);
/* The next candidate from `from` on, or SIZE_MAX. */
size_t match_candidates_next(const struct match_candidates *c, size_t from);

#endif
