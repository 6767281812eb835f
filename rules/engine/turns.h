/* rules/engine/turns.h - internal to rules/engine: who is at work where, and who waits for a turn there.
 *
 * An incident that acts or verifies takes one place at each of its sites: in all, in its cluster, in its
 * environment, of its rule, and of the incidents that its alert opened. One that guard running or bulkhead
 * has sent away waits at the site that was full, and at no other, so that a full cluster holds up nobody
 * elsewhere: by urgency, then by opening. Both follow from the facts and are kept with every one of them, so
 * that asking costs the same with one open incident or with thousands: no more than the limit that is asked
 * for. */
#ifndef RULES_ENGINE_TURNS_H
#define RULES_ENGINE_TURNS_H

#include "rules/engine/state.h"

struct site {
    uint64_t key; /* of what kind, and its name */
    uint32_t acting, waiting;
    struct incident *queue[URGENCIES]; /* the most urgent first; each by opening */
    uint32_t queued[URGENCIES];
    bool lost; /* could not be added to its table */
    UT_hash_handle hh;
};

/* The incident's state has changed: it stands where it belongs now. False: no memory. */
bool turns_update(struct engine *g, struct incident *i);
/* It is closed. */
void turns_leave(struct engine *g, struct incident *i);
void turns_free(struct engine *g);

/* How urgent it is by the policy in force: 1 (critical) to 4 (info); what says nothing is a warning. */
int32_t incident_urgency(const struct policy *p, const struct incident *i);
bool incident_acts(const struct incident *i);
bool incident_queued(const struct incident *i);

struct turns {
    int64_t acting;  /* others at work there */
    int64_t waiting; /* others that wait */
    int64_t ahead;   /* of them, those whose turn comes first; counted up to `most` */
};
/* At the site of this kind and name (SITE_ALL: ""), as seen by i, which need not stand there. */
struct turns turns_at(const struct engine *g, enum site_kind kind, uint64_t name, const struct incident *i,
                      int32_t urgency, int64_t most);
/* The name of i's alert and rule for SITE_ALERT. */
uint64_t turns_of_alert(const struct incident *i);

/* NULL, or what is wrong with the index. For tests. */
const char *turns_unsound(const struct engine *g);

#endif
