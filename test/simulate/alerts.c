/* test/simulate/alerts.c - Prometheus evaluates, Alertmanager delivers: late, repeatedly, flapping, and to a
 * receiver that may be down. */
#include <stdio.h>
#include <string.h>

#include "test/simulate/sim.h"

/* 0: Crash of the deployment; 1: Slow of the deployment, another rule; 2: Crash of a pod, the same rule as 0.
 */
static const char *const alertnames[SERIES_PER_OBJECT] = { "Crash", "Slow", "Crash" };

static bool series_exists(int series)
{
    int object = series / SERIES_PER_OBJECT, which = series % SERIES_PER_OBJECT;
    return which == 0 || (which == 1 ? object % 2 == 0 : object % 3 == 0);
}

/* One delivery of a series is due at a time; an earlier one replaces it. */
static void deliver_at(struct sim *s, int index, int64_t at_ms)
{
    struct series *x = &s->series[index];
    if (x->deliver_ms > s->now_ms && x->deliver_ms <= at_ms)
        return;
    x->deliver_ms = at_ms;
    event_add(s, at_ms, EVENT_DELIVER, index, NULL);
}

void alerts_begin(struct sim *s)
{
    event_add(s, s->now_ms + EVALUATE_MS, EVENT_EVALUATE, 0, NULL);
    event_add(s, s->now_ms + 60000, EVENT_STRANGE, 0, NULL);
    event_add(s, s->now_ms + 24 * MINUTE_MS, EVENT_FORGET, 0, NULL);
}

enum alert_state alerts_state(const struct sim *s, int object, const char *alertname, int64_t *ret_active_ms)
{
    enum alert_state worst = ALERT_STATE_INACTIVE;
    *ret_active_ms = 0;
    for (int k = 0; k < SERIES_PER_OBJECT; k++) {
        const struct series *x = &s->series[object * SERIES_PER_OBJECT + k];
        if (!series_exists(object * SERIES_PER_OBJECT + k) || strcmp(alertnames[k], alertname) != 0)
            continue;
        worst = x->state > worst ? x->state : worst;
        if (x->state > ALERT_STATE_INACTIVE && (!*ret_active_ms || x->active_ms < *ret_active_ms))
            *ret_active_ms = x->active_ms;
    }
    return worst;
}

static void evaluate_series(struct sim *s, int index)
{
    struct series *x = &s->series[index];
    int64_t well_ms = s->objects[index / SERIES_PER_OBJECT].well_ms;
    int64_t range_ms = index % 5 * 30 * SECOND_MS, for_ms = (index % SERIES_PER_OBJECT ? 8 : 2) * EVALUATE_MS;
    bool bad = well_ms == 0 || (x->state > ALERT_STATE_INACTIVE && s->now_ms - well_ms < range_ms);
    if (!bad) {
        if (x->state == ALERT_STATE_FIRING)
            deliver_at(s, index, s->now_ms + chance_in(&x->chance, 1000, 60000));
        x->state = ALERT_STATE_INACTIVE;
        return;
    }
    if (x->state <= ALERT_STATE_INACTIVE) {
        x->state = ALERT_STATE_PENDING;
        x->active_ms = s->now_ms;
    } else if (x->state == ALERT_STATE_PENDING && s->now_ms - x->active_ms >= for_ms) {
        x->state = ALERT_STATE_FIRING;
        x->starts_ms = s->now_ms;
        deliver_at(s, index, s->now_ms + chance_in(&x->chance, 500, 20000));
    }
}

static void evaluate(struct sim *s)
{
    s->evaluated_ms = s->now_ms;
    for (int k = 0; k < SERIES; k++)
        if (series_exists(k))
            evaluate_series(s, k);
    event_add(s, s->now_ms + EVALUATE_MS, EVENT_EVALUATE, 0, NULL);
}

static void send_alert(struct sim *s, struct alert *a, int series)
{
    if (!s->up) {
        alert_release(a);
        return;
    }
    heald_input(s, (struct input){ .kind = INPUT_ALERT, .alert = a });
    s->stats->alerts++;
    s->accepted = sim_grow(s->accepted, &s->accepted_cap, s->accepted_len, sizeof *s->accepted);
    s->accepted[s->accepted_len++] = (struct accepted){ *a, series };
}

void alerts_refused(struct sim *s, int series)
{
    if (series < 0)
        return;
    s->series[series].again = true;
    deliver_at(s, series, s->now_ms + chance_in(&s->series[series].chance, 1000, 20000));
}

bool alerts_over(const struct sim *s)
{
    for (int k = 0; k < SERIES; k++) {
        const struct series *x = &s->series[k];
        if (x->state > ALERT_STATE_INACTIVE || x->again || x->lags ||
            (x->sent && x->sent_firing && !x->unsent))
            return false;
    }
    return true;
}

/* Alertmanager restarts: what fires is told anew, what ended meanwhile never. */
static void forget(struct sim *s)
{
    struct chance c;
    bool happens = mishap(s, MISHAP_FORGETS, &c);
    int64_t next_ms = s->now_ms + chance_in(&c, 20, 200) * MINUTE_MS;
    if (s->quiet_ms)
        return;
    event_add(s, next_ms, EVENT_FORGET, 0, NULL);
    if (!happens)
        return;
    say(s, "Alertmanager restarts");
    for (int k = 0; k < SERIES; k++) {
        struct series *x = &s->series[k];
        x->lags = 0;
        if (x->state == ALERT_STATE_FIRING) {
            deliver_at(s, k, s->now_ms + chance_in(&x->chance, 500, 30000));
        } else if (x->sent && (x->sent_firing || x->again)) {
            x->unsent = true;
            x->again = false;
            x->deliver_ms = 0;
        }
    }
}

static struct alert make(const char *source, const char *alertname, const char *namespace,
                         const char *deployment)
{
    struct alert a = ALERT_INIT;
    snprintf(a.source, sizeof a.source, "%s", source);
    map_set(&a.labels, "alertname", alertname, NULL);
    map_set(&a.labels, "namespace", namespace, NULL);
    map_set(&a.labels, "deployment", deployment, NULL);
    return a;
}

/* What may go wrong between Prometheus, Alertmanager and heald. */
static bool delivered_wrong(struct sim *s, struct series *x, bool firing)
{
    struct chance c;
    int object = (int)(x - s->series) / SERIES_PER_OBJECT;
    bool flaps = chance_one_in(&x->chance, 12), moves = chance_one_in(&x->chance, 30),
         lost = chance_one_in(&x->chance, 60);
    if (firing && x->sent_firing && flaps && mishap_of(s, MISHAP_FLAP, object, &c)) {
        x->twice = true; /* Prometheus was restarted: it resolves, and fires again as it was */
        return true;
    }
    if (firing && x->sent_firing && moves && mishap_of(s, MISHAP_MOVED, object, &c))
        x->starts_ms += 1000;
    x->unsent = !firing && !x->again && lost && mishap_of(s, MISHAP_UNSENT, object, &c);
    return x->unsent;
}

static void send_state(struct sim *s, int index, bool firing)
{
    const struct object *o = &s->objects[index / SERIES_PER_OBJECT];
    struct alert a =
        make("alertmanager", alertnames[index % SERIES_PER_OBJECT], o->target.namespace, o->target.name);
    if (index % SERIES_PER_OBJECT == 2)
        map_set(&a.labels, "pod", "some-pod", NULL);
    a.status = firing ? ALERT_FIRING : ALERT_RESOLVED;
    a.starts_ms = s->series[index].starts_ms;
    a.ends_ms = firing ? 0 : s->now_ms;
    send_alert(s, &a, index);
}

/* One of a pair lags: it says firing once more, and then resolved too. */
static bool lag(struct sim *s, struct series *x, int index, bool firing)
{
    struct chance c;
    bool due = x->lags == 0 && !firing && x->sent_firing && chance_one_in(&x->chance, 6);
    x->lags = firing ? 0 : x->lags;
    if (due && mishap_of(s, MISHAP_LAGS, index / SERIES_PER_OBJECT, &c))
        x->lags = 1;
    else if (x->lags > 0)
        x->lags = (x->lags + 1) % 3;
    return x->lags == 2;
}

/* What Alertmanager thinks now. */
static void deliver(struct sim *s, int index)
{
    struct series *x = &s->series[index];
    struct chance c;
    bool firing = x->state == ALERT_STATE_FIRING;
    if (!s->up) {
        deliver_at(s, index, s->now_ms + chance_in(&x->chance, 5000, 20000));
        return;
    }
    if (!firing && !x->again && !(x->sent && x->sent_firing) && !x->lags)
        return;
    bool wrong = delivered_wrong(s, x, firing);
    if (wrong && x->unsent)
        return;
    firing = firing && !wrong;
    if (!wrong)
        firing |= lag(s, x, index, firing);
    x->sent = true;
    x->sent_firing = firing;
    x->again = false;
    send_state(s, index, firing);
    if (chance_one_in(&x->chance, 20) && mishap_of(s, MISHAP_PAIR, index / SERIES_PER_OBJECT, &c))
        send_state(s, index, firing);
    if (x->lags)
        deliver_at(s, index, s->now_ms + chance_in(&x->chance, 1000, 40000));
    else if (firing || x->twice)
        deliver_at(s, index, s->now_ms + (x->twice ? 1000 : chance_in(&x->chance, 30000, 300000)));
    x->twice = false;
}

/* Alerts that must not lead to a write: forged, too old, from the future, ignored, of nobody. */
static void strange(struct sim *s)
{
    char name[40];
    struct chance c;
    bool happens = mishap(s, MISHAP_STRANGE, &c);
    int64_t what = chance_in(&c, 0, 7);
    const char *source = what == 0 ? "ci" : what == 1 ? "nobody" : "alertmanager";
    int index = (int)chance_in(&c, 0, OBJECTS + 2);
    snprintf(name, sizeof name, "web-%d", index);
    struct alert a =
        make(source, what == 2 ? "Watchdog" : "Crash",
             what == 3 || index >= OBJECTS ? "nowhere" : s->objects[index].target.namespace, name);
    a.starts_ms = s->now_ms - (what == 4 ? 7200000 : 0) + (what == 5 ? 7200000 : 0);
    a.status = what == 6 ? ALERT_RESOLVED : ALERT_FIRING;
    snprintf(name, sizeof name, "%u", (unsigned)chance_in(&c, 0, 1000));
    map_set(&a.labels, "forged", name, NULL);
    if (what == 7)
        map_set(&a.labels, "outside", "yes", NULL);
    if (happens)
        send_alert(s, &a, -1);
    else
        alert_release(&a);
    if (!s->quiet_ms)
        event_add(s, s->now_ms + chance_in(&c, 10000, 900000), EVENT_STRANGE, 0, NULL);
}

void alerts_event(struct sim *s, const struct event *e)
{
    if (e->kind == EVENT_EVALUATE) {
        evaluate(s);
    } else if (e->kind == EVENT_STRANGE) {
        strange(s);
    } else if (e->kind == EVENT_FORGET) {
        forget(s);
    } else if (s->series[e->index].deliver_ms == s->now_ms) { /* else it was replaced */
        deliver(s, e->index);
        while (s->up &&
               chance_one_in(&s->series[e->index].chance, 3)) { /* a group: several in one delivery */
            int other = (int)chance_in(&s->series[e->index].chance, 0, SERIES - 1);
            if (series_exists(other) && s->series[other].state == ALERT_STATE_FIRING &&
                s->series[other].sent_firing)
                deliver(s, other);
        }
    }
}
