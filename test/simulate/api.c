/* test/simulate/api.c - heald's workers and the API server: reads see the state of one moment, writes land
 * once, late or never, and their answers get lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/mutant.h"
#include "test/simulate/sim.h"

static struct job *job_new(void)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        abort();
    return j;
}

void job_free(struct job *j)
{
    if (!j)
        return;
    effect_release(&j->effect);
    free(j);
}

void api_start(struct sim *s, struct effect *f)
{
    struct job *j = job_new();
    j->effect = *f;
    memset(f, 0, sizeof *f);
    j->process = s->process;
    j->seen.at_ms = heald_wall(s);
    j->truth.object = -1;
    j->truth.asked_ms = s->now_ms;
    s->working++;
    struct chance c;
    bool act = j->effect.kind == EFFECT_ACT;
    const char *namespace = map_get(&j->effect.labels, "namespace"),
               *name = map_get(&j->effect.labels, "deployment");
    int object = act ? object_find(s, j->effect.intent.target.namespace, j->effect.intent.target.name)
                     : object_find(s, namespace ? namespace : "", name ? name : "");
    j->chance = object < 0 ? &s->chance : &s->objects[object].chance;
    j->about = object < 0 ? OBJECTS : object;
    int64_t delay = chance_in(j->chance, 0, 200);
    if (chance_one_in(j->chance, 20) && mishap_of(s, MISHAP_SLOW, j->about, &c))
        delay = chance_in(&c, 1000, act ? 40000 : 16000);
    s->writing += act;
    event_add(s, s->now_ms + delay, act ? EVENT_SEND : EVENT_READ, 0, j);
}

/* ---- reads ---- */

static void fill_alert(struct sim *s, struct job *j, int index)
{
    struct observation *o = &j->seen;
    const char *alertname = map_get(&j->effect.labels, "alertname");
    int64_t active_ms;
    j->truth.alert = alerts_state(s, index, alertname ? alertname : "", &active_ms);
    o->prometheus = s->prometheus;
    o->alert_settle_ms = 120000;
    o->alert_interval_ms = EVALUATE_MS;
    if (!s->prometheus || s->prometheus_away || !(j->effect.needs & OBSERVE_ALERT))
        return;
    o->alert = j->truth.alert;
    o->alert_active_ms = active_ms;
    o->alert_evaluated_ms = s->evaluated_ms;
}

static void fill_pods(struct sim *s, struct observation *o, const struct object *x)
{
    int64_t first_ms = x->template_ms + 4000;
    o->fault = x->well_ms == 0 && s->now_ms >= x->done_ms;
    if (x->now.bad && s->now_ms >= first_ms) {
        o->fault = o->new_pods_failed = true;
        o->new_pods_failed_ms = s->now_ms - (s->now_ms - first_ms) % 30000;
        o->trouble_ms = first_ms;
    } else if (x->version_of_object % 5 == 0) { /* an old pod was restarted long ago */
        o->new_pods_failed = true;
        o->new_pods_failed_ms = SIM_START_MS - 86400000;
    }
    o->deadline_exceeded = x->done_ms == INT64_MAX && s->now_ms - x->template_ms > 120000;
    if (o->fault)
        snprintf(o->fault_text, sizeof o->fault_text, "pod \"%.60s-%u\" fails – schlimm", x->target.name,
                 x->pod);
}

static void fill_watch(struct sim *s, struct observation *o, const struct object *x)
{
    o->watched = s->now_ms >= s->watch_ms + 500;
    if (x->template_ms > s->knows_ms)
        o->template_since_ms = x->template_wall_ms;
    if (!o->watched || !x->well_ms) {
        snprintf(o->not_well, sizeof o->not_well,
                 o->watched ? "pods are not ready" : "it is not under watch");
        return;
    }
    o->well_since_ms = x->well_ms > s->watch_ms ? x->well_wall_ms : heald_wall(s) - (s->now_ms - s->watch_ms);
}

/* Of one workload: it allows a disruption now and then. */
static void fill_pdb(const struct sim *s, struct observation *o, int index)
{
    o->pdb_known = (o->needs & OBSERVE_PDB) != 0;
    o->pdb = o->pdb_known && index == 12;
    o->pdb_allowed = s->now_ms / (10 * MINUTE_MS) % 2 == 0;
    snprintf(o->pdb_text, sizeof o->pdb_text, "PodDisruptionBudget \"shop\"");
}

/* Brakes are all that is asked. */
static void fill_probes(const struct sim *s, struct job *j)
{
    struct observation *o = &j->seen;
    for (size_t k = 0; k < j->effect.probes_len; k++) {
        struct probe_answer *a = &o->probes[o->probes_len++];
        *a = (struct probe_answer){ .key = probe_key(&j->effect.probes[k]), .at_ms = heald_wall(s) };
        snprintf(a->text, sizeof a->text, "as it is");
        if (s->prometheus_away)
            continue;
        a->state = PROBE_ANSWERED;
        a->series = 1;
        a->least = a->most = s->braked ? 1 : 0;
    }
}

/* What the observation is held against. */
static void fill_truth(const struct sim *s, struct job *j, int index)
{
    const struct object *x = &s->objects[index];
    struct truth *t = &j->truth;
    t->object = index;
    t->read_ms = s->now_ms;
    t->well_ms = x->well_ms;
    t->landed_ms = x->landed_ms;
    t->foreign_until_ms =
        x->template_by[0] || j->seen.rollout_complete ? 0 : x->template_ms + PROGRESS_SECONDS * SECOND_MS;
    memcpy(t->template_by, x->template_by, sizeof t->template_by);
    t->template_ms = x->template_ms;
    memcpy(t->uid, x->target.uid, sizeof t->uid);
    memcpy(t->hash, x->now.hash, sizeof t->hash);
    t->fault = j->seen.fault;
    t->terminating = x->terminating;
    t->desired = x->desired;
    t->scaled = index == 10;
    t->ready = j->seen.ready;
    t->kept_up = j->seen.pdb && j->seen.pdb_allowed <= 0;
    t->braked = s->braked && !s->prometheus_away;
    t->unheard = s->alertmanager && s->alertmanager_away;
    t->silenced = s->alertmanager && !t->unheard && s->now_ms < x->silenced_until_ms;
    t->owned = j->seen.owner[0] != '\0';
}

static void fill(struct sim *s, struct job *j, int index)
{
    const struct object *x = &s->objects[index];
    struct observation *o = &j->seen;
    o->needs = j->effect.needs;
    o->target = x->target;
    snprintf(o->resource_version, sizeof o->resource_version, "%lld", (long long)x->version_of_object);
    memcpy(o->template_hash, x->now.hash, sizeof o->template_hash);
    snprintf(o->plain_hash, sizeof o->plain_hash, "v%u", x->now.version);
    memcpy(o->restarted_at, x->restarted_at, sizeof o->restarted_at);
    o->desired = x->desired;
    o->progress_deadline_seconds = PROGRESS_SECONDS;
    o->observed_generation_current = s->now_ms >= x->seen_ms;
    o->rollout_complete = s->now_ms >= x->seen_ms && s->now_ms >= x->done_ms;
    o->terminating = x->terminating;
    o->on_delete = index == 9;
    if (index % 7 == 5)
        snprintf(o->owner, sizeof o->owner, "Argo CD application \"shop\"");
    o->updated = o->total = x->desired;
    o->ready = o->available = x->well_ms ? x->desired : x->now.bad ? 0 : x->desired / 2;
    o->hpa_known = (o->needs & OBSERVE_HPA) != 0;
    o->hpa = o->hpa_known && index == 10;
    snprintf(o->hpa_text, sizeof o->hpa_text, "HorizontalPodAutoscaler \"shop\" scales it");
    o->alertmanager = s->alertmanager;
    if (s->alertmanager && !s->alertmanager_away && (o->needs & OBSERVE_SILENCED))
        o->silenced = s->now_ms < x->silenced_until_ms ? ALERTMANAGER_SILENCED : ALERTMANAGER_ACTIVE;
    snprintf(o->silenced_text, sizeof o->silenced_text, "by somebody");
    fill_pdb(s, o, index);
    fill_probes(s, j);
    fill_watch(s, o, x);
    if (o->needs & OBSERVE_PODS)
        fill_pods(s, o, x);
    fill_alert(s, j, index);
    for (int k = 0; k < REVISIONS && x->history[k].hash[0] && (o->needs & OBSERVE_HISTORY); k++) {
        struct revision *r = &o->revisions[o->revisions_len++];
        snprintf(r->name, sizeof r->name, "%.60s-%u", x->target.name, x->history[k].version);
        memcpy(r->template_hash, x->history[k].hash, sizeof r->template_hash);
    }
    const char *asked = j->effect.pod_uid;
    char uid[UID_SIZE];
    snprintf(uid, sizeof uid, "%.20s-pod-%u", x->target.uid, x->pod);
    o->pod_found = (o->needs & OBSERVE_POD) && (!asked[0] || strcmp(asked, uid) == 0);
    if (o->pod_found) {
        memcpy(o->pod_uid, uid, sizeof o->pod_uid);
        snprintf(o->pod_name, sizeof o->pod_name, "%.60s-0", x->target.name);
    }
    fill_truth(s, j, index);
}

static void read_object(struct sim *s, struct job *j)
{
    struct effect *f = &j->effect;
    bool resolved = f->target.uid[0] != '\0';
    const char *namespace = map_get(&f->labels, "namespace"), *name = map_get(&f->labels, "deployment");
    bool named = f->target.name[0] != '\0';
    int index = named ? object_find(s, f->target.namespace, f->target.name)
                      : object_find(s, namespace ? namespace : "", name ? name : "");
    if (s->api_away)
        j->error = ERR_UNAVAILABLE;
    else if (s->now_ms < s->token_wrong_until_ms)
        j->error = ERR_REFUSED;
    else if (index < 0)
        j->error = ERR_NOT_FOUND;
    else if (resolved && strcmp(s->objects[index].target.uid, f->target.uid) != 0)
        j->error = ERR_NOT_FOUND;
    else
        fill(s, j, index);
    event_add(s, s->now_ms + chance_in(j->chance, 0, 300), EVENT_ANSWER, 0, j);
}

/* ---- writes ---- */

static void answer(struct sim *s, struct job *j, int64_t at_ms, enum act_result result)
{
    j->report.result = result;
    if (result != ACT_DONE)
        snprintf(j->report.reason, sizeof j->report.reason, "as it happens");
    event_add(s, at_ms, EVENT_ANSWER, 0, j);
}

/* The write is a job of its own from here on: it lands although the worker that sent it is no more. */
static void land_at(struct sim *s, const struct job *j, int64_t at_ms)
{
    struct job *write = job_new();
    *write = *j;
    write->effect.labels = MAP_INIT;
    write->sent = false;
    event_add(s, at_ms, EVENT_LAND, 0, write);
}

/* They take a while to be ready. */
static void new_pods(struct sim *s, int index)
{
    struct object *o = &s->objects[index];
    int64_t ready_ms = s->now_ms + chance_in(&o->chance, 2, 20) * SECOND_MS;
    if (o->done_ms >= ready_ms)
        return;
    o->done_ms = ready_ms;
    event_add(s, ready_ms, EVENT_OBJECT, index, NULL);
}

static bool put(struct sim *s, const struct job *j, int index)
{
    const struct intent *n = &j->effect.intent;
    struct object *o = &s->objects[index];
    char restarted_at[32];
    switch (n->proof) {
    case PROOF_RESTARTED_AT:
        object_template(s, index, o->now.version, o->now.bad, n->restarted_at, n->incident);
        break;
    case PROOF_TEMPLATE_HASH:
        for (int k = 0; k < REVISIONS; k++)
            if (strcmp(o->history[k].hash, n->template_hash) == 0) {
                const char *dash = strchr(o->history[k].hash, '-');
                snprintf(restarted_at, sizeof restarted_at, "%s", dash + 1);
                object_template(s, index, o->history[k].version, o->history[k].bad, restarted_at,
                                n->incident);
                return true;
            }
        return false;
    case PROOF_REPLICAS:
        o->desired = n->replicas;
        o->version_of_object++;
        new_pods(s, index);
        break;
    case PROOF_POD_GONE:
        o->pod++;
        o->sick_pod = false;
        new_pods(s, index);
        break;
    case PROOF_CHANGE: /* no policy of the worlds has one */
        return false;
    }
    object_refresh(s, index);
    return true;
}

/* The precondition, and the write itself, in one moment. */
static enum act_result write_object(struct sim *s, struct job *j)
{
    const struct intent *n = &j->effect.intent;
    char version[RESOURCE_VERSION_SIZE], pod[UID_SIZE];
    int index = object_find(s, n->target.namespace, n->target.name);
    if (index < 0)
        return ACT_FAILED;
    const struct object *o = &s->objects[index];
    snprintf(version, sizeof version, "%lld", (long long)o->version_of_object);
    snprintf(pod, sizeof pod, "%.20s-pod-%u", o->target.uid, o->pod);
    if (strcmp(o->target.uid, n->target.uid) != 0)
        return ACT_CONFLICT;
    if (n->proof == PROOF_POD_GONE ? strcmp(pod, n->pod_uid) != 0 : strcmp(version, n->resource_version) != 0)
        return ACT_CONFLICT;
    check_landing(s, j);
    say(s, "%s of %s lands on %s", n->action, n->incident, n->target.name);
    if (!put(s, j, index))
        return ACT_FAILED;
    s->objects[index].landed_ms = s->now_ms;
    if (n->proof == PROOF_RESTARTED_AT)
        memcpy(j->report.template_hash, s->objects[index].now.hash, sizeof j->report.template_hash);
    return ACT_DONE;
}

/* Somebody else is at work on the same object at the same time. */
static void meddle(struct sim *s, const struct job *j, struct chance *c)
{
    const struct target *target = &j->effect.intent.target;
    int index = object_find(s, target->namespace, target->name);
    if (!chance_one_in(c, 4) && index >= 0)
        event_add(s, s->now_ms + chance_in(c, 350, chance_one_in(c, 2) ? 3000 : 60000), EVENT_DEPLOY,
                  chance_one_in(c, 3) ? -1 - index : 1 + index, NULL);
}

static void send_write(struct sim *s, struct job *j)
{
    struct chance c = *j->chance;
    int64_t fate = chance_in(j->chance, 0, 99), soon = s->now_ms + chance_in(j->chance, 1, 300);
    int64_t late = s->now_ms + chance_in(j->chance, 300, WRITE_LATE_MS);
    if (j->process != s->process || !s->up) {
        job_free(j); /* heald died before the first byte */
        return;
    }
    if (heald_now(s) >= j->effect.intent.expires_ms && !MUTANT(fence_lost)) {
        answer(s, j, soon, ACT_CONFLICT);
        return;
    }
    if (s->now_ms < s->token_wrong_until_ms && !s->api_away) {
        answer(s, j, soon, ACT_FAILED);
        return;
    }
    if (!s->api_away && fate < 30 && !mishap_of(s, MISHAP_WRITE, j->about, &c))
        fate = 99;
    if (s->api_away || fate < 4) {
        answer(s, j, soon, s->api_away && fate < 50 ? ACT_UNKNOWN : ACT_RETRY);
    } else if (fate < 8) {
        answer(s, j, soon, ACT_FAILED);
    } else if (fate < 14) { /* lost on its way */
        answer(s, j, late, ACT_UNKNOWN);
        meddle(s, j, &c);
    } else if (fate < 22) { /* it lands, nobody hears of it */
        land_at(s, j, soon);
        answer(s, j, late, ACT_UNKNOWN);
        meddle(s, j, &c);
    } else if (fate < 30) { /* it lands after it was given up */
        land_at(s, j, late);
        answer(s, j, soon, ACT_UNKNOWN);
        s->stats->late++;
        meddle(s, j, &c);
    } else { /* as it should be; the answer takes its time */
        int64_t takes = chance_one_in(j->chance, 10) ? chance_in(j->chance, 300, WRITE_LATE_MS) : 0;
        j->sent = true;
        if (chance_one_in(j->chance, 12) && mishap_of(s, MISHAP_WRITE, j->about, &c))
            meddle(s, j, &c);
        if (chance_one_in(j->chance, 12) && mishap_of(s, MISHAP_AGAIN, j->about, &c)) {
            j->again = true;
            land_at(s, j, soon + chance_in(&c, 0, 2 * WRITE_LATE_MS)); /* somebody between sends it twice */
        }
        event_add(s, soon + (takes < WRITE_LATE_MS - 300 ? takes : 0), EVENT_LAND, 0, j);
    }
}

/* ---- events ---- */

static void take_answer(struct sim *s, struct job *j)
{
    if (j->process == s->process && s->up) {
        bool act = j->effect.kind == EFFECT_ACT;
        struct input in = { .kind = act ? INPUT_ACTED : INPUT_OBSERVATION,
                            .token = j->effect.token,
                            .error = j->error,
                            .observation = &j->seen,
                            .report = j->report };
        memcpy(in.incident, j->effect.incident, sizeof in.incident);
        snprintf(in.text, sizeof in.text, "%s", err_code_name(j->error));
        s->working--;
        s->writing -= act;
        s->judging = j;
        heald_input(s, in);
        s->judging = NULL;
    }
    job_free(j);
}

void api_event(struct sim *s, const struct event *e)
{
    struct job *j = e->job;
    switch (e->kind) {
    case EVENT_READ:
        read_object(s, j);
        break;
    case EVENT_SEND:
        send_write(s, j);
        break;
    case EVENT_LAND: {
        enum act_result result = write_object(s, j);
        if (j->sent) /* its worker waits */
            answer(s, j, s->now_ms + chance_in(j->chance, 0, 200), result);
        else
            job_free(j);
        break;
    }
    default:
        take_answer(s, j);
        break;
    }
}
