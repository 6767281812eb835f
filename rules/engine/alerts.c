/* An alert comes in: is it new, a repeat, a recurrence, or the end of one; and does a rule want it? */
#include <string.h>

#include "rules/base/mutant.h"
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

/* Of the alerts that fire for it, so many are over. */
static void alerts_are_over(struct turn *t, const struct incident *i, uint32_t over)
{
    if (incident_firing(i) > over || i->ending || incident_was_fixed(i))
        return;
    if (i->state == STATE_VERIFYING || incident_unjudged(i) >= 0)
        turn_look_now(t, i);
    else if (i->state != STATE_ACTING)
        turn_close_quiet(t, i);
}

static void over_with_followers(struct turn *t, const struct incident *i, uint32_t over)
{
    for (const struct incident *j = i->followers ? t->g->open : NULL; j; j = j->next)
        if (j->leader == i)
            alerts_are_over(t, j, over);
    alerts_are_over(t, i, over);
}

static void decide_resolved_alert(struct turn *t, const struct known_alert *a)
{
    const struct incident *i = a ? a->of : NULL;
    alert_fact(t, ALERT_CLEARED, i ? i->id : NULL);
    if (i)
        over_with_followers(t, i, 1);
}

/* ---- events: runs of pipelines and the like ---- */

/* Did a run of which that one went well open this, and had it ended by then? Both are from one source. */
static bool is_earlier_run(const struct alert *well, const struct known_alert *a)
{
    size_t source = strlen(well->source), len = 0;
    if (a->status != ALERT_FIRING || a->starts_ms > well->ends_ms || a->key_len <= source ||
        memcmp(a->key, well->source, source) != 0 || a->key[source] != '\xff')
        return false;
    for (size_t k = 0; k < well->labels.len; k++) {
        const char *ours = map_value_at(&well->labels, k);
        const char *theirs = label_of_key(a, map_name_at(&well->labels, k), &len);
        if (!theirs || strlen(ours) != len || memcmp(ours, theirs, len) != 0)
            return false;
    }
    return true;
}

/* How many alerts of the incident are of earlier runs. */
static uint32_t earlier_runs(const struct incident *i, const struct alert *well)
{
    uint32_t runs = 0;
    for (const struct known_alert *a = i->attached; a; a = a->next)
        runs += is_earlier_run(well, a);
    return runs;
}

static void clear_run(struct turn *t, const struct incident *i, const struct known_alert *a)
{
    struct fact *f = turn_fact(t, FACT_ALERT, i->id);
    struct alert *over = &f->u.alert.alert;
    f->u.alert.disposition = ALERT_CLEARED;
    *over = ALERT_INIT;
    memcpy(over->source, t->in->alert->source, sizeof over->source);
    over->status = ALERT_RESOLVED;
    over->starts_ms = a->starts_ms;
    over->ends_ms = t->in->alert->ends_ms;
    over->event = true;
    if (labels_of_key(&over->labels, a, NULL) != ERR_OK)
        t->nomem = true;
}

/* A run went well: what earlier ones opened is over. */
static void decide_run_went_well(struct turn *t)
{
    for (const struct incident *i = t->g->open; i; i = i->next) {
        uint32_t runs = earlier_runs(i, t->in->alert);
        for (const struct known_alert *a = runs ? i->attached : NULL; a; a = a->next)
            if (is_earlier_run(t->in->alert, a))
                clear_run(t, i, a);
        if (runs)
            over_with_followers(t, i, runs);
    }
}

/* Nothing that is open is ended by it. */
static bool ends_nothing(const struct engine *g, const struct alert *well)
{
    for (const struct incident *i = g->open; i; i = i->next)
        if (earlier_runs(i, well))
            return false;
    return true;
}

static bool too_old(const struct turn *t, const struct rule *rule)
{
    return rule->alert_age_ms != INT64_MAX && t->in->alert->starts_ms < t->wall_ms - rule->alert_age_ms;
}

/* What Grafana says of itself, and of queries without data: never about a workload. */
static bool is_grafanas_own(const struct source *s, const struct alert *a)
{
    static const char *const names[] = { "TestAlert", "DatasourceNoData", "DatasourceError" };
    for (size_t i = 0; s->kind == SOURCE_GRAFANA && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(alert_label(a, "alertname"), names[i]) == 0)
            return true;
    return false;
}

/* What is to become of an alert that belongs to no open incident, and why. */
static enum alert_disposition judge_alert(const struct turn *t, const struct rule **ret_rule,
                                          char why[FACT_TEXT_SIZE])
{
    const struct alert *alert = t->in->alert;
    const struct source *s = policy_source(t->p, alert->source);
    const struct matcher *violated = s ? source_violated(s, alert) : NULL;
    enum alert_disposition d = ALERT_REFUSED_;
    char age[DURATION_TEXT_SIZE];
    int pattern = policy_ignored(t->p, &alert->labels);
    const struct rule *rule = pattern < 0 ? policy_match(t->p, alert) : NULL;
    why[0] = '\0';
    if (!s) {
        fact_say(why, "source \"%s\" is not configured", alert->source);
    } else if (violated) {
        CLEANUP(buf_release) struct buf text = BUF_INIT;
        matcher_format(&text, violated);
        fact_say(why, "outside what the source may claim: only %s", buf_text(&text));
    } else if (alert->starts_ms > t->wall_ms + ALERT_FUTURE_MS) {
        fact_say(why, "startsAt lies in the future: compare the clocks of both machines");
    } else if (is_grafanas_own(s, alert)) {
        fact_say(why, "Grafana says \"%s\" of itself", alert_label(alert, "alertname"));
        d = ALERT_IGNORED;
    } else if (pattern >= 0) {
        fact_say(why, "ignore pattern %d of the policy", pattern + 1);
        d = ALERT_IGNORED;
    } else if (!rule) {
        d = ALERT_NO_RULE;
    } else if (too_old(t, rule)) {
        fact_say(why, "rule \"%s\": it began more than %s ago (alert_age)", rule->name,
                 duration_format(age, rule->alert_age_ms));
    } else if (t->g->open_len >= ENGINE_INCIDENTS_MAX) {
        fact_say(why, "%u incidents are open, the most there may be", ENGINE_INCIDENTS_MAX);
    } else if (!t->g->loose && HASH_COUNT(t->g->alerts) >= ENGINE_ALERTS_MAX) {
        fact_say(why, "%u alerts belong to open incidents, the most there may be", ENGINE_ALERTS_MAX);
    } else {
        *ret_rule = rule;
        d = ALERT_OPENED;
    }
    return d;
}

/* Does a known firing alert count as new trouble? */
static bool fires_anew(const struct known_alert *a, const struct alert *alert)
{
    if (MUTANT(repeat_is_new))
        return true;
    if (a->status == ALERT_RESOLVED)
        return MUTANT(recurrence_not_held) || a->starts_ms != alert->starts_ms;
    if (a->disposition == ALERT_HELD)
        return true;
    /* a changed startsAt is the same alert, unless its incident had ended before it began again */
    return !a->of && a->ended_wall_ms && alert->starts_ms > a->ended_wall_ms &&
           alert->starts_ms != a->starts_ms;
}

/* Did nothing come of it for a reason that may be gone by now? Then a repeat is judged again. */
static bool was_turned_away(const struct engine *g, const struct known_alert *a)
{
    if (a->disposition == ALERT_NO_RULE || a->disposition == ALERT_IGNORED)
        return a->policy_seq != g->policy_seq;
    return a->disposition == ALERT_REFUSED_;
}

/* Is it as it was recorded, and nothing else may come of it? */
static bool is_repeat(const struct engine *g, const struct known_alert *a, const struct alert *alert)
{
    if (alert->event && alert->status == ALERT_RESOLVED)
        return ends_nothing(g, alert);
    if (alert->event && alert->status == ALERT_FIRING && a && a->status == ALERT_RESOLVED)
        return alert->starts_ms <= a->starts_ms; /* the same run, told again */
    if (!a || a->status != alert->status)
        return false;
    return alert->status == ALERT_RESOLVED || (!fires_anew(a, alert) && (a->of || !was_turned_away(g, a)));
}

bool engine_repeats(const struct engine *g, const struct alert *alert, struct buf *scratch)
{
    return is_repeat(g, known_alert(g, alert, scratch), alert);
}

void incident_new_id(const struct turn *t, char ret[INCIDENT_ID_SIZE])
{
    uint64_t random =
        t->in->random + 0x9e3779b97f4a7c15u * (t->d->facts_len - t->facts); /* several of one alert differ */
    do
        make_id(ret, t->now_ms, random++);
    while (incident_find(t->g, ret));
}

char *plan_text(struct turn *t, const struct plan *p)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    char *copy = NULL;
    if (json_writer_new(&w, NULL) == ERR_OK) {
        plan_write(w, p);
        const char *text = jw_text(w, NULL);
        copy = text ? strdup(text) : NULL;
    }
    t->nomem |= !copy;
    return copy;
}

#define RULES_MAX 8u /* incidents that one alert opens by rules with `continue`; each for all its targets */

static void open_one(struct turn *t, const struct rule *rule, size_t target, char leader[INCIDENT_ID_SIZE])
{
    char id[INCIDENT_ID_SIZE];
    bool first = !leader[0];
    incident_new_id(t, id);
    if (first)
        alert_fact(t, ALERT_OPENED, id);
    struct fact *f = turn_fact(t, FACT_INCIDENT_OPENED, id);
    text_copy(f->u.opened.rule, sizeof f->u.opened.rule, rule->name);
    text_copy(f->u.opened.source, sizeof f->u.opened.source, t->in->alert->source);
    memcpy(f->u.opened.beside, leader, sizeof f->u.opened.beside);
    f->u.opened.target_index = (int32_t)target;
    f->u.opened.starts_ms = t->in->alert->starts_ms;
    f->u.opened.plan = plan_text(t, rule->plan);
    if (first)
        memcpy(leader, id, INCIDENT_ID_SIZE);
}

/* One for each rule and each of its targets, in this order. */
static void open_incidents(struct turn *t)
{
    const struct rule *rules[RULES_MAX];
    char leader[INCIDENT_ID_SIZE] = "";
    size_t len = policy_match_all(t->p, t->in->alert, rules, RULES_MAX), opened = t->g->open_len;
    for (size_t r = 0; r < len; r++)
        for (size_t k = 0; k < rules[r]->targets_len && !too_old(t, rules[r]); k++)
            if (opened++ < ENGINE_INCIDENTS_MAX)
                open_one(t, rules[r], k, leader);
}

/* An open incident that this alert is about too, as the rule says by labels; NULL: none. */
static const struct incident *same_trouble(const struct turn *t, const struct rule *rule)
{
    for (const struct incident *i = rule->same_incident.len ? t->g->open : NULL; i; i = i->next) {
        bool same = strcmp(i->rule, rule->name) == 0 && !i->leader && !i->ending;
        for (size_t k = 0; same && k < rule->same_incident.len; k++) {
            const char *theirs = map_get(&i->labels, rule->same_incident.list[k]);
            same = strcmp(theirs ? theirs : "", alert_label(t->in->alert, rule->same_incident.list[k])) == 0;
        }
        if (same)
            return i;
    }
    return NULL;
}

static void decide_firing_alert(struct turn *t, const struct known_alert *a)
{
    char why[FACT_TEXT_SIZE];
    const struct rule *rule = NULL;
    if (MUTANT(alert_dropped) && !a && t->g->open_len > 2)
        return;
    bool anew = !a || fires_anew(a, t->in->alert);
    if (a && a->status == ALERT_RESOLVED && !anew) {
        struct fact *f = alert_fact(t, ALERT_HELD, NULL);
        fact_say(f->u.alert.reason,
                 "fires again with the same startsAt: held until a second delivery confirms it");
        return;
    }
    if (a && a->of) {
        alert_fact(t, ALERT_ATTACHED, a->of->id); /* fires again while its incident is still open */
        return;
    }
    enum alert_disposition d = judge_alert(t, &rule, why);
    const struct incident *same = d == ALERT_OPENED ? same_trouble(t, rule) : NULL;
    if (same)
        alert_fact(t, ALERT_ATTACHED, same->id);
    else if (d == ALERT_OPENED)
        open_incidents(t);
    else if (anew)
        text_copy(alert_fact(t, d, NULL)->u.alert.reason, FACT_TEXT_SIZE, why);
}

void decide_alert(struct turn *t)
{
    CLEANUP(buf_release) struct buf key = BUF_INIT;
    const struct known_alert *a = known_alert(t->g, t->in->alert, &key);
    if (!buf_ok(&key))
        t->nomem = true;
    else if (is_repeat(t->g, a, t->in->alert))
        return;
    else if (t->in->alert->event && t->in->alert->status == ALERT_RESOLVED)
        decide_run_went_well(t);
    else if (t->in->alert->status == ALERT_RESOLVED && !MUTANT(resolved_acts))
        decide_resolved_alert(t, a);
    else
        decide_firing_alert(t, a);
}
