/* Which incident wants to be looked at next: a heap, so that a turn costs the same with one incident or with
 * thousands. */
#include <stdlib.h>
#include <string.h>

#include "rules/engine/state.h"

int64_t incident_gives_up(const struct incident *i)
{
    int64_t last_ms = i->written_ms > i->opened_ms ? i->written_ms : i->opened_ms;
    last_ms = i->moved_ms > last_ms ? i->moved_ms : last_ms;
    last_ms = i->asking_ms > last_ms ? i->asking_ms : last_ms;
    if (i->state == STATE_APPROVAL && i->approval->until_ms > last_ms)
        last_ms = i->approval->until_ms; /* that has a time limit of its own */
    else if (i->state == STATE_DELAYED && i->until_ms > last_ms)
        last_ms = i->until_ms;
    return last_ms + WAIT_MAX_MS;
}

int64_t incident_deadline(const struct engine *g, const struct incident *i)
{
    if (i->asked)
        return i->state == STATE_ACTING && !i->asking_ms ? INT64_MAX : i->asked_ms + QUESTION_LOST_MS;
    int64_t at = i->look_ms > i->again_ms ? i->look_ms : i->again_ms;
    if (i->state == STATE_APPROVAL && at < i->approval->until_ms)
        at = i->approval->until_ms;
    if (i->state == STATE_VERIFYING)
        return at; /* its verdict has a time limit of its own */
    bool until_resumed =
        i->state == STATE_WAITING && at == 0 && g->pauses_len > 0 && strcmp(i->guard, "kill_switch") == 0;
    int64_t end = incident_gives_up(i);
    return until_resumed || at > end ? end : at;
}

/* ---- heap: due[0..open_len), no one due before its parent ---- */

static void put(struct engine *g, size_t at, struct incident *i)
{
    g->due[at] = i;
    i->due_at = at;
}

static void sift(struct engine *g, size_t at, struct incident *i)
{
    while (at > 0 && g->due[(at - 1) / 2]->due_ms > i->due_ms) {
        put(g, at, g->due[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < g->open_len && g->due[child + 1]->due_ms < g->due[child]->due_ms)
            child++;
        if (child >= g->open_len || g->due[child]->due_ms >= i->due_ms)
            break;
        put(g, at, g->due[child]);
        at = child;
    }
    put(g, at, i);
}

bool due_reserve(struct engine *g)
{
    if (g->open_len < g->due_cap)
        return true;
    size_t cap = g->due_cap ? g->due_cap * 2 : 16;
    struct incident **more = realloc(g->due, cap * sizeof(struct incident *));
    if (!more)
        return false;
    g->due = more;
    g->due_cap = cap;
    return true;
}

void due_add(struct engine *g, struct incident *i)
{
    i->due_ms = incident_deadline(g, i);
    sift(g, g->open_len - 1, i);
}

void due_remove(struct engine *g, struct incident *i)
{
    struct incident *last = g->due[g->open_len - 1];
    size_t at = i->due_at;
    g->open_len--;
    if (last != i)
        sift(g, at, last);
    g->open_len++;
}

void due_update(struct engine *g, struct incident *i)
{
    i->due_ms = incident_deadline(g, i);
    sift(g, i->due_at, i);
}

int64_t engine_next_deadline(const struct engine *g)
{
    int64_t pause_ms = pauses_end(g), due_ms = g->open_len ? g->due[0]->due_ms : INT64_MAX;
    return pause_ms < due_ms ? pause_ms : due_ms;
}
