#include "rules/base/mutant.h"
#include "rules/engine/plans.h"
#include "rules/engine/turns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const state_names[STATE_END_] = {
    [STATE_RESOLVING] = "resolving", [STATE_DECIDING] = "deciding",   [STATE_WAITING] = "waiting",
    [STATE_ACTING] = "acting",       [STATE_VERIFYING] = "verifying", [STATE_CLOSED] = "closed",
    [STATE_DELAYED] = "delayed",     [STATE_APPROVAL] = "approval",
};

enum err_code engine_new(struct engine **ret, const struct action_spec *actions, size_t actions_len,
                         struct err *e)
{
    struct engine *g = calloc(1, sizeof *g);
    if (!g)
        return err_set(e, ERR_NOMEM, "no memory for the engine");
    g->actions = actions;
    g->actions_len = actions_len;
    *ret = g;
    return ERR_OK;
}

static void incident_free(struct incident *i)
{
    map_release(&i->labels);
    free(i->evidence);
    map_release(&i->annotations);
    free(i->approval);
    for (size_t k = 0; k < i->history_len; k++)
        free(i->history[k]);
    free(i);
}

struct engine *engine_free(struct engine *g)
{
    if (!g)
        return NULL;
    struct known_alert *a, *a_next;
    HASH_ITER (hh, g->alerts, a, a_next) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that DEL moves the head on */
        HASH_DEL(g->alerts, a);
        free(a);
    }
    struct incident *i, *i_next;
    HASH_ITER (hh, g->incidents, i, i_next) {
        HASH_DEL(g->incidents, i); /* NOLINT(clang-analyzer-unix.Malloc): as above */
        incident_free(i);
    }
    struct workload *w, *w_next;
    HASH_ITER (hh, g->workloads, w, w_next) {
        HASH_DEL(g->workloads, w); /* NOLINT(clang-analyzer-unix.Malloc): as above */
        free(w);
    }
    plans_release(g);
    turns_free(g);
    map_release(&g->opening_annotations);
    free(g->spends);
    free(g->arrivals);
    free(g->past);
    free(g->due);
    free(g);
    return NULL;
}

void engine_drop_incident(struct engine *g, struct incident *i)
{
    HASH_DEL(g->incidents, i);
    incident_free(i);
}

/* ---- lookups ---- */

void alert_key(struct buf *ret, const struct alert *a)
{
    size_t source = strlen(a->source), len = source + 1 + map_joined(&a->labels, '\xff', NULL);
    buf_clear(ret);
    char *at = buf_extend(ret, len);
    if (!at)
        return;
    memcpy(at, a->source, source);
    at[source] = '\xff';
    map_joined(&a->labels, '\xff', at + source + 1);
}

enum err_code labels_of_key(struct map *ret, const struct known_alert *a, struct err *e)
{
    const char *end = a->key + a->key_len;
    const char *p = memchr(a->key, '\xff', a->key_len);
    for (p = p ? p + 1 : end; p < end;) {
        const char *name_end = memchr(p, '\xff', (size_t)(end - p));
        const char *value = name_end ? name_end + 1 : end;
        const char *value_end = value < end ? memchr(value, '\xff', (size_t)(end - value)) : NULL;
        if (!value_end)
            return err_set(e, ERR_INVALID, "an alert's key is damaged");
        enum err_code code =
            map_set_len(ret, p, (size_t)(name_end - p), value, (size_t)(value_end - value), true, e);
        if (code)
            return code;
        p = value_end + 1;
    }
    return ERR_OK;
}

const char *label_of_key(const struct known_alert *a, const char *name, size_t *ret_len)
{
    size_t len = strlen(name);
    const char *end = a->key + a->key_len, *p = memchr(a->key, '\xff', a->key_len);
    for (p = p ? p + 1 : end; p < end;) {
        const char *name_end = memchr(p, '\xff', (size_t)(end - p));
        const char *value_end = name_end ? memchr(name_end + 1, '\xff', (size_t)(end - name_end - 1)) : NULL;
        if (!value_end)
            return NULL;
        *ret_len = (size_t)(value_end - name_end - 1);
        if ((size_t)(name_end - p) == len && memcmp(p, name, len) == 0)
            return name_end + 1;
        p = value_end + 1;
    }
    return NULL;
}

const struct known_alert *known_alert(const struct engine *g, const struct alert *a, struct buf *key)
{
    struct known_alert *found = NULL;
    alert_key(key, a);
    if (buf_ok(key))
        HASH_FIND(hh, g->alerts, buf_text(key), key->len, found);
    return found;
}

struct incident *incident_find(const struct engine *g, const char *id)
{
    struct incident *i = NULL;
    HASH_FIND_STR(g->incidents, id, i);
    return i;
}

struct workload *workload_find(const struct engine *g, const char *uid)
{
    struct workload *w = NULL;
    HASH_FIND_STR(g->workloads, uid, w);
    return w;
}

int64_t wall_span(const struct engine *g, int64_t since_ms, int64_t wall_ms)
{
    if (!MUTANT(skewed_hold) && since_ms > wall_ms &&
        (since_ms - wall_ms <= WALL_SKEW_MS || !g->jump_wall_ms))
        return 0; /* it began while the rest was being read */
    if (since_ms < g->jump_wall_ms || since_ms > wall_ms)
        since_ms = g->jump_wall_ms;
    return wall_ms > since_ms ? wall_ms - since_ms : 0;
}

/* ---- decisions ---- */

void effect_release(struct effect *f)
{
    map_release(&f->labels);
    free(f->probes);
    free(f->ask);
    free(f->selector);
    memset(f, 0, sizeof *f);
}

void decision_clear(struct decision *d)
{
    for (size_t i = 0; i < d->facts_len; i++)
        fact_release(&d->facts[i]);
    for (size_t i = 0; i < d->effects_len; i++)
        effect_release(&d->effects[i]);
    d->facts_len = d->effects_len = d->notes_len = 0;
}

void decision_release(struct decision *d)
{
    decision_clear(d);
    free(d->facts);
    free(d->effects);
    free(d->notes);
    *d = DECISION_INIT;
}

/* Room for one more element; false without memory. */
static bool grow(void **array, size_t *cap, size_t len, size_t size)
{
    if (len < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 4;
    void *p = realloc(*array, more * size);
    if (!p)
        return false;
    *array = p;
    *cap = more;
    return true;
}

struct fact *decision_fact(struct decision *d, const struct engine *g, enum fact_kind kind,
                           const char *incident, int64_t now_ms)
{
    if (!grow((void **)&d->facts, &d->facts_cap, d->facts_len, sizeof *d->facts))
        return NULL;
    int64_t last = d->facts_len ? d->facts[d->facts_len - 1].seq : 0;
    struct fact *f = &d->facts[d->facts_len++];
    memset(f, 0, sizeof *f);
    f->kind = kind;
    f->seq = (last > g->seq ? last : g->seq) + 1;
    f->at_ms = now_ms > g->at_ms ? now_ms : g->at_ms;
    text_copy(f->incident, sizeof f->incident, incident ? incident : "");
    return f;
}

struct effect *decision_effect(struct decision *d, enum effect_kind kind, const char *incident)
{
    if (!grow((void **)&d->effects, &d->effects_cap, d->effects_len, sizeof *d->effects))
        return NULL;
    struct effect *f = &d->effects[d->effects_len++];
    memset(f, 0, sizeof *f);
    f->kind = kind;
    text_copy(f->incident, sizeof f->incident, incident);
    return f;
}

struct note *decision_note(struct decision *d, const struct incident *i)
{
    if (!grow((void **)&d->notes, &d->notes_cap, d->notes_len, sizeof *d->notes))
        return NULL;
    struct note *n = &d->notes[d->notes_len++];
    memset(n, 0, sizeof *n);
    text_copy(n->incident, sizeof n->incident, i->id);
    n->token = i->token;
    n->asking_ms = i->asking_ms;
    n->failures = i->failures;
    return n;
}
