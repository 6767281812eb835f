/* Actions that set fields: the core asks what exactly such an action would change, records it, and asks what
 * became of it. */
#include <stdlib.h>
#include <string.h>

#include "rules/engine/guards.h"
#include "rules/engine/turn.h"

static uint64_t text_hash(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

uint64_t change_hash(const char *text)
{
    return text_hash(0xcbf29ce484222325u, text);
}

/* {"params": {...}, "proven": ["HASH", ...]}; NULL: no memory. */
static char *ask_text(const struct engine *g, const struct node *n, const struct target *target)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    const struct workload *known = target ? workload_find(g, target->uid) : NULL;
    if (json_writer_new(&w, NULL) != ERR_OK)
        return NULL;
    jw_object(w);
    jw_key(w, "params");
    plan_write_params(w, n);
    jw_key(w, "proven");
    jw_array(w);
    for (int k = 0; known && k < PROVEN_MAX && known->proven[k][0]; k++)
        jw_string(w, known->proven[k]);
    jw_array_end(w);
    jw_object_end(w);
    const char *text = jw_text(w, NULL);
    return text ? strdup(text) : NULL;
}

static uint64_t ask_key(const struct node *n, const char *ask)
{
    uint64_t key = text_hash(change_hash(n->action->name), ask);
    return key ? key : 1;
}

bool change_answered(const struct guard_input *in)
{
    if (in->node->type != NODE_DO || in->node->action->proof != PROOF_CHANGE)
        return true;
    char *ask = ask_text(in->g, in->node, in->target);
    bool answered = ask && in->o->change_key == ask_key(in->node, ask);
    if (!ask && in->nomem)
        *in->nomem = true;
    free(ask);
    return answered;
}

void turn_ask_change(struct turn *t, const struct node *n, const struct target *target)
{
    if (t->nomem || t->d->effects_len == 0 || n->type != NODE_DO || n->action->proof != PROOF_CHANGE)
        return;
    struct effect *f = &t->d->effects[t->d->effects_len - 1];
    free(f->ask);
    f->ask = ask_text(t->g, n, target);
    if (!f->ask) {
        t->nomem = true;
        return;
    }
    f->needs |= OBSERVE_CHANGE;
    text_copy(f->action, sizeof f->action, n->action->name);
    f->change_key = ask_key(n, f->ask);
}
