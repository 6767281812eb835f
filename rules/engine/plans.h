/* rules/engine/plans.h - the resolved plans of open incidents: equal ones are kept once, however many
 * incidents a storm opens. Internal to the engine. */
#ifndef RULES_ENGINE_PLANS_H
#define RULES_ENGINE_PLANS_H

#include "rules/engine/state.h"

struct shared_plan {
    UT_hash_handle hh; /* by text */
    bool lost;         /* no memory for the table */
    size_t users;
    struct plan *plan; /* never changed */
    char text[];       /* as JSON */
};

/* The plan of this JSON text, to be given back. ERR_INVALID, ERR_NOMEM. */
enum err_code plans_take(struct engine *g, const char *text, struct plan **ret, struct err *e);
/* *plan becomes NULL; NULL is fine. */
void plans_give(struct engine *g, struct plan **plan);
/* The engine ends: all of them. */
void plans_release(struct engine *g);

#endif
