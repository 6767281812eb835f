/* Actions that set fields: the core asks what exactly such an action would change, records it, and asks what
 * became of it. */
#include <stdio.h>
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

/* A step as it is asked about. */
struct asked {
    const struct node *node;
    const struct target *target; /* NULL: not yet known */
    const char *incident, *path;
    uint32_t attempt;
};

/* {"params": {...}, "proven": ["HASH", ...], "id": "INCIDENT/STEP/ATTEMPT"}; NULL: no memory. */
static char *ask_text(const struct engine *g, const struct asked *q)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    char id[INCIDENT_ID_SIZE + STEP_PATH_SIZE + 16];
    const struct workload *known = q->target ? workload_find(g, q->target->uid) : NULL;
    if (json_writer_new(&w, NULL) != ERR_OK)
        return NULL;
    snprintf(id, sizeof id, "%s/%s/%u", q->incident, q->path, q->attempt);
    jw_object(w);
    jw_key(w, "params");
    plan_write_params(w, q->node);
    jw_key(w, "proven");
    jw_array(w);
    for (int k = 0; known && k < PROVEN_MAX && known->proven[k][0]; k++)
        jw_string(w, known->proven[k]);
    jw_array_end(w);
    jw_kstring(w, "id", id);
    jw_object_end(w);
    const char *text = jw_text(w, NULL);
    return text ? strdup(text) : NULL;
}

static uint64_t ask_key(const struct node *n, const char *ask)
{
    uint64_t key = text_hash(change_hash(n->action->name), ask);
    return key ? key : 1;
}

static bool sets_fields(const struct node *n)
{
    return n->type == NODE_DO && n->action->proof == PROOF_CHANGE;
}

bool change_answered(const struct guard_input *in)
{
    const struct asked q = { in->node, in->target, in->i->id, in->path, in->attempt };
    if (!sets_fields(in->node))
        return true;
    char *ask = ask_text(in->g, &q);
    bool answered = ask && in->o->change_key == ask_key(in->node, ask);
    if (!ask && in->nomem)
        *in->nomem = true;
    free(ask);
    return answered;
}

void turn_ask_change(struct turn *t, const struct incident *i, const struct tree *tree, int at,
                     const struct target *target)
{
    char path[STEP_PATH_SIZE];
    const struct node *n = tree->spots[at].node;
    if (t->nomem || t->d->effects_len == 0 || !sets_fields(n))
        return;
    tree_path(tree, at, path);
    const struct asked q = { n, target, i->id, path, at == i->at ? i->attempt : 1 };
    struct effect *f = &t->d->effects[t->d->effects_len - 1];
    free(f->ask);
    f->ask = ask_text(t->g, &q);
    if (!f->ask) {
        t->nomem = true;
        return;
    }
    f->needs |= OBSERVE_CHANGE;
    text_copy(f->action, sizeof f->action, n->action->name);
    f->change_key = ask_key(n, f->ask);
}
