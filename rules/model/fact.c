#include "rules/model/fact.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/utf8.h"
#include "rules/model/fact_fields.h"

static const char *const kind_names[FACT_KIND_END_] = {
    [FACT_INSTALLED] = "installed",
    [FACT_PAUSED] = "paused",
    [FACT_RESUMED] = "resumed",
    [FACT_TIME_JUMPED] = "time_jumped",
    [FACT_ALERT] = "alert",
    [FACT_SEEN] = "seen",
    [FACT_INCIDENT_OPENED] = "incident_opened",
    [FACT_RESOLVED] = "resolved",
    [FACT_MERGED] = "merged",
    [FACT_REFUSED] = "refused",
    [FACT_INTENT] = "intent",
    [FACT_WRITTEN] = "written",
    [FACT_VERDICT] = "verdict",
    [FACT_CLOSED] = "closed",
    [FACT_TOLD] = "told",
    [FACT_PROVEN] = "proven",
    [FACT_POLICY] = "policy",
    [FACT_STEP] = "step",
    [FACT_NOTIFY] = "notify",
    [FACT_ENDING] = "ending",
    [FACT_ASKED] = "asked",
    [FACT_WORD] = "word",
    [FACT_STATE] = "state",
    [FACT_SNAPSHOT] = "snapshot",
};
const char *const fact_disposition_words[] = { "opened",  "attached", "no_rule", "ignored",
                                               "refused", "cleared",  "held",    NULL };
static const char *const scope_names[] = { "later", "step", NULL };
const char *const fact_write_words[] = { "open",   "done",    "conflict", "absent",
                                         "failed", "unknown", "retry",    NULL };
static const char *const verdict_names[] = { "none", "fixed", "not_fixed", "unknown", NULL };
const char *const fact_outcome_words[] = { "open",    "healed",    "cleared",  "not_healed", "escalated",
                                           "refused", "cancelled", "observed", "unknown",    NULL };
const char *const fact_pause_words[] = { "everywhere", "environment", "rule", "namespace", NULL };
static const char *const word_names[] = { "approve", "deny", "cancel", "retry", NULL };
static const char *const event_names[] = { "began", "ended", "ranked", NULL };
static const char *const result_names[] = { "not_run", "fixed",  "not_fixed", "unknown",
                                            "refused", "failed", "done",      NULL };
static const char *const proof_names[] = { "restarted_at", "template_hash", "replicas",
                                           "pod_gone",     "change",        NULL };
const char *const fact_site_words[] = { "none", "all", "cluster", "environment", "rule", "alert", NULL };
const char *const fact_mode_words[] = { "observe", "dry_run", "act", NULL };

const char *fact_kind_name(enum fact_kind kind)
{
    return kind > 0 && kind < FACT_KIND_END_ ? kind_names[kind] : "?";
}
const char *disposition_name(enum alert_disposition d)
{
    return fact_disposition_words[d];
}
const char *write_state_name(enum write_state s)
{
    return fact_write_words[s];
}
const char *verdict_name(enum verdict v)
{
    return verdict_names[v];
}
const char *outcome_name(enum outcome o)
{
    return fact_outcome_words[o];
}
const char *pause_scope_name(enum pause_scope scope)
{
    return fact_pause_words[scope];
}
const char *word_name(enum word w)
{
    return word_names[w];
}
const char *step_result_name(int result)
{
    return result >= 0 && result < (int)(sizeof result_names / sizeof result_names[0]) - 1
               ? result_names[result]
               : "?";
}

/* ---- the tables: what stands in the text of each kind, beside what alert, opened and seen carry ---- */

#define TEXT(member, key)                                                                                    \
    {                                                                                                        \
        key, FIELD_TEXT, offsetof(struct fact, u.member), sizeof((struct fact *)0)->u.member, NULL           \
    }
#define I64(member, key)                                                                                     \
    {                                                                                                        \
        key, FIELD_I64, offsetof(struct fact, u.member), 0, NULL                                             \
    }
#define I32(member, key)                                                                                     \
    {                                                                                                        \
        key, FIELD_I32, offsetof(struct fact, u.member), 0, NULL                                             \
    }
#define ENUM(member, key, names)                                                                             \
    {                                                                                                        \
        key, FIELD_ENUM, offsetof(struct fact, u.member), 0, names                                           \
    }
/* An enum that older releases did not write: its first word is the default. */
#define WORD(member, key, names)                                                                             \
    {                                                                                                        \
        key, FIELD_WORD, offsetof(struct fact, u.member), 0, names                                           \
    }
/* NOLINTBEGIN(bugprone-macro-parentheses): a member takes none */
#define TARGET(member)                                                                                       \
    TEXT(member.cluster, "cluster"), TEXT(member.namespace, "namespace"), TEXT(member.kind, "kind"),         \
        TEXT(member.name, "name"), TEXT(member.uid, "uid")
#define PAUSE_FIELDS(member)                                                                                 \
    {                                                                                                        \
        TEXT(member.who, "who"), TEXT(member.reason, "reason"),                                              \
            WORD(member.scope, "scope", fact_pause_words), TEXT(member.name, "name"),                        \
            I64(member.until_ms, "until_ms"), END                                                            \
    }
/* NOLINTEND(bugprone-macro-parentheses) */
#define END                                                                                                  \
    {                                                                                                        \
        NULL, FIELD_TEXT, 0, 0, NULL                                                                         \
    }

static const struct field installed_fields[] = { TEXT(installed.id, "id"), END };
static const struct field paused_fields[] = PAUSE_FIELDS(paused);
static const struct field resumed_fields[] = PAUSE_FIELDS(resumed);
static const struct field jumped_fields[] = { I64(jumped.by_ms, "by_ms"), I64(jumped.wall_ms, "wall_ms"),
                                              END };
static const struct field alert_fields[] = {
    TEXT(alert.alert.source, "source"),  I64(alert.alert.starts_ms, "starts_ms"),
    I64(alert.alert.ends_ms, "ends_ms"), ENUM(alert.disposition, "disposition", fact_disposition_words),
    TEXT(alert.reason, "reason"),        END
};
static const struct field opened_fields[] = { TEXT(opened.rule, "rule"),
                                              TEXT(opened.source, "source"),
                                              I64(opened.starts_ms, "starts_ms"),
                                              TEXT(opened.beside, "beside"),
                                              I32(opened.target_index, "target_index"),
                                              TEXT(opened.who, "who"),
                                              TEXT(opened.reason, "reason"),
                                              TARGET(opened.target),
                                              END };
static const struct field resolved_fields[] = { TARGET(resolved.target),
                                                TEXT(resolved.environment, "environment"),
                                                ENUM(resolved.mode, "mode", fact_mode_words),
                                                I32(resolved.changed, "changed"),
                                                TEXT(resolved.former, "former"),
                                                I32(resolved.times, "times"),
                                                END };
static const struct field merged_fields[] = { TEXT(merged.into, "into"), END };
static const struct field refused_fields[] = {
    TEXT(refused.step, "step"),        TEXT(refused.guard, "guard"),
    TEXT(refused.reason, "reason"),    ENUM(refused.scope, "scope", scope_names),
    I64(refused.again_ms, "again_ms"), WORD(refused.site, "site", fact_site_words),
    I32(refused.urgency, "urgency"),   END
};
static const struct field intent_fields[] = {
    TEXT(intent.step, "step"),
    I32(intent.attempt, "attempt"),
    I32(intent.write, "write"),
    TEXT(intent.action, "action"),
    ENUM(intent.proof, "proof", proof_names),
    TARGET(intent.target),
    TEXT(intent.environment, "environment"),
    I64(intent.expires_ms, "expires_ms"),
    TEXT(intent.resource_version, "resource_version"),
    TEXT(intent.old_template_hash, "old_template_hash"),
    TEXT(intent.old_plain_hash, "old_plain_hash"),
    I64(intent.old_template_since_ms, "old_template_since_ms"),
    I32(intent.old_replicas, "old_replicas"),
    TEXT(intent.restarted_at, "restarted_at"),
    TEXT(intent.template_hash, "template_hash"),
    TEXT(intent.revision, "revision"),
    I32(intent.replicas, "replicas"),
    TEXT(intent.pod_name, "pod_name"),
    TEXT(intent.pod_uid, "pod_uid"),
    TEXT(intent.change, "change"),
    I32(intent.rolls, "rolls"),
    I32(intent.old_available, "old_available"),
    I32(intent.undo, "undo"),
    END,
};
static const struct field written_fields[] = { TEXT(written.step, "step"),
                                               TEXT(written.action, "action"),
                                               I32(written.attempt, "attempt"),
                                               I32(written.write, "write"),
                                               ENUM(written.state, "state", fact_write_words),
                                               I64(written.again_ms, "again_ms"),
                                               I64(written.wall_ms, "wall_ms"),
                                               TEXT(written.template_hash, "template_hash"),
                                               TEXT(written.reason, "reason"),
                                               END };
static const struct field verdict_fields[] = { TEXT(verdict.step, "step"),
                                               TEXT(verdict.action, "action"),
                                               I32(verdict.attempt, "attempt"),
                                               ENUM(verdict.verdict, "verdict", verdict_names),
                                               I32(verdict.worse, "worse"),
                                               I64(verdict.repaired_ms, "repaired_ms"),
                                               I64(verdict.confirmed_ms, "confirmed_ms"),
                                               TEXT(verdict.reason, "reason"),
                                               END };
static const struct field closed_fields[] = { ENUM(closed.outcome, "outcome", fact_outcome_words),
                                              I64(closed.wall_ms, "wall_ms"), TEXT(closed.reason, "reason"),
                                              END };
static const struct field told_fields[] = { I64(told.revision, "revision"),
                                            I64(told.annotation_id, "annotation_id"), END };
static const struct field proven_fields[] = { TARGET(proven.target),
                                              TEXT(proven.template_hash, "template_hash"),
                                              I64(proven.since_ms, "since_ms"), END };
static const struct field policy_fields[] = { TEXT(policy.hash, "hash"), END };
static const struct field step_fields[] = { TEXT(step.step, "step"),
                                            ENUM(step.event, "event", event_names),
                                            ENUM(step.result, "result", result_names),
                                            I64(step.until_ms, "until_ms"),
                                            TEXT(step.order, "order"),
                                            TEXT(step.reason, "reason"),
                                            END };
static const struct field notify_fields[] = { TEXT(notify.step, "step"), TEXT(notify.receiver, "receiver"),
                                              TEXT(notify.text, "text"), END };
static const struct field ending_fields[] = { ENUM(ending.outcome, "outcome", fact_outcome_words),
                                              I64(ending.wall_ms, "wall_ms"), TEXT(ending.reason, "reason"),
                                              END };
static const struct field asked_fields[] = {
    TEXT(asked.step, "step"),     TEXT(asked.guard, "guard"),           TEXT(asked.role, "role"),
    I32(asked.wanted, "wanted"),  I64(asked.until_ms, "until_ms"),      TEXT(asked.hash, "hash"),
    TEXT(asked.reason, "reason"), TEXT(asked.changed_by, "changed_by"), END
};
static const struct field word_fields[] = { ENUM(word.word, "word", word_names), TEXT(word.who, "who"),
                                            TEXT(word.hash, "hash"), TEXT(word.reason, "reason"), END };
static const struct field state_fields[] = { TEXT(state.part, "part"), END };
static const struct field snapshot_fields[] = { I64(snapshot.of, "of"),
                                                I64(snapshot.rows, "rows"),
                                                TEXT(snapshot.link, "link"),
                                                I64(snapshot.trim, "trim"),
                                                TEXT(snapshot.trim_link, "trim_link"),
                                                END };
static const struct field no_fields[] = { END };

static const struct field *const kind_fields[FACT_KIND_END_] = {
    [FACT_INSTALLED] = installed_fields,
    [FACT_PAUSED] = paused_fields,
    [FACT_RESUMED] = resumed_fields,
    [FACT_TIME_JUMPED] = jumped_fields,
    [FACT_ALERT] = alert_fields,
    [FACT_SEEN] = no_fields,
    [FACT_INCIDENT_OPENED] = opened_fields,
    [FACT_RESOLVED] = resolved_fields,
    [FACT_MERGED] = merged_fields,
    [FACT_REFUSED] = refused_fields,
    [FACT_INTENT] = intent_fields,
    [FACT_WRITTEN] = written_fields,
    [FACT_VERDICT] = verdict_fields,
    [FACT_CLOSED] = closed_fields,
    [FACT_TOLD] = told_fields,
    [FACT_PROVEN] = proven_fields,
    [FACT_POLICY] = policy_fields,
    [FACT_STEP] = step_fields,
    [FACT_NOTIFY] = notify_fields,
    [FACT_ENDING] = ending_fields,
    [FACT_ASKED] = asked_fields,
    [FACT_WORD] = word_fields,
    [FACT_STATE] = state_fields,
    [FACT_SNAPSHOT] = snapshot_fields,
};

void fact_release(struct fact *f)
{
    if (f->kind == FACT_ALERT)
        alert_release(&f->u.alert.alert);
    else if (f->kind == FACT_INCIDENT_OPENED)
        free(f->u.opened.plan);
    else if (f->kind == FACT_SEEN)
        free(f->u.seen.text);
    else if (f->kind == FACT_STATE)
        free(f->u.state.text);
    memset(f, 0, sizeof *f);
}

/* ---- an intent by itself ---- */

void intent_write(struct json_writer *w, const struct intent *n)
{
    struct fact f = { .kind = FACT_INTENT, .u.intent = *n };
    jw_object(w);
    fields_write(w, intent_fields, &f);
    jw_kint(w, "at_ms", n->at_ms);
    jw_object_end(w);
}

enum err_code intent_read(struct intent *ret, const char *incident, const struct json *j, struct err *e)
{
    struct fact f = { .kind = FACT_INTENT };
    enum err_code code = fields_read(intent_fields, j, &f, e);
    if (code)
        return code;
    text_copy(f.u.intent.incident, sizeof f.u.intent.incident, incident);
    f.u.intent.at_ms = json_int(json_get(j, "at_ms"), 0);
    *ret = f.u.intent;
    return ERR_OK;
}

/* ---- writing ---- */

static void clean_text(char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        uint32_t c;
        size_t n = utf8_next(text, left, &c);
        if (c == UTF8_INVALID)
            *text = '?';
        text += n;
        left -= n;
    }
}

void fact_clean(struct fact *f)
{
    for (const struct field *k = kind_fields[f->kind]; k->name; k++)
        if (k->type == FIELD_TEXT)
            clean_text((char *)f + k->offset);
    if (f->kind == FACT_RESOLVED)
        evidence_clean(&f->u.resolved.evidence);
}

static void write_map(struct json_writer *w, const char *key, const struct map *m)
{
    jw_key(w, key);
    jw_object(w);
    for (size_t i = 0; i < m->len; i++)
        jw_kstring(w, map_name_at(m, i), map_value_at(m, i));
    jw_object_end(w);
}

/* JSON text that was made by heald itself, put in as a node. */
static void write_json_text(struct json_writer *w, const char *key, const char *text)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    jw_key(w, key);
    if (text && json_parse(&doc, text, strlen(text), NULL) == ERR_OK)
        jw_node(w, json_root(doc));
    else
        jw_null(w);
}

static void write_alert_maps(struct json_writer *w, const struct alert *a)
{
    write_map(w, "labels", &a->labels);
    write_map(w, "annotations", &a->annotations);
}

static void write_body(struct json_writer *w, const struct fact *f, bool with_blob)
{
    jw_reset(w);
    jw_object(w);
    jw_kint(w, "v", FACT_VERSION);
    fields_write(w, kind_fields[f->kind], f);
    if (f->kind == FACT_ALERT) {
        jw_kstring(w, "status", f->u.alert.alert.status == ALERT_FIRING ? "firing" : "resolved");
        if (!with_blob)
            write_alert_maps(w, &f->u.alert.alert);
    } else if (f->kind == FACT_INCIDENT_OPENED && !with_blob) {
        write_json_text(w, "plan", f->u.opened.plan);
    } else if (f->kind == FACT_SEEN && !with_blob) {
        write_json_text(w, "seen", f->u.seen.text);
    } else if (f->kind == FACT_STATE && !with_blob) {
        write_json_text(w, "state", f->u.state.text);
    } else if (f->kind == FACT_RESOLVED && f->u.resolved.evidence.cause != CAUSE_UNKNOWN) {
        jw_key(w, "evidence");
        evidence_write(w, &f->u.resolved.evidence);
    }
    jw_object_end(w);
}

static bool write_blob(struct json_writer *w, const struct fact *f, struct buf *blob)
{
    const char *text = NULL;
    if (f->kind == FACT_ALERT) {
        jw_reset(w);
        jw_object(w);
        write_alert_maps(w, &f->u.alert.alert);
        jw_object_end(w);
        text = jw_text(w, NULL);
    } else if (f->kind == FACT_INCIDENT_OPENED) {
        text = f->u.opened.plan;
    } else if (f->kind == FACT_SEEN) {
        text = f->u.seen.text;
    } else if (f->kind == FACT_STATE) {
        text = f->u.state.text;
    }
    buf_clear(blob);
    if (!text)
        return false;
    buf_adds(blob, text);
    return buf_ok(blob);
}

enum err_code fact_write(struct json_writer *w, const struct fact *f, const char **ret_text, size_t *ret_len,
                         struct buf *blob, struct err *e)
{
    assert(f->kind > 0 && f->kind < FACT_KIND_END_);
    buf_clear(blob);
    write_body(w, f, false);
    size_t len = 0;
    const char *text = jw_text(w, &len);
    if (text && len > FACT_BODY_MAX) {
        if (!write_blob(w, f, blob))
            return err_set(
                e, ERR_LIMIT,
                "a fact of kind \"%s\" is %zu bytes long, more than %u, and has nothing to put into a blob",
                fact_kind_name(f->kind), len, FACT_BODY_MAX);
        write_body(w, f, true);
        text = jw_text(w, &len);
    }
    if (!text)
        return err_set(e, ERR_NOMEM, "a fact of kind \"%s\" cannot be written", fact_kind_name(f->kind));
    if (len > FACT_BODY_MAX)
        return err_set(e, ERR_LIMIT, "a fact of kind \"%s\" is %zu bytes long without its blob, more than %u",
                       fact_kind_name(f->kind), len, FACT_BODY_MAX);
    *ret_text = text;
    *ret_len = len;
    return ERR_OK;
}

/* ---- reading ---- */

static enum err_code read_map(struct map *ret, const struct json *from, const char *key, struct err *e)
{
    const struct json *j = json_get(from, key);
    if (json_type(j) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "\"%s\" is missing, or no object", key);
    for (const struct json *c = json_first(j); c; c = json_next(c)) {
        if (json_type(c) != JSON_STRING)
            return err_set(e, ERR_INVALID, "label \"%s\" is not a text", json_name(c));
        const char *name = json_name(c);
        enum err_code code =
            map_set_len(ret, name, strlen(name), json_string(c, ""), json_string_len(c), true, e);
        if (code)
            return code;
    }
    return ERR_OK;
}

static enum err_code copy_json_text(char **ret, const struct json *j, struct err *e)
{
    struct buf b = BUF_INIT;
    if (!j)
        return err_set(e, ERR_INVALID, "what it is about is missing from its text, and it has no blob");
    json_write(&b, j, false);
    char *text = buf_detach(&b);
    if (!text)
        return err_set(e, ERR_NOMEM, "no memory for a fact");
    *ret = text;
    return ERR_OK;
}

static enum err_code read_own(struct fact *f, const struct json *body, const struct json *blob, struct err *e)
{
    const struct json *from = blob ? blob : body;
    switch (f->kind) {
    case FACT_ALERT: {
        const char *status = json_string(json_get(body, "status"), "");
        if (strcmp(status, "firing") != 0 && strcmp(status, "resolved") != 0)
            return err_set(e, ERR_INVALID, "status \"%s\" is neither firing nor resolved", status);
        f->u.alert.alert.status = strcmp(status, "firing") == 0 ? ALERT_FIRING : ALERT_RESOLVED;
        enum err_code code = read_map(&f->u.alert.alert.labels, from, "labels", e);
        return code ? code : read_map(&f->u.alert.alert.annotations, from, "annotations", e);
    }
    case FACT_INCIDENT_OPENED:
        return copy_json_text(&f->u.opened.plan, blob ? blob : json_get(body, "plan"), e);
    case FACT_SEEN:
        return copy_json_text(&f->u.seen.text, blob ? blob : json_get(body, "seen"), e);
    case FACT_STATE:
        return copy_json_text(&f->u.state.text, blob ? blob : json_get(body, "state"), e);
    case FACT_RESOLVED:
        evidence_read(&f->u.resolved.evidence, json_get(body, "evidence"));
        return ERR_OK;
    default:
        return ERR_OK;
    }
}

static bool own_key(int kind, const char *key)
{
    if (strcmp(key, "v") == 0)
        return true;
    if (kind == FACT_ALERT)
        return strcmp(key, "status") == 0 || strcmp(key, "labels") == 0 || strcmp(key, "annotations") == 0;
    if (kind == FACT_INCIDENT_OPENED)
        return strcmp(key, "plan") == 0;
    if (kind == FACT_RESOLVED)
        return strcmp(key, "evidence") == 0;
    if (kind == FACT_STATE)
        return strcmp(key, "state") == 0;
    return kind == FACT_SEEN && strcmp(key, "seen") == 0;
}

static enum err_code check_version(const struct json *body, struct err *e)
{
    int64_t version = json_int(json_get(body, "v"), 0);
    if (version < 1)
        return err_set(e, ERR_INVALID, "the text has no version \"v\"");
    if (version > FACT_VERSION)
        return err_set(e, ERR_VERSION, "version %lld is newer than this release reads (%d)",
                       (long long)version, FACT_VERSION);
    return ERR_OK;
}

static enum fact_kind kind_by_name(const char *name)
{
    for (int k = 1; k < FACT_KIND_END_; k++)
        if (kind_names[k][0] == name[0] && strcmp(kind_names[k], name) == 0)
            return (enum fact_kind)k;
    return 0;
}

static enum err_code parse_into(struct fact *f, const char *text, size_t len, const char *blob,
                                size_t blob_len, struct err *e)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(json_freep) struct json_doc *blob_doc = NULL;
    enum err_code code = json_parse(&doc, text, len, e);
    if (code)
        return code;
    if (blob && (code = json_parse(&blob_doc, blob, blob_len, e)))
        return code;
    if (json_type(json_root(doc)) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "the text is not a JSON object");
    if ((code = check_version(json_root(doc), e)))
        return code;
    if ((code = fields_read_only(kind_fields[f->kind], json_root(doc), own_key, (int)f->kind, f, e)))
        return code;
    if ((code = read_own(f, json_root(doc), blob_doc ? json_root(blob_doc) : NULL, e)))
        return code;
    if (f->kind == FACT_INTENT) { /* the columns say these; the struct wants them too */
        memcpy(f->u.intent.incident, f->incident, sizeof f->incident);
        f->u.intent.at_ms = f->at_ms;
    }
    return ERR_OK;
}

enum err_code fact_parse(struct fact *ret, int64_t seq, int64_t at_ms, const char *kind, const char *incident,
                         const char *text, size_t len, const char *blob, size_t blob_len, struct err *e)
{
    struct fact f = { .kind = kind_by_name(kind), .seq = seq, .at_ms = at_ms };
    if (!f.kind)
        return err_set(e, ERR_VERSION,
                       "fact %lld has kind \"%s\", which this release does not know: start the release that "
                       "wrote it, or a newer one",
                       (long long)seq, kind);
    if (!text_copy(f.incident, sizeof f.incident, incident))
        return err_set(e, ERR_INVALID, "fact %lld names an incident with a too long id", (long long)seq);
    enum err_code code = parse_into(&f, text, len, blob, blob_len, e);
    if (code) {
        fact_release(&f);
        return err_wrap(e, code, "fact %lld (%s)%s", (long long)seq, kind,
                        code == ERR_VERSION ? ": start the release that wrote it, or a newer one" : "");
    }
    *ret = f;
    return ERR_OK;
}
