#include "rules/engine/turns.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

int32_t incident_urgency(const struct policy *p, const struct incident *i)
{
    static const char *const words[URGENCIES] = { "critical", "error", "warning", "info" };
    const struct rule *rule = p ? policy_rule(p, i->rule) : NULL;
    const char *said = rule && rule->severity ? rule->severity : map_get(&i->labels, "severity");
    for (int32_t k = 0; said && k < URGENCIES; k++)
        if (strcmp(said, words[k]) == 0)
            return k + 1;
    return 3;
}

bool incident_acts(const struct incident *i)
{
    return i->state == STATE_ACTING || i->state == STATE_VERIFYING;
}

bool incident_queued(const struct incident *i)
{
    return i->state == STATE_WAITING && i->waits_at != SITE_NONE;
}

uint64_t turns_of_alert(const struct incident *i)
{
    return i->family ^ name_hash(i->rule) * 31;
}

static uint64_t site_key(enum site_kind kind, uint64_t name)
{
    return name * 0x9e3779b97f4a7c15u + (uint64_t)kind + 1;
}

static void site_keys(const struct incident *i, uint64_t ret[SITE_END_])
{
    ret[SITE_NONE] = 0;
    ret[SITE_ALL] = site_key(SITE_ALL, 0);
    ret[SITE_CLUSTER] = site_key(SITE_CLUSTER, name_hash(i->target.cluster));
    ret[SITE_ENVIRONMENT] = site_key(SITE_ENVIRONMENT, name_hash(i->environment));
    ret[SITE_RULE] = site_key(SITE_RULE, name_hash(i->rule));
    ret[SITE_ALERT] = site_key(SITE_ALERT, turns_of_alert(i));
}

static struct site *site_find(const struct engine *g, uint64_t key)
{
    struct site *s = NULL;
    HASH_FIND(hh, g->sites, &key, sizeof key, s);
    return s;
}

static struct site *site_get(struct engine *g, uint64_t key)
{
    struct site *s = site_find(g, key);
    if (s)
        return s;
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->key = key;
    HASH_ADD(hh, g->sites, key, sizeof s->key, s);
    if (!s->lost)
        return s;
    free(s);
    return NULL;
}

/* Is j's turn before one that was opened then, of the same urgency? */
static bool before(const struct incident *j, const struct incident *i)
{
    if (j->opened_ms != i->opened_ms)
        return j->opened_ms < i->opened_ms;
    return j->target_index != i->target_index ? j->target_index < i->target_index : strcmp(j->id, i->id) < 0;
}

static void enqueue(struct site *s, struct incident *i)
{
    struct incident **head = &s->queue[i->urgency - 1];
    struct incident *at = *head ? (*head)->turn_prev : NULL; /* the last one */
    while (at && !before(at, i))
        at = at == *head ? NULL : at->turn_prev;
    if (at)
        DL_APPEND_ELEM2(*head, at, i, turn_prev, turn_next);
    else
        DL_PREPEND2(*head, i, turn_prev, turn_next);
    s->queued[i->urgency - 1]++;
    s->waiting++;
}

static void dequeue(struct site *s, struct incident *i)
{
    struct incident **head = &s->queue[i->urgency - 1];
    if (i->turn_next)
        i->turn_next->turn_prev = i->turn_prev;
    else if (*head != i)
        (*head)->turn_prev = i->turn_prev; /* the first one knows the last one */
    if (*head == i)
        *head = i->turn_next;
    else
        i->turn_prev->turn_next = i->turn_next;
    s->queued[i->urgency - 1]--;
    s->waiting--;
}

void turns_leave(struct engine *g, struct incident *i)
{
    for (int k = SITE_ALL; k < SITE_END_; k++) {
        struct site *s = i->sites[k];
        if (!s)
            continue;
        if (i->standing == STANDING_QUEUED)
            dequeue(s, i);
        else
            s->acting--;
        i->sites[k] = NULL;
        if (s->acting || s->waiting)
            continue;
        HASH_DEL(g->sites, s); /* NOLINT(clang-analyzer-core.NullDereference): it is in the table */
        free(s);
    }
    i->standing = STANDING_NOWHERE;
}

/* Does it stand at sites of this kind? */
static bool stands_at(const struct incident *i, enum standing standing, int kind)
{
    return standing == STANDING_ACTING || (standing == STANDING_QUEUED && kind == (int)i->waits_at);
}

static bool stands_right(const struct incident *i, enum standing standing, const uint64_t keys[SITE_END_])
{
    if (i->standing != standing)
        return false;
    for (int k = SITE_ALL; k < SITE_END_; k++)
        if (stands_at(i, standing, k) && (!i->sites[k] || i->sites[k]->key != keys[k]))
            return false;
    return true;
}

bool turns_update(struct engine *g, struct incident *i)
{
    uint64_t keys[SITE_END_];
    enum standing standing = incident_acts(i)     ? STANDING_ACTING
                             : incident_queued(i) ? STANDING_QUEUED
                                                  : STANDING_NOWHERE;
    if (standing == STANDING_NOWHERE && i->standing == STANDING_NOWHERE)
        return true;
    site_keys(i, keys);
    if (stands_right(i, standing, keys))
        return true;
    turns_leave(g, i);
    i->standing = standing;
    for (int k = SITE_ALL; k < SITE_END_; k++) {
        struct site *s = stands_at(i, standing, k) ? site_get(g, keys[k]) : NULL;
        if (!stands_at(i, standing, k))
            continue;
        if (!s)
            return false;
        i->sites[k] = s;
        if (standing == STANDING_ACTING)
            s->acting++;
        else
            enqueue(s, i);
    }
    return true;
}

void turns_free(struct engine *g)
{
    struct site *s, *next;
    HASH_ITER (hh, g->sites, s, next) {
        HASH_DEL(g->sites, s); /* NOLINT(clang-analyzer-unix.Malloc): it does not see the head move on */
        free(s);
    }
}

struct turns turns_at(const struct engine *g, enum site_kind kind, uint64_t name, const struct incident *i,
                      int32_t urgency, int64_t most)
{
    struct turns t = { .acting = 0 };
    const struct site *s = site_find(g, site_key(kind, name));
    if (!s)
        return t;
    bool here = i->sites[kind] == s;
    t.acting = (int64_t)s->acting - (here && i->standing == STANDING_ACTING);
    t.waiting = (int64_t)s->waiting - (here && i->standing == STANDING_QUEUED);
    for (int32_t k = 0; k < urgency - 1 && t.ahead < most; k++)
        t.ahead += s->queued[k];
    for (const struct incident *j = s->queue[urgency - 1]; j && t.ahead < most && before(j, i);
         j = j->turn_next)
        t.ahead++;
    t.ahead = t.ahead < most ? t.ahead : most;
    return t;
}

static const char *site_unsound(const struct site *s)
{
    uint32_t waiting = 0;
    for (int k = 0; k < URGENCIES; k++)
        waiting += s->queued[k];
    if (waiting != s->waiting)
        return "those that wait for a turn are counted wrong";
    return s->acting + s->waiting ? NULL : "a site is kept where nobody stands";
}

const char *turns_unsound(const struct engine *g)
{
    uint64_t standing[3] = { 0 }, acting = 0, waiting = 0;
    uint64_t keys[SITE_END_];
    for (const struct incident *i = g->open; i; i = i->next) {
        enum standing want = incident_acts(i)     ? STANDING_ACTING
                             : incident_queued(i) ? STANDING_QUEUED
                                                  : STANDING_NOWHERE;
        site_keys(i, keys);
        if (!stands_right(i, want, keys))
            return "an incident does not stand where its state says";
        if (want == STANDING_QUEUED && i->turn_next && !before(i, i->turn_next))
            return "a queue is not in its order";
        standing[want]++;
    }
    for (const struct site *s = g->sites; s; s = s->hh.next) {
        const char *why = site_unsound(s);
        if (why)
            return why;
        acting += s->acting;
        waiting += s->waiting;
    }
    if (acting != (SITE_END_ - SITE_ALL) * standing[STANDING_ACTING] || waiting != standing[STANDING_QUEUED])
        return "sites count other incidents than there are";
    return NULL;
}
