/* test/simulate/policies.c - the text of a policy, by chance: modes, budgets, plans, what is ignored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/catalogue.h"
#include "test/simulate/sim.h"

#define VERIFY_ON "verify = { hold = '30s'; within = '3m'; every = '5s'; on_unknown = 'next'; };"
#define VERIFY "verify = { hold = '30s'; within = '3m'; every = '5s'; };"

static const char *const steps[] = {
    "{ when = { changed = 'template'; }; then = ( { do = 'rollback'; " VERIFY_ON
    " } ); otherwise = ( { do = 'restart'; " VERIFY_ON " } ); }, { do = 'restart'; " VERIFY " }",
    "{ do = 'restart'; retry = 1; " VERIFY_ON " }, { do = 'rollback'; " VERIFY " }",
    "{ do = 'delete_pod'; verify = { alert = 'ignore'; hold = '30s'; within = '3m'; }; },"
    " { do = 'scale'; replicas = 5; undo = true; " VERIFY " }, { do = 'restart'; undo = true; " VERIFY " }",
    "{ do = 'scale'; replicas = 1; undo = true; " VERIFY_ON " }, { do = 'restart'; " VERIFY " }",
    "{ when = { changed = 'template'; }; then = ( { do = 'rollback'; retry = 1; " VERIFY
    " }, { do = 'delete_pod'; " VERIFY " } ); },"
    " { do = 'restart'; verify = { alert = 'ignore'; hold = '30s'; within = '3m'; }; }",
};

#define STEPS_LEN ((int64_t)(sizeof steps / sizeof steps[0]))

/* Around the steps that repair: what waits, asks, chooses and tells. */
static const char *const frames[] = {
    "steps = ( %s );",
    "steps = ( %s );",
    "steps = ( %s );",
    "prepare = ( { notify = 'sre'; text = 'it begins'; }, { gate = { role = 'sre'; expires = '4m'; notify "
    "= 'sre'; }; } ); steps = ( %s );",
    "prepare = ( { wait = '40s'; } ); steps = ( %s ); validate = ( { wait = '20s'; } ); report = ( { notify "
    "= 'sre'; } );",
    "steps = ( { wait = { until = { match = [ 'deployment=web-1' ]; }; within = '1m'; }; }, %s, { stop = "
    "'escalated'; } );"
    " cleanup = ( { notify = 'sre'; } );",
    "steps = ( { choose = ( { name = 'a'; steps = ( %s ); }, { name = 'b'; steps = ( { do = "
    "'restart'; " VERIFY " } ); } ); by = 'success'; } ); report = ( { notify = 'sre'; } );",
    "steps = ( { parallel = ( { steps = ( { do = 'scale'; replicas = 6; } ); }, { steps = ( { do = "
    "'restart'; } ); } );"
    " need = 1; " VERIFY " }, %s );",
    "steps = ( { do = 'rollback'; undo = true; " VERIFY_ON
    " }, { do = 'scale'; replicas = 4; undo = true; " VERIFY " }, %s );"
    " stabilise = ( { wait = '1m'; } ); optimise = ( { notify = 'capacity'; } );",
    "steps = ( { gate = { approvals = 2; expires = '5m'; }; }, %s );",
};
#define FRAMES_LEN ((int64_t)(sizeof frames / sizeof frames[0]))

static const char *one_of(struct chance *c, const char *const *words, int64_t len)
{
    return words[chance_in(c, 0, len - 1)];
}

static void environment(struct chance *c, struct buf *b, const char *namespace, const char *mode, bool brakes)
{
    static const char *const names[] = { "blue", "green", "red" };
    buf_addf(b, "%s { name = '%s-%s'; match = [ 'namespace=%s' ]; mode = '%s'; well_for = '%s';",
             namespace[0] == 's' ? "" : ",", namespace, one_of(c, names, 3), namespace, mode,
             chance_one_in(c, 2) ? "1m" : "4m");
    if (chance_one_in(c, 4))
        buf_adds(b, " budget = 'none';");
    else if (chance_one_in(c, 5)) /* what waits for it is given up before */
        buf_adds(b, " budget = ( { actions = 1; per = '2d'; } );");
    else
        buf_addf(b, " budget = ( { actions = %lld; per = '1h'; }, { actions = %lld; per = '6h'; } );",
                 (long long)chance_in(c, 1, 30), (long long)chance_in(c, 8, 60));
    if (!chance_one_in(c, 3))
        buf_adds(b, " breaker = { failures = 'none'; };");
    else
        buf_addf(b, " breaker = { failures = %lld; open = '20m'; };", (long long)chance_in(c, 1, 3));
    if (!chance_one_in(c, 3))
        buf_adds(b, " storm = { incidents = 'none'; };");
    else
        buf_addf(b, " storm = { incidents = %lld; per = '5m'; hold = '10m'; };",
                 (long long)chance_in(c, 2, 8));
    buf_addf(b, " running = %lld;", (long long)chance_in(c, 1, 4));
    if (chance_one_in(c, 3))
        buf_adds(
            b,
            " approve = [ 'rollback', 'scale', 'restart' ]; approval = { role = 'sre'; expires = '3m'; };");
    if (chance_one_in(c, 6))
        buf_adds(b, " allow = [ 'restart', 'rollback' ];");
    if (chance_one_in(c, 3))
        buf_adds(b, " workload_budget = 'none';");
    if (brakes && chance_one_in(c, 5))
        buf_adds(b, " brake = ( { promql = 'load'; is = '> 0.5'; } );");
    if (chance_one_in(c, 4))
        buf_adds(b, chance_one_in(c, 2) ? " freeze = [ 'shut' ];" : " maintenance = [ 'shut' ];");
    if (chance_one_in(c, 4))
        buf_adds(b, " shared_cause = 'none';");
    if (chance_one_in(c, 4))
        buf_adds(b, " silence_unknown = 'act';");
    if (chance_one_in(c, 6))
        buf_adds(b, " min_available = '60%';");
    if (chance_one_in(c, 2))
        buf_adds(b, " blast_radius = '100%'; downtime = true;");
    if (chance_one_in(c, 2))
        buf_adds(b, " own_rollouts = true;");
    /* drawn from what was drawn, so that what comes behind stays as it is */
    if (b->len % 4 == 0)
        buf_adds(b, " namespace_budget = '4 per 1h'; action_budget = '6 per 1h';");
    if (b->len % 3 == 0) /* in a circle, too */
        buf_adds(b, " depends_on = ( { match = [ 'name=~web-[0-7]' ]; on = [ 'name=~web-[4-9]' ]; } );");
    buf_adds(b, " }");
}

static void rule(struct chance *c, struct buf *b, const char *name, const char *alertname)
{
    static const char *const cooldowns[] = { "none", "1m", "10m" };
    buf_addf(b, "{ name = '%s'; match = [ 'alertname=%s' ]; target = { from = 'deployment'; }; plan = '%s';",
             name, alertname, name);
    if (chance_one_in(c, 4))
        buf_addf(b, " for = '%llds';", (long long)chance_in(c, 1, 90));
    if (chance_one_in(c, 5))
        buf_adds(b, " explained_by = ( { match = [ 'alertname=Slow' ]; equal = [ 'namespace' ]; } );");
    buf_addf(b, " cooldown = '%s'; attempts = %lld; attempts_per = '2h'; alert_age = '%s'; }",
             one_of(c, cooldowns, 3), (long long)chance_in(c, 1, 5), chance_one_in(c, 3) ? "none" : "1h");
}

static void plan(struct chance *c, struct buf *b, const char *name)
{
    const char *frame = one_of(c, frames, FRAMES_LEN), *at = strstr(frame, "%s");
    buf_addf(b, " %s = { ", name);
    buf_add(b, frame, (size_t)(at - frame));
    buf_adds(b, one_of(c, steps, STEPS_LEN));
    buf_adds(b, at + 2);
    if (chance_one_in(c, 2))
        buf_adds(b, " otherwise = ( { do = 'escalate'; notify = 'sre'; } );");
    buf_adds(b, " };");
}

static void text(struct sim *s, struct chance *c, struct buf *ret)
{
    static const char *const modes[] = { "act", "act", "act", "act", "act", "act", "dry_run", "observe" };
    s->window_from = (int)chance_in(c, 8 * 60 + 20, 14 * 60);
    s->window_to = s->window_from + (int)chance_in(c, 2, 60);
    buf_addf(ret, "version = 1; windows = ( { name = 'shut'; from = '%02d:%02d'; to = '%02d:%02d'; } );",
             s->window_from / 60, s->window_from % 60, s->window_to / 60, s->window_to % 60);
    buf_adds(ret, " environments = (");
    environment(c, ret, "shop", one_of(c, modes, 8), s->prometheus);
    environment(c, ret, "bank", one_of(c, modes, 8), s->prometheus);
    environment(c, ret, "vault", "act", s->prometheus);
    buf_adds(ret, " ); ignore = ( [ 'alertname=Watchdog' ]");
    if (chance_one_in(c, 3))
        buf_addf(ret, ", [ 'name=web-%d' ]", (int)chance_in(c, 0, OBJECTS - 1));
    buf_adds(ret, " ); rules = (");
    rule(c, ret, "crash", "Crash");
    if (!chance_one_in(c, 5)) {
        buf_adds(ret, ", ");
        rule(c, ret, "slow", "Slow");
    }
    buf_adds(ret, "); plans = {");
    plan(c, ret, "crash");
    plan(c, ret, "slow");
    buf_adds(ret, " };");
    for (char *k = ret->ptr; *k; k++)
        *k = *k == '\'' ? '"' : *k;
}

void policy_draw(struct sim *s, struct chance *c)
{
    CLEANUP(buf_release) struct buf bytes = BUF_INIT;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    struct policy *p = NULL;
    size_t len = 0;
    const struct action_spec *specs = catalogue_specs(&len);
    text(s, c, &bytes);
    if (policy_load(&p, "simulate.cfg", buf_text(&bytes), bytes.len, specs, len, &errors, &e) != ERR_OK) {
        fprintf(stderr, "simulate: the policy is wrong: %s\n%s\n%s\n", e.msg, buf_text(&errors),
                buf_text(&bytes));
        exit(2);
    }
    policy_free(s->p);
    s->p = p;
    p->sources = s->source_list;
    p->sources_len = 2;
    p->prometheus = s->prometheus;
    snprintf(s->policy_hash, sizeof s->policy_hash, "policy-%u", ++s->policies);
    memcpy(p->hash, s->policy_hash, sizeof p->hash);
    say(s, "policy %u: %s", s->policies, buf_text(&bytes));
}
