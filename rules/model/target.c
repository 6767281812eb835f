#include "rules/model/target.h"

#include <stdio.h>
#include <string.h>

bool target_same(const struct target *a, const struct target *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->namespace, b->namespace) == 0 &&
           strcmp(a->kind, b->kind) == 0 && strcmp(a->cluster, b->cluster) == 0;
}

const char *target_format(char ret[TARGET_TEXT_SIZE], const struct target *t)
{
    snprintf(ret, TARGET_TEXT_SIZE, "%s/%s/%s", t->namespace, t->kind, t->name);
    return ret;
}
