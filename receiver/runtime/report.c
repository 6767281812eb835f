/* What people see of a committed turn: logs, metrics, /status, annotations. */
#include <string.h>

#include "receiver/runtime/fault.h"
#include "receiver/runtime/loop_internal.h"
#include "rules/base/timetext.h"

#define OPEN_SHOWN_MAX 100
#define PAUSES_SHOWN_MAX 64

static void log_intent(const struct fact *f)
{
    char target[TARGET_TEXT_SIZE];
    log_info("step begins", "incident", f->incident, "step", f->u.intent.step, "action", f->u.intent.action,
             "target", target_format(target, &f->u.intent.target), NULL);
}

static void log_installation(const struct fact *f)
{
    switch (f->kind) {
    case FACT_INSTALLED:
        log_warn(
            "new journal: heald is paused and will change nothing; look around, then run \"heald resume\"",
            "installation", f->u.installed.id, NULL);
        break;
    case FACT_PAUSED:
        log_warn("paused", "scope", pause_scope_name(f->u.paused.scope), "name", f->u.paused.name, "who",
                 f->u.paused.who, "reason", f->u.paused.reason, NULL);
        break;
    case FACT_RESUMED:
        log_warn("resumed", "scope", pause_scope_name(f->u.resumed.scope), "name", f->u.resumed.name, "who",
                 f->u.resumed.who, "reason", f->u.resumed.reason, NULL);
        break;
    case FACT_PROVEN: {
        char target[TARGET_TEXT_SIZE];
        log_info("template proven well", "target", target_format(target, &f->u.proven.target), "template",
                 f->u.proven.template_hash, NULL);
        break;
    }
    default:
        break;
    }
}

static void log_incident(const struct fact *f)
{
    char target[TARGET_TEXT_SIZE];
    switch (f->kind) {
    case FACT_INCIDENT_OPENED:
        log_info("incident opened", "incident", f->incident, "rule", f->u.opened.rule, "source",
                 f->u.opened.source, NULL);
        break;
    case FACT_RESOLVED:
        log_info("target resolved", "incident", f->incident, "target",
                 target_format(target, &f->u.resolved.target), "environment", f->u.resolved.environment,
                 "cause", cause_name(f->u.resolved.evidence.cause), NULL);
        break;
    case FACT_MERGED:
        log_info("incident merged", "incident", f->incident, "into", f->u.merged.into, NULL);
        break;
    case FACT_ENDING:
        log_info("incident ends", "incident", f->incident, "outcome", outcome_name(f->u.ending.outcome),
                 "reason", f->u.ending.reason, NULL);
        break;
    case FACT_CLOSED:
        log_info("incident closed", "incident", f->incident, "outcome", outcome_name(f->u.closed.outcome),
                 "reason", f->u.closed.reason, NULL);
        break;
    case FACT_NOTIFY:
        log_warn("a person is to be told", "incident", f->incident, "receiver", f->u.notify.receiver, "text",
                 f->u.notify.text, NULL);
        break;
    case FACT_ASKED:
        log_warn("approval is asked for", "incident", f->incident, "step", f->u.asked.step, "role",
                 f->u.asked.role, "hash", f->u.asked.hash, "reason", f->u.asked.reason, NULL);
        break;
    case FACT_WORD:
        log_warn(word_name(f->u.word.word), "incident", f->incident, "who", f->u.word.who, "reason",
                 f->u.word.reason, NULL);
        break;
    default:
        break;
    }
}

static void log_step(const struct fact *f)
{
    switch (f->kind) {
    case FACT_REFUSED:
        log_info(f->u.refused.scope == REFUSED_STEP ? "step is not possible" : "step has to wait", "incident",
                 f->incident, "step", f->u.refused.step, "guard", f->u.refused.guard, "reason",
                 f->u.refused.reason, NULL);
        break;
    case FACT_INTENT:
        log_intent(f);
        break;
    case FACT_WRITTEN:
        log_info("step written", "incident", f->incident, "step", f->u.written.step, "state",
                 write_state_name(f->u.written.state), "reason", f->u.written.reason, NULL);
        break;
    case FACT_VERDICT:
        log_info("verdict", "incident", f->incident, "step", f->u.verdict.step, "verdict",
                 verdict_name(f->u.verdict.verdict), "reason", f->u.verdict.reason, NULL);
        break;
    case FACT_STEP:
        log_info(f->u.step.event == STEP_BEGAN ? "step waits" : "step ended", "incident", f->incident, "step",
                 f->u.step.step, "result",
                 f->u.step.event == STEP_ENDED ? step_result_name(f->u.step.result) : "", "reason",
                 f->u.step.reason, NULL);
        break;
    default:
        break;
    }
}

static void count_closed(struct loop *l, const struct fact *f)
{
    struct incident_view v;
    if (!engine_incident(l->engine, f->incident, &v))
        return;
    metrics_add(l->parts.metrics, METRIC_INCIDENTS, v.rule, outcome_name(v.outcome), 1);
    if (v.outcome == OUTCOME_HEALED)
        metrics_observe(l->parts.metrics, METRIC_TIME_TO_REPAIR,
                        (double)(v.closed_ms - v.first_alert_ms) / 1000);
}

static void count_fact(struct loop *l, const struct fact *f)
{
    struct metrics *m = l->parts.metrics;
    struct incident_view v;
    switch (f->kind) {
    case FACT_REFUSED:
        metrics_add(m, METRIC_REFUSALS, f->u.refused.guard, NULL, 1);
        break;
    case FACT_INTENT:
        if (engine_incident(l->engine, f->incident, &v) && v.writes == 0)
            metrics_observe(m, METRIC_TIME_TO_ACTION, (double)(f->at_ms - v.first_alert_ms) / 1000);
        break;
    case FACT_VERDICT:
        metrics_add(m, METRIC_STEPS, f->u.verdict.action, verdict_name(f->u.verdict.verdict), 1);
        break;
    case FACT_CLOSED:
        count_closed(l, f);
        break;
    case FACT_RESOLVED:
        if (f->u.resolved.times > 1 && engine_incident(l->engine, f->incident, &v))
            metrics_add(m, METRIC_RECURRENCES, v.rule, NULL, 1);
        break;
    case FACT_NOTIFY:
        metrics_add(m, METRIC_NOTIFICATIONS, f->u.notify.receiver, NULL, 1);
        break;
    default:
        break;
    }
}

static void point_of(const struct fact *f)
{
    static const char *const points[FACT_KIND_END_] = {
        [FACT_INTENT] = "intent-committed",   [FACT_WRITTEN] = "result-committed",
        [FACT_VERDICT] = "verdict-committed", [FACT_CLOSED] = "closed-committed",
        [FACT_TOLD] = "told-committed",
    };
    if (points[f->kind])
        fault_point(points[f->kind]);
}

static void tell_watch(struct loop *l, const struct fact *f)
{
    for (size_t i = 0; l->fleet && i < l->fleet->len; i++)
        if (strcmp(cluster_name(l->fleet->members[i].cluster), f->u.proven.target.cluster) == 0)
            watch_proven(l->fleet->members[i].watch, f->u.proven.target.uid, f->u.proven.template_hash);
}

void report_ended(struct loop *l, const struct ended *i)
{
    struct target t = { .uid = "" };
    if (l->recent_len == RECENT_MAX)
        return;
    memmove(&l->recent[1], &l->recent[0], l->recent_len++ * sizeof l->recent[0]); /* that is the order here */
    struct recent *r = &l->recent[0];
    memset(r, 0, sizeof *r);
    text_copy(r->id, sizeof r->id, i->id);
    text_copy(r->rule, sizeof r->rule, i->rule);
    text_copy(r->reason, sizeof r->reason, i->reason);
    text_copy(t.cluster, sizeof t.cluster, i->cluster);
    text_copy(t.namespace, sizeof t.namespace, i->namespace);
    text_copy(t.kind, sizeof t.kind, i->kind);
    text_copy(t.name, sizeof t.name, i->name);
    if (t.name[0])
        target_format(r->target, &t);
    for (int o = OUTCOME_OPEN; o <= OUTCOME_UNKNOWN; o++)
        if (strcmp(outcome_name((enum outcome)o), i->outcome) == 0)
            r->outcome = (enum outcome)o;
    r->writes = (uint32_t)i->writes;
    r->opened_ms = i->opened_ms;
    r->closed_ms = i->closed_ms;
}

void report_recent(struct loop *l, const struct fact *f)
{
    struct incident_view v;
    if (!engine_incident(l->engine, f->incident, &v))
        return;
    struct recent *r = &l->recent[l->recent_len++ % RECENT_MAX];
    memset(r, 0, sizeof *r);
    text_copy(r->id, sizeof r->id, v.id);
    text_copy(r->rule, sizeof r->rule, v.rule);
    text_copy(r->reason, sizeof r->reason, v.reason);
    if (v.target->name[0])
        target_format(r->target, v.target);
    r->outcome = v.outcome;
    r->writes = v.writes;
    r->opened_ms = v.opened_ms;
    r->closed_ms = v.closed_ms;
}

void report_points(struct loop *l)
{
    if (l->batch.counted_len > l->batch.counted_durable)
        fault_point("alert-committed");
    for (size_t i = l->batch.facts_durable; i < l->batch.facts_len; i++)
        point_of(&l->batch.facts[i]);
}

void report_facts(struct loop *l)
{
    struct batch *b = &l->batch;
    for (size_t i = 0; i < b->counted_len; i++)
        metrics_add(l->parts.metrics, METRIC_ALERTS, b->counted[i].source,
                    disposition_name(b->counted[i].disposition), 1);
    for (size_t i = 0; i < b->facts_len; i++) {
        const struct fact *f = &b->facts[i];
        log_installation(f);
        log_incident(f);
        log_step(f);
        count_fact(l, f);
        if (f->kind == FACT_CLOSED)
            report_recent(l, f);
        if (f->kind == FACT_PROVEN)
            tell_watch(l, f);
        l->snapshot_old = true;
    }
}

/* ---- annotations ---- */

static void make_message(struct outbox_message *m, const struct incident_view *v, char title[512])
{
    char target[TARGET_TEXT_SIZE] = "no target";
    if (v->target->name[0])
        target_format(target, v->target);
    struct buf text = BUF_INIT_MAX(511);
    buf_addf(&text, "%s: %s", v->outcome == OUTCOME_OPEN ? "healing" : outcome_name(v->outcome), target);
    if (v->outcome != OUTCOME_OPEN && v->reason[0])
        buf_addf(&text, ": %.250s", v->reason);
    text_copy(title, 512, buf_text(&text));
    buf_release(&text);
    m->annotation = (struct annotation){
        .incident = v->id,
        .start_ms = v->first_alert_ms,
        .end_ms = v->outcome == OUTCOME_OPEN ? v->first_alert_ms : v->closed_ms,
        .outcome = outcome_name(v->outcome),
        .rule = v->rule,
        .environment = v->environment,
        .namespace = v->target->namespace,
        .workload = v->target->name,
        .cluster = v->target->cluster,
        .title = title,
        .lines = v->history,
        .lines_len = v->history_len,
    };
    m->revision = v->revision;
    m->annotation_id = v->annotation_id;
}

void report_untold(struct loop *l)
{
    char ids[OUTBOX_BATCH][INCIDENT_ID_SIZE];
    if (!l->outbox || !l->snapshot_old)
        return; /* nothing was committed since */
    size_t len = engine_untold(l->engine, ids, OUTBOX_BATCH);
    for (size_t i = 0; i < len; i++) {
        struct incident_view v;
        struct outbox_message m;
        char title[512];
        struct err e = ERR_INIT;
        if (!engine_incident(l->engine, ids[i], &v))
            continue;
        make_message(&m, &v, title);
        if (outbox_push(l->outbox, &m, &e) != ERR_OK)
            log_warn("annotation waits", "incident", v.id, "error", e.msg, NULL);
    }
    metrics_set(l->parts.metrics, METRIC_OUTBOX_DEPTH, NULL, NULL, (double)outbox_depth(l->outbox));
}

/* ---- /status ---- */

static void write_time(struct json_writer *w, const char *key, int64_t ms)
{
    char text[TIME_TEXT_SIZE];
    if (ms)
        jw_kstring(w, key, time_format(text, ms));
}

static void write_asked(struct json_writer *w, const struct incident_view *v)
{
    write_time(w, "until", v->until_ms);
    if (!v->asked)
        return;
    jw_kstring(w, "asks", v->asked);
    jw_kstring(w, "asks_group", v->asked_role);
    jw_kstring(w, "asks_hash", v->asked_hash);
    jw_kint(w, "approvals", v->approvals);
    jw_kint(w, "approvals_wanted", v->approvals_wanted);
}

static void write_open(struct loop *l, struct json_writer *w)
{
    char ids[OPEN_SHOWN_MAX][INCIDENT_ID_SIZE];
    size_t len = engine_open(l->engine, ids, OPEN_SHOWN_MAX);
    jw_key(w, "open");
    jw_array(w);
    for (size_t i = 0; i < len; i++) {
        struct incident_view v;
        char target[TARGET_TEXT_SIZE];
        if (!engine_incident(l->engine, ids[i], &v))
            continue;
        jw_object(w);
        jw_kstring(w, "id", v.id);
        jw_kstring(w, "rule", v.rule);
        jw_kstring(w, "state", v.state);
        jw_kstring(w, "target", v.target->name[0] ? target_format(target, v.target) : "");
        jw_kstring(w, "cause", cause_name(v.cause));
        jw_kstring(w, "step", v.step);
        jw_kstring(w, "reason", v.reason);
        jw_kint(w, "alerts", v.alerts);
        jw_kint(w, "writes", v.writes);
        write_time(w, "opened", v.opened_ms);
        write_asked(w, &v);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_pauses(struct loop *l, struct json_writer *w)
{
    struct pause_view pauses[PAUSES_SHOWN_MAX];
    size_t len = engine_pauses(l->engine, pauses, PAUSES_SHOWN_MAX);
    jw_key(w, "pauses");
    jw_array(w);
    for (size_t i = 0; i < len && i < PAUSES_SHOWN_MAX; i++) {
        jw_object(w);
        jw_kstring(w, "scope", pause_scope_name(pauses[i].scope));
        jw_kstring(w, "name", pauses[i].name);
        jw_kstring(w, "who", pauses[i].who);
        jw_kstring(w, "reason", pauses[i].reason);
        write_time(w, "until", pauses[i].until_ms);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_recent(const struct loop *l, struct json_writer *w)
{
    jw_key(w, "recent");
    jw_array(w);
    for (size_t n = 0; n < RECENT_MAX && n < l->recent_len; n++) {
        const struct recent *r = &l->recent[(l->recent_len - 1 - n) % RECENT_MAX];
        jw_object(w);
        jw_kstring(w, "id", r->id);
        jw_kstring(w, "rule", r->rule);
        jw_kstring(w, "target", r->target);
        jw_kstring(w, "outcome", outcome_name(r->outcome));
        jw_kstring(w, "reason", r->reason);
        jw_kint(w, "writes", r->writes);
        write_time(w, "opened", r->opened_ms);
        write_time(w, "closed", r->closed_ms);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_clusters(struct loop *l, struct json_writer *w)
{
    jw_key(w, "clusters");
    jw_array(w);
    for (size_t i = 0; l->fleet && i < l->fleet->len; i++) {
        struct watch_state s;
        const char *name = cluster_name(l->fleet->members[i].cluster);
        watch_state(l->fleet->members[i].watch, &s);
        jw_object(w);
        jw_kstring(w, "name", name);
        jw_kbool(w, "synced", s.synced);
        jw_kint(w, "workloads", s.workloads);
        jw_kint(w, "pods", s.pods);
        jw_object_end(w);
        metrics_set(l->parts.metrics, METRIC_WATCH_SYNCED, name, NULL, s.synced);
        metrics_set(l->parts.metrics, METRIC_WATCH_WORKLOADS, name, NULL, s.workloads);
    }
    jw_array_end(w);
}

/* The last reload was refused: the policy in force is not what the file says. */
static void write_policy_error(struct loop *l, struct json_writer *w)
{
    pthread_mutex_lock(&l->lock);
    if (l->policy_error[0])
        jw_kstring(w, "policy_error", l->policy_error);
    pthread_mutex_unlock(&l->lock);
}

static void set_gauges(struct loop *l)
{
    struct metrics *m = l->parts.metrics;
    int64_t intent = engine_oldest_intent_ms(l->engine);
    metrics_set(m, METRIC_INCIDENTS_OPEN, NULL, NULL, (double)engine_open_incidents(l->engine));
    metrics_set(m, METRIC_APPROVALS, NULL, NULL, (double)engine_pending_approvals(l->engine));
    metrics_set(m, METRIC_PROVEN, NULL, NULL, (double)engine_proven_workloads(l->engine));
    metrics_set(m, METRIC_PAUSED, NULL, NULL, engine_paused(l->engine, NULL, NULL));
    metrics_set(m, METRIC_JOURNAL_FACTS, NULL, NULL, (double)engine_last_seq(l->engine));
    metrics_set(m, METRIC_OLDEST_INTENT, NULL, NULL,
                intent ? (double)(clock_now_ms(l->parts.clock) - intent) / 1000 : 0);
    if (l->outbox)
        metrics_set(m, METRIC_OUTBOX_DEPTH, NULL, NULL, (double)outbox_depth(l->outbox));
}

static void write_journal(struct loop *l, struct json_writer *w)
{
    struct metrics *m = l->parts.metrics;
    char damage[256] = "";
    if (l->keeper)
        keeper_damage(l->keeper, damage);
    jw_key(w, "journal");
    jw_object(w);
    jw_kint(w, "version", journal_version(l->parts.journal));
    jw_kint(w, "first_fact", (int64_t)metrics_value(m, METRIC_JOURNAL_FIRST, NULL, NULL));
    jw_kint(w, "snapshot_fact", (int64_t)metrics_value(m, METRIC_SNAPSHOT, NULL, NULL));
    jw_kint(w, "bytes", (int64_t)metrics_value(m, METRIC_JOURNAL_BYTES, NULL, NULL));
    if (damage[0])
        jw_kstring(w, "damage", damage);
    jw_object_end(w);
}

void report_snapshot(struct loop *l)
{
    int64_t now = clock_now_ms(l->parts.clock);
    const char *who = "", *reason = "";
    struct json_writer *w = l->writer;
    if (now < l->snapshot_ms + (l->snapshot_old ? SNAPSHOT_MS : 1000))
        return;
    l->snapshot_ms = now;
    l->snapshot_old = false;
    set_gauges(l);
    jw_reset(w);
    jw_object(w);
    jw_kstring(w, "version", HEALD_VERSION);
    write_time(w, "started", l->started_ms);
    write_time(w, "now", now);
    jw_kstring(w, "installation", engine_installation(l->engine));
    bool paused = engine_paused(l->engine, &who, &reason);
    jw_kbool(w, "paused", paused);
    jw_kstring(w, "paused_by", paused ? who : "");
    jw_kstring(w, "paused_reason", paused ? reason : "");
    jw_kstring(w, "policy", l->policy->hash);
    write_time(w, "policy_loaded", l->policy_loaded_ms);
    write_policy_error(l, w);
    jw_kint(w, "facts", engine_last_seq(l->engine));
    jw_kint(w, "open_incidents", (int64_t)engine_open_incidents(l->engine));
    jw_kint(w, "workloads_proven", (int64_t)engine_proven_workloads(l->engine));
    jw_kint(w, "outbox", l->outbox ? (int64_t)outbox_depth(l->outbox) : 0);
    write_journal(l, w);
    write_pauses(l, w);
    write_clusters(l, w);
    write_open(l, w);
    write_recent(l, w);
    jw_object_end(w);
    pthread_mutex_lock(&l->lock);
    buf_clear(&l->snapshot);
    buf_adds(&l->snapshot, jw_text(w, NULL) ? jw_text(w, NULL) : "{}");
    pthread_mutex_unlock(&l->lock);
}
