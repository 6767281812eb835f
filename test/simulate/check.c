/* test/simulate/check.c - what must hold after each event, whatever happened. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "test/kit/engine_digest.h"
#include "test/simulate/sim.h"

#define ASKED_WITHIN_MS (2 * MINUTE_MS) /* of the time that a refusal named */
#define REPLAY_EVERY 32                 /* events with facts between two comparisons of the whole state */

static const char *const names[CHECKS_] = {
    [CHECK_SOUND] = "the engine is sound in itself, and each incident where the journal says it is",
    [CHECK_MOVES] = "incidents go on by the moves of the state table alone",
    [CHECK_REASONS] = "every refusal and every end has its reason",
    [CHECK_REPLAY] = "replay of the journal's text gives the same state bit for bit",
    [CHECK_SNAPSHOT] = "a snapshot and the facts after it give the same state bit for bit",
    [CHECK_ALERT_KEPT] = "no accepted alert is lost",
    [CHECK_ALERT_ONCE] = "a repeat, a resolved alert and a restarted Prometheus open nothing",
    [CHECK_INTENT_FIRST] = "no write without its intent in the journal",
    [CHECK_ONE_EFFECT] = "no attempt takes effect twice, and none follows one in doubt",
    [CHECK_ONE_AT_A_TIME] = "no two steps work on one target",
    [CHECK_WRITTEN] = "what the journal says of a write is what happened",
    [CHECK_MODE] = "no write outside the mode of then and of now",
    [CHECK_PAUSED] = "no write while paused",
    [CHECK_SCOPE] = "no write outside rule, ignore patterns, source, ownership and attempts of the step",
    [CHECK_FRESH] = "no write on old news",
    [CHECK_FIRING] = "no write unless the alert fires and the cluster shows a fault",
    [CHECK_FOREIGN] = "no write into somebody's rollout or over somebody's change",
    [CHECK_EXPLAINED] = "no write while another alert explains this one",
    [CHECK_WINDOW] = "no write in a window that forbids it, or while a brake holds",
    [CHECK_BLAST] = "no write takes away more pods at once than the blast radius",
    [CHECK_AVAILABLE] = "no write leaves fewer pods ready than it must",
    [CHECK_DEPENDS] = "nothing is written while what the target depends on is in trouble",
    [CHECK_SHARED] = "no restart for what many workloads have in common",
    [CHECK_COOLDOWN] = "no write within a cooldown",
    [CHECK_ATTEMPTS] = "no write for what came back too often",
    [CHECK_BUDGET] = "no write beyond a budget",
    [CHECK_RUNNING] = "no more steps at one time than an environment allows",
    [CHECK_STORM] = "a storm brakes, and opens again gradually",
    [CHECK_BREAKER] = "what fails again and again is left alone, then tried once",
    [CHECK_APPROVAL] = "no write without the yes that it needs, none after a cancel",
    [CHECK_STEPS] = "gates and waits end by a yes, a no, or their time",
    [CHECK_ROLLBACK] = "only templates that were proven well are put back",
    [CHECK_PROVEN] = "what counts as proven was well for as long as the policy asks",
    [CHECK_HEALED] = "what counts as fixed was written, is well, has held, and is quiet",
    [CHECK_UNTOUCHED] = "an incident that ends as untouched was not written for, and never is",
    [CHECK_AWAKE] = "an open incident is looked at again, and not for ever at one time",
    [CHECK_DEADLINE] = "no state lasts longer than its deadline",
    [CHECK_ENDS] = "every incident ends",
};

const char *check_name(enum check c)
{
    return names[c];
}

void check(struct sim *s, enum check c, bool holds, const char *fmt, ...)
{
    char text[400];
    va_list args;
    s->stats->seen[c]++;
    if (holds || s->failed)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    s->failed = true;
    s->stats->failed[c]++;
    say(s, "FAILED: %s: %s", names[c], text);
    s->stats->first_seed = s->story.seed;
    s->stats->first_check = c;
    snprintf(s->stats->first_failure, sizeof s->stats->first_failure, "%s", text);
}

/* ---- each fact ---- */

/* This guard refused; those before it let the step pass. NULL: all did. */
void count_guards(struct sim *s, const char *refused, bool undo)
{
    const char *guards[GUARDS_MAX];
    bool also_undo[GUARDS_MAX], known = !refused;
    size_t len = engine_guards(guards, also_undo), stop = len;
    if (refused)
        count_name(&s->stats->guards, refused, 1);
    for (size_t k = 0; k < len && !known; k++)
        if ((known = strcmp(guards[k], refused) == 0))
            stop = k;
    for (size_t k = 0; k < stop && known; k++)
        if (!undo || also_undo[k])
            count_name(&s->stats->passed, guards[k], 1);
}

/* "ownership: Argo CD owns ..." */
static void count_closing_guard(struct sim *s, const char *reason)
{
    char guard[32];
    size_t len = strspn(reason, "abcdefghijklmnopqrstuvwxyz_");
    if (len == 0 || len >= sizeof guard || reason[len] != ':')
        return;
    memcpy(guard, reason, len);
    guard[len] = '\0';
    count_guards(s, guard, false);
}

static void check_reason(struct sim *s, const struct fact *f)
{
    const char *reason = "-", *guard = "-";
    if (f->kind == FACT_REFUSED) {
        reason = f->u.refused.reason;
        guard = f->u.refused.guard;
        count_guards(s, guard, false);
        check(s, CHECK_REASONS, f->u.refused.again_ms == 0 || f->u.refused.again_ms >= f->at_ms,
              "%s: guard %s is to be asked again before it was asked", f->incident, guard);
    } else if (f->kind == FACT_CLOSED) {
        reason = f->u.closed.reason;
        count_name(&s->stats->outcomes, outcome_name(f->u.closed.outcome), 1);
        if (f->u.closed.outcome != OUTCOME_OBSERVED)
            count_closing_guard(s, reason);
    } else if (f->kind == FACT_ALERT) {
        enum alert_disposition d = f->u.alert.disposition;
        if (d == ALERT_REFUSED_ || d == ALERT_IGNORED || d == ALERT_HELD)
            reason = f->u.alert.reason;
        count_name(&s->stats->dispositions, disposition_name(d), 1);
    } else {
        return;
    }
    check(s, CHECK_REASONS, reason[0] && guard[0], "%s: a fact \"%s\" has no reason", f->incident,
          fact_kind_name(f->kind));
}

static void check_move(struct sim *s, const struct fact *f, const struct course *c)
{
    char move[32];
    if (!f->incident[0] || f->kind == FACT_ALERT || (f->kind == FACT_TOLD && !c))
        return;
    enum course_state from = c ? c->state : COURSE_NONE, either, to;
    bool allowed = course_allows(from, f);
    check(s, CHECK_MOVES, allowed, "%s is %s and has a fact \"%s\"", f->incident, course_names[from],
          fact_kind_name(f->kind));
    if (!allowed || f->kind == FACT_TOLD)
        return;
    to = course_after(c, f, &either);
    snprintf(move, sizeof move, "%s>%s", course_names[from], course_names[to]);
    count_name(&s->stats->moves, move, 1);
}

/* A line of the timeline. */
static void say_fact(const struct sim *s, const struct fact *f)
{
    char text[TARGET_TEXT_SIZE];
    const char *kind = fact_kind_name(f->kind), *id = f->incident;
    switch (f->kind) {
    case FACT_ALERT:
        say(s, "  %s %s: %s %s of %s %s", kind, id,
            f->u.alert.alert.status == ALERT_FIRING ? "firing" : "resolved",
            alert_label(&f->u.alert.alert, "alertname"), alert_label(&f->u.alert.alert, "deployment"),
            disposition_name(f->u.alert.disposition));
        break;
    case FACT_RESOLVED:
        say(s, "  %s %s: %s", kind, id, target_format(text, &f->u.resolved.target));
        break;
    case FACT_REFUSED:
        say(s, "  %s %s: %s %s: %s", kind, id, f->u.refused.step, f->u.refused.guard, f->u.refused.reason);
        break;
    case FACT_INTENT:
        say(s, "  %s %s: %s %s attempt %u write %u", kind, id, f->u.intent.step, f->u.intent.action,
            f->u.intent.attempt, f->u.intent.write);
        break;
    case FACT_WRITTEN:
        say(s, "  %s %s: %s: %s", kind, id, write_state_name(f->u.written.state), f->u.written.reason);
        break;
    case FACT_VERDICT:
        say(s, "  %s %s: %s: %s", kind, id, verdict_name(f->u.verdict.verdict), f->u.verdict.reason);
        break;
    case FACT_CLOSED:
        say(s, "  %s %s: %s: %s", kind, id, outcome_name(f->u.closed.outcome), f->u.closed.reason);
        break;
    case FACT_TOLD:
        break;
    default:
        say(s, "  %s %s", kind, id);
        break;
    }
}

void check_fact(struct sim *s, const struct fact *f)
{
    const struct course *c = f->incident[0] ? model_course(s->model, f->incident) : NULL;
    if (s->trace)
        say_fact(s, f);
    check_move(s, f, c);
    check_reason(s, f);
    if (f->kind == FACT_PROVEN)
        check_proven(s, f);
    if (!c)
        return;
    if (f->kind == FACT_ASKED)
        check_asked(s, f);
    else if (f->kind == FACT_WORD)
        check_word(s, f, c);
    else if (f->kind == FACT_STEP)
        check_step(s, f, c);
    else if (f->kind == FACT_INTENT)
        check_intent(s, f, c);
    else if (f->kind == FACT_WRITTEN)
        check_written(s, f, c);
    else if (f->kind == FACT_VERDICT)
        check_verdict(s, f, c);
    else if (f->kind == FACT_CLOSED)
        check_closed(s, f, c);
}

/* ---- each event ---- */

void check_replay(struct sim *s)
{
    engine_digest(s->g, &s->digest);
    engine_digest(s->shadow, &s->other);
    size_t at = 0;
    const char *a = buf_text(&s->digest), *b = buf_text(&s->other);
    while (a[at] && a[at] == b[at])
        at++;
    bool same = s->digest.len == s->other.len && memcmp(a, b, s->digest.len) == 0;
    size_t from = at < 60 ? 0 : at - 60;
    check(s, CHECK_REPLAY, same, "\"%.90s\" was replayed as \"%.90s\"", a + from, b + from);
}

static bool is_state(const char *state, enum course_state c)
{
    return c != COURSE_END_ &&
           (strcmp(state, course_names[c]) == 0 || (c == COURSE_ACTING && strcmp(state, "asking") == 0));
}

static void check_states(struct sim *s)
{
    size_t open = 0;
    for (struct course *c = s->model->courses; c && !s->failed; c = c->hh.next) {
        struct incident_view v = { .state = "unknown" };
        if (c->state == COURSE_CLOSED)
            continue;
        open++;
        engine_incident(s->g, c->id, &v);
        check(s, CHECK_SOUND, is_state(v.state, c->state) || is_state(v.state, c->either),
              "%s is %s by the journal and %s by the engine", c->id, course_names[c->state], v.state);
        c->state = is_state(v.state, c->either) ? c->either : c->state;
        check_deadline(s, c);
        bool due = c->state == COURSE_WAITING && c->again_ms && heald_now(s) > c->again_ms + ASKED_WITHIN_MS;
        check(s, CHECK_AWAKE, !due || c->asked_ms >= c->again_ms,
              "%s was to be asked again %lld s ago, and was not", c->id,
              (long long)(heald_now(s) - c->again_ms) / 1000);
    }
    check(s, CHECK_SOUND, open == engine_open_incidents(s->g),
          "%zu incidents are open by the journal, %zu by the engine", open, engine_open_incidents(s->g));
}

void check_turn(struct sim *s)
{
    if (!s->up || s->failed)
        return;
    if (engine_open_incidents(s->g) > 0 && engine_next_deadline(s->g) == INT64_MAX)
        check(s, CHECK_AWAKE, s->writing > 0 || s->pending_len > 0,
              "an incident is open, nothing is on its way, nothing is due");
    if (s->checked == s->committed)
        return;
    s->checked = s->committed;
    const char *why = engine_unsound(s->g);
    check(s, CHECK_SOUND, !why, "%s", why);
    check_states(s);
    if (s->turns_checked++ % REPLAY_EVERY == 0)
        check_replay(s);
}

void check_end(struct sim *s)
{
    char id[1][INCIDENT_ID_SIZE] = { "" };
    struct incident_view v = { .state = "-", .reason = "-" };
    if (s->failed)
        return;
    if (engine_open(s->g, id, 1))
        engine_incident(s->g, id[0], &v);
    check(s, CHECK_ENDS, !id[0][0], "%s is %s after %lld h of quiet: %s", id[0], v.state, ENDS_MS / HOUR_MS,
          v.reason);
    check_replay(s);
    check_alerts_kept(s);
}
