/* Telling people: which receivers, and each of them once. */
#include <string.h>

#include "rules/engine/turn.h"
#include "rules/policy/template.h"

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

static void add(struct buf *to, const char *before, const char *text, const struct template_values *values)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    if (text && template_render(&b, text, PLACE_TEXT, values, NULL) == ERR_OK)
        buf_addf(to, "%s%s", before, buf_text(&b));
}

/* The text, and what the rule has for people beside it: its note, where to look. */
static void with_links(struct turn *t, const struct incident *i, const struct rule *rule, const char *text,
                       char ret[FACT_NOTIFY_SIZE])
{
    const struct template_values values = { .labels = &i->labels,
                                            .annotations = &i->annotations,
                                            .target = i->resolved ? &i->target : NULL,
                                            .evidence = i->evidence };
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    buf_adds(&b, text);
    if (rule) {
        add(&b, "; ", rule->note, &values);
        add(&b, "; runbook: ", rule->runbook, &values);
        add(&b, "; dashboard: ", rule->dashboard, &values);
    }
    t->nomem |= !buf_ok(&b);
    text_copy(ret, FACT_NOTIFY_SIZE, buf_text(&b));
}

void turn_tell_all(struct turn *t, const struct incident *i, const struct environment *env, const char *text)
{
    static const struct config_strings nobody = { .len = 0 };
    const struct rule *rule = policy_rule(t->p, i->rule);
    if (env && policy_open_window(t->p, &env->maintenance, t->wall_ms))
        return; /* whoever works there knows */
    const struct config_strings *here = env ? &env->notify : &nobody, *own = rule ? &rule->notify : &nobody;
    char whole[FACT_NOTIFY_SIZE];
    if (here->len + own->len == 0)
        return;
    with_links(t, i, rule, text, whole);
    for (size_t k = 0; k < here->len; k++)
        if (!among(here, k, here->list[k]))
            tell(t, i, here->list[k], whole);
    for (size_t k = 0; k < own->len; k++)
        if (!among(own, k, own->list[k]) && !among(here, here->len, own->list[k]))
            tell(t, i, own->list[k], whole);
}
