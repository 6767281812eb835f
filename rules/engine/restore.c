/* A snapshot's facts folded into an empty engine: the other half of snapshot.c. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "rules/engine/plans.h"
#include "rules/engine/snapshot.h"
#include "rules/engine/turns.h"

static enum err_code no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a snapshot");
}

static enum err_code no_such(const char *what, const char *id, struct err *e)
{
    return err_set(e, ERR_INVALID, "it speaks of %s \"%s\", which is not in the snapshot", what, id);
}

/* ---- the beginning ---- */

/* Arrays as large as they were: when the oldest entries go depends on it. */
static bool reserve(void **list, size_t *cap, size_t want, size_t max, size_t size)
{
    if (want > max)
        return false;
    *list = want ? calloc(want, size) : NULL;
    *cap = *list ? want : 0;
    return want == 0 || *list;
}

static enum err_code take_begin(struct engine *g, const struct fact *f, const struct json *j, struct err *e)
{
    struct engine head = { .seq = 0 };
    if (g->seq || g->restoring)
        return err_set(e, ERR_INVALID, "a snapshot begins where there is a state already");
    enum err_code code = fields_read(snapshot_begin_fields, j, &head, e);
    if (code)
        return code;
    memcpy(g->installation, head.installation, sizeof g->installation);
    memcpy(g->policy_hash, head.policy_hash, sizeof g->policy_hash);
    g->policy_seq = head.policy_seq;
    g->jump_wall_ms = head.jump_wall_ms;
    g->restoring = f->seq;
    if (!reserve((void **)&g->spends, &g->spends_cap, head.spends_cap, ENGINE_SPENDS_MAX,
                 sizeof *g->spends) ||
        !reserve((void **)&g->arrivals, &g->arrivals_cap, head.arrivals_cap, ENGINE_ARRIVALS_MAX,
                 sizeof *g->arrivals) ||
        !reserve((void **)&g->past, &g->past_cap, head.past_cap, ENGINE_PAST_MAX, sizeof *g->past))
        return no_memory(e);
    return ERR_OK;
}

static enum err_code take_pause(struct engine *g, const struct fact *f, const struct json *j, struct err *e)
{
    (void)f;
    if (g->pauses_len == PAUSES_MAX)
        return err_set(e, ERR_LIMIT, "more than %d pauses", PAUSES_MAX);
    struct pause *p = &g->pauses[g->pauses_len];
    *p = (struct pause){ .until_ms = 0 };
    enum err_code code = fields_read(snapshot_pause_fields, j, p, e);
    g->pauses_len += code == ERR_OK;
    return code;
}

static enum err_code take_workload(struct engine *g, const struct fact *f, const struct json *j,
                                   struct err *e)
{
    (void)f;
    struct workload *w = know_workload(g, json_string(json_get(j, "uid"), ""));
    return w ? fields_read(snapshot_workload_fields, j, w, e) : no_memory(e);
}

/* ---- incidents and alerts ---- */

static enum err_code read_map(struct map *ret, const struct json *j, struct err *e)
{
    for (const struct json *c = json_first(j); c; c = json_next(c)) {
        const char *name = json_name(c);
        enum err_code code =
            map_set_len(ret, name, strlen(name), json_string(c, ""), json_string_len(c), true, e);
        if (code)
            return code;
    }
    return ERR_OK;
}

static void read_bytes(uint8_t ret[TREE_MAX], const char *text)
{
    char two[3] = "";
    for (size_t k = 0; k < TREE_MAX && text[2 * k] && text[2 * k + 1]; k++) {
        memcpy(two, text + 2 * k, 2);
        ret[k] = (uint8_t)strtoul(two, NULL, 16);
    }
}

static enum err_code read_evidence(struct incident *i, const struct json *j, struct err *e)
{
    struct evidence cause = EVIDENCE_INIT;
    evidence_read(&cause, j);
    i->cause = cause.cause;
    if (!json_get(j, "evidence"))
        return ERR_OK;
    i->evidence = malloc(sizeof *i->evidence);
    if (!i->evidence)
        return no_memory(e);
    evidence_read(i->evidence, json_get(j, "evidence"));
    return ERR_OK;
}

static enum err_code read_approval(struct incident *i, const struct json *j, struct err *e)
{
    if (!j)
        return ERR_OK;
    i->approval = calloc(1, sizeof *i->approval);
    if (!i->approval)
        return no_memory(e);
    enum err_code code = fields_read(snapshot_approval_fields, j, i->approval, e);
    if (!code && (i->approval->given < 0 || i->approval->given > APPROVALS_MAX))
        code = err_set(e, ERR_INVALID, "incident \"%s\" has %d approvals", i->id, (int)i->approval->given);
    return code;
}

static enum err_code read_history(struct incident *i, const struct json *j, struct err *e)
{
    for (const struct json *c = json_first(j); c && i->history_len < HISTORY_MAX; c = json_next(c)) {
        char *line = strdup(json_string(c, ""));
        if (!line)
            return no_memory(e);
        i->history[i->history_len++] = line;
    }
    return ERR_OK;
}

static enum err_code read_plan(struct engine *g, struct incident *i, const struct json *j, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    json_write(&text, j, false);
    return buf_ok(&text) ? plans_take(g, buf_text(&text), &i->plan, e)
                         : err_set(e, ERR_NOMEM, "no memory for a plan");
}

static enum err_code read_rest(struct engine *g, struct incident *i, const struct json *j, struct err *e)
{
    enum err_code code = read_map(&i->labels, json_get(j, "labels"), e);
    if (!code)
        code = read_map(&i->annotations, json_get(j, "annotations"), e);
    if (!code)
        code = read_evidence(i, j, e);
    if (!code)
        code = read_approval(i, json_get(j, "approval"), e);
    if (!code)
        code = read_history(i, json_get(j, "history"), e);
    if (!code && json_get(j, "intent"))
        code = intent_read(&i->intent, i->id, json_get(j, "intent"), e);
    if (!code && json_get(j, "plan"))
        code = read_plan(g, i, json_get(j, "plan"), e);
    read_bytes(i->progress.result, json_string(json_get(j, "result"), ""));
    read_bytes(i->progress.branch, json_string(json_get(j, "branch"), ""));
    read_bytes(i->progress.turn, json_string(json_get(j, "turn"), ""));
    return code;
}

static enum err_code list_incident(struct engine *g, struct incident *i, struct err *e)
{
    if (i->state == STATE_CLOSED) {
        DL_APPEND(g->closed, i);
        g->closed_len++;
        return ERR_OK;
    }
    if (!i->plan || (i->state == STATE_APPROVAL && !i->approval))
        return err_set(e, ERR_INVALID, "incident \"%s\" is open and lacks its %s", i->id,
                       i->plan ? "approval" : "plan");
    if (!due_reserve(g))
        return no_memory(e);
    DL_APPEND(g->open, i);
    g->open_len++;
    due_add(g, i);
    if (!i->family)
        i->family = name_hash(i->id);
    if (incident_queued(i) && (i->urgency < 1 || i->urgency > URGENCIES))
        i->urgency = incident_urgency(NULL, i);
    return turns_update(g, i) ? ERR_OK : no_memory(e);
}

static enum err_code take_incident(struct engine *g, const struct fact *f, const struct json *j,
                                   struct err *e)
{
    if (incident_find(g, f->incident))
        return err_set(e, ERR_INVALID, "incident \"%s\" is there twice", f->incident);
    struct incident *i = calloc(1, sizeof *i);
    if (!i)
        return no_memory(e);
    memcpy(i->id, f->incident, sizeof i->id);
    HASH_ADD_STR(g->incidents, id, i);
    if (i->lost) {
        free(i);
        return no_memory(e);
    }
    enum err_code code = fields_read(snapshot_incident_fields, j, i, e);
    if (!code && strcmp(i->id, f->incident) != 0)
        code = err_set(e, ERR_INVALID, "incident \"%s\" has the part of \"%s\"", f->incident, i->id);
    if (!code)
        code = read_rest(g, i, j, e);
    return code ? code : list_incident(g, i, e);
}

static bool read_key(struct buf *ret, const struct json *j)
{
    for (const struct json *c = json_first(j); c; c = json_next(c)) {
        buf_add(ret, json_string(c, ""), json_string_len(c));
        buf_addc(ret, '\xff');
    }
    return buf_ok(ret);
}

static enum err_code take_alert(struct engine *g, const struct fact *f, const struct json *j, struct err *e)
{
    CLEANUP(buf_release) struct buf key = BUF_INIT;
    struct incident *i = f->incident[0] ? incident_find(g, f->incident) : NULL;
    int32_t disposition = 0;
    const struct field field = { "disposition", FIELD_ENUM, 0, 0, fact_disposition_words };
    const struct field fields[] = { field, { NULL, FIELD_TEXT, 0, 0, NULL } };
    if (f->incident[0] && !i)
        return no_such("incident", f->incident, e);
    enum err_code code = fields_read(fields, j, &disposition, e);
    if (code)
        return code;
    struct known_alert *a = read_key(&key, json_get(j, "key")) ? alert_new(g, &key) : NULL;
    if (!a)
        return no_memory(e);
    a->status = json_bool(json_get(j, "firing"), false) ? ALERT_FIRING : ALERT_RESOLVED;
    a->disposition = (enum alert_disposition)disposition;
    a->starts_ms = json_int(json_get(j, "starts_ms"), 0);
    a->ended_wall_ms = json_int(json_get(j, "ended_wall_ms"), 0);
    a->policy_seq = json_int(json_get(j, "policy_seq"), 0);
    if (i)
        alert_attach(g, a, i);
    return ERR_OK;
}

static enum err_code take_leader(struct engine *g, const struct fact *f, const struct json *j, struct err *e)
{
    const char *of = json_string(json_get(j, "of"), "");
    struct incident *i = incident_find(g, f->incident), *leader = incident_find(g, of);
    if (!i || !leader)
        return no_such("incident", i ? of : f->incident, e);
    i->leader = leader;
    leader->followers++;
    return ERR_OK;
}

static enum err_code take_busy(struct engine *g, const struct fact *f, const struct json *j, struct err *e)
{
    (void)j;
    struct incident *i = incident_find(g, f->incident);
    if (!i)
        return no_such("incident", f->incident, e);
    DL_APPEND2(g->busy, i, busy_prev, busy_next);
    i->busy = true;
    return ERR_OK;
}

/* ---- arrays ---- */

static int64_t number(const struct json *row, size_t at)
{
    return json_int(json_at(row, at), 0);
}

static enum err_code too_many(const char *part, struct err *e)
{
    return err_set(e, ERR_INVALID, "there is no room for so many %s", part);
}

static enum err_code take_spends(struct engine *g, const struct fact *f, const struct json *j, struct err *e)
{
    if (g->spends_len + json_len(j) > g->spends_cap)
        return too_many(f->u.state.part, e);
    for (const struct json *c = json_first(j); c; c = json_next(c))
        g->spends[g->spends_len++] = (struct spend){ .at_ms = number(c, 0),
                                                     .incident = (uint64_t)number(c, 1),
                                                     .rule = (uint64_t)number(c, 2),
                                                     .environment = (uint64_t)number(c, 3),
                                                     .target = (uint64_t)number(c, 4),
                                                     .namespace = (uint64_t)number(c, 5),
                                                     .action = (uint64_t)number(c, 6),
                                                     .team = (uint64_t)number(c, 7) };
    return ERR_OK;
}

static enum err_code take_arrivals(struct engine *g, const struct fact *f, const struct json *j,
                                   struct err *e)
{
    if (g->arrivals_len + json_len(j) > g->arrivals_cap)
        return too_many(f->u.state.part, e);
    for (const struct json *c = json_first(j); c; c = json_next(c))
        g->arrivals[g->arrivals_len++] = (struct arrival){ .at_ms = number(c, 0),
                                                           .environment = (uint64_t)number(c, 1),
                                                           .cluster = (uint64_t)number(c, 2),
                                                           .target = (uint64_t)number(c, 3),
                                                           .changed = number(c, 4) != 0 };
    return ERR_OK;
}

static enum err_code take_past(struct engine *g, const struct fact *f, const struct json *j, struct err *e)
{
    if (g->past_len + json_len(j) > g->past_cap)
        return too_many(f->u.state.part, e);
    for (const struct json *c = json_first(j); c; c = json_next(c)) {
        struct past *p = &g->past[g->past_len++];
        const char *outcome = json_string(json_at(c, 4), "");
        *p = (struct past){ .rule = (uint64_t)number(c, 1),
                            .target = (uint64_t)number(c, 2),
                            .closed_ms = number(c, 3),
                            .worked = (uint64_t)number(c, 5) };
        text_copy(p->id, sizeof p->id, json_string(json_at(c, 0), ""));
        int word = 0;
        while (fact_outcome_words[word] && strcmp(fact_outcome_words[word], outcome) != 0)
            word++;
        if (!fact_outcome_words[word])
            return err_set(e, ERR_VERSION, "outcome \"%s\" is not known to this release", outcome);
        p->outcome = (enum outcome)word;
    }
    return ERR_OK;
}

static enum err_code take_broken(struct engine *g, const struct fact *f, const struct json *j, struct err *e)
{
    if (g->broken_len + json_len(j) > ENGINE_BROKEN_MAX)
        return too_many(f->u.state.part, e);
    for (const struct json *c = json_first(j); c; c = json_next(c))
        g->broken[g->broken_len++] = (struct broken){ .key = (uint64_t)number(c, 0),
                                                      .failures = number(c, 1),
                                                      .last_ms = number(c, 2) };
    return ERR_OK;
}

static enum err_code take_worked(struct engine *g, const struct fact *f, const struct json *j, struct err *e)
{
    if (g->worked_len + json_len(j) > ENGINE_WORKED_MAX)
        return too_many(f->u.state.part, e);
    for (const struct json *c = json_first(j); c; c = json_next(c))
        g->worked[g->worked_len++] = (struct worked){ .key = (uint64_t)number(c, 0),
                                                      .tried = (uint32_t)number(c, 1),
                                                      .fixed = (uint32_t)number(c, 2) };
    return ERR_OK;
}

static enum err_code take_end(struct engine *g, const struct fact *f, const struct json *j, struct err *e)
{
    struct incident *i;
    int64_t parts = json_int(json_get(j, "parts"), -1);
    if (parts != g->restored_parts)
        return err_set(e, ERR_INVALID, "it ends a snapshot of %lld parts, and %lld were there",
                       (long long)parts, (long long)g->restored_parts);
    DL_FOREACH(g->open, i)
    due_update(g, i);
    g->seq = f->seq;
    g->at_ms = f->at_ms;
    g->restoring = g->restored_parts = 0;
    return ERR_OK;
}

static const struct {
    const char *part;
    enum err_code (*take)(struct engine *g, const struct fact *f, const struct json *j, struct err *e);
} parts[] = {
    { "begin", take_begin },       { "pause", take_pause },   { "workload", take_workload },
    { "incident", take_incident }, { "alert", take_alert },   { "leader", take_leader },
    { "busy", take_busy },         { "spends", take_spends }, { "arrivals", take_arrivals },
    { "past", take_past },         { "broken", take_broken }, { "worked", take_worked },
    { "end", take_end },
};

enum err_code apply_state(struct engine *g, const struct fact *f, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    const char *text = f->u.state.text ? f->u.state.text : "", *part = f->u.state.part;
    size_t at = 0;
    while (at < sizeof parts / sizeof parts[0] && strcmp(parts[at].part, part) != 0)
        at++;
    if (at == sizeof parts / sizeof parts[0])
        return err_set(e, ERR_VERSION, "part \"%s\" of a snapshot is not known to this release", part);
    if (at > 0 && (!g->restoring || f->seq != g->restoring))
        return err_set(e, ERR_INVALID, "part \"%s\" of a snapshot has no beginning", part);
    enum err_code code = json_parse(&doc, text, strlen(text), e);
    if (!code)
        code = parts[at].take(g, f, json_root(doc), e);
    if (!code && strcmp(part, "end") != 0)
        g->restored_parts++;
    return code;
}
