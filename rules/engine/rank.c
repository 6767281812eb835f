/* Which alternative has worked: counted per rule, step and branch, from the verdicts of all incidents. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rules/engine/walk.h"

static uint64_t branch_key(const char *rule, const struct tree *t, int choose, int branch)
{
    char path[STEP_PATH_SIZE], text[FACT_TEXT_SIZE + 2 * STEP_PATH_SIZE];
    const char *name = t->spots[choose].node->branches[branch].name;
    tree_path(t, choose, path);
    snprintf(text, sizeof text, "%s|%s|%s|%d", rule, path, name ? name : "", name ? 0 : branch);
    return name_hash(text);
}

static const struct worked *worked_find(const struct engine *g, uint64_t key)
{
    for (size_t k = 0; k < g->worked_len; k++)
        if (g->worked[k].key == key)
            return &g->worked[k];
    return NULL;
}

/* The one that was counted longest ago makes room. */
static struct worked *worked_know(struct engine *g, uint64_t key)
{
    struct worked *found = (struct worked *)worked_find(g, key);
    struct worked w = found ? *found : (struct worked){ .key = key };
    size_t at = found ? (size_t)(found - g->worked) : g->worked_len;
    if (!found && g->worked_len == ENGINE_WORKED_MAX)
        at = 0;
    else if (!found)
        g->worked_len++;
    memmove(&g->worked[at], &g->worked[at + 1], (g->worked_len - 1 - at) * sizeof g->worked[0]);
    g->worked[g->worked_len - 1] = w;
    return &g->worked[g->worked_len - 1];
}

void count_worked(struct engine *g, struct incident *i, const struct tree *t, int at, bool fixed)
{
    for (int k = at; k >= 0; k = t->spots[k].parent) {
        int parent = t->spots[k].parent;
        if (parent < 0 || t->spots[parent].node->type != NODE_CHOOSE)
            continue;
        struct worked *w = worked_know(g, branch_key(i->rule, t, parent, t->spots[k].list - LIST_BRANCH));
        w->tried++;
        w->fixed += fixed;
        i->worked = fixed ? w->key : i->worked;
    }
}

/* The branch that healed what has come back within so short a time; 0: none. */
static uint64_t relapse_of(const struct engine *g, const struct past *p, int64_t at_ms)
{
    bool soon = p && p->closed_ms > at_ms - RELAPSE_MS && p->outcome == OUTCOME_HEALED;
    return soon && worked_find(g, p->worked) ? p->worked : 0;
}

void count_relapse(struct engine *g, const char *former, int64_t at_ms)
{
    for (size_t k = g->past_len; k-- > 0;) {
        if (strcmp(g->past[k].id, former) != 0)
            continue;
        uint64_t key = relapse_of(g, &g->past[k], at_ms);
        struct worked *w = key ? (struct worked *)worked_find(g, key) : NULL;
        if (w && w->fixed > 0)
            w->fixed--;
        return;
    }
}

/* What was never tried stands at a half, so that it gets its turn. `relapse`: a branch whose last success is
 * none any more. */
static uint64_t promise(const struct walker *w, int branch, uint64_t relapse)
{
    uint64_t key = branch_key(w->i->rule, &w->tree, w->at, branch);
    const struct worked *k = worked_find(w->t->g, key);
    uint64_t fixed = k ? k->fixed - (key == relapse && k->fixed > 0) : 0;
    return k ? 1000u * (fixed + 1u) / (k->tried + 2u) : 500u;
}

void branches_rank(const struct walker *w, uint8_t ret[POLICY_BRANCHES_MAX], char ret_why[FACT_TEXT_SIZE])
{
    size_t len = w->in.node->branches_len;
    int32_t times;
    const struct past *former = past_find(w->t->g, w->i->rule, w->in.target, w->t->now_ms, &times);
    uint64_t relapse =
        w->i->resolved ? 0 : relapse_of(w->t->g, former, w->t->now_ms); /* else it is counted already */
    assert(len <= POLICY_BRANCHES_MAX);
    text_copy(ret_why, FACT_TEXT_SIZE,
              w->in.node->by_success ? "by what has worked for this rule" : "in the plan's order");
    for (size_t k = 0; k < len; k++)
        ret[k] = (uint8_t)k;
    for (size_t k = 1; w->in.node->by_success && k < len; k++)
        for (size_t n = k; n > 0 && promise(w, ret[n], relapse) > promise(w, ret[n - 1], relapse); n--) {
            uint8_t better = ret[n];
            ret[n] = ret[n - 1];
            ret[n - 1] = better;
        }
}
