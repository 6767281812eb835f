/* Telling people: which receivers, and each of them once. */
#include <string.h>

#include "rules/engine/turn.h"

static void tell(struct turn *t, const struct incident *i, const char *receiver, const char *text)
{
    struct fact *f = turn_fact(t, FACT_NOTIFY, i->id);
    text_copy(f->u.notify.receiver, sizeof f->u.notify.receiver, receiver);
    text_copy(f->u.notify.text, sizeof f->u.notify.text, text);
}

static bool among(const struct config_strings *list, size_t len, const char *word)
{
    for (size_t k = 0; k < len; k++)
        if (strcmp(list->list[k], word) == 0)
            return true;
    return false;
}

void turn_tell_all(struct turn *t, const struct incident *i, const struct environment *env, const char *text)
{
    static const struct config_strings nobody = { .len = 0 };
    const struct rule *rule = policy_rule(t->p, i->rule);
    if (env && policy_open_window(t->p, &env->maintenance, t->wall_ms))
        return; /* whoever works there knows */
    const struct config_strings *here = env ? &env->notify : &nobody, *own = rule ? &rule->notify : &nobody;
    for (size_t k = 0; k < here->len; k++)
        if (!among(here, k, here->list[k]))
            tell(t, i, here->list[k], text);
    for (size_t k = 0; k < own->len; k++)
        if (!among(own, k, own->list[k]) && !among(here, here->len, own->list[k]))
            tell(t, i, own->list[k], text);
}
