/* rules/engine/tree.h - internal to rules/engine: a plan's nodes in plan order, and how far an incident is in
 * them.
 *
 * What is recorded per node (struct progress) follows from the facts; what comes next follows from that and
 * the plan alone (tree_next). So a replay, an older journal and a running incident all read the same way:
 * nothing else is kept of where a plan stands. */
#ifndef RULES_ENGINE_TREE_H
#define RULES_ENGINE_TREE_H

#include "rules/policy/policy.h"

#define TREE_MAX POLICY_PLAN_NODES_MAX

enum list_of { LIST_PHASE, LIST_THEN, LIST_OTHERWISE, LIST_BRANCH /* + index */ };

struct spot { /* a node at its place; plan order: parents before what stands in them */
    const struct node *node;
    int16_t parent;          /* index; -1: it stands in a phase's own list */
    int16_t after;           /* index behind the last node below it */
    uint8_t phase, list, at; /* enum phase; enum list_of; index in that list */
};
struct tree {
    struct spot spots[TREE_MAX];
    int len;
};

/* Results beside enum step_result. */
enum { RESULT_PASSED = 100 /* the plan is behind it already, and nothing came of it */ };

struct progress {
    uint8_t result[TREE_MAX]; /* enum step_result, RESULT_PASSED */
    uint8_t branch[TREE_MAX]; /* WHEN: LIST_THEN or LIST_OTHERWISE once begun; CHOOSE: 1 once ranked */
    uint8_t turn[TREE_MAX];   /* of the first node of a branch of CHOOSE: when it is tried, from 0 */
};

void tree_of(const struct plan *p, struct tree *ret);
/* The way down from a phase: "steps.0.then.1", "steps.2.branch.1.0". */
void tree_path(const struct tree *t, int at, char ret[STEP_PATH_SIZE]);
int tree_find(const struct tree *t, const char *path); /* -1: no such node */
/* By its name, as it is meant at node `asker`: a called plan's steps know those of their own plan, and nobody
 * else does. At the top by its path, too. The first one of that name; -1. */
int tree_named(const struct tree *t, int asker, const char *name);
/* Was anything written in there? */
bool tree_wrote(const struct tree *t, const struct progress *p, int at);
/* The outermost PARALLEL above a node, by which it is verified; -1. */
int tree_parallel(const struct tree *t, int at);

/* Something was recorded of node `at`: branches on the way to it are taken, and what stands before it is
 * passed. */
void progress_reach(const struct tree *t, struct progress *p, int at);
/* Which branch of CHOOSE `at` is tried first, second, ... */
void progress_rank(const struct tree *t, struct progress *p, int at, const uint8_t *order, size_t len);
/* How a node, or all that stands in it, ended: RESULT_NOT_RUN while it has not. */
enum step_result progress_result(const struct tree *t, const struct progress *p, int at);

enum place {
    PLACE_AT,        /* `ret_at` is next: a step to take, a WHEN or CHOOSE to decide, a PARALLEL to verify */
    PLACE_FIXED,     /* the phases have ended, fixed */
    PLACE_NOT_FIXED, /* ended, and no step was verified as fixed */
    PLACE_NOT_PREPARED,   /* prepare failed: nothing else is done */
    PLACE_VALIDATE_FAILED /* fixed, but validation said no, and `otherwise` did not mend it */
};
/* What comes next; `ending`: only cleanup and report are left, PLACE_FIXED when they are through. */
enum place tree_next(const struct tree *t, const struct progress *p, bool ending, int *ret_at);

#endif
