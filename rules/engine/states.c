/* The states of an incident in one table: who ends each, by when, and where it may lead. Looked at with every
 * fact that is applied; test/unit/documents.py holds ARCHITECTURE.md's table to it. */
#include "rules/engine/state.h"

#define TO(state) (1u << STATE_##state)
#define ANY_STEP                                                                                             \
    (TO(DECIDING) | TO(WAITING) | TO(APPROVAL) | TO(DELAYED) | TO(ACTING) | TO(VERIFYING) | TO(CLOSED))

static const struct state_row {
    const char *owner, *deadline; /* for people */
    unsigned to;
} rows[STATE_END_] = {
    [STATE_RESOLVING] = { "the cluster", "closed 24 h after its opening",
                          TO(RESOLVING) | TO(DECIDING) | TO(CLOSED) },
    [STATE_DECIDING] = { "the core", "24 h after the last write", ANY_STEP },
    [STATE_WAITING] = { "the guard's reason", "24 h after the last write", ANY_STEP },
    [STATE_APPROVAL] = { "a person", "the `expires` of gate or environment", ANY_STEP },
    [STATE_DELAYED] = { "the clock, or the condition", "the step's time, or `within`", ANY_STEP },
    [STATE_ACTING] = { "the cluster", "the call's own time; asking: 24 h",
                       TO(ACTING) | TO(DECIDING) | TO(WAITING) | TO(VERIFYING) | TO(CLOSED) },
    [STATE_VERIFYING] = { "the cluster, Prometheus", "`within`", TO(VERIFYING) | TO(DECIDING) | TO(CLOSED) },
    [STATE_CLOSED] = { "the outbox", "", 0 },
};

bool state_may(enum incident_state from, enum incident_state to)
{
    return (rows[from].to >> to) & 1u;
}

const char *state_owner(enum incident_state s)
{
    return rows[s].owner;
}

const char *state_deadline(enum incident_state s)
{
    return rows[s].deadline;
}
