#include "receiver/rehearse/rehearse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/catalogue.h"
#include "receiver/rehearse/stage.h"

#define READ_MS 100    /* a look takes so long */
#define WRITE_MS 300   /* and a write */
#define WATCH_MS 60000 /* the watch tells again what is well */
#define QUESTIONS_MAX 256

struct question { /* an effect that is under way */
    struct effect effect;
    int64_t due_ms;
};

struct play {
    const struct script *script;
    const struct script_test *test;
    const char *folder;
    rehearse_policy *load;
    void *load_ctx;
    struct buf *errors;
    struct err *e;

    struct stage stage;
    struct engine *engine;
    struct policy *policy;
    struct source source;
    char source_name[SOURCE_NAME_SIZE];
    const struct source *sources[1];
    struct decision decision;
    struct question questions[QUESTIONS_MAX];
    size_t questions_len;
    size_t events_done;
    int64_t watch_ms; /* the watch speaks next */
    uint64_t random;
    struct played *played;
};

static void play_release(struct play *p)
{
    for (size_t i = 0; i < p->questions_len; i++)
        effect_release(&p->questions[i].effect);
    decision_release(&p->decision);
    engine_free(p->engine);
    policy_free(p->policy);
}

void played_release(struct played *p)
{
    free(p->list);
    buf_release(&p->difference);
    *p = (struct played){ .len = 0 };
}

/* ---- what heald does ---- */

static struct happened *note(struct play *p, enum happening kind, const char *what, const char *step,
                             const char *reason)
{
    struct happened *h = &p->played->list[p->played->len++];
    *h = (struct happened){ .kind = kind, .at_ms = p->stage.now_ms - p->test->start_ms };
    text_copy(h->what, sizeof h->what, what);
    text_copy(h->step, sizeof h->step, step);
    text_copy(h->reason, sizeof h->reason, reason);
    return h;
}

static void note_intent(struct play *p, const struct intent *n)
{
    struct happened *h = note(p, HAPPENED_DO, n->action, n->step, "");
    if (n->proof == PROOF_REPLICAS)
        snprintf(h->with, sizeof h->with, "%d", n->replicas);
    else if (n->proof == PROOF_TEMPLATE_HASH)
        memcpy(h->with, n->template_hash, sizeof h->with);
}

static void note_target(struct play *p, const struct fact *f)
{
    static const char *const modes[] = {
        [MODE_OBSERVE] = "observe", [MODE_DRY_RUN] = "dry_run", [MODE_ACT] = "act"
    };
    char text[TARGET_TEXT_SIZE];
    struct happened *h =
        note(p, HAPPENED_TARGET, target_format(text, &f->u.resolved.target), "", f->u.resolved.environment);
    text_copy(h->with, sizeof h->with, modes[f->u.resolved.mode]);
}

static void note_fact(struct play *p, const struct fact *f)
{
    if (p->played->len >= REHEARSE_HAPPENED_MAX)
        return;
    switch (f->kind) {
    case FACT_INCIDENT_OPENED:
        note(p, HAPPENED_RULE, f->u.opened.rule, "", "");
        break;
    case FACT_RESOLVED:
        note_target(p, f);
        break;
    case FACT_INTENT:
        note_intent(p, &f->u.intent);
        break;
    case FACT_VERDICT:
        note(p, HAPPENED_VERDICT, verdict_name(f->u.verdict.verdict), f->u.verdict.step, f->u.verdict.reason);
        break;
    case FACT_REFUSED:
        note(p, HAPPENED_REFUSED, f->u.refused.guard, f->u.refused.step, f->u.refused.reason);
        break;
    case FACT_ASKED:
        note(p, HAPPENED_ASKED, f->u.asked.role, f->u.asked.step, f->u.asked.reason);
        break;
    case FACT_NOTIFY:
        note(p, HAPPENED_NOTIFY, f->u.notify.receiver, f->u.notify.step, f->u.notify.text);
        break;
    case FACT_CLOSED:
        note(p, HAPPENED_OUTCOME, outcome_name(f->u.closed.outcome), "", f->u.closed.reason);
        break;
    default:
        break;
    }
}

/* ---- turns ---- */

static enum err_code take_effects(struct play *p)
{
    for (size_t i = 0; i < p->decision.effects_len; i++) {
        struct effect *f = &p->decision.effects[i];
        if (p->questions_len == QUESTIONS_MAX)
            return err_set(p->e, ERR_LIMIT, "more than %d looks and writes are under way at one time",
                           QUESTIONS_MAX);
        p->questions[p->questions_len++] =
            (struct question){ .effect = *f,
                               .due_ms = p->stage.now_ms + (f->kind == EFFECT_ACT ? WRITE_MS : READ_MS) };
        memset(f, 0, sizeof *f);
    }
    return ERR_OK;
}

static enum err_code turn(struct play *p, struct input in)
{
    in.wall_ms = p->stage.now_ms;
    in.random = p->random = p->random * 6364136223846793005u + 1442695040888963407u;
    decision_clear(&p->decision);
    enum err_code code = engine_turn(p->engine, p->policy, p->stage.now_ms, &in, &p->decision, p->e);
    for (size_t i = 0; i < p->decision.facts_len && !code; i++)
        note_fact(p, &p->decision.facts[i]);
    return code ? code : take_effects(p);
}

/* ---- what happens to heald ---- */

static enum err_code set_policy(struct play *p, const char *file)
{
    struct input in = { .kind = INPUT_POLICY };
    struct policy *next = NULL;
    enum err_code code = p->load(p->load_ctx, file, &next, p->errors, p->e);
    if (code)
        return code;
    policy_free(p->policy);
    p->policy = next;
    next->sources = p->sources;
    next->sources_len = 1;
    next->prometheus = p->script->prometheus;
    memcpy(in.text, next->hash, sizeof next->hash);
    return turn(p, in);
}

static enum err_code deliver(struct play *p, const struct script_event *v, const struct map *labels,
                             enum alert_status status, int64_t starts_ms)
{
    CLEANUP(alert_release) struct alert a = ALERT_INIT;
    a.status = status;
    a.starts_ms = starts_ms;
    a.ends_ms = status == ALERT_RESOLVED ? p->stage.now_ms : 0;
    text_copy(a.source, sizeof a.source, v->source);
    enum err_code code = map_copy(&a.labels, labels, p->e);
    if (!code)
        code = map_copy(&a.annotations, &v->annotations, p->e);
    return code ? code : turn(p, (struct input){ .kind = INPUT_ALERT, .alert = &a });
}

static enum err_code fire(struct play *p, const struct script_event *v)
{
    if (p->stage.alerts_len == STAGE_ALERTS_MAX)
        return err_set(p->e, ERR_LIMIT, "line %d: more than %d alerts in one test", v->line,
                       STAGE_ALERTS_MAX);
    p->stage.alerts[p->stage.alerts_len++] =
        (struct stage_alert){ .script = v, .active_ms = p->stage.now_ms - v->since_ms, .firing = true };
    return deliver(p, v, &v->fires, ALERT_FIRING, p->stage.now_ms - v->since_ms);
}

static enum err_code resolve_alert(struct play *p, const struct script_event *v, const struct map *labels)
{
    int64_t starts_ms = p->stage.now_ms;
    for (size_t i = 0; i < p->stage.alerts_len; i++) {
        struct stage_alert *a = &p->stage.alerts[i];
        if (!map_equal(&a->script->fires, labels))
            continue;
        a->firing = false;
        starts_ms = a->active_ms;
    }
    return deliver(p, v, labels, ALERT_RESOLVED, starts_ms);
}

static enum err_code say(struct play *p, const struct script_event *v)
{
    static const enum word words[SAY_RESUME + 1] = { [SAY_APPROVE] = WORD_APPROVE,
                                                     [SAY_DENY] = WORD_DENY,
                                                     [SAY_CANCEL] = WORD_CANCEL,
                                                     [SAY_RETRY] = WORD_RETRY };
    struct input in = { .kind = v->say == SAY_PAUSE    ? INPUT_PAUSE
                                : v->say == SAY_RESUME ? INPUT_RESUME
                                                       : INPUT_WORD };
    char ids[1][INCIDENT_ID_SIZE];
    text_copy(in.who, sizeof in.who, v->who);
    text_copy(in.text, sizeof in.text, v->reason);
    size_t at = 0;
    for (size_t i = 0; i < v->groups.len && at < sizeof in.groups; i++)
        at +=
            (size_t)snprintf(in.groups + at, sizeof in.groups - at, "%s%s", i ? "," : "", v->groups.list[i]);
    if (in.kind == INPUT_WORD) {
        if (engine_open(p->engine, ids, 1) == 0)
            return err_set(p->e, ERR_INVALID, "line %d: no incident is open when \"%s\" speaks", v->line,
                           v->who);
        memcpy(in.incident, ids[0], sizeof ids[0]);
        in.word = words[v->say];
    }
    enum err_code code = engine_word(p->engine, p->policy, p->stage.now_ms, &in, p->e);
    if (code == ERR_OK)
        return turn(p, in);
    note(p, HAPPENED_REFUSED, "word", "", p->e->msg); /* as the operator would be told */
    *p->e = ERR_INIT;
    return ERR_OK;
}

static enum err_code changed(struct play *p, const struct stage_object *o)
{
    return turn(p, (struct input){ .kind = INPUT_CHANGED, .target = o->target });
}

static enum err_code happen(struct play *p, const struct script_event *v)
{
    struct stage_object *o = NULL;
    enum err_code code = stage_event(&p->stage, v, &o, p->e);
    if (!code && v->policy)
        code = set_policy(p, v->policy);
    stage_settle(&p->stage);
    if (!code && o)
        code = changed(p, o);
    if (!code && v->fires.len)
        code = fire(p, v);
    if (!code && v->resolves.len)
        code = resolve_alert(p, v, &v->resolves);
    if (!code && v->say)
        code = say(p, v);
    return code;
}

static enum err_code answer(struct play *p, size_t at)
{
    struct question q = p->questions[at];
    memmove(&p->questions[at], &p->questions[at + 1], (--p->questions_len - at) * sizeof q);
    struct input in = { .kind = q.effect.kind == EFFECT_ACT ? INPUT_ACTED : INPUT_OBSERVATION,
                        .token = q.effect.token };
    struct observation seen;
    struct err e = ERR_INIT;
    memcpy(in.incident, q.effect.incident, sizeof in.incident);
    if (q.effect.kind == EFFECT_ACT) {
        stage_act(&p->stage, &q.effect.intent, &in.report);
        stage_settle(&p->stage);
    } else {
        in.error = stage_observe(&p->stage, &q.effect, &seen, &e);
        in.observation = &seen;
        text_copy(in.text, sizeof in.text, e.msg);
    }
    effect_release(&q.effect);
    return turn(p, in);
}

/* Rollouts that ended, alerts that are quiet by now, the watch. */
static enum err_code world(struct play *p)
{
    enum err_code code = ERR_OK;
    if (stage_settle(&p->stage))
        for (size_t i = 0; i < p->stage.objects_len && !code; i++)
            code = changed(p, &p->stage.objects[i]);
    for (size_t i = 0; i < p->stage.alerts_len && !code; i++) {
        struct stage_alert *a = &p->stage.alerts[i];
        const struct stage_object *o =
            a->script->quiet_with ? stage_find(&p->stage, a->script->quiet_with) : NULL;
        if (!o || a->quiet_ms < 0)
            continue;
        if (!o->well_ms) {
            a->quiet_ms = 0;
            continue;
        }
        a->quiet_ms = o->well_ms + STAGE_RESOLVE_MS;
        a->firing = a->firing && p->stage.now_ms < o->well_ms + STAGE_EVALUATE_MS;
        if (p->stage.now_ms >= a->quiet_ms && a->quiet_ms >= a->active_ms) {
            a->quiet_ms = -1;
            code = resolve_alert(p, a->script, &a->script->fires);
        }
    }
    for (size_t i = 0; i < p->stage.objects_len && !code && p->stage.now_ms >= p->watch_ms; i++) {
        const struct stage_object *o = &p->stage.objects[i];
        struct input in = { .kind = INPUT_WELL, .target = o->target, .since_ms = o->well_ms };
        memcpy(in.template_hash, o->template, sizeof in.template_hash);
        if (o->well_ms && (o->script->proven || o->well_ms > p->test->start_ms))
            code = turn(p, in);
    }
    if (p->stage.now_ms >= p->watch_ms)
        p->watch_ms = p->stage.now_ms + WATCH_MS;
    return code;
}

/* ---- time ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_ms(const struct play *p)
{
    int64_t next = sooner(p->watch_ms, sooner(stage_next_ms(&p->stage), engine_next_deadline(p->engine)));
    if (p->events_done < p->test->events_len)
        next = sooner(next, p->test->start_ms + p->test->events[p->events_done].at_ms);
    for (size_t i = 0; i < p->questions_len; i++)
        next = sooner(next, p->questions[i].due_ms);
    for (size_t i = 0; i < p->stage.alerts_len; i++) {
        if (p->stage.alerts[i].quiet_ms > p->stage.now_ms)
            next = sooner(next, p->stage.alerts[i].quiet_ms);
        if (p->stage.alerts[i].firing && p->stage.alerts[i].quiet_ms > 0)
            next = sooner(next, p->stage.alerts[i].quiet_ms - STAGE_RESOLVE_MS + STAGE_EVALUATE_MS);
    }
    return next > p->stage.now_ms ? next : p->stage.now_ms + 1;
}

static enum err_code step(struct play *p)
{
    enum err_code code = world(p);
    while (!code && p->events_done < p->test->events_len &&
           p->test->start_ms + p->test->events[p->events_done].at_ms <= p->stage.now_ms)
        code = happen(p, &p->test->events[p->events_done++]);
    for (size_t i = 0; i < p->questions_len && !code;)
        if (p->questions[i].due_ms <= p->stage.now_ms)
            code = answer(p, i);
        else
            i++;
    for (int i = 0; i < 4 && !code && engine_next_deadline(p->engine) <= p->stage.now_ms; i++)
        code = turn(p, (struct input){ .kind = INPUT_TIMER });
    if (!code && p->played->len >= REHEARSE_HAPPENED_MAX)
        code = err_set(p->e, ERR_LIMIT, "heald did %d things in this test: it goes on for ever",
                       REHEARSE_HAPPENED_MAX);
    return code;
}

static enum err_code begin(struct play *p)
{
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    snprintf(p->source_name, sizeof p->source_name, "alertmanager");
    p->source = (struct source){ .name = p->source_name, .kind = SOURCE_ALERTMANAGER };
    p->sources[0] = &p->source;
    p->random = 1;
    p->watch_ms = p->test->start_ms;
    enum err_code code = stage_begin(&p->stage, p->script, p->test, p->folder, p->e);
    if (!code)
        code = engine_new(&p->engine, specs, len, p->e);
    if (!code)
        code = p->load(p->load_ctx, p->script->policy, &p->policy, p->errors, p->e);
    if (code)
        return code;
    p->policy->sources = p->sources;
    p->policy->sources_len = 1;
    p->policy->prometheus = p->script->prometheus;
    code = turn(p, (struct input){ .kind = INPUT_INSTALLED });
    if (!code)
        code = turn(p, (struct input){ .kind = INPUT_RESUME, .who = "rehearsal", .text = "the test begins" });
    p->played->len = 0;
    return code;
}

static int by_time(const void *a, const void *b)
{
    const struct script_event *x = a, *y = b;
    return x->at_ms != y->at_ms ? (x->at_ms < y->at_ms ? -1 : 1) : x->line - y->line;
}

enum err_code rehearse(struct played *ret, const struct script *s, const struct script_test *t,
                       const char *folder, rehearse_policy *load, void *ctx, struct buf *ret_errors,
                       struct err *e)
{
    CLEANUP(play_release)
    struct play p = { .script = s,
                      .test = t,
                      .folder = folder,
                      .load = load,
                      .load_ctx = ctx,
                      .errors = ret_errors,
                      .e = e,
                      .played = ret };
    *ret = (struct played){ .list = calloc(REHEARSE_HAPPENED_MAX + 64, sizeof *ret->list),
                            .difference = BUF_INIT };
    if (!ret->list)
        return err_set(e, ERR_NOMEM, "no memory for a test");
    qsort(t->events, t->events_len, sizeof t->events[0], by_time);
    enum err_code code = begin(&p);
    while (!code && p.stage.now_ms <= t->start_ms + t->until_ms) {
        code = step(&p);
        p.stage.now_ms = next_ms(&p);
    }
    if (!code)
        expect_compare(ret, t);
    return code;
}
