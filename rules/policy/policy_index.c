/* Rules found fast: by the labels of an alert, and by name. */
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

static_assert(MATCH_LISTS_MAX >= POLICY_PATTERNS_MAX, "all rules can be filed");

struct policy_index {
    struct match_index *matches;
    const struct rule **by_name; /* sorted */
    size_t len;
};

static const struct matchers *match_of(const void *arg, size_t index)
{
    const struct policy *p = arg;
    return &p->rules[index].match;
}

static int by_name(const void *a, const void *b)
{
    const struct rule *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

enum err_code policy_index_new(struct policy_index **ret, const struct policy *p, struct err *e)
{
    struct policy_index *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(e, ERR_NOMEM, "no memory for an index of rules");
    enum err_code code = match_index_new(&x->matches, p->rules_len, match_of, p, e);
    x->len = p->rules_len;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
    x->by_name = code ? NULL : calloc(x->len + 1, sizeof(struct rule *));
    if (!x->by_name) {
        policy_index_free(x);
        return code ? code : err_set(e, ERR_NOMEM, "no memory for an index of rules");
    }
    for (size_t i = 0; i < x->len; i++)
        x->by_name[i] = &p->rules[i];
    qsort(x->by_name, x->len, sizeof(struct rule *), by_name);
    *ret = x;
    return ERR_OK;
}

struct policy_index *policy_index_free(struct policy_index *x)
{
    if (x) {
        match_index_free(x->matches);
        free(x->by_name);
    }
    free(x);
    return NULL;
}

void policy_index_ask(const struct policy_index *x, const struct map *labels, const char *message,
                      struct match_candidates *ret)
{
    match_index_ask(x->matches, labels, message, ret);
}

static int compare_name(const void *name, const void *rule)
{
    const struct rule *const *r = rule;
    return strcmp(name, (*r)->name);
}

const struct rule *policy_rule(const struct policy *p, const char *name)
{
    const struct rule *const *found =
        bsearch(name, p->index->by_name, p->index->len, sizeof(struct rule *), compare_name);
    return found ? *found : NULL;
}
