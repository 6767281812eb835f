/* bench_guards - what one alert costs in the core alone: matched and opened; its target resolved and every
 * guard judged up to the intent, or up to the last but one. The last ones find that many
 * incidents open. Prints medians as `name value` lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/engine/engine.h"
#include "test/kit/catalogue.h"

#define ALERTS 200 /* no more may be at work and wait for a turn */
#define SAMPLE 40
#define BEGIN_MS 1800000000000ll

static const char policy_text[] =
    "version = 1; environments = ( { name = \"shop\"; match = [ \"namespace=shop\" ]; mode = \"act\";"
    " budget = \"none\"; running = \"none\"; own_rollouts = true; storm = { incidents = \"none\"; }; } );"
    "rules = ( { name = \"crash\"; match = [ \"alertname=Crash\" ]; target = { from = \"deployment\"; };"
    " plan = \"mend\"; } );"
    "plans = { mend = { steps = ( { do = \"restart\"; } ); }; };";

struct world {
    struct engine *g;
    struct policy *p;
    struct decision d;
    uint64_t random;
    int64_t now_ms;
};

static void must(enum err_code code, const struct err *e)
{
    if (!code)
        return;
    fprintf(stderr, "bench_guards: %s\n", e->msg);
    exit(1);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* One input; what was decided before is forgotten. */
static double turn(struct world *w, struct input in)
{
    struct err e = ERR_INIT;
    in.random = ++w->random * 0x9e3779b97f4a7c15u;
    in.wall_ms = w->now_ms;
    decision_clear(&w->d);
    double began = now_us();
    must(engine_turn(w->g, w->p, w->now_ms, &in, &w->d, &e), &e);
    return now_us() - began;
}

static const struct effect *effect_of(const struct world *w, enum effect_kind kind)
{
    for (size_t i = 0; i < w->d.effects_len; i++)
        if (w->d.effects[i].kind == kind)
            return &w->d.effects[i];
    return NULL;
}

static bool refused(const struct world *w)
{
    for (size_t i = 0; i < w->d.facts_len; i++)
        if (w->d.facts[i].kind == FACT_REFUSED && strcmp(w->d.facts[i].u.refused.guard, "bulkhead") == 0)
            return true;
    return false;
}

static void check(bool good)
{
    if (good)
        return;
    fprintf(stderr, "bench_guards: the core did not do what is measured\n");
    exit(1);
}

static void alert_of(struct alert *a, int n)
{
    char text[32];
    *a = ALERT_INIT;
    text_copy(a->source, sizeof a->source, "alertmanager");
    a->starts_ms = BEGIN_MS;
    map_set(&a->labels, "alertname", "Crash", NULL);
    map_set(&a->labels, "namespace", "shop", NULL);
    map_set(&a->labels, "severity", "critical", NULL);
    snprintf(text, sizeof text, "web-%d", n);
    map_set(&a->labels, "deployment", text, NULL);
}

static void observation_of(struct observation *o, const struct effect *f, const struct world *w, int n)
{
    memset(o, 0, sizeof *o);
    *o = (struct observation){
        .at_ms = w->now_ms,
        .needs = f->needs,
        .target = { .namespace = "shop", .kind = "Deployment" },
        .resource_version = "100",
        .template_hash = "hash",
        .desired = 2,
        .updated = 2,
        .progress_deadline_seconds = 600,
        .observed_generation_current = true,
        .rollout_complete = true,
        .watched = true,
        .template_since_ms = BEGIN_MS - 60000,
    };
    snprintf(o->target.cluster, sizeof o->target.cluster, "cluster-%d", n); /* no cause is shared */
    snprintf(o->target.name, sizeof o->target.name, "web-%d", n);
    snprintf(o->target.uid, sizeof o->target.uid, "uid-%d", n);
}

/* The alert comes, its target is seen, the write is made. */
static void one(struct world *w, int n, double *ret_alert_us, double *ret_guards_us)
{
    static struct observation seen;
    struct alert a;
    struct input in = { .kind = INPUT_ALERT, .alert = &a };
    w->now_ms += 10;
    alert_of(&a, n);
    *ret_alert_us = turn(w, in);
    alert_release(&a);
    turn(w, (struct input){ .kind = INPUT_TIMER });
    const struct effect *f = effect_of(w, EFFECT_OBSERVE);
    check(f != NULL);
    in = (struct input){ .kind = INPUT_OBSERVATION, .token = f->token, .observation = &seen };
    memcpy(in.incident, f->incident, sizeof in.incident);
    observation_of(&seen, f, w, n);
    *ret_guards_us = turn(w, in);
    f = effect_of(w, EFFECT_ACT);
    check(f || refused(w));
    if (!f)
        return;
    in = (struct input){ .kind = INPUT_ACTED, .token = f->token, .report = { .result = ACT_DONE } };
    memcpy(in.incident, f->incident, sizeof in.incident);
    turn(w, in);
    turn(w, (struct input){ .kind = INPUT_TIMER }); /* verification asks, and is not answered */
}

static void make(struct world *w)
{
    static const struct source source = { .name = (char *)"alertmanager", .kind = SOURCE_ALERTMANAGER };
    static const struct source *sources[] = { &source };
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    w->now_ms = BEGIN_MS;
    must(policy_load(&w->p, "bench.cfg", policy_text, strlen(policy_text), kit_actions, KIT_ACTIONS_LEN,
                     &errors, &e),
         &e);
    w->p->sources = sources;
    w->p->sources_len = 1;
    must(engine_new(&w->g, kit_actions, KIT_ACTIONS_LEN, &e), &e);
    turn(w, (struct input){ .kind = INPUT_INSTALLED });
    turn(w, (struct input){ .kind = INPUT_RESUME, .who = "bench", .text = "begin" });
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *list)
{
    qsort(list, SAMPLE, sizeof *list, by_size);
    return list[SAMPLE / 2];
}

int main(void)
{
    struct world w = { .d = DECISION_INIT };
    double alert_us[SAMPLE], guards_us[SAMPLE];
    make(&w);
    for (int n = 0; n < ALERTS; n++) {
        one(&w, n, &alert_us[n % SAMPLE], &guards_us[n % SAMPLE]);
        if (n + 1 == SAMPLE || n + 1 == ALERTS)
            printf("open %d alert_us %.1f guards_us %.1f\n", n + 1, median(alert_us), median(guards_us));
    }
    decision_release(&w.d);
    engine_free(w.g);
    policy_free(w.p);
    return 0;
}
