#include "test/kit/engine_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/kit/catalogue.h"

/* ---- life ---- */

static struct policy *load(struct engine_kit *k, const char *text)
{
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    struct policy *p = NULL;
    char *copy = strdup(text);
    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    cr_assert_eq(policy_load(&p, "kit.cfg", copy, strlen(copy), kit_actions, KIT_ACTIONS_LEN, &errors, &e),
                 ERR_OK, "%s %s", e.msg, buf_text(&errors));
    free(copy);
    p->sources = k->sources;
    p->sources_len = 1;
    return p;
}

void kit_policy(struct engine_kit *k, const char *policy)
{
    struct input in = { .kind = INPUT_POLICY };
    policy_free(k->p);
    k->p = load(k, policy);
    snprintf(in.text, sizeof in.text, "%016llx", (unsigned long long)name_hash(policy));
    kit_turn(k, in);
}

void engine_kit_open(struct engine_kit *k, const char *policy)
{
    engine_kit_open_with(k, policy, NULL, NULL);
}

void engine_kit_open_with(struct engine_kit *k, const char *policy,
                          void (*each)(void *ctx, const struct fact *f, const char *text, size_t len,
                                       const struct buf *blob),
                          void *each_ctx)
{
    struct err e = ERR_INIT;
    memset(k, 0, sizeof *k);
    k->each = each;
    k->each_ctx = each_ctx;
    snprintf(k->source_name, sizeof k->source_name, "alertmanager");
    k->source = (struct source){ .name = k->source_name, .kind = SOURCE_ALERTMANAGER };
    k->sources[0] = &k->source;
    k->now_ms = k->wall_ms = KIT_START_MS;
    k->random = 1;
    snprintf(k->labels, sizeof k->labels, "alertname=Crash,namespace=shop,deployment=web");
    cr_assert_eq(engine_new(&k->g, kit_actions, KIT_ACTIONS_LEN, &e), ERR_OK);
    cr_assert_eq(engine_new(&k->shadow, kit_actions, KIT_ACTIONS_LEN, &e), ERR_OK);
    cr_assert_eq(json_writer_new(&k->w, &e), ERR_OK);
    k->p = load(k, policy);
    kit_turn(k, (struct input){ .kind = INPUT_INSTALLED });
    kit_turn(k, (struct input){ .kind = INPUT_RESUME, .who = "test", .text = "begin" });
    kit_policy(k, policy);
    kit_workload(k);
}

void kit_replayed(struct engine_kit *k)
{
    CLEANUP(buf_release) struct buf live = BUF_INIT;
    CLEANUP(buf_release) struct buf replayed = BUF_INIT;
    const char *why = engine_unsound(k->g);
    cr_assert_null(why, "%s", why);
    engine_digest(k->g, &live);
    engine_digest(k->shadow, &replayed);
    cr_assert_str_eq(buf_text(&live), buf_text(&replayed));
    struct err e = ERR_INIT;
    struct engine *restored = engine_by_snapshot(k->g, &e);
    cr_assert_not_null(restored, "%s", e.msg);
    engine_digest(restored, &replayed);
    cr_assert_str_eq(buf_text(&live), buf_text(&replayed));
    cr_assert_null(engine_unsound(restored), "%s", engine_unsound(restored));
    engine_free(restored);
}

void engine_kit_close(struct engine_kit *k)
{
    kit_replayed(k);
    engine_kit_release(k);
}

void engine_kit_release(struct engine_kit *k)
{
    decision_release(&k->d);
    engine_free(k->g);
    engine_free(k->shadow);
    policy_free(k->p);
    json_writer_free(k->w);
    buf_release(&k->blob);
}

/* ---- turns ---- */

/* Through its text, as the journal keeps it. */
static void into_shadow(struct engine_kit *k, const struct fact *f)
{
    struct err e = ERR_INIT;
    const char *text = NULL;
    size_t len = 0;
    struct fact read;
    cr_assert_eq(fact_write(k->w, f, &text, &len, &k->blob, &e), ERR_OK, "%s", e.msg);
    cr_assert_eq(fact_parse(&read, f->seq, f->at_ms, fact_kind_name(f->kind), f->incident, text, len,
                            k->blob.len ? buf_text(&k->blob) : NULL, k->blob.len, &e),
                 ERR_OK, "%s in %s", e.msg, text);
    cr_assert_eq(engine_apply(k->shadow, &read, &e), ERR_OK, "%s", e.msg);
    fact_release(&read);
    if (k->each)
        k->each(k->each_ctx, f, text, len, &k->blob);
}

static void turn(struct engine_kit *k, struct input *in)
{
    struct err e = ERR_INIT;
    size_t before = k->d.facts_len;
    in->random = k->random = k->random * 6364136223846793005u + 1442695040888963407u;
    in->wall_ms = k->wall_ms;
    cr_assert_eq(engine_turn(k->g, k->p, k->now_ms, in, &k->d, &e), ERR_OK, "%s", e.msg);
    for (size_t f = before; f < k->d.facts_len; f++)
        into_shadow(k, &k->d.facts[f]);
    for (size_t x = 0; x < k->d.effects_len; x++)
        if (k->d.effects[x].kind == EFFECT_OBSERVE) {
            k->asked_len = k->d.effects[x].probes_len;
            k->asked_change = k->d.effects[x].change_key;
            for (size_t n = 0; n < k->asked_len; n++)
                k->asked[n] = k->d.effects[x].probes[n];
        }
    const char *why = k->quick ? NULL : engine_unsound(k->g);
    cr_assert_null(why, "%s", why);
}

void kit_turn(struct engine_kit *k, struct input in)
{
    decision_clear(&k->d);
    turn(k, &in);
}

void kit_wait(struct engine_kit *k, int64_t ms)
{
    k->now_ms += ms;
    k->wall_ms += ms;
    k->seen.at_ms = k->wall_ms;
    decision_clear(&k->d);
    for (int i = 0; i < 100 && engine_next_deadline(k->g) <= k->now_ms; i++)
        turn(k, &(struct input){ .kind = INPUT_TIMER });
    cr_assert_gt(engine_next_deadline(k->g), k->now_ms, "the core wants to be called for ever");
}

void kit_restart(struct engine_kit *k)
{
    struct incident *i;
    for (i = k->g->open; i; i = i->next) {
        i->asked = false;
        i->token = 0;
        i->asked_ms = i->look_ms = i->asking_ms = 0;
        i->failures = 0;
        due_update(k->g, i);
    }
    kit_turn(k, (struct input){ .kind = INPUT_STARTED });
    while (engine_next_deadline(k->g) <= k->now_ms)
        turn(k, &(struct input){ .kind = INPUT_TIMER });
}

struct alert kit_make_alert(const struct engine_kit *k, const char *labels, enum alert_status status,
                            int64_t starts_ms)
{
    struct alert a = ALERT_INIT;
    char copy[1024], *rest = copy;
    snprintf(a.source, sizeof a.source, "alertmanager");
    snprintf(copy, sizeof copy, "%s", labels);
    for (char *pair; (pair = strsep(&rest, ","));) {
        char *value = strchr(pair, '=');
        *value++ = '\0';
        cr_assert_eq(map_set(&a.labels, pair, value, NULL), ERR_OK);
    }
    map_set(&a.annotations, "summary", "it crashes", NULL);
    a.status = status;
    a.starts_ms = starts_ms ? starts_ms : k->wall_ms;
    a.ends_ms = status == ALERT_RESOLVED ? k->wall_ms : 0;
    return a;
}

void kit_alert(struct engine_kit *k, const char *labels, enum alert_status status, int64_t starts_ms)
{
    CLEANUP(buf_release) struct buf scratch = BUF_INIT;
    struct alert a = kit_make_alert(k, labels, status, starts_ms);
    bool repeats = engine_repeats(k->g, &a, &scratch);
    kit_turn(k, (struct input){ .kind = INPUT_ALERT, .alert = &a });
    cr_assert(!repeats || k->d.facts_len + k->d.effects_len + k->d.notes_len == 0,
              "something came of a repeat");
    while (engine_next_deadline(k->g) <= k->now_ms)
        turn(k, &(struct input){ .kind = INPUT_TIMER });
    alert_release(&a);
}

void kit_fire(struct engine_kit *k)
{
    kit_alert(k, k->labels, ALERT_FIRING, KIT_START_MS);
}

void kit_resolve(struct engine_kit *k)
{
    kit_alert(k, k->labels, ALERT_RESOLVED, KIT_START_MS);
}

/* ---- the workload ---- */

static void revision(struct observation *o, const char *name, const char *hash)
{
    struct revision *r = &o->revisions[o->revisions_len++];
    snprintf(r->name, sizeof r->name, "%s", name);
    snprintf(r->template_hash, sizeof r->template_hash, "%s", hash);
    r->number = 10 - (int64_t)o->revisions_len;
}

void kit_workload(struct engine_kit *k)
{
    struct observation *o = &k->seen;
    *o = (struct observation){ .at_ms = k->wall_ms,
                               .needs = OBSERVE_HISTORY | OBSERVE_PODS | OBSERVE_ALERT | OBSERVE_POD |
                                        OBSERVE_SILENCED | OBSERVE_HPA | OBSERVE_CHANGE,
                               .hpa_known = true,
                               .target = { .cluster = "local",
                                           .namespace = "shop",
                                           .kind = "Deployment",
                                           .name = "web",
                                           .uid = "u-web" },
                               .resource_version = "100",
                               .template_hash = "bad",
                               .desired = 2,
                               .updated = 2,
                               .progress_deadline_seconds = 600,
                               .observed_generation_current = true,
                               .rollout_complete = true,
                               .watched = true,
                               .template_since_ms = KIT_START_MS - 60000,
                               .not_well = "pod \"web-1\" is not ready",
                               .fault = true,
                               .fault_text = "pod \"web-1\": crashes",
                               .trouble_ms = KIT_START_MS - 30000,
                               .alert = ALERT_STATE_FIRING,
                               .alert_active_ms = KIT_START_MS - 20000,
                               .alert_settle_ms = 300000,
                               .alert_interval_ms = 15000,
                               .alert_evaluated_ms = k->wall_ms };
    revision(o, "web-3", "bad");
    revision(o, "web-2", "good");
    revision(o, "web-1", "old");
}

void kit_well(struct engine_kit *k, int64_t since_ms)
{
    struct observation *o = &k->seen;
    o->well_since_ms = since_ms;
    o->not_well[0] = o->fault_text[0] = '\0';
    o->fault = o->new_pods_failed = false;
    o->observed_generation_current = o->rollout_complete = true;
    o->updated = o->ready = o->available = o->desired;
    o->alert = ALERT_STATE_INACTIVE;
    o->alert_evaluated_ms = o->at_ms = k->wall_ms;
}

void kit_prove(struct engine_kit *k, const char *template_hash)
{
    struct input in = { .kind = INPUT_WELL, .target = k->seen.target, .since_ms = k->wall_ms - 3600000 };
    snprintf(in.template_hash, sizeof in.template_hash, "%s", template_hash);
    kit_turn(k, in);
}

void kit_land(struct engine_kit *k, const struct intent *n)
{
    struct observation *o = &k->seen;
    if (n->proof == PROOF_RESTARTED_AT) {
        memcpy(o->restarted_at, n->restarted_at, sizeof o->restarted_at);
        snprintf(o->template_hash, sizeof o->template_hash, "%.20s+%s", n->old_template_hash,
                 n->restarted_at);
    } else if (n->proof == PROOF_TEMPLATE_HASH) {
        memcpy(o->template_hash, n->template_hash, sizeof o->template_hash);
        o->restarted_at[0] = '\0';
    } else if (n->proof == PROOF_REPLICAS) {
        o->desired = n->replicas;
    } else if (n->proof == PROOF_CHANGE) {
        o->change_proof = CHANGE_THERE;
        if (n->rolls)
            snprintf(o->template_hash, sizeof o->template_hash, "%.20s+%s", n->old_template_hash, n->action);
    } else {
        o->pod_found = false;
    }
    if (intent_rolls(n))
        o->template_since_ms = k->wall_ms;
    o->rollout_complete = false;
    o->well_since_ms = 0;
    snprintf(o->resource_version, sizeof o->resource_version, "%d", atoi(o->resource_version) + 1);
}

/* ---- answers ---- */

const struct incident *kit_incident(const struct engine_kit *k, const char *id)
{
    if (!id)
        return kit_only(k);
    const struct incident *i = incident_find(k->g, id);
    cr_assert_not_null(i, "incident %s is not known", id);
    return i;
}

bool kit_asked(struct engine_kit *k, const char *id)
{
    const struct incident *i = kit_incident(k, id);
    return i->asked && !(i->state == STATE_ACTING && !i->asking_ms);
}

static struct input answer(struct engine_kit *k, const char *id, enum input_kind kind)
{
    const struct incident *i = kit_incident(k, id);
    cr_assert(i->asked, "nothing is asked for %s", i->id);
    struct input in = { .kind = kind, .token = i->token };
    memcpy(in.incident, i->id, sizeof in.incident);
    return in;
}

static void take_answer(struct engine_kit *k, struct input in)
{
    kit_turn(k, in);
    for (int i = 0; i < 100 && engine_next_deadline(k->g) <= k->now_ms; i++)
        turn(k, &(struct input){ .kind = INPUT_TIMER });
}

void kit_observe(struct engine_kit *k, const char *id)
{
    struct input in = answer(k, id, INPUT_OBSERVATION);
    cr_assert(kit_asked(k, id), "a write is out, not a question");
    k->seen.at_ms = k->wall_ms;
    k->seen.probes_len = (uint32_t)k->asked_len;
    k->seen.change_key = k->asked_change;
    for (size_t n = 0; n < k->asked_len; n++) {
        k->seen.probes[n] = k->answers[k->asked[n].kind];
        k->seen.probes[n].key = probe_key(&k->asked[n]);
    }
    in.observation = &k->seen;
    take_answer(k, in);
}

void kit_blind(struct engine_kit *k, const char *id, enum err_code error, const char *text)
{
    struct input in = answer(k, id, INPUT_OBSERVATION);
    in.error = error;
    snprintf(in.text, sizeof in.text, "%s", text);
    take_answer(k, in);
}

void kit_acted(struct engine_kit *k, const char *id, enum act_result result)
{
    struct input in = answer(k, id, INPUT_ACTED);
    cr_assert_not(kit_asked(k, id), "a question is out, not a write");
    in.report.result = result;
    if (result == ACT_DONE && intent_rolls(&kit_incident(k, id)->intent))
        memcpy(in.report.template_hash, k->seen.template_hash, sizeof in.report.template_hash);
    if (result != ACT_DONE)
        snprintf(in.report.reason, sizeof in.report.reason, "the server said so");
    take_answer(k, in);
}

const struct intent *kit_begin(struct engine_kit *k)
{
    kit_fire(k);
    kit_observe(k, NULL);
    return &kit_effect(k, EFFECT_ACT)->intent;
}

void kit_write(struct engine_kit *k)
{
    struct intent n = *kit_begin(k);
    kit_land(k, &n);
    kit_acted(k, NULL, ACT_DONE);
    cr_assert_eq(kit_only(k)->state, STATE_VERIFYING);
}

/* ---- looking ---- */

const struct incident *kit_only(const struct engine_kit *k)
{
    cr_assert_eq(k->g->open_len, 1, "%zu incidents are open", k->g->open_len);
    return k->g->open;
}

size_t kit_count(const struct engine_kit *k, enum fact_kind kind)
{
    size_t n = 0;
    for (size_t f = 0; f < k->d.facts_len; f++)
        n += k->d.facts[f].kind == kind;
    return n;
}

const struct fact *kit_fact(const struct engine_kit *k, enum fact_kind kind)
{
    for (size_t f = 0; f < k->d.facts_len; f++)
        if (k->d.facts[f].kind == kind)
            return &k->d.facts[f];
    const struct fact *last = k->d.facts_len ? &k->d.facts[k->d.facts_len - 1] : NULL;
    cr_assert_fail("no fact \"%s\", but %zu others, the last \"%s\" %s", fact_kind_name(kind), k->d.facts_len,
                   last ? fact_kind_name(last->kind) : "-",
                   !last                        ? ""
                   : last->kind == FACT_CLOSED  ? last->u.closed.reason
                   : last->kind == FACT_REFUSED ? last->u.refused.reason
                                                : "");
    return NULL;
}

const struct effect *kit_effect(const struct engine_kit *k, enum effect_kind kind)
{
    for (size_t f = 0; f < k->d.effects_len; f++)
        if (k->d.effects[f].kind == kind)
            return &k->d.effects[f];
    if (k->d.facts_len)
        kit_fact(k, kind == EFFECT_ACT ? FACT_INTENT : FACT_KIND_END_);
    cr_assert_fail("no such effect");
    return NULL;
}

void kit_closed(const struct engine_kit *k, enum outcome outcome, const char *reason)
{
    const struct fact *f = kit_fact(k, FACT_CLOSED);
    cr_assert_eq(f->u.closed.outcome, outcome, "%s: %s", outcome_name(f->u.closed.outcome),
                 f->u.closed.reason);
    cr_assert_not_null(strstr(f->u.closed.reason, reason), "\"%s\" lacks \"%s\"", f->u.closed.reason, reason);
}

void kit_refused(const struct engine_kit *k, const char *guard, enum refusal_scope scope, const char *reason)
{
    const struct fact *f = kit_fact(k, FACT_REFUSED);
    cr_assert_str_eq(f->u.refused.guard, guard, "%s: %s", f->u.refused.guard, f->u.refused.reason);
    cr_assert_eq(f->u.refused.scope, scope);
    cr_assert_not_null(strstr(f->u.refused.reason, reason), "\"%s\" lacks \"%s\"", f->u.refused.reason,
                       reason);
}
