/* The names that are set in the groups that are open at one place of a text. */
#include <stdlib.h>
#include <string.h>

#include "rules/policy/config_internal.h"

const struct config_name *config_names_add(struct config_names *n, size_t from,
                                           const struct config_name *name)
{
    for (size_t i = from; i < n->len; i++)
        if (n->list[i].len == name->len && memcmp(n->list[i].at, name->at, name->len) == 0)
            return &n->list[i];
    if (n->len - from >= CONFIG_NAMES_MAX)
        return NULL;
    if (n->len == n->cap) {
        size_t cap = n->cap ? 2 * n->cap : 64;
        struct config_name *more = reallocarray(n->list, cap, sizeof *more);
        if (!more)
            return NULL;
        n->list = more;
        n->cap = cap;
    }
    n->list[n->len++] = *name;
    return NULL;
}

void config_names_release(struct config_names *n)
{
    free(n->list);
    *n = (struct config_names){ .len = 0 };
}
