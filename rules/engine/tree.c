#include "rules/engine/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- nodes in plan order ---- */

static void add_list(struct tree *t, const struct node_list *list, int parent, uint8_t phase, uint8_t of);

static void add_below(struct tree *t, int at)
{
    const struct node *n = t->spots[at].node;
    uint8_t phase = t->spots[at].phase;
    add_list(t, &n->then, at, phase, LIST_THEN);
    add_list(t, &n->otherwise, at, phase, LIST_OTHERWISE);
    for (size_t b = 0; b < n->branches_len; b++)
        add_list(t, &n->branches[b].steps, at, phase, (uint8_t)(LIST_BRANCH + b));
    t->spots[at].after = (int16_t)t->len;
}

static void add_list(struct tree *t, const struct node_list *list, int parent, uint8_t phase, uint8_t of)
{
    for (size_t i = 0; i < list->len && t->len < (int)TREE_MAX; i++) {
        int at = t->len++;
        t->spots[at] = (struct spot){
            .node = &list->items[i], .parent = (int16_t)parent, .phase = phase, .list = of, .at = (uint8_t)i
        };
        add_below(t, at);
    }
}

void tree_of(const struct plan *p, struct tree *ret)
{
    ret->len = 0;
    for (int phase = 0; phase < PHASE_END_; phase++)
        add_list(ret, &p->phases[phase], -1, (uint8_t)phase, LIST_PHASE);
}

/* ---- paths ---- */

static void list_word(const struct spot *s, char *ret, size_t size)
{
    if (s->list == LIST_PHASE)
        snprintf(ret, size, "%s", phase_names[s->phase]);
    else if (s->list < LIST_BRANCH)
        snprintf(ret, size, "%s", s->list == LIST_THEN ? "then" : "otherwise");
    else
        snprintf(ret, size, "branch.%d", s->list - LIST_BRANCH);
}

void tree_path(const struct tree *t, int at, char ret[STEP_PATH_SIZE])
{
    char word[24];
    size_t len = 0;
    const struct spot *s = &t->spots[at];
    if (s->parent >= 0) {
        tree_path(t, s->parent, ret);
        len = strlen(ret);
    }
    list_word(s, word, sizeof word);
    snprintf(ret + len, STEP_PATH_SIZE - len, "%s%s.%d", len ? "." : "", word, s->at);
}

/* The first node of such a list, or -1: nodes of one list lie between `from` and `end`, each behind what
 * stands in the one before. */
static int list_first(const struct tree *t, int parent, int list, int phase)
{
    int from = parent < 0 ? 0 : parent + 1;
    int end = parent < 0 ? t->len : t->spots[parent].after;
    for (int k = from; k < end; k = t->spots[k].after)
        if (t->spots[k].list == list && (parent >= 0 || t->spots[k].phase == phase))
            return k;
    return -1;
}

/* The next one of its list, or -1. */
static int list_next(const struct tree *t, int at)
{
    const struct spot *s = &t->spots[at];
    int end = s->parent < 0 ? t->len : t->spots[s->parent].after;
    int next = s->after;
    return next < end && t->spots[next].list == s->list && t->spots[next].phase == s->phase ? next : -1;
}

static bool take_word(const char **path, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*path, word, len) != 0 || (*path)[len] != '.')
        return false;
    *path += len + 1;
    return true;
}

static int take_number(const char **path)
{
    int n = 0;
    if (**path < '0' || **path > '9')
        return -1;
    while (**path >= '0' && **path <= '9' && n < 1000)
        n = n * 10 + (*(*path)++ - '0');
    if (**path == '.')
        (*path)++;
    else if (**path)
        return -1;
    return n;
}

static int take_list(const char **path)
{
    if (take_word(path, "then"))
        return LIST_THEN;
    if (take_word(path, "otherwise"))
        return LIST_OTHERWISE;
    if (!take_word(path, "branch"))
        return -1;
    int branch = take_number(path);
    return branch < 0 ? -1 : LIST_BRANCH + branch;
}

int tree_find(const struct tree *t, const char *path)
{
    int phase = 0, at = -1;
    while (phase < PHASE_END_ && !take_word(&path, phase_names[phase]))
        phase++;
    for (int list = LIST_PHASE; phase < PHASE_END_ && list >= 0; list = take_list(&path)) {
        int number = take_number(&path);
        at = list_first(t, at, list, phase);
        while (number-- > 0 && at >= 0)
            at = list_next(t, at);
        if (number < -1 || at < 0)
            return -1;
        if (!*path)
            return at;
    }
    return -1;
}

/* The CALL that a node stands below, the innermost; -1. */
static int call_around(const struct tree *t, int at)
{
    int k = at < 0 ? -1 : t->spots[at].parent;
    while (k >= 0 && t->spots[k].node->type != NODE_CALL)
        k = t->spots[k].parent;
    return k;
}

int tree_named(const struct tree *t, int asker, const char *name)
{
    int call = call_around(t, asker);
    for (int k = 0; k < t->len; k++)
        if (t->spots[k].node->name && strcmp(t->spots[k].node->name, name) == 0 && call_around(t, k) == call)
            return k;
    return call < 0 ? tree_find(t, name) : -1;
}

int tree_parallel(const struct tree *t, int at)
{
    int found = -1;
    for (int k = at < 0 ? -1 : t->spots[at].parent; k >= 0; k = t->spots[k].parent)
        if (t->spots[k].node->type == NODE_PARALLEL)
            found = k;
    return found;
}

/* ---- what comes of lists ---- */

enum way { WAY_AT, WAY_FIXED, WAY_FAILED, WAY_DONE };
struct course {
    enum way way;
    int at;
};

static struct course node_course(const struct tree *t, const struct progress *p, int at);

/* Is what stands behind it not done, when it failed? */
static bool ends_list(const struct node *n)
{
    return n->type == NODE_GATE || (n->type == NODE_WAIT && n->wait.on_timeout == LATE_FAILS);
}

/* From its first node on. An empty list is done. */
static struct course list_course(const struct tree *t, const struct progress *p, int first)
{
    bool bad = false;
    for (int k = first; k >= 0; k = list_next(t, k)) {
        struct course c = node_course(t, p, k);
        if (c.way == WAY_AT || c.way == WAY_FIXED)
            return c;
        bad |= c.way == WAY_FAILED;
        if (c.way == WAY_FAILED && ends_list(t->spots[k].node))
            break; /* a no: what stands behind it is not done */
    }
    return (struct course){ bad ? WAY_FAILED : WAY_DONE, -1 };
}

static struct course when_course(const struct tree *t, const struct progress *p, int at)
{
    if (t->spots[at].node->type == NODE_WHEN && !p->branch[at])
        return (struct course){ WAY_AT, at };
    int list = t->spots[at].node->type == NODE_WHEN ? p->branch[at] : LIST_THEN;
    return list_course(t, p, list_first(t, at, list, 0));
}

static struct course choose_course(const struct tree *t, const struct progress *p, int at)
{
    size_t len = t->spots[at].node->branches_len;
    bool bad = false;
    if (!p->branch[at])
        return (struct course){ WAY_AT, at };
    for (size_t turn = 0; turn < len; turn++) {
        for (size_t b = 0; b < len; b++) {
            int first = list_first(t, at, LIST_BRANCH + (int)b, 0);
            if (first < 0 || p->turn[first] != turn)
                continue;
            struct course c = list_course(t, p, first);
            bool carried_out = c.way == WAY_DONE && tree_parallel(t, at) >= 0; /* judged later, together */
            if (c.way == WAY_AT || c.way == WAY_FIXED || carried_out)
                return c;
            bad |= c.way == WAY_FAILED;
        }
    }
    return (struct course){ bad ? WAY_FAILED : WAY_DONE, -1 };
}

bool tree_wrote(const struct tree *t, const struct progress *p, int at)
{
    for (int k = at; k < t->spots[at].after; k++)
        if (t->spots[k].node->type == NODE_DO && p->result[k] == RESULT_DONE &&
            t->spots[k].node->action->risk != RISK_READ)
            return true;
    return false;
}

static struct course parallel_course(const struct tree *t, const struct progress *p, int at)
{
    const struct node *n = t->spots[at].node;
    size_t need = n->need ? (size_t)n->need : n->branches_len, carried_out = 0;
    for (size_t b = 0; b < n->branches_len && carried_out < need; b++) {
        if (n->branches_len - b < need - carried_out)
            break; /* it cannot be reached any more */
        struct course c = list_course(t, p, list_first(t, at, LIST_BRANCH + (int)b, 0));
        if (c.way == WAY_AT)
            return c;
        carried_out += c.way == WAY_DONE;
    }
    if (carried_out < need)
        return (struct course){ WAY_FAILED, -1 };
    bool verified_here = tree_parallel(t, at) < 0 && tree_wrote(t, p, at);
    return verified_here ? (struct course){ WAY_AT, at } : (struct course){ WAY_DONE, -1 };
}

static struct course node_course(const struct tree *t, const struct progress *p, int at)
{
    switch (p->result[at]) {
    case RESULT_NOT_RUN:
        break;
    case RESULT_FIXED:
        return (struct course){ WAY_FIXED, at };
    case RESULT_DONE:
    case RESULT_PASSED:
        return (struct course){ WAY_DONE, -1 };
    default:
        return (struct course){ WAY_FAILED, -1 };
    }
    switch (t->spots[at].node->type) {
    case NODE_WHEN:
    case NODE_CALL:
        return when_course(t, p, at);
    case NODE_CHOOSE:
        return choose_course(t, p, at);
    case NODE_PARALLEL:
        return parallel_course(t, p, at);
    default:
        return (struct course){ WAY_AT, at };
    }
}

enum step_result progress_result(const struct tree *t, const struct progress *p, int at)
{
    static const enum step_result results[] = { [WAY_AT] = RESULT_NOT_RUN,
                                                [WAY_FIXED] = RESULT_FIXED,
                                                [WAY_FAILED] = RESULT_FAILED,
                                                [WAY_DONE] = RESULT_DONE };
    if (p->result[at] == RESULT_PASSED)
        return RESULT_NOT_RUN;
    if (p->result[at] != RESULT_NOT_RUN)
        return (enum step_result)p->result[at];
    return results[node_course(t, p, at).way];
}

/* ---- what is recorded ---- */

/* Those before `at` in its list that have not ended are passed. */
static void pass_before(const struct tree *t, struct progress *p, int at)
{
    const struct spot *s = &t->spots[at];
    for (int k = list_first(t, s->parent, s->list, s->phase); k >= 0 && k < at; k = list_next(t, k))
        if (node_course(t, p, k).way == WAY_AT)
            p->result[k] = RESULT_PASSED;
}

void progress_reach(const struct tree *t, struct progress *p, int at)
{
    int top = at;
    for (int k = at; k >= 0; k = t->spots[k].parent) {
        pass_before(t, p, k);
        int parent = t->spots[k].parent;
        if (parent >= 0 && t->spots[parent].node->type == NODE_WHEN)
            p->branch[parent] = t->spots[k].list;
        top = k;
    }
    for (int k = 0; t->spots[top].phase == PHASE_OTHERWISE && k < t->len; k = t->spots[k].after)
        if (t->spots[k].phase < PHASE_OTHERWISE && node_course(t, p, k).way == WAY_AT)
            p->result[k] = RESULT_PASSED;
}

void progress_rank(const struct tree *t, struct progress *p, int at, const uint8_t *order, size_t len)
{
    p->branch[at] = 1;
    for (size_t turn = 0; turn < len; turn++) {
        int first = list_first(t, at, LIST_BRANCH + order[turn], 0);
        if (first >= 0)
            p->turn[first] = (uint8_t)turn;
    }
}

/* ---- phases ---- */

static struct course phase_course(const struct tree *t, const struct progress *p, enum phase phase)
{
    return list_course(t, p, list_first(t, -1, LIST_PHASE, (int)phase));
}

/* PLACE_AT, or what `next` says when none of these phases has anything left to do. */
static bool any_left(const struct tree *t, const struct progress *p, enum phase a, enum phase b, int *ret_at)
{
    struct course c = phase_course(t, p, a);
    if (c.way != WAY_AT)
        c = phase_course(t, p, b);
    *ret_at = c.at;
    return c.way == WAY_AT;
}

/* Fixed by `steps` or `otherwise`: what makes sure of it. */
static enum place next_after_fixed(const struct tree *t, const struct progress *p, bool otherwise_left,
                                   int *ret_at)
{
    if (any_left(t, p, PHASE_STABILISE, PHASE_VALIDATE, ret_at))
        return PLACE_AT;
    if (phase_course(t, p, PHASE_VALIDATE).way == WAY_FAILED) {
        struct course c = phase_course(t, p, PHASE_OTHERWISE);
        *ret_at = c.at;
        if (otherwise_left && c.way == WAY_AT)
            return PLACE_AT;
        if (!otherwise_left || c.way != WAY_FIXED)
            return PLACE_VALIDATE_FAILED;
    }
    return any_left(t, p, PHASE_OPTIMISE, PHASE_OPTIMISE, ret_at) ? PLACE_AT : PLACE_FIXED;
}

enum place tree_next(const struct tree *t, const struct progress *p, bool ending, int *ret_at)
{
    if (ending)
        return any_left(t, p, PHASE_CLEANUP, PHASE_REPORT, ret_at) ? PLACE_AT : PLACE_FIXED;
    struct course c = phase_course(t, p, PHASE_PREPARE);
    *ret_at = c.at;
    if (c.way == WAY_AT)
        return PLACE_AT;
    if (c.way == WAY_FAILED)
        return PLACE_NOT_PREPARED;
    c = phase_course(t, p, PHASE_STEPS);
    if (c.way == WAY_FIXED)
        return next_after_fixed(t, p, true, ret_at);
    if (c.way != WAY_AT)
        c = phase_course(t, p, PHASE_OTHERWISE);
    *ret_at = c.at;
    if (c.way == WAY_AT)
        return PLACE_AT;
    return c.way == WAY_FIXED ? next_after_fixed(t, p, false, ret_at) : PLACE_NOT_FIXED;
}
