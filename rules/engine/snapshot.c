/* The state written as a batch of facts. */
#include "rules/engine/snapshot.h"

#include <stdio.h>
#include <string.h>

/* Whoever adds a member writes and reads it here, and in test/kit/engine_digest.c, then changes the number.
 */
_Static_assert(sizeof(struct incident) == 5016, "is the new member of struct incident in the snapshot?");
_Static_assert(sizeof(struct approval) == 992, "is the new member of struct approval in the snapshot?");
_Static_assert(sizeof(struct workload) == 544, "is the new member of struct workload in the snapshot?");
_Static_assert(sizeof(struct known_alert) == 120, "is the new member of struct known_alert in the snapshot?");
_Static_assert(sizeof(struct pause) == 408, "is the new member of struct pause in the snapshot?");
_Static_assert(sizeof(struct engine) - sizeof((struct engine *)0)->broken -
                       sizeof((struct engine *)0)->worked - sizeof((struct engine *)0)->pauses ==
                   480,
               "is the new member of struct engine in the snapshot?");

#define AT(type, member) offsetof(struct type, member)
#define TEXT(type, member)                                                                                   \
    {                                                                                                        \
#member, FIELD_TEXT, AT(type, member), sizeof((struct type *)0)->member, NULL                        \
    }
#define I64(type, member)                                                                                    \
    {                                                                                                        \
#member, FIELD_I64, AT(type, member), 0, NULL                                                        \
    }
#define I32(type, member)                                                                                    \
    {                                                                                                        \
#member, FIELD_I32, AT(type, member), 0, NULL                                                        \
    }
#define YES(type, member)                                                                                    \
    {                                                                                                        \
#member, FIELD_BOOL, AT(type, member), 0, NULL                                                       \
    }
#define WORD(type, member, words)                                                                            \
    {                                                                                                        \
#member, FIELD_ENUM, AT(type, member), 0, words                                                      \
    }
#define END                                                                                                  \
    {                                                                                                        \
        NULL, FIELD_TEXT, 0, 0, NULL                                                                         \
    }

const char *const snapshot_state_words[] = { "resolving", "deciding",  "waiting", "approval", "delayed",
                                             "acting",    "verifying", "closed",  NULL };
_Static_assert(sizeof snapshot_state_words / sizeof snapshot_state_words[0] == STATE_END_ + 1,
               "a word each state");

const struct field snapshot_begin_fields[] = {
    TEXT(engine, installation), TEXT(engine, policy_hash), I64(engine, policy_seq), I64(engine, jump_wall_ms),
    I64(engine, spends_cap),    I64(engine, arrivals_cap), I64(engine, past_cap),   END,
};
const struct field snapshot_pause_fields[] = {
    WORD(pause, scope, fact_pause_words),
    TEXT(pause, name),
    TEXT(pause, who),
    TEXT(pause, reason),
    I64(pause, until_ms),
    END,
};
const struct field snapshot_workload_fields[] = {
    TEXT(workload, uid),
    { "proven0", FIELD_TEXT, AT(workload, proven[0]), HASH_SIZE, NULL },
    { "proven1", FIELD_TEXT, AT(workload, proven[1]), HASH_SIZE, NULL },
    { "proven2", FIELD_TEXT, AT(workload, proven[2]), HASH_SIZE, NULL },
    { "proven0_ms", FIELD_I64, AT(workload, proven_ms[0]), 0, NULL },
    { "proven1_ms", FIELD_I64, AT(workload, proven_ms[1]), 0, NULL },
    { "proven2_ms", FIELD_I64, AT(workload, proven_ms[2]), 0, NULL },
    TEXT(workload, restarted_at),
    TEXT(workload, template_hash),
    TEXT(workload, base_hash),
    I64(workload, base_since_wall_ms),
    END,
};
const struct field snapshot_approval_fields[] = {
    TEXT(approval, step),       TEXT(approval, guard), TEXT(approval, role),    TEXT(approval, hash),
    I32(approval, wanted),      I32(approval, given),  TEXT(approval, by[0]),   TEXT(approval, by[1]),
    TEXT(approval, by[2]),      TEXT(approval, by[3]), TEXT(approval, by[4]),   TEXT(approval, denied),
    TEXT(approval, changed_by), TEXT(approval, why),   I64(approval, until_ms), END,
};
const struct field snapshot_incident_fields[] = {
    TEXT(incident, id),
    TEXT(incident, rule),
    TEXT(incident, source),
    I64(incident, opened_ms),
    I64(incident, starts_ms),
    I32(incident, alerts),
    I64(incident, family),
    I32(incident, target_index),
    WORD(incident, waits_at, fact_site_words),
    I32(incident, urgency),
    WORD(incident, state, snapshot_state_words),
    YES(incident, resolved),
    { "cluster", FIELD_TEXT, AT(incident, target.cluster), sizeof((struct target *)0)->cluster, NULL },
    { "namespace", FIELD_TEXT, AT(incident, target.namespace), sizeof((struct target *)0)->namespace, NULL },
    { "kind", FIELD_TEXT, AT(incident, target.kind), sizeof((struct target *)0)->kind, NULL },
    { "name", FIELD_TEXT, AT(incident, target.name), sizeof((struct target *)0)->name, NULL },
    { "uid", FIELD_TEXT, AT(incident, target.uid), sizeof((struct target *)0)->uid, NULL },
    TEXT(incident, environment),
    WORD(incident, mode, fact_mode_words),
    I32(incident, at),
    I32(incident, attempt),
    I64(incident, step_ms),
    I64(incident, moved_ms),
    I64(incident, until_ms),
    YES(incident, undoing),
    YES(incident, by_hand),
    TEXT(incident, asked_by),
    TEXT(incident, former),
    I64(incident, worked),
    I32(incident, times),
    YES(incident, cancelled),
    WORD(incident, ending, fact_outcome_words),
    TEXT(incident, ended_why),
    I32(incident, conflicts),
    WORD(incident, write, fact_write_words),
    I64(incident, written_ms),
    I64(incident, written_wall_ms),
    I64(incident, again_ms),
    TEXT(incident, guard),
    TEXT(incident, reason),
    TEXT(incident, left_hash),
    YES(incident, wrote_template),
    YES(incident, doubt),
    I32(incident, writes),
    I64(incident, first_write_ms),
    I64(incident, repaired_wall_ms),
    I64(incident, confirmed_wall_ms),
    I64(incident, closed_ms),
    I64(incident, closed_wall_ms),
    WORD(incident, outcome, fact_outcome_words),
    I64(incident, revision),
    I64(incident, told_revision),
    I64(incident, annotation_id),
    END,
};

struct out {
    const struct engine *g;
    struct json_writer *w;
    enum err_code (*each)(void *ctx, const struct fact *f, struct err *e);
    void *ctx;
    struct err *e;
    enum err_code code;
    int64_t parts;
};

static bool begin(struct out *o)
{
    if (o->code)
        return false;
    jw_reset(o->w);
    return true;
}

/* What was written is the part. */
static void emit(struct out *o, const char *part, const char *incident)
{
    struct fact f = { .kind = FACT_STATE, .seq = o->g->seq, .at_ms = o->g->at_ms };
    f.u.state.text = (char *)jw_text(o->w, NULL);
    text_copy(f.u.state.part, sizeof f.u.state.part, part);
    text_copy(f.incident, sizeof f.incident, incident);
    if (!f.u.state.text)
        o->code = err_set(o->e, ERR_NOMEM, "no memory for a snapshot");
    else
        o->code = o->each(o->ctx, &f, o->e);
    o->parts++;
}

static void emit_fields(struct out *o, const char *part, const struct field *fields, const void *from)
{
    if (!begin(o))
        return;
    jw_object(o->w);
    fields_write(o->w, fields, from);
    jw_object_end(o->w);
    emit(o, part, "");
}

/* ---- arrays of numbers ---- */

typedef void numbers_of(const struct engine *g, size_t at, int64_t ret[SNAPSHOT_NUMBERS]);

static void emit_numbers(struct out *o, const char *part, size_t len, size_t width, numbers_of *of)
{
    int64_t n[SNAPSHOT_NUMBERS];
    for (size_t k = 0; k < len && begin(o); k += SNAPSHOT_PACKED) {
        jw_array(o->w);
        for (size_t m = k; m < len && m < k + SNAPSHOT_PACKED; m++) {
            of(o->g, m, n);
            jw_array(o->w);
            for (size_t c = 0; c < width; c++)
                jw_int(o->w, n[c]);
            jw_array_end(o->w);
        }
        jw_array_end(o->w);
        emit(o, part, "");
    }
}

static void spend_numbers(const struct engine *g, size_t at, int64_t ret[SNAPSHOT_NUMBERS])
{
    const struct spend *s = &g->spends[at];
    ret[0] = s->at_ms;
    ret[1] = (int64_t)s->incident;
    ret[2] = (int64_t)s->rule;
    ret[3] = (int64_t)s->environment;
    ret[4] = (int64_t)s->target;
    ret[5] = (int64_t)s->namespace;
    ret[6] = (int64_t)s->action;
    ret[7] = (int64_t)s->team;
}

static void arrival_numbers(const struct engine *g, size_t at, int64_t ret[SNAPSHOT_NUMBERS])
{
    const struct arrival *a = &g->arrivals[at];
    ret[0] = a->at_ms;
    ret[1] = (int64_t)a->environment;
    ret[2] = (int64_t)a->cluster;
    ret[3] = (int64_t)a->target;
    ret[4] = a->changed;
}

static void broken_numbers(const struct engine *g, size_t at, int64_t ret[SNAPSHOT_NUMBERS])
{
    ret[0] = (int64_t)g->broken[at].key;
    ret[1] = g->broken[at].failures;
    ret[2] = g->broken[at].last_ms;
}

static void worked_numbers(const struct engine *g, size_t at, int64_t ret[SNAPSHOT_NUMBERS])
{
    ret[0] = (int64_t)g->worked[at].key;
    ret[1] = g->worked[at].tried;
    ret[2] = g->worked[at].fixed;
}

static void emit_past(struct out *o)
{
    for (size_t k = 0; k < o->g->past_len && begin(o); k += SNAPSHOT_PACKED) {
        jw_array(o->w);
        for (size_t m = k; m < o->g->past_len && m < k + SNAPSHOT_PACKED; m++) {
            const struct past *p = &o->g->past[m];
            jw_array(o->w);
            jw_string(o->w, p->id);
            jw_int(o->w, (int64_t)p->rule);
            jw_int(o->w, (int64_t)p->target);
            jw_int(o->w, p->closed_ms);
            jw_string(o->w, outcome_name(p->outcome));
            jw_int(o->w, (int64_t)p->worked);
            jw_array_end(o->w);
        }
        jw_array_end(o->w);
        emit(o, "past", "");
    }
}

/* ---- alerts and incidents ---- */

static void write_map(struct json_writer *w, const char *key, const struct map *m)
{
    if (m->len == 0)
        return;
    jw_key(w, key);
    jw_object(w);
    for (size_t k = 0; k < m->len; k++)
        jw_kstring(w, map_name_at(m, k), map_value_at(m, k));
    jw_object_end(w);
}

/* [source, name, value, name, value, ...]: the key's pieces in their order. */
static void write_key(struct json_writer *w, const struct known_alert *a)
{
    const char *p = a->key, *end = a->key + a->key_len;
    jw_array(w);
    while (p < end) {
        const char *stop = memchr(p, '\xff', (size_t)(end - p));
        jw_string_len(w, p, (size_t)((stop ? stop : end) - p));
        p = stop ? stop + 1 : end;
    }
    jw_array_end(w);
}

static void emit_alerts(struct out *o, const struct known_alert *list, const char *incident)
{
    for (const struct known_alert *a = list; a && begin(o); a = a->next) {
        jw_object(o->w);
        jw_key(o->w, "key");
        write_key(o->w, a);
        jw_kbool(o->w, "firing", a->status == ALERT_FIRING);
        jw_kstring(o->w, "disposition", disposition_name(a->disposition));
        jw_kint(o->w, "starts_ms", a->starts_ms);
        jw_kint(o->w, "ended_wall_ms", a->ended_wall_ms);
        jw_kint(o->w, "policy_seq", a->policy_seq);
        jw_object_end(o->w);
        emit(o, "alert", incident);
    }
}

static void write_bytes(struct json_writer *w, const char *key, const uint8_t bytes[TREE_MAX])
{
    char text[2 * TREE_MAX + 1] = "";
    size_t len = TREE_MAX;
    while (len > 0 && bytes[len - 1] == 0)
        len--;
    for (size_t k = 0; k < len; k++)
        snprintf(text + 2 * k, 3, "%02x", bytes[k]);
    if (len)
        jw_kstring(w, key, text);
}

static void write_rest(struct json_writer *w, const struct incident *i)
{
    write_map(w, "labels", &i->labels);
    write_map(w, "annotations", &i->annotations);
    jw_kstring(w, "cause", cause_name(i->cause));
    write_bytes(w, "result", i->progress.result);
    write_bytes(w, "branch", i->progress.branch);
    write_bytes(w, "turn", i->progress.turn);
    if (i->plan) {
        jw_key(w, "plan");
        plan_write(w, i->plan);
    }
    if (i->evidence) {
        jw_key(w, "evidence");
        evidence_write(w, i->evidence);
    }
    if (i->approval) {
        jw_key(w, "approval");
        jw_object(w);
        fields_write(w, snapshot_approval_fields, i->approval);
        jw_object_end(w);
    }
    if (i->intent.step[0]) {
        jw_key(w, "intent");
        intent_write(w, &i->intent);
    }
}

static void emit_incident(struct out *o, const struct incident *i)
{
    if (!begin(o))
        return;
    jw_object(o->w);
    fields_write(o->w, snapshot_incident_fields, i);
    write_rest(o->w, i);
    jw_key(o->w, "history");
    jw_array(o->w);
    for (size_t k = 0; k < i->history_len; k++)
        jw_string(o->w, i->history[k]);
    jw_array_end(o->w);
    jw_object_end(o->w);
    emit(o, "incident", i->id);
    emit_alerts(o, i->attached, i->id);
}

/* Who follows whom, once all are there; and in which order they keep their targets. */
static void emit_links(struct out *o)
{
    for (const struct incident *i = o->g->open; i; i = i->next) {
        if (!i->leader || !begin(o))
            continue;
        jw_object(o->w);
        jw_kstring(o->w, "of", i->leader->id);
        jw_object_end(o->w);
        emit(o, "leader", i->id);
    }
    for (const struct incident *i = o->g->busy; i && begin(o); i = i->busy_next) {
        jw_null(o->w);
        emit(o, "busy", i->id);
    }
}

static void emit_all(struct out *o)
{
    const struct engine *g = o->g;
    emit_fields(o, "begin", snapshot_begin_fields, g);
    for (size_t k = 0; k < g->pauses_len; k++)
        emit_fields(o, "pause", snapshot_pause_fields, &g->pauses[k]);
    for (const struct workload *w = g->workloads_oldest; w; w = w->next)
        emit_fields(o, "workload", snapshot_workload_fields, w);
    for (const struct incident *i = g->open; i; i = i->next)
        emit_incident(o, i);
    for (const struct incident *i = g->closed; i; i = i->next)
        emit_incident(o, i);
    emit_links(o);
    emit_alerts(o, g->loose, "");
    emit_numbers(o, "spends", g->spends_len, 8, spend_numbers);
    emit_numbers(o, "arrivals", g->arrivals_len, 5, arrival_numbers);
    emit_past(o);
    emit_numbers(o, "broken", g->broken_len, 3, broken_numbers);
    emit_numbers(o, "worked", g->worked_len, 3, worked_numbers);
    if (!begin(o))
        return;
    jw_object(o->w);
    jw_kint(o->w, "parts", o->parts);
    jw_object_end(o->w);
    emit(o, "end", "");
}

enum err_code engine_snapshot(const struct engine *g,
                              enum err_code (*each)(void *ctx, const struct fact *f, struct err *e),
                              void *ctx, struct err *e)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    enum err_code code = json_writer_new(&w, e);
    if (code)
        return code;
    struct out o = { .g = g, .w = w, .each = each, .ctx = ctx, .e = e };
    emit_all(&o);
    return o.code;
}
