/* receiver/journal/projection.c - see projection.h */
#include "receiver/journal/projection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/journal/schema.h"

/* Texts are '' where nothing is said, so that readers need not tell NULL from it; times are 0. */
static const char tables[] =
    "DROP TABLE IF EXISTS incident; DROP TABLE IF EXISTS step;"
    "CREATE TABLE incident ("
    "  opened_seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, changed_seq INTEGER NOT NULL,"
    "  opened_ms INTEGER NOT NULL, starts_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,"
    "  closed_ms INTEGER NOT NULL DEFAULT 0, first_write_ms INTEGER NOT NULL DEFAULT 0,"
    "  rule TEXT NOT NULL, source TEXT NOT NULL, plan TEXT NOT NULL, who TEXT NOT NULL,"
    "  cluster TEXT NOT NULL, namespace TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,"
    "  environment TEXT NOT NULL DEFAULT '', mode TEXT NOT NULL DEFAULT '', cause TEXT NOT NULL DEFAULT '',"
    "  state TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, step TEXT NOT NULL DEFAULT '',"
    "  guard TEXT NOT NULL DEFAULT '', action TEXT NOT NULL DEFAULT '',"
    "  alerts INTEGER NOT NULL, writes INTEGER NOT NULL DEFAULT 0, refusals INTEGER NOT NULL DEFAULT 0,"
    "  asks TEXT NOT NULL DEFAULT '', asks_role TEXT NOT NULL DEFAULT '', asks_hash TEXT NOT NULL DEFAULT '',"
    "  asks_until_ms INTEGER NOT NULL DEFAULT 0, approvals INTEGER NOT NULL DEFAULT 0,"
    "  approvals_wanted INTEGER NOT NULL DEFAULT 0,"
    "  former TEXT NOT NULL DEFAULT '', times INTEGER NOT NULL DEFAULT 0, merged_into TEXT NOT NULL DEFAULT "
    "'');"
    "CREATE INDEX incident_open ON incident (opened_seq) WHERE outcome = 'open';"
    "CREATE INDEX incident_changed ON incident (changed_seq);"
    "CREATE TABLE step ("
    "  incident TEXT NOT NULL, step TEXT NOT NULL, attempt INTEGER NOT NULL, write INTEGER NOT NULL,"
    "  seq INTEGER NOT NULL, action TEXT NOT NULL, environment TEXT NOT NULL, undo INTEGER NOT NULL, at_ms "
    "INTEGER NOT NULL,"
    "  state TEXT NOT NULL DEFAULT 'open', written_ms INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL "
    "DEFAULT '',"
    "  verdict TEXT NOT NULL DEFAULT '', verdict_ms INTEGER NOT NULL DEFAULT 0,"
    "  verdict_reason TEXT NOT NULL DEFAULT '', PRIMARY KEY (incident, step, attempt, write)) WITHOUT ROWID;"
    "CREATE INDEX step_seq ON step (seq);"
    "CREATE INDEX IF NOT EXISTS fact_incident ON fact (incident) WHERE incident <> '';"
    "CREATE INDEX IF NOT EXISTS fact_refused ON fact (seq) WHERE kind = 'refused';";

/* ?1 seq, ?2 at_ms, ?3 incident, ?4 body; of an incident that begins also ?5, its blob: the plan when that is
 * long. {key} stands for a text of the body, or '', {#key} for a number, or 0 (see expand()). `change`: what
 * becomes of the incident's row; else `sql` is a statement of its own. */
#define OPENED 0 /* the first */
#define NO_QUESTION ", asks = '', asks_role = '', asks_hash = '', asks_until_ms = 0"
#define THE_STEP "incident = ?3 AND json_valid(?4) AND step = {step} AND attempt = {#attempt}"
static const struct {
    const char *kind, *change, *sql;
} rules[] = {
    { "incident_opened", NULL,
      "INSERT OR REPLACE INTO incident (opened_seq, id, changed_seq, opened_ms, starts_ms, changed_ms, rule,"
      " source, plan, who, cluster, namespace, kind, name, state, outcome, reason, alerts)"
      " SELECT ?1, ?3, ?1, ?2, {#starts_ms}, ?2, {rule}, {source},"
      " coalesce(?4 ->> '$.plan.name', ?5 ->> '$.name', ''), {who}, {cluster}, {namespace}, {kind}, {name},"
      " 'resolving', 'open', {reason}, {who} = '' WHERE json_valid(?4)" },
    { "resolved",
      "cluster = {cluster}, namespace = {namespace}, kind = {kind}, name = {name}, mode = {mode},"
      " environment = {environment}, former = {former}, times = {#times}, cause = {evidence.cause},"
      " state = 'deciding'",
      NULL },
    { "merged", "state = 'merged', outcome = 'merged', closed_ms = ?2, merged_into = {into}", NULL },
    { "alert", "alerts = alerts + ({disposition} = 'attached')", NULL },
    { "refused",
      "refusals = refusals + 1, step = {step}, guard = {guard}, reason = {reason},"
      " state = iif({scope} = 'step', 'deciding', 'waiting')" NO_QUESTION,
      NULL },
    { "intent",
      "writes = writes + 1, first_write_ms = iif(first_write_ms, first_write_ms, ?2), step = {step},"
      " action = {action}, state = 'acting', guard = '', reason = ''" NO_QUESTION,
      NULL },
    { "intent", NULL,
      "INSERT OR REPLACE INTO step (incident, step, attempt, write, seq, action, environment, undo, at_ms)"
      " SELECT ?3, {step}, {#attempt}, {#write}, ?1, {action}, {environment}, {#undo}, ?2"
      " WHERE json_valid(?4)" },
    { "written", "reason = {reason}, state = iif({state} IN ('done', 'unknown'), 'verifying', 'deciding')",
      NULL },
    { "written", NULL,
      "UPDATE step SET state = {state}, reason = {reason}, written_ms = ?2 WHERE " THE_STEP
      " AND write = {#write}" },
    { "verdict", "reason = {reason}, state = 'deciding'", NULL },
    { "verdict", NULL,
      "UPDATE step SET verdict = {verdict}, verdict_reason = {reason}, verdict_ms = ?2 WHERE " THE_STEP
      " AND write = (SELECT max(s.write) FROM step s WHERE s.incident = ?3 AND s.step = step.step"
      " AND s.attempt = step.attempt)" },
    { "step",
      "step = {step}, reason = iif({reason} = '', reason, {reason}),"
      " state = iif({event} = 'began', 'delayed', 'deciding')" NO_QUESTION,
      NULL },
    { "asked",
      "state = 'approval', step = {step}, guard = {guard}, reason = {reason}, asks = {reason},"
      " asks_role = {role}, asks_hash = {hash}, asks_until_ms = {#until_ms}, approvals = 0,"
      " approvals_wanted = {#wanted}",
      NULL },
    { "word",
      "approvals = approvals + ({word} = 'approve'), state = CASE WHEN state <> 'approval' THEN state"
      " WHEN {word} = 'deny' OR ({word} = 'approve' AND approvals + 1 >= approvals_wanted) THEN 'deciding'"
      " ELSE state END",
      NULL },
    { "ending", "reason = {reason}, state = 'ending'" NO_QUESTION, NULL },
    { "closed",
      "outcome = {outcome}, reason = {reason}, state = 'closed',"
      " closed_ms = iif({#wall_ms}, {#wall_ms}, ?2)" NO_QUESTION,
      NULL },
};
#define RULES_LEN (sizeof rules / sizeof rules[0])

/* {key} and {#key} as SQL. */
static void expand(struct buf *out, const char *sql)
{
    for (const char *at = sql; *at;) {
        size_t plain = strcspn(at, "{"), key = strcspn(at + plain, "}");
        buf_add(out, at, plain);
        at += plain;
        if (!*at)
            break;
        bool number = at[1] == '#';
        buf_addf(out, "coalesce(?4 ->> '$.%.*s', %s)", (int)key - 1 - number, at + 1 + number,
                 number ? "0" : "''");
        at += key + 1;
    }
}

struct projection {
    sqlite3 *db;
    const char *file;
    sqlite3_stmt *statements[RULES_LEN];
};

static enum err_code failed(const struct projection *p, struct err *e)
{
    return schema_error(p->db, p->file, "cannot keep its tables of incidents", e);
}

static void end_statements(struct projection *p)
{
    for (size_t i = 0; i < RULES_LEN; i++) {
        sqlite3_finalize(p->statements[i]);
        p->statements[i] = NULL;
    }
}

static enum err_code prepare(struct projection *p, struct err *e)
{
    for (size_t i = 0; i < RULES_LEN; i++) {
        CLEANUP(buf_release) struct buf sql = BUF_INIT;
        buf_adds(&sql, rules[i].change ? "UPDATE incident SET " : "");
        expand(&sql, rules[i].change ? rules[i].change : rules[i].sql);
        if (rules[i].change)
            buf_adds(&sql, ", changed_seq = ?1, changed_ms = ?2 WHERE id = ?3 AND json_valid(?4)");
        if (!buf_ok(&sql))
            return err_set(e, ERR_NOMEM, "no memory for journal \"%s\"", p->file);
        if (sqlite3_prepare_v3(p->db, buf_text(&sql), -1, SQLITE_PREPARE_PERSISTENT, &p->statements[i],
                               NULL) != SQLITE_OK)
            return failed(p, e);
    }
    return ERR_OK;
}

int projection_add(struct projection *p, const struct journal_row *row)
{
    int rc = SQLITE_DONE;
    if (!row->incident[0])
        return SQLITE_OK;
    for (size_t i = 0; i < RULES_LEN && rc == SQLITE_DONE; i++) {
        sqlite3_stmt *s = p->statements[i];
        if (strcmp(rules[i].kind, row->kind) != 0)
            continue;
        sqlite3_bind_int64(s, 1, row->seq);
        sqlite3_bind_int64(s, 2, row->at_ms);
        sqlite3_bind_text(s, 3, row->incident, -1, SQLITE_STATIC);
        sqlite3_bind_text64(s, 4, row->text, row->len, SQLITE_STATIC, SQLITE_UTF8);
        if (row->blob && i == OPENED)
            sqlite3_bind_text64(s, 5, row->blob, row->blob_len, SQLITE_STATIC, SQLITE_UTF8);
        rc = sqlite3_step(s);
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static const char facts[] =
    "SELECT seq, at_ms, fact.kind, incident, fact.body, CASE WHEN fact.kind = 'incident_opened' THEN "
    "blob.body END"
    " FROM fact LEFT JOIN blob ON blob.hash = fact.blob WHERE incident <> '' ORDER BY seq";

static int add_all(struct projection *p)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(p->db, facts, -1, &s, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct journal_row row = { .seq = sqlite3_column_int64(s, 0), .at_ms = sqlite3_column_int64(s, 1) };
        row.kind = (const char *)sqlite3_column_text(s, 2);
        row.incident = (const char *)sqlite3_column_text(s, 3);
        row.text = (const char *)sqlite3_column_text(s, 4);
        row.len = (size_t)sqlite3_column_bytes(s, 4);
        row.blob = sqlite3_column_blob(s, 5);
        row.blob_len = (size_t)sqlite3_column_bytes(s, 5);
        rc = row.kind && row.incident && row.text ? projection_add(p, &row) : SQLITE_CORRUPT;
    }
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* In a transaction of its own; `sql` first. */
static enum err_code build(struct projection *p, const char *sql, struct err *e)
{
    char version[96];
    snprintf(version, sizeof version, "INSERT OR REPLACE INTO meta VALUES ('projection', %d); COMMIT",
             PROJECTION_VERSION);
    end_statements(p);
    int rc = sqlite3_exec(p->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(p->db, sql, NULL, NULL, NULL);
    enum err_code code = rc == SQLITE_OK ? prepare(p, e) : failed(p, e);
    if (!code && (add_all(p) != SQLITE_OK || sqlite3_exec(p->db, version, NULL, NULL, NULL) != SQLITE_OK))
        code = failed(p, e);
    if (!sqlite3_get_autocommit(p->db))
        sqlite3_exec(p->db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

enum err_code projection_rebuild(struct projection *p, struct err *e)
{
    return build(p,
                 "DELETE FROM incident WHERE opened_seq >= (SELECT coalesce(min(seq), 0) FROM fact);"
                 "DELETE FROM step WHERE seq >= (SELECT coalesce(min(seq), 0) FROM fact)",
                 e);
}

static bool ask(sqlite3 *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *s = NULL;
    bool found = sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    *ret = found ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return found;
}

/* An older release appended facts that the tables have not seen. */
static bool behind(sqlite3 *db)
{
    int64_t fact = 0, seen = 0;
    ask(db,
        "SELECT seq FROM fact WHERE incident <> '' AND kind IN ('incident_opened', 'closed', 'intent', "
        "'written',"
        " 'refused', 'verdict', 'merged') ORDER BY seq DESC LIMIT 1",
        &fact);
    ask(db, "SELECT max(changed_seq) FROM incident", &seen);
    return fact > seen;
}

enum err_code projection_open(struct projection **ret, sqlite3 *db, const char *file, struct err *e)
{
    int64_t version = 0;
    struct projection *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for journal \"%s\"", file);
    p->db = db;
    p->file = file;
    ask(db, "SELECT value FROM meta WHERE key = 'projection'", &version);
    enum err_code code = version != PROJECTION_VERSION ? build(p, tables, e) : prepare(p, e);
    if (!code && behind(db))
        code = projection_rebuild(p, e);
    if (code) {
        projection_close(p);
        return code;
    }
    *ret = p;
    return ERR_OK;
}

struct projection *projection_close(struct projection *p)
{
    if (!p)
        return NULL;
    end_statements(p);
    free(p);
    return NULL;
}
