/* The live part of heald explain: the object is really looked at, and an engine that has just begun says what
 * it would do. It only reads. */
#include <string.h>

#include "actions/catalogue.h"
#include "receiver/commands/explain.h"
#include "receiver/runtime/fleet.h"
#include "rules/base/timetext.h"
#include "rules/engine/engine.h"

struct look {
    struct fleet *fleet;
    struct clock *clock;
    struct metrics *metrics;
    struct http *http;
    struct engine *engine;
    struct decision decision;
};

static void look_release(struct look *l)
{
    decision_release(&l->decision);
    engine_free(l->engine);
    http_free(l->http);
    fleet_free(l->fleet);
    metrics_free(l->metrics);
    clock_free(l->clock);
}

static int64_t wall_ms(void *ctx)
{
    return clock_wall_ms(ctx);
}

static enum err_code turn(struct look *l, const struct policy *p, struct input in, struct err *e)
{
    in.random = 1;
    in.wall_ms = clock_wall_ms(l->clock);
    return engine_turn(l->engine, p, clock_now_ms(l->clock), &in, &l->decision, e);
}

/* An engine that knows nothing but this alert. */
static enum err_code begin(struct look *l, const struct settings *s, const struct policy *p,
                           const struct alert *a, struct err *e)
{
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    l->clock = clock_new(0, NULL);
    l->metrics = metrics_new();
    if (!l->clock || !l->metrics)
        return err_set(e, ERR_NOMEM, "no memory");
    enum err_code code = http_new(&l->http, e);
    if (!code)
        code = fleet_new(&l->fleet, s, l->clock, l->metrics, &(struct watch_hooks){ .ctx = NULL }, e);
    if (!code)
        code = engine_new(&l->engine, specs, len, e);
    if (!code)
        code = turn(l, p, (struct input){ .kind = INPUT_INSTALLED }, e);
    if (!code)
        code = turn(l, p, (struct input){ .kind = INPUT_RESUME, .who = "explain" }, e);
    if (!code)
        code = turn(l, p, (struct input){ .kind = INPUT_ALERT, .alert = a }, e);
    if (!code && l->decision.effects_len == 0) /* it is due to be looked at */
        code = turn(l, p, (struct input){ .kind = INPUT_TIMER }, e);
    return code;
}

static enum err_code look(struct look *l, const struct effect *f, struct observation *ret, struct err *e)
{
    struct member *m = NULL;
    struct target target = f->target;
    enum err_code code = fleet_member(l->fleet, f->target.cluster, &f->labels, &m, e);
    if (code)
        return code;
    text_copy(target.cluster, sizeof target.cluster, cluster_name(m->cluster));
    struct observer o = { .cluster = m->cluster,
                          .namespaces = l->fleet->namespaces,
                          .systems.prometheus = l->fleet->prometheus,
                          .alertmanager = l->fleet->alertmanager,
                          .now_ms = wall_ms,
                          .now_ctx = l->clock };
    struct observe_request r = { .labels = &f->labels,
                                 .from = f->from,
                                 .kind = f->selector_kind,
                                 .selector = f->selector,
                                 .limit = f->limit,
                                 .owner = f->owner[0] ? f->owner : NULL,
                                 .target = &target,
                                 .needs = f->needs | OBSERVE_PODS | OBSERVE_HISTORY };
    return observe(&o, l->http, &r, ret, e);
}

static void write_object(struct json_writer *w, const struct policy *p, const struct observation *o)
{
    char text[TARGET_TEXT_SIZE];
    const struct environment *env = policy_environment(p, &o->target);
    static const char *const modes[] = {
        [MODE_OBSERVE] = "observe", [MODE_DRY_RUN] = "dry_run", [MODE_ACT] = "act"
    };
    jw_kstring(w, "cluster", o->target.cluster);
    jw_kstring(w, "object", target_format(text, &o->target));
    jw_kint(w, "desired", o->desired);
    jw_kint(w, "ready", o->ready);
    jw_kstring(w, "fault", o->fault ? o->fault_text : "");
    jw_kstring(w, "owner", o->owner);
    jw_kstring(w, "environment", env ? env->name : "");
    jw_kstring(w, "mode", modes[env ? env->mode : MODE_OBSERVE]);
}

static void write_guards(struct json_writer *w, const struct explanation *x, int64_t now_ms)
{
    char text[DURATION_TEXT_SIZE];
    jw_kstring(w, "step", x->step);
    jw_kstring(w, "action", x->action);
    jw_kbool(w, "possible", x->possible);
    jw_kstring(w, "reason", x->reason);
    jw_key(w, "guards");
    jw_array(w);
    for (size_t i = 0; i < x->guards_len; i++) {
        const struct guard_said *g = &x->guards[i];
        jw_object(w);
        jw_kstring(w, "guard", g->guard);
        jw_kstring(w, "answer", guard_answer_name(g->answer));
        jw_kstring(w, "reason", g->reason);
        if (g->again_ms > now_ms)
            jw_kstring(w, "again_in", duration_format(text, g->again_ms - now_ms));
        jw_object_end(w);
    }
    jw_array_end(w);
}

static enum err_code explain(struct look *l, struct json_writer *w, const struct settings *s,
                             const struct policy *p, const struct alert *a, struct err *e)
{
    struct observation o;
    struct explanation x;
    enum err_code code = begin(l, s, p, a, e);
    if (code)
        return code;
    const struct effect *question = l->decision.effects_len ? &l->decision.effects[0] : NULL;
    if (!question || question->kind != EFFECT_OBSERVE)
        return err_set(e, ERR_REFUSED, "no incident would be opened for it");
    code = look(l, question, &o, e);
    if (code)
        return code;
    write_object(w, p, &o);
    code = engine_explain(l->engine, p, clock_now_ms(l->clock), clock_wall_ms(l->clock), question->incident,
                          &o, &x, e);
    if (!code)
        write_guards(w, &x, clock_now_ms(l->clock));
    return code;
}

void explain_live(struct json_writer *w, const struct settings *s, const struct policy *p,
                  const struct alert *a)
{
    CLEANUP(look_release) struct look l = { .decision = DECISION_INIT };
    struct err e = ERR_INIT;
    jw_key(w, "live");
    jw_object(w);
    if (explain(&l, w, s, p, a, &e) != ERR_OK)
        jw_kstring(w, "error", e.msg);
    jw_object_end(w);
}
