/* How the target of an incident is named to whoever looks for it: by the labels of its alert, or as its rule
 * says. */
#include <string.h>

#include "rules/engine/turn.h"
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

static bool by_name(const struct target_spec *spec, const struct incident *i, struct effect *f, struct err *e)
{
    struct target kind = { .cluster = "" };
    text_copy(kind.kind, sizeof kind.kind, spec->kind ? spec->kind : "");
    kind_word(f->from, &kind);
    return set_label(&f->labels, f->from, spec->name, PLACE_NAME, i, e);
}

bool target_name(const struct turn *t, const struct incident *i, struct effect *ret, struct err *e)
{
    const struct target_spec *spec = spec_of(t, i);
    if (i->by_hand) {
        kind_word(ret->from, &i->target);
        return true;
    }
    if (!spec || i->resolved)
        return true;
    text_copy(ret->from, sizeof ret->from,
              target_from_word(spec->from == FROM_CONTAINER ? FROM_POD : spec->from));
    text_copy(ret->owner, sizeof ret->owner, spec->owner ? spec->owner : "");
    if (spec->selector) {
        err_set(e, ERR_INVALID, "objects by selector cannot be found by this release; name the object");
        return false;
    }
    return (!spec->name || by_name(spec, i, ret, e)) &&
           set_label(&ret->labels, "namespace", spec->namespace, PLACE_NAME, i, e) &&
           set_label(&ret->labels, "cluster", spec->cluster, PLACE_TEXT, i, e);
}
