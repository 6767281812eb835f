/* test/simulate/events.c - chance, mishaps, and a heap of what happens when. */
#include <string.h>

#include "test/simulate/sim.h"

uint64_t chance_next(struct chance *c)
{
    uint64_t z = c->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t chance_in(struct chance *c, int64_t min, int64_t max)
{
    return min + (int64_t)(chance_next(c) % (uint64_t)(max - min + 1));
}

bool chance_one_in(struct chance *c, int64_t n)
{
    return chance_in(c, 1, n) == 1;
}

/* ---- mishaps ---- */

const char *mishap_name(enum mishap m)
{
    static const char *const names[MISHAPS_] = { "fault", "deploy",  "strange", "flap",  "moved",  "unsent",
                                                 "slow",  "write",   "outage",  "crash", "commit", "policy",
                                                 "pause", "word",    "silence", "clock", "disk",   "gap",
                                                 "token", "forgets", "lags",    "pair",  "again" };
    return names[m];
}

bool story_without(const struct story *s, enum mishap m, uint32_t n)
{
    return n < STORY_MISHAPS_MAX && (s->without[m][n / 64] >> n % 64 & 1);
}

void story_set(struct story *s, enum mishap m, uint32_t n, bool without)
{
    if (n >= STORY_MISHAPS_MAX)
        return;
    s->without[m][n / 64] &= ~(1ull << n % 64);
    s->without[m][n / 64] |= (uint64_t)without << n % 64;
}

static bool happens(struct sim *s, enum mishap m, uint32_t n, struct chance *ret)
{
    struct chance mix = { s->story.seed * 1000003u + (uint64_t)m };
    ret->state = chance_next(&mix) + n * 0xda942042e4dd58b5u;
    chance_next(ret);
    if (s->due)
        story_set(s->due, m, n, true);
    if (story_without(&s->story, m, n))
        return false;
    count_name(&s->stats->mishaps, mishap_name(m), 1);
    return true;
}

bool mishap(struct sim *s, enum mishap m, struct chance *ret)
{
    return happens(s, m, s->mishaps[m][0]++, ret);
}

bool mishap_of(struct sim *s, enum mishap m, int object, struct chance *ret)
{
    uint32_t n = s->mishaps[m][object]++;
    bool late = n >= MISHAPS_OF_OBJECT_MAX || object >= OBJECTS;
    return happens(s, m, (uint32_t)object * MISHAPS_OF_OBJECT_MAX + n + (late ? STORY_MISHAPS_MAX : 0), ret);
}

/* ---- the heap ---- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void event_add(struct sim *s, int64_t at_ms, enum event_kind kind, int index, struct job *job)
{
    s->events = sim_grow(s->events, &s->events_cap, s->events_len, sizeof *s->events);
    struct event e = { .at_ms = at_ms, .order = s->order++, .kind = kind, .index = index, .job = job };
    size_t at = s->events_len++;
    for (; at > 0 && before(&e, &s->events[(at - 1) / 2]); at = (at - 1) / 2)
        s->events[at] = s->events[(at - 1) / 2];
    s->events[at] = e;
}

struct event event_take(struct sim *s)
{
    struct event first = s->events[0], last = s->events[--s->events_len];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < s->events_len; at = child) {
        if (child + 1 < s->events_len && before(&s->events[child + 1], &s->events[child]))
            child++;
        if (!before(&s->events[child], &last))
            break;
        s->events[at] = s->events[child];
    }
    s->events[at] = last;
    return first;
}
