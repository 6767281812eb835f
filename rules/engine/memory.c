/* What is remembered of incidents: when they came, how they ended, which actions did not help. */
#include <stdlib.h>
#include <string.h>

#include "rules/engine/state.h"

/* Room for one more of at most `max`: the oldest eighth goes when it is full. False: no memory. */
static bool room(void **list, size_t *len, size_t *cap, size_t size, size_t max)
{
    if (*len < *cap)
        return true;
    if (*cap == max) {
        size_t old = max / 8;
        memmove(*list, (char *)*list + old * size, (*len - old) * size);
        *len -= old;
        return true;
    }
    size_t more = *cap ? *cap * 2 : 16;
    more = more < max ? more : max;
    void *p = realloc(*list, more * size);
    if (!p)
        return false;
    *list = p;
    *cap = more;
    return true;
}

bool remember_arrival(struct engine *g, const struct incident *i, bool changed, int64_t at_ms)
{
    if (!room((void **)&g->arrivals, &g->arrivals_len, &g->arrivals_cap, sizeof *g->arrivals,
              ENGINE_ARRIVALS_MAX))
        return false;
    g->arrivals[g->arrivals_len++] = (struct arrival){ .at_ms = at_ms,
                                                       .environment = name_hash(i->environment),
                                                       .cluster = name_hash(i->target.cluster),
                                                       .target = target_hash(&i->target),
                                                       .changed = changed };
    return true;
}

bool remember_past(struct engine *g, const struct incident *i)
{
    if (!room((void **)&g->past, &g->past_len, &g->past_cap, sizeof *g->past, ENGINE_PAST_MAX))
        return false;
    struct past *p = &g->past[g->past_len++];
    *p = (struct past){ .rule = name_hash(i->rule),
                        .target = target_hash(&i->target),
                        .closed_ms = i->closed_ms,
                        .outcome = i->outcome,
                        .worked = i->worked };
    memcpy(p->id, i->id, sizeof p->id);
    return true;
}

const struct past *past_find(const struct engine *g, const char *rule, const struct target *t, int64_t now_ms,
                             int32_t *ret_times)
{
    uint64_t rule_hash = name_hash(rule), target = target_hash(t);
    const struct past *last = NULL;
    *ret_times = 0;
    for (size_t k = g->past_len; k-- > 0 && g->past[k].closed_ms > now_ms - RECURRENCE_MS;)
        if (g->past[k].rule == rule_hash && g->past[k].target == target) {
            last = last ? last : &g->past[k];
            ++*ret_times;
        }
    return last;
}

static uint64_t broken_key(const char *environment, const char *action)
{
    return name_hash(environment) * 31u + name_hash(action);
}

const struct broken *broken_find(const struct engine *g, const char *environment, const char *action)
{
    uint64_t key = broken_key(environment, action);
    for (size_t k = 0; k < g->broken_len; k++)
        if (g->broken[k].key == key)
            return &g->broken[k];
    return NULL;
}

void count_broken(struct engine *g, const char *environment, const char *action, bool helped, int64_t at_ms)
{
    const struct broken *found = broken_find(g, environment, action);
    struct broken b = found ? *found : (struct broken){ .key = broken_key(environment, action) };
    size_t at = found ? (size_t)(found - g->broken) : 0;
    bool full =
        !found && !helped && g->broken_len == ENGINE_BROKEN_MAX; /* the one that failed longest ago goes */
    if (found || full)
        memmove(&g->broken[at], &g->broken[at + 1], (--g->broken_len - at) * sizeof g->broken[0]);
    if (helped)
        return;
    b.failures++;
    b.last_ms = at_ms;
    g->broken[g->broken_len++] = b;
}
