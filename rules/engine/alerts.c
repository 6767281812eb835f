/* An alert comes in: is it new, a repeat, a recurrence, or the end of one; and does a rule want it? */
#include <stdio.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/engine/turn.h"

/* Crockford's base 32: 10 characters of time, 6 of randomness; sorts by time. */
static void make_id(char ret[INCIDENT_ID_SIZE], int64_t now_ms, uint64_t random)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint64_t time = (uint64_t)now_ms;
    for (int k = 9; k >= 0; k--, time >>= 5)
        ret[k] = digits[time & 31];
    for (int k = 15; k >= 10; k--, random >>= 5)
        ret[k] = digits[random & 31];
    ret[16] = '\0';
}

static struct fact *alert_fact(struct turn *t, enum alert_disposition d, const char *incident)
{
    struct fact *f = turn_fact(t, FACT_ALERT, incident);
    f->u.alert.disposition = d;
    if (alert_copy(&f->u.alert.alert, t->in->alert, NULL) != ERR_OK)
        t->nomem = true;
    return f;
}

static void decide_resolved_alert(struct turn *t, const struct known_alert *a)
{
    if (a && a->status == ALERT_RESOLVED)
        return; /* a repeat */
    const struct incident *i = a && a->incident[0] ? incident_find(t->g, a->incident) : NULL;
    bool open = i && i->state != STATE_CLOSED;
    alert_fact(t, ALERT_CLEARED, open ? i->id : NULL);
    if (!open || i->firing > 1 || a->held)
        return;
    if (i->state == STATE_VERIFYING)
        turn_look_now(t, i);
    else if (i->writes == 0 && !i->doubt && i->state != STATE_ACTING)
        turn_close(t, i, OUTCOME_CLEARED, "the alert resolved before anything was done");
}

/* A known firing alert again: NULL fact means a repeat. True when it counts as new trouble. */
static bool fires_anew(struct turn *t, const struct known_alert *a)
{
    const struct alert *alert = t->in->alert;
    if (a->status == ALERT_RESOLVED) {
        if (a->starts_ms != alert->starts_ms)
            return true;
        struct fact *f = alert_fact(t, ALERT_HELD, NULL);
        text_copy(f->u.alert.reason, sizeof f->u.alert.reason, "fires again with the same startsAt: held until a second delivery confirms it");
        return false;
    }
    if (a->held)
        return true;
    /* a changed startsAt is the same alert, unless its incident had ended before it began again */
    const struct incident *i = a->incident[0] ? incident_find(t->g, a->incident) : NULL;
    bool open = i && i->state != STATE_CLOSED;
    int64_t ended_ms = i && !open ? i->closed_ms : a->changed_ms;
    return !open && a->incident[0] && alert->starts_ms > ended_ms && alert->starts_ms != a->starts_ms;
}

static bool refuse_alert(struct turn *t, const struct source *s, char why[FACT_TEXT_SIZE])
{
    const struct alert *alert = t->in->alert;
    const struct matcher *violated = s ? source_violated(s, alert) : NULL;
    if (!s) {
        snprintf(why, FACT_TEXT_SIZE, "source \"%s\" is not configured", alert->source);
    } else if (violated) {
        CLEANUP(buf_release) struct buf text = BUF_INIT;
        matcher_format(&text, violated);
        snprintf(why, FACT_TEXT_SIZE, "outside what the source may claim: only %.150s", buf_text(&text));
    } else if (alert->starts_ms > t->now_ms + ALERT_FUTURE_MS) {
        snprintf(why, FACT_TEXT_SIZE, "startsAt lies in the future: compare the clocks of both machines");
    } else if (t->g->open_len >= ENGINE_INCIDENTS_MAX) {
        snprintf(why, FACT_TEXT_SIZE, "%u incidents are open, the most there may be", ENGINE_INCIDENTS_MAX);
    } else {
        return false;
    }
    return true;
}

static void open_incident(struct turn *t, const struct rule *rule)
{
    char id[INCIDENT_ID_SIZE];
    struct json_writer *w = NULL;
    make_id(id, t->now_ms, t->in->random);
    alert_fact(t, ALERT_OPENED, id);
    struct fact *f = turn_fact(t, FACT_INCIDENT_OPENED, id);
    text_copy(f->u.opened.rule, sizeof f->u.opened.rule, rule->name);
    text_copy(f->u.opened.source, sizeof f->u.opened.source, t->in->alert->source);
    f->u.opened.starts_ms = t->in->alert->starts_ms;
    if (json_writer_new(&w, NULL) == ERR_OK) {
        plan_write(w, rule->plan);
        const char *text = jw_text(w, NULL);
        f->u.opened.plan = text ? strdup(text) : NULL;
    }
    json_writer_free(w);
    t->nomem |= !f->u.opened.plan;
}

static void decide_new_alert(struct turn *t)
{
    const struct alert *alert = t->in->alert;
    const struct source *s = policy_source(t->p, alert->source);
    char why[FACT_TEXT_SIZE];
    struct fact *f;
    if (refuse_alert(t, s, why)) {
        f = alert_fact(t, ALERT_REFUSED_, NULL);
        text_copy(f->u.alert.reason, sizeof f->u.alert.reason, why);
        return;
    }
    int pattern = policy_ignored(t->p, &alert->labels);
    const struct rule *rule = pattern < 0 ? policy_match(t->p, alert) : NULL;
    if (pattern >= 0) {
        f = alert_fact(t, ALERT_IGNORED, NULL);
        snprintf(f->u.alert.reason, sizeof f->u.alert.reason, "ignore pattern %d of the policy", pattern + 1);
    } else if (!rule) {
        alert_fact(t, ALERT_NO_RULE, NULL);
    } else if (rule->alert_age_ms != INT64_MAX && alert->starts_ms < t->now_ms - rule->alert_age_ms) {
        char age[DURATION_TEXT_SIZE];
        f = alert_fact(t, ALERT_REFUSED_, NULL);
        snprintf(f->u.alert.reason, sizeof f->u.alert.reason, "rule \"%.100s\": it began more than %s ago (alert_age)", rule->name,
                 duration_format(age, rule->alert_age_ms));
    } else {
        open_incident(t, rule);
    }
}

void decide_alert(struct turn *t)
{
    CLEANUP(buf_release) struct buf key = BUF_INIT;
    const struct known_alert *a = known_alert(t->g, t->in->alert, &key);
    if (!buf_ok(&key))
        t->nomem = true;
    else if (t->in->alert->status == ALERT_RESOLVED)
        decide_resolved_alert(t, a);
    else if (!a || fires_anew(t, a)) {
        const struct incident *i = a && a->incident[0] ? incident_find(t->g, a->incident) : NULL;
        if (i && i->state != STATE_CLOSED)
            alert_fact(t, ALERT_ATTACHED, i->id); /* fires again while its incident is still open */
        else
            decide_new_alert(t);
    }
}
