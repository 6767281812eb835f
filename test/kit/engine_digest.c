#include "test/kit/engine_digest.h"

#include <string.h>

#include "rules/engine/turns.h"

static void dump_alert(struct buf *b, const struct known_alert *a)
{
    buf_adds(b, "alert ");
    buf_add(b, a->key, a->key_len);
    buf_addf(b, " %d %d %lld %lld %lld %s\n", (int)a->status, (int)a->disposition, (long long)a->starts_ms,
             (long long)a->ended_wall_ms, (long long)a->policy_seq, a->of ? a->of->id : "-");
}

static void dump_intent(struct buf *b, const struct intent *n)
{
    buf_addf(b, " intent %s %s %u %u %s %d %s %s %lld %lld %s %s %lld %d %s %s %s %d %s %s\n", n->incident,
             n->step, n->attempt, n->write, n->action, (int)n->proof, n->target.uid, n->environment,
             (long long)n->at_ms, (long long)n->expires_ms, n->resource_version, n->old_template_hash,
             (long long)n->old_template_since_ms, (int)n->old_replicas, n->restarted_at, n->template_hash,
             n->revision, (int)n->replicas, n->pod_name, n->pod_uid);
    buf_addf(b, " before %d undo %d rolls %d %s\n", (int)n->old_available, (int)n->undo, (int)n->rolls,
             n->change);
}

static void dump_approval(struct buf *b, const struct approval *a)
{
    buf_addf(b, " approval %s %s %s %s %d %d until %lld denied %s %s changed by %s", a->step, a->guard,
             a->role, a->hash, (int)a->wanted, (int)a->given, (long long)a->until_ms, a->denied, a->why,
             a->changed_by);
    for (int k = 0; k < a->given; k++)
        buf_addf(b, " %s", a->by[k]);
    buf_addc(b, '\n');
}

static void dump_incident(struct buf *b, const struct incident *i)
{
    char text[TARGET_TEXT_SIZE];
    buf_addf(b, "incident %s %s %s %d %d %u %u\n", i->id, i->rule, i->source, (int)i->state, (int)i->outcome,
             i->alerts, i->firing);
    buf_addf(b, " target %d %s %s %s %s mode %d %s\n", i->resolved, i->target.cluster,
             target_format(text, &i->target), i->target.uid, i->environment, (int)i->mode,
             cause_name(i->cause));
    buf_addf(b, " place %d %u %u %d guard %s: %s\n", i->at, i->attempt, i->conflicts, (int)i->write, i->guard,
             i->reason);
    buf_addf(b, " step %lld until %lld undoing %d cancelled %d ending %d %s\n progress",
             (long long)i->step_ms, (long long)i->until_ms, i->undoing, i->cancelled, (int)i->ending,
             i->ended_why);
    for (size_t k = 0; k < TREE_MAX; k++)
        buf_addf(b, " %u.%u.%u", i->progress.result[k], i->progress.branch[k], i->progress.turn[k]);
    buf_addc(b, '\n');
    buf_addf(b, " former %s %d %llx\n", i->former, (int)i->times, (unsigned long long)i->worked);
    buf_addf(b, " leader %s followers %u target %d family %llx urgency %d waits at %d\n",
             i->leader ? i->leader->id : "-", i->followers, (int)i->target_index,
             (unsigned long long)i->family, (int)i->urgency, (int)i->waits_at);
    buf_addf(b, " by hand %d %s\n", i->by_hand, i->asked_by);
    if (i->approval)
        dump_approval(b, i->approval);
    buf_addf(b, " times %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld\n", (long long)i->opened_ms,
             (long long)i->starts_ms, (long long)i->written_ms, (long long)i->written_wall_ms,
             (long long)i->again_ms, (long long)i->first_write_ms, (long long)i->repaired_wall_ms,
             (long long)i->confirmed_wall_ms, (long long)i->closed_ms, (long long)i->closed_wall_ms);
    buf_addf(b, " left %s moved %lld\n", i->left_hash, (long long)i->moved_ms);
    buf_addf(b, " writes %u %d %d busy %d told %lld %lld %lld\n", i->writes, i->wrote_template, i->doubt,
             i->busy, (long long)i->revision, (long long)i->told_revision, (long long)i->annotation_id);
    if (i->evidence)
        buf_addf(b, " evidence %s %s %d %d %s %s %s\n", i->evidence->reason, i->evidence->ended,
                 i->evidence->exit_code, i->evidence->restarts, i->evidence->container, i->evidence->pod,
                 i->evidence->message);
    if (i->plan) {
        CLEANUP(json_writer_freep) struct json_writer *w = NULL;
        if (json_writer_new(&w, NULL) == ERR_OK) {
            plan_write(w, i->plan);
            buf_addf(b, " plan %s\n", jw_text(w, NULL));
        }
    }
    if (i->intent.write)
        dump_intent(b, &i->intent);
    for (size_t k = 0; k < i->labels.len; k++)
        buf_addf(b, " label %s=%s\n", map_name_at(&i->labels, k), map_value_at(&i->labels, k));
    for (size_t k = 0; k < i->annotations.len; k++)
        buf_addf(b, " annotation %s=%s\n", map_name_at(&i->annotations, k), map_value_at(&i->annotations, k));
    for (size_t k = 0; k < i->history_len; k++)
        buf_addf(b, " line %s\n", i->history[k]);
    for (const struct known_alert *a = i->attached; a; a = a->next)
        dump_alert(b, a);
}

static void dump_workload(struct buf *b, const struct workload *w)
{
    buf_addf(b, "workload %s wrote %s %s base %s %lld", w->uid, w->restarted_at, w->template_hash,
             w->base_hash, (long long)w->base_since_wall_ms);
    for (int k = 0; k < PROVEN_MAX; k++)
        buf_addf(b, " %s %lld", w->proven[k], (long long)w->proven_ms[k]);
    buf_addc(b, '\n');
}

void engine_digest(const struct engine *g, struct buf *ret)
{
    buf_clear(ret);
    buf_addf(ret, "seq %lld at %lld installation %s\n", (long long)g->seq, (long long)g->at_ms,
             g->installation);
    for (size_t k = 0; k < g->pauses_len; k++)
        buf_addf(ret, "paused %d %s %s %s %lld\n", (int)g->pauses[k].scope, g->pauses[k].name,
                 g->pauses[k].who, g->pauses[k].reason, (long long)g->pauses[k].until_ms);
    buf_addf(ret, "policy %s %lld jump %lld\n", g->policy_hash, (long long)g->policy_seq,
             (long long)g->jump_wall_ms);
    for (const struct incident *i = g->open; i; i = i->next)
        dump_incident(ret, i);
    for (const struct incident *i = g->closed; i; i = i->next)
        dump_incident(ret, i);
    for (const struct known_alert *a = g->loose; a; a = a->next)
        dump_alert(ret, a);
    for (const struct workload *w = g->workloads_oldest; w; w = w->next)
        dump_workload(ret, w);
    for (size_t k = 0; k < g->arrivals_len; k++)
        buf_addf(ret, "arrival %lld %llx %llx %llx %d\n", (long long)g->arrivals[k].at_ms,
                 (unsigned long long)g->arrivals[k].environment, (unsigned long long)g->arrivals[k].cluster,
                 (unsigned long long)g->arrivals[k].target, g->arrivals[k].changed);
    for (size_t k = 0; k < g->past_len; k++)
        buf_addf(ret, "past %s %llx %llx %llx %lld %d\n", g->past[k].id,
                 (unsigned long long)g->past[k].worked, (unsigned long long)g->past[k].rule,
                 (unsigned long long)g->past[k].target, (long long)g->past[k].closed_ms,
                 (int)g->past[k].outcome);
    for (size_t k = 0; k < g->broken_len; k++)
        buf_addf(ret, "broken %llx %lld %lld\n", (unsigned long long)g->broken[k].key,
                 (long long)g->broken[k].failures, (long long)g->broken[k].last_ms);
    for (size_t k = 0; k < g->worked_len; k++)
        buf_addf(ret, "worked %llx %u %u\n", (unsigned long long)g->worked[k].key, g->worked[k].tried,
                 g->worked[k].fixed);
    for (size_t k = 0; k < g->spends_len; k++)
        buf_addf(ret, "spend %lld %llx %llx %llx %llx %llx %llx %llx\n", (long long)g->spends[k].at_ms,
                 (unsigned long long)g->spends[k].incident, (unsigned long long)g->spends[k].rule,
                 (unsigned long long)g->spends[k].environment, (unsigned long long)g->spends[k].target,
                 (unsigned long long)g->spends[k].namespace, (unsigned long long)g->spends[k].action,
                 (unsigned long long)g->spends[k].team);
    buf_addf(ret, "room %zu %zu %zu busy", g->spends_cap, g->arrivals_cap, g->past_cap);
    for (const struct incident *i = g->busy; i; i = i->busy_next)
        buf_addf(ret, " %s", i->id);
    buf_addc(ret, '\n');
}

struct copying {
    struct engine *to;
    struct json_writer *w;
    struct buf blob;
};

static enum err_code copy_part(void *ctx, const struct fact *f, struct err *e)
{
    struct copying *c = ctx;
    const char *text = NULL;
    size_t len = 0;
    struct fact read;
    enum err_code code = fact_write(c->w, f, &text, &len, &c->blob, e);
    if (!code)
        code = fact_parse(&read, f->seq, f->at_ms, fact_kind_name(f->kind), f->incident, text, len,
                          c->blob.len ? buf_text(&c->blob) : NULL, c->blob.len, e);
    if (code)
        return code;
    code = engine_apply(c->to, &read, e);
    fact_release(&read);
    return code;
}

struct engine *engine_by_snapshot(const struct engine *g, struct err *e)
{
    struct copying c = { .blob = BUF_INIT };
    enum err_code code = engine_new(&c.to, g->actions, g->actions_len, e);
    if (!code)
        code = json_writer_new(&c.w, e);
    if (!code)
        code = engine_snapshot(g, copy_part, &c, e);
    if (code)
        c.to = engine_free(c.to);
    json_writer_free(c.w);
    buf_release(&c.blob);
    return c.to;
}

static const char *incident_unsound(const struct engine *g, const struct incident *i)
{
    uint32_t firing = 0;
    for (const struct known_alert *a = i->attached; a; a = a->next) {
        firing += a->status == ALERT_FIRING;
        if (a->of != i)
            return "an alert in an incident's list belongs to another one";
    }
    if (firing != i->firing)
        return "an incident's firing alerts are counted wrong";
    if (i->due_at >= g->open_len || g->due[i->due_at] != i)
        return "an incident's place in the heap is wrong";
    if (i->due_ms != incident_deadline(g, i))
        return "an incident's deadline in the heap is old";
    if (i->due_at > 0 && g->due[(i->due_at - 1) / 2]->due_ms > i->due_ms)
        return "the heap is not in order";
    if (i->leader && (i->leader->state == STATE_CLOSED || i->leader->followers == 0))
        return "an incident follows one that is closed";
    if (i->busy != incident_busy(i))
        return "an incident's mark of being busy is wrong";
    return NULL;
}

const char *engine_unsound(const struct engine *g)
{
    size_t open = 0, closed = 0, attached = 0, loose = 0;
    for (const struct incident *i = g->open; i; i = i->next) {
        const char *why = incident_unsound(g, i);
        if (why)
            return why;
        open++;
        for (const struct known_alert *a = i->attached; a; a = a->next)
            attached++;
    }
    for (const struct incident *i = g->closed; i; i = i->next) {
        closed++;
        if (i->attached || i->busy || i->plan)
            return "a closed incident holds on to something";
    }
    for (const struct known_alert *a = g->loose; a; a = a->next) {
        loose++;
        if (a->of)
            return "a loose alert belongs to an incident";
    }
    if (open != g->open_len || closed != g->closed_len || open + closed != HASH_COUNT(g->incidents))
        return "incidents are counted wrong";
    if (attached + loose != HASH_COUNT(g->alerts))
        return "an alert is in no list";
    for (size_t k = 1; k < g->spends_len; k++)
        if (g->spends[k].at_ms < g->spends[k - 1].at_ms)
            return "spends are not in the order of time";
    return turns_unsound(g);
}
