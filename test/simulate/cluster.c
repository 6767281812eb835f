/* test/simulate/cluster.c - workloads, their controllers, what breaks them, and the people who deploy and
 * repair. */
#include <stdio.h>
#include <string.h>

#include "test/simulate/sim.h"

int object_find(const struct sim *s, const char *namespace, const char *name)
{
    for (int i = 0; i < OBJECTS; i++)
        if (strcmp(s->objects[i].target.name, name) == 0 &&
            strcmp(s->objects[i].target.namespace, namespace) == 0)
            return i;
    return -1;
}

static bool really_well(const struct sim *s, const struct object *o)
{
    return s->now_ms >= o->seen_ms && s->now_ms >= o->done_ms && !o->now.bad && !o->hangs && !o->sick_pod &&
           !o->terminating && o->desired > 0 && o->desired >= o->needed;
}

/* The watch tells heald of every change. */
static void tell_changed(struct sim *s, const struct object *o)
{
    heald_input(s, (struct input){ .kind = INPUT_CHANGED, .target = o->target });
}

void object_refresh(struct sim *s, int index)
{
    struct object *o = &s->objects[index];
    if (o->hangs && s->now_ms >= o->hangs_until_ms)
        o->hangs = false;
    bool well = really_well(s, o);
    if (well == (o->well_ms != 0))
        return;
    say(s, "%s is %s", o->target.name, well ? "well" : "not well");
    o->well_ms = well ? s->now_ms : 0;
    o->well_wall_ms = well ? heald_wall(s) : 0;
    o->version_of_object++;
    tell_changed(s, o);
    if (!well)
        event_add(s, s->now_ms + chance_in(&o->chance, 5, 30) * SECOND_MS, EVENT_OBJECT, index, NULL);
    if (!well && !o->repair_due) {
        o->repair_due = true;
        event_add(s, s->now_ms + chance_in(&o->chance, 15, 90) * MINUTE_MS, EVENT_REPAIR, index, NULL);
    }
}

void object_template(struct sim *s, int index, unsigned version, bool bad, const char *restarted_at,
                     const char *by)
{
    struct object *o = &s->objects[index];
    char since[sizeof o->restarted_at];
    snprintf(since, sizeof since, "%s", restarted_at);
    memcpy(o->restarted_at, since, sizeof since);
    o->now.version = version;
    o->now.bad = bad;
    snprintf(o->now.hash, sizeof o->now.hash, "v%u-%s", version, since);
    int k = 0;
    while (k < REVISIONS - 1 && strcmp(o->history[k].hash, o->now.hash) != 0)
        k++;
    memmove(&o->history[1], &o->history[0], (size_t)k * sizeof o->history[0]);
    o->history[0] = o->now;
    o->template_ms = s->now_ms;
    o->template_wall_ms = heald_wall(s);
    snprintf(o->template_by, sizeof o->template_by, "%s", by);
    o->seen_ms = s->now_ms + chance_in(&o->chance, 100, 2000);
    o->done_ms = bad ? INT64_MAX : o->seen_ms + chance_in(&o->chance, 2, 40) * SECOND_MS;
    if (o->hangs && o->hangs_until_ms == INT64_MAX)
        o->hangs = false; /* new pods; not well before the rollout is done */
    o->sick_pod = false;
    o->pod++;
    o->said_well = false;
    o->version_of_object++;
    event_add(s, o->seen_ms, EVENT_OBJECT, index, NULL);
    if (!bad)
        event_add(s, o->done_ms, EVENT_OBJECT, index, NULL);
    object_refresh(s, index);
    tell_changed(s, o);
}

static void new_object(struct sim *s, int index)
{
    struct object *o = &s->objects[index];
    struct chance chance = o->chance;
    memset(o, 0, sizeof *o);
    o->chance = chance;
    snprintf(o->target.cluster, sizeof o->target.cluster, "local");
    snprintf(o->target.namespace, sizeof o->target.namespace, "%s",
             index % 4 == 3   ? "bank"
             : index % 8 == 6 ? "attic"
             : index == 13    ? "vault"
                              : "shop");
    snprintf(o->target.kind, sizeof o->target.kind, "Deployment");
    snprintf(o->target.name, sizeof o->target.name, "web-%d", index);
    snprintf(o->target.uid, sizeof o->target.uid, "u-%u", ++s->uids);
    o->version_of_object = 100;
    o->desired = o->needed = index % 4 == 0 ? 4 : 2;
    object_template(s, index, ++s->versions, false, "", "");
    o->seen_ms = o->done_ms = s->now_ms;
    object_refresh(s, index);
}

void cluster_begin(struct sim *s)
{
    for (int i = 0; i < OBJECTS; i++)
        new_object(s, i);
    event_add(s, s->now_ms + 20 * MINUTE_MS, EVENT_FAULT, 0, NULL); /* first something is proven well */
    event_add(s, s->now_ms + 20 * MINUTE_MS, EVENT_DEPLOY, 0, NULL);
    event_add(s, s->now_ms + 22 * MINUTE_MS, EVENT_SILENCE, 0, NULL);
    event_add(s, s->now_ms + MINUTE_MS, EVENT_WATCH, 0, NULL);
}

/* ---- faults and people ---- */

static const char *break_object(struct sim *s, int index, struct chance *c)
{
    struct object *o = &s->objects[index];
    int64_t what = chance_in(c, 0, 99),
            takes = chance_in(c, 20, chance_one_in(c, 2) ? 120 : 3600) * SECOND_MS;
    if (what < 40) {
        object_template(s, index, ++s->versions, true, o->restarted_at, "");
        return "a bad version";
    }
    if (what < 65) {
        o->hangs = true;
        o->hangs_until_ms = INT64_MAX;
        return "it hangs until it is restarted";
    }
    if (what < 80) {
        o->hangs = true;
        o->hangs_until_ms = s->now_ms + takes;
        event_add(s, o->hangs_until_ms, EVENT_OBJECT, index, NULL);
        return "something that it depends on is away for a while";
    }
    if (what < 88) {
        o->needed = o->desired + (int32_t)chance_in(c, 1, 3);
        return "it has too few replicas";
    }
    if (what < 96) {
        o->sick_pod = true;
        return "one of its pods is sick";
    }
    if (what < 97) {
        o->desired = 0;
        return "it is scaled to 0";
    }
    o->terminating = what < 98;
    if (o->terminating)
        return "it is deleted";
    new_object(s, index);
    object_template(s, index, ++s->versions, true, "", "");
    return "it is deleted, and made again with a bad version";
}

static void fault(struct sim *s)
{
    struct chance c;
    bool happens = mishap(s, MISHAP_FAULT, &c);
    int64_t next_ms = s->now_ms + chance_in(&c, 1, s->storms ? 60 : 1200) * SECOND_MS;
    int index = (int)chance_in(&c, 0, OBJECTS - 1);
    if (happens && s->objects[index].well_ms) {
        const char *what = break_object(s, index, &c);
        say(s, "%s breaks: %s", s->objects[index].target.name, what);
        s->objects[index].version_of_object++;
        object_refresh(s, index);
    }
    if (--s->faults_left > 0)
        event_add(s, next_ms, EVENT_FAULT, 0, NULL);
}

/* Of any object, or of one that heald is writing to; < 0: that is deleted and made again. */
static void deploy(struct sim *s, int which)
{
    struct chance c;
    bool happens = mishap(s, MISHAP_DEPLOY, &c);
    int index = (int)chance_in(&c, 0, OBJECTS - 1);
    index = which > 0 ? which - 1 : which < 0 ? -which - 1 : index;
    struct object *o = &s->objects[index];
    if (happens && which < 0) {
        say(s, "somebody deletes %s and makes it again", o->target.name);
        new_object(s, index);
    } else if (happens && !o->terminating) {
        say(s, "somebody deploys version %u of %s", s->versions + 1, o->target.name);
        /* what a restart left in the template, or he applies his own alone */
        bool keeps = chance_one_in(&c, 2);
        bool bad = which && chance_one_in(&c, 2);
        object_template(s, index, ++s->versions, bad, keeps ? o->restarted_at : "", "");
    }
    if (!which)
        event_add(s, s->now_ms + chance_in(&c, 1, 60) * MINUTE_MS, EVENT_DEPLOY, 0, NULL);
}

/* Somebody silences the alerts of an object for a while. */
static void silence(struct sim *s)
{
    struct chance c;
    bool happens = mishap(s, MISHAP_SILENCE, &c);
    struct object *o = &s->objects[chance_in(&c, 0, OBJECTS - 1)];
    int64_t until_ms = s->now_ms + chance_in(&c, 1, 60) * MINUTE_MS;
    if (s->quiet_ms)
        return;
    if (happens && s->alertmanager) {
        say(s, "somebody silences the alerts of %s", o->target.name);
        o->silenced_until_ms = until_ms;
    }
    event_add(s, s->now_ms + chance_in(&c, 1, 60) * MINUTE_MS, EVENT_SILENCE, 0, NULL);
}

static void repair(struct sim *s, int index)
{
    struct object *o = &s->objects[index];
    o->repair_due = false;
    if (o->well_ms)
        return;
    say(s, "somebody repairs %s", o->target.name);
    if (o->terminating) {
        new_object(s, index);
        return;
    }
    o->hangs = o->sick_pod = false;
    o->desired = o->desired >= 2 ? o->desired : 2;
    o->needed = o->desired;
    object_template(s, index, ++s->versions, false, o->restarted_at, "");
    if (!o->well_ms && !o->repair_due) { /* somebody may break it again before it is well */
        o->repair_due = true;
        event_add(s, s->now_ms + 10 * MINUTE_MS, EVENT_REPAIR, index, NULL);
    }
}

static void report_well(struct sim *s)
{
    for (int i = 0; i < OBJECTS; i++) {
        struct object *o = &s->objects[i];
        if (!o->well_ms || o->said_well || !s->up)
            continue;
        struct input in = { .kind = INPUT_WELL, .target = o->target };
        in.since_ms = o->well_ms > s->watch_ms ? o->well_wall_ms : heald_wall(s) - (s->now_ms - s->watch_ms);
        memcpy(in.template_hash, o->now.hash, sizeof in.template_hash);
        heald_input(s, in);
        const char *proven = engine_proven(s->g, o->target.uid);
        o->said_well = proven && strcmp(proven, o->now.hash) == 0;
    }
    event_add(s, s->now_ms + MINUTE_MS, EVENT_WATCH, 0, NULL);
}

/* Its status does: pods crash, back off, are made. */
static void moves(struct sim *s, int index)
{
    struct object *o = &s->objects[index];
    object_refresh(s, index);
    if (o->well_ms)
        return;
    o->version_of_object++;
    event_add(s, s->now_ms + chance_in(&o->chance, 10, 120) * SECOND_MS, EVENT_OBJECT, index, NULL);
}

void cluster_event(struct sim *s, const struct event *e)
{
    switch (e->kind) {
    case EVENT_OBJECT:
        moves(s, e->index);
        break;
    case EVENT_FAULT:
        fault(s);
        break;
    case EVENT_REPAIR:
        repair(s, e->index);
        break;
    case EVENT_DEPLOY:
        if (!s->quiet_ms)
            deploy(s, e->index);
        break;
    case EVENT_SILENCE:
        silence(s);
        break;
    default:
        report_well(s);
        break;
    }
}
