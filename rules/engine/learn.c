/* What writes leave behind: spent budgets, and what is known of each workload. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "rules/base/mutant.h"
#include "rules/engine/state.h"

#define FNV_OFFSET 14695981039346656037u
#define FNV_PRIME 1099511628211u

static uint64_t hash_add(uint64_t hash, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        hash = (hash ^ *p) * FNV_PRIME;
    return (hash ^ 0xFFu) * FNV_PRIME;
}

uint64_t name_hash(const char *name)
{
    return hash_add(FNV_OFFSET, name);
}

uint64_t target_hash(const struct target *t)
{
    return hash_add(hash_add(hash_add(hash_add(FNV_OFFSET, t->cluster), t->namespace), t->kind), t->name);
}

uint64_t namespace_hash(const struct target *t)
{
    return hash_add(hash_add(FNV_OFFSET, t->cluster), t->namespace);
}

uint64_t team_hash(const char *rule)
{
    char team[FACT_TEXT_SIZE];
    const char *point = strchr(rule, '.');
    if (!point || (size_t)(point - rule) >= sizeof team)
        return 0;
    memcpy(team, rule, (size_t)(point - rule));
    team[point - rule] = '\0';
    return name_hash(team);
}

/* ---- spends ---- */

static void drop_spend(struct engine *g, size_t at, size_t count)
{
    if (count == 0)
        return; /* there may be no array yet */
    memmove(g->spends + at, g->spends + at + count, (g->spends_len - at - count) * sizeof *g->spends);
    g->spends_len -= count;
}

/* Room for one more: old ones go first, and only when the array is full. */
static bool spend_room(struct engine *g, int64_t at_ms)
{
    if (g->spends_len < g->spends_cap)
        return true;
    size_t old = 0;
    while (old < g->spends_len && g->spends[old].at_ms < at_ms - SPEND_WINDOW_MS)
        old++;
    if (old < g->spends_len / 8 && g->spends_len >= ENGINE_SPENDS_MAX)
        old = g->spends_len / 8;
    drop_spend(g, 0, old);
    if (g->spends_len < g->spends_cap)
        return true;
    size_t cap = g->spends_cap ? g->spends_cap * 2 : 16;
    cap = cap < ENGINE_SPENDS_MAX ? cap : ENGINE_SPENDS_MAX;
    struct spend *more = realloc(g->spends, cap * sizeof *more);
    if (!more)
        return false;
    g->spends = more;
    g->spends_cap = cap;
    return true;
}

bool spend(struct engine *g, const struct intent *n, const char *rule, int64_t at_ms)
{
    uint64_t incident = name_hash(n->incident);
    if (!spend_room(g, at_ms))
        return false;
    for (size_t k = g->spends_len; n->write > 1 && k-- > 0;)
        if (g->spends[k].incident == incident) { /* nothing was written then */
            drop_spend(g, k, 1);
            if (MUTANT(budget_given_back_twice) && g->spends_len)
                drop_spend(g, g->spends_len - 1, 1);
            break;
        }
    g->spends[g->spends_len++] = (struct spend){ .at_ms = at_ms,
                                                 .incident = incident,
                                                 .rule = name_hash(rule),
                                                 .environment = name_hash(n->environment),
                                                 .target = target_hash(&n->target),
                                                 .namespace = namespace_hash(&n->target),
                                                 .action = name_hash(n->action),
                                                 .team = team_hash(rule) };
    return true;
}

/* ---- workloads ---- */

struct workload *know_workload(struct engine *g, const char *uid)
{
    struct workload *w = workload_find(g, uid);
    if (w) {
        DL_DELETE(g->workloads_oldest, w);
        DL_APPEND(g->workloads_oldest, w);
        return w;
    }
    if (HASH_COUNT(g->workloads) >= ENGINE_WORKLOADS_MAX) {
        struct workload *oldest = g->workloads_oldest;
        HASH_DEL(g->workloads, oldest);
        DL_DELETE(g->workloads_oldest, oldest);
        free(oldest);
    }
    w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    text_copy(w->uid, sizeof w->uid, uid);
    HASH_ADD_STR(g->workloads, uid, w);
    if (w->lost) {
        free(w);
        return NULL;
    }
    DL_APPEND(g->workloads_oldest, w);
    return w;
}

enum err_code apply_proven(struct engine *g, const struct fact *f, struct err *e)
{
    struct workload *w = know_workload(g, f->u.proven.target.uid);
    if (!w)
        return err_set(e, ERR_NOMEM, "no memory for a proven state");
    int at = 0;
    while (at < PROVEN_MAX - 1 && strcmp(w->proven[at], f->u.proven.template_hash) != 0)
        at++;
    memmove(w->proven[1], w->proven[0], (size_t)at * sizeof w->proven[0]);
    memmove(&w->proven_ms[1], &w->proven_ms[0], (size_t)at * sizeof w->proven_ms[0]);
    memcpy(w->proven[0], f->u.proven.template_hash, sizeof w->proven[0]);
    w->proven_ms[0] = f->at_ms;
    return ERR_OK;
}

void remember_template(struct workload *w, const struct intent *n, const char *template_hash)
{
    if (n->proof == PROOF_RESTARTED_AT) {
        bool again = w->restarted_at[0] && strcmp(w->template_hash, n->old_template_hash) == 0;
        if (!again) { /* a restart of what heald had restarted keeps its base */
            memcpy(w->base_hash, n->old_template_hash, sizeof w->base_hash);
            w->base_since_wall_ms = n->old_template_since_ms;
        }
        memcpy(w->restarted_at, n->restarted_at, sizeof w->restarted_at);
        text_copy(w->template_hash, sizeof w->template_hash, template_hash);
    } else if (n->proof == PROOF_TEMPLATE_HASH) {
        w->restarted_at[0] = w->base_hash[0] = '\0';
        w->base_since_wall_ms = 0;
        memcpy(w->template_hash, n->template_hash, sizeof w->template_hash);
    } else if (n->proof == PROOF_CHANGE) {
        w->restarted_at[0] = w->base_hash[0] = '\0';
        w->base_since_wall_ms = 0;
        text_copy(w->template_hash, sizeof w->template_hash, template_hash);
    }
}
