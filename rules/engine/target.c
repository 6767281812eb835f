/* How the target of an incident is named to whoever looks for it: by the labels of its alert, or as its rule
 * says. */
#include <string.h>

#include "rules/engine/turn.h"
#include "rules/model/kind.h"
#include "rules/policy/template.h"

static const struct target_spec *spec_of(const struct turn *t, const struct incident *i)
{
    const struct rule *rule = policy_rule(t->p, i->rule);
    if (!rule)
        return NULL;
    return &rule->targets[(size_t)i->target_index < rule->targets_len ? (size_t)i->target_index : 0];
}

/* A label of the effect is what the text says. False: it cannot be filled in. */
static bool set_label(struct map *labels, const char *label, const char *text, enum template_place place,
                      const struct incident *i, struct err *e)
{
    const struct template_values values = { .labels = &i->labels, .annotations = &i->annotations };
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    if (!text)
        return true;
    return template_render(&b, text, place, &values, e) == ERR_OK &&
           map_set(labels, label, buf_text(&b), e) == ERR_OK;
}

/* By the label that names objects of that kind. */
static void by_kind(struct effect *f, const char *kind)
{
    const struct kind *k = kind_find(kind);
    text_copy(f->from, sizeof f->from, k ? k->label : "");
}

static bool by_name(const char *name, const char *kind, const struct incident *i, struct effect *f,
                    struct err *e)
{
    by_kind(f, kind);
    return set_label(&f->labels, f->from, name, PLACE_NAME, i, e);
}

/* What the selector finds beside the first is opened as incidents of their own, each with its name. */
static bool by_selector(const struct target_spec *spec, const struct incident *i, struct effect *f,
                        struct err *e)
{
    const struct template_values values = { .labels = &i->labels, .annotations = &i->annotations };
    CLEANUP(buf_release) struct buf b = BUF_INIT;
    by_kind(f, spec->kind);
    text_copy(f->selector_kind, sizeof f->selector_kind, spec->kind);
    f->limit = (int32_t)spec->limit;
    if (template_render(&b, spec->selector, PLACE_SELECTOR, &values, e) != ERR_OK)
        return false;
    f->selector = buf_detach(&b);
    return f->selector || err_set(e, ERR_NOMEM, "no memory for a selector") == ERR_OK;
}

static bool by_label(const struct target_spec *spec, struct effect *f)
{
    text_copy(f->from, sizeof f->from, target_from_label(spec->from));
    text_copy(f->owner, sizeof f->owner, spec->owner ? spec->owner : "");
    return true;
}

static bool find_by(const struct target_spec *spec, const struct incident *i, struct effect *f, struct err *e)
{
    if (spec->selector && i->target.name[0]) {
        by_kind(f, spec->kind);
        return map_set(&f->labels, f->from, i->target.name, e) == ERR_OK;
    }
    return spec->selector ? by_selector(spec, i, f, e)
           : spec->name   ? by_name(spec->name, spec->kind, i, f, e)
                          : by_label(spec, f);
}

bool target_name(const struct turn *t, const struct incident *i, struct effect *ret, struct err *e)
{
    const struct target_spec *spec = spec_of(t, i);
    if (i->by_hand) {
        by_kind(ret, i->target.kind);
        return true;
    }
    if (!spec || i->resolved)
        return true;
    return find_by(spec, i, ret, e) &&
           set_label(&ret->labels, "namespace", spec->namespace, PLACE_NAME, i, e) &&
           set_label(&ret->labels, "cluster", spec->cluster, PLACE_TEXT, i, e);
}

/* The first of what a selector found is this incident's. */
void target_open_others(struct turn *t, const struct incident *i)
{
    const struct observation *o = t->in->observation;
    const struct incident *leader = i->leader ? i->leader : i;
    size_t open = t->g->open_len;
    for (uint32_t k = 1; k < o->found_len && !i->target.name[0] && open++ < ENGINE_INCIDENTS_MAX; k++) {
        char id[INCIDENT_ID_SIZE];
        incident_new_id(t, id);
        struct fact *f = turn_fact(t, FACT_INCIDENT_OPENED, id);
        memcpy(f->u.opened.rule, i->rule, sizeof f->u.opened.rule);
        memcpy(f->u.opened.source, i->source, sizeof f->u.opened.source);
        memcpy(f->u.opened.beside, leader->id, sizeof f->u.opened.beside);
        memcpy(f->u.opened.target.name, o->found[k], sizeof f->u.opened.target.name);
        f->u.opened.target_index = i->target_index;
        f->u.opened.starts_ms = i->starts_ms;
        f->u.opened.plan = plan_text(t, i->plan);
    }
}
