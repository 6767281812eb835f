/* What can be read of incidents: from the tables beside the journal, by the lane of reads. */
#include <string.h>

#include "receiver/http/api_sql.h"
#include "receiver/http/http_internal.h"

#define LIST_DEFAULT 50
#define ALERTS_SHOWN_MAX 200   /* of one incident */
#define HISTORY_SHOWN_MAX 1000 /* facts of one incident */

/* A fact's body, with what stands in a blob put back in. */
#define BODY                                                                                                 \
    "CASE WHEN blob.body IS NULL THEN fact.body WHEN fact.kind = 'alert'"                                    \
    " THEN json_patch(fact.body, CAST(blob.body AS TEXT)) WHEN fact.kind = 'incident_opened'"                \
    " THEN json_set(fact.body, '$.plan', json(CAST(blob.body AS TEXT))) ELSE fact.body END"
#define FACTS " FROM fact LEFT JOIN blob ON blob.hash = fact.blob"

static const char list_sql[] =
    "SELECT opened_seq AS seq, id, rule, state, outcome, reason, guard, step, action, cluster, "
    "namespace, "
    "kind, name,"
    " environment, mode, cause, source, plan, who, alerts, writes, refusals, times, former, merged_into,"
    " opened_ms, starts_ms, changed_ms, closed_ms, first_write_ms, asks, asks_role, asks_hash,"
    " asks_until_ms, nullif(approvals_wanted, 0) AS approvals_wanted,"
    " iif(approvals_wanted, approvals, NULL) AS approvals";
static const char list_where[] =
    " WHERE (:outcome IS NULL OR outcome = :outcome) AND (:state IS NULL OR state = :state)"
    " AND (:rule IS NULL OR rule = :rule) AND (:environment IS NULL OR environment = :environment)"
    " AND (:cluster IS NULL OR cluster = :cluster) AND (:namespace IS NULL OR namespace = :namespace)"
    " AND (:kind IS NULL OR kind = :kind) AND (:name IS NULL OR name = :name)"
    " AND (:cause IS NULL OR cause = :cause) AND opened_ms >= :since AND opened_ms < :until"
    " AND opened_seq < :cursor AND " VISIBLE_NAMESPACE("namespace");

const char *api_namespaces(const struct request *r, struct buf *ret)
{
    const struct config_strings *list = r->operator? &r->operator->namespaces : NULL;
    if (!list || !list->len)
        return NULL;
    for (size_t i = 0; i < list->len; i++)
        buf_addf(ret, "%s\"%s\"", i ? "," : "[",
                 list->list[i]); /* names of Kubernetes: nothing to be escaped */
    buf_addc(ret, ']');
    return buf_text(ret);
}

static struct view_param text_param(const char *name, const char *text)
{
    return (struct view_param){ .name = name, .text = text, .null = !text };
}

static struct view_param number_param(const char *name, int64_t number)
{
    return (struct view_param){ .name = name, .number = number };
}

/* "rows": [...], and "next" when there are more than `limit`. */
static enum err_code write_page(struct http_lane *lane, const char *key, const char *sql,
                                const char *last_sql, const struct view_param *params, int64_t limit,
                                struct err *e)
{
    struct json_writer *w = lane->writer;
    size_t rows = 0;
    int64_t next = 0;
    jw_key(w, key);
    jw_array(w);
    enum err_code code = view_rows(lane->view, w, sql, params, &rows, e);
    jw_array_end(w);
    if (!code && rows == (size_t)limit)
        code = view_number(lane->view, last_sql, params, 0, &next, e);
    if (!code && next)
        jw_kint(w, "next", next);
    return code;
}

enum err_code api_write_incidents(struct http_lane *lane, const struct request *r, struct err *e)
{
    static const char *const names[] = { "outcome",   "state", "rule", "environment", "cluster",
                                         "namespace", "kind",  "name", "cause" };
    static const char *const keys[] = { ":outcome",   ":state", ":rule", ":environment", ":cluster",
                                        ":namespace", ":kind",  ":name", ":cause" };
    CLEANUP(buf_release) struct buf namespaces = BUF_INIT;
    CLEANUP(buf_release) struct buf sql = BUF_INIT;
    CLEANUP(buf_release) struct buf last = BUF_INIT;
    struct view_param params[16] = { { .name = NULL } };
    size_t n = 0;
    for (; n < sizeof names / sizeof names[0]; n++)
        params[n] = text_param(keys[n], query_text(r, names[n]));
    params[n++] = number_param(":since", query_number(r, "since", 0));
    params[n++] = number_param(":until", query_number(r, "until", INT64_MAX));
    params[n++] = number_param(":cursor", query_number(r, "cursor", INT64_MAX));
    params[n++] = number_param(":limit", query_number(r, "limit", LIST_DEFAULT));
    params[n++] = text_param(":namespaces", api_namespaces(r, &namespaces));
    buf_addf(&sql, "%s FROM incident%s ORDER BY opened_seq DESC LIMIT :limit", list_sql, list_where);
    buf_addf(&last, "SELECT opened_seq FROM incident%s ORDER BY opened_seq DESC LIMIT 1 OFFSET :limit - 1",
             list_where);
    return write_page(lane, "incidents", buf_text(&sql), buf_text(&last), params,
                      query_number(r, "limit", LIST_DEFAULT), e);
}

enum err_code api_may_see(struct http_lane *lane, const struct request *r, const char *id, struct err *e)
{
    CLEANUP(buf_release) struct buf namespaces = BUF_INIT;
    const struct view_param params[] = { text_param(":id", id),
                                         text_param(":namespaces", api_namespaces(r, &namespaces)),
                                         { .name = NULL } };
    int64_t found = 0;
    enum err_code code =
        view_number(lane->view, "SELECT 1 FROM incident WHERE id = :id AND " VISIBLE_NAMESPACE("namespace"),
                    params, 0, &found, e);
    return code || found ? code : err_set(e, ERR_NOT_FOUND, "there is no incident \"%s\"", id);
}

static const struct part {
    const char *key, *sql;
} parts[] = {
    { "alerts", "SELECT at_ms, fact.body ->> '$.source' AS source, fact.body ->> '$.status' AS status,"
                " fact.body ->> '$.disposition' AS disposition, fact.body ->> '$.starts_ms' AS starts_ms,"
                " fact.body ->> '$.ends_ms' AS ends_ms, json_extract(" BODY ", '$.labels') AS labels_json,"
                " json_extract(" BODY ", '$.annotations') AS annotations_json" FACTS
                " WHERE incident = :id AND incident <> '' AND kind = 'alert' ORDER BY seq LIMIT :alerts" },
    { "decisions",
      "SELECT seq, at_ms, kind, fact.body ->> '$.step' AS step, fact.body ->> '$.guard' AS guard,"
      " fact.body ->> '$.scope' AS scope, fact.body ->> '$.word' AS word, fact.body ->> '$.who' AS who,"
      " fact.body ->> '$.role' AS role, fact.body ->> '$.hash' AS hash, fact.body ->> '$.action' AS action,"
      " fact.body ->> '$.order' AS 'order', fact.body ->> '$.into' AS merged_into,"
      " fact.body ->> '$.again_ms' AS again_ms, fact.body ->> '$.until_ms' AS until_ms,"
      " fact.body ->> '$.outcome' AS outcome, fact.body ->> '$.reason' AS reason FROM fact"
      " WHERE incident = :id AND incident <> '' AND kind IN ('refused', 'asked', 'word', 'intent', 'merged', "
      "'ending',"
      " 'closed', 'step') ORDER BY seq LIMIT :history" },
    { "steps",
      "SELECT step, attempt, write, action, undo AS undo_yes, at_ms, state, reason, written_ms, verdict,"
      " verdict_reason, verdict_ms AS judged_ms FROM step WHERE incident = :id ORDER BY seq LIMIT :history" },
    { "history", "SELECT seq, at_ms, kind, " BODY " AS body_json" FACTS
                 " WHERE incident = :id AND incident <> '' ORDER BY seq LIMIT :history" },
};

static const char one_sql[] =
    ", (SELECT fact.body -> '$.evidence' FROM fact WHERE incident = :id AND incident <> ''"
    " AND fact.kind = 'resolved' LIMIT 1) AS evidence_json FROM incident WHERE id = :id";

enum err_code api_write_incident(struct http_lane *lane, const struct request *r, const char *id,
                                 struct err *e)
{
    CLEANUP(buf_release) struct buf sql = BUF_INIT;
    struct json_writer *w = lane->writer;
    const struct view_param params[] = { text_param(":id", id),
                                         number_param(":alerts", ALERTS_SHOWN_MAX),
                                         number_param(":history", HISTORY_SHOWN_MAX),
                                         { .name = NULL } };
    int64_t facts = 0;
    buf_addf(&sql, "%s%s", list_sql, one_sql);
    enum err_code code = api_may_see(lane, r, id, e);
    jw_object(w);
    jw_key(w, "incident");
    if (!code)
        code = view_rows(lane->view, w, buf_text(&sql), params, NULL, e);
    for (size_t i = 0; !code && i < sizeof parts / sizeof parts[0]; i++) {
        jw_key(w, parts[i].key);
        jw_array(w);
        code = view_rows(lane->view, w, parts[i].sql, params, NULL, e);
        jw_array_end(w);
    }
    if (!code)
        code = view_number(lane->view, "SELECT count(*) FROM fact WHERE incident = :id AND incident <> ''",
                           params, 0, &facts, e);
    jw_kint(w, "facts", facts);
    jw_object_end(w);
    return code;
}

#define EVENTS_WHERE " WHERE (:kind IS NULL OR fact.kind = :kind) AND seq < :cursor AND " VISIBLE_FACT

enum err_code api_write_events(struct http_lane *lane, const struct request *r, struct err *e)
{
    CLEANUP(buf_release) struct buf namespaces = BUF_INIT;
    const char *kind = query_text(r, "kind"), *incident = query_text(r, "incident");
    int64_t limit = query_number(r, "limit", LIST_DEFAULT);
    const struct view_param params[] = { text_param(":kind", kind),
                                         text_param(":incident", incident),
                                         number_param(":cursor", query_number(r, "cursor", INT64_MAX)),
                                         number_param(":limit", limit),
                                         text_param(":namespaces", api_namespaces(r, &namespaces)),
                                         { .name = NULL } };
    const char *of = incident ? " AND incident = :incident AND incident <> ''" : "";
    const char *refused = kind && strcmp(kind, "refused") == 0 ? " AND fact.kind = 'refused'" : "";
    CLEANUP(buf_release) struct buf sql = BUF_INIT;
    CLEANUP(buf_release) struct buf last = BUF_INIT;
    buf_addf(&sql,
             "SELECT seq, at_ms, fact.kind AS kind, incident, " BODY " AS body_json" FACTS EVENTS_WHERE
             "%s%s ORDER BY seq DESC LIMIT :limit",
             of, refused);
    buf_addf(&last, "SELECT seq FROM fact" EVENTS_WHERE "%s%s ORDER BY seq DESC LIMIT 1 OFFSET :limit - 1",
             of, refused);
    return write_page(lane, "events", buf_text(&sql), buf_text(&last), params, limit, e);
}

/* ---- as answers ---- */

static void look(struct http_lane *lane, struct request *r,
                 enum err_code (*write)(struct http_lane *lane, const struct request *r, struct err *e))
{
    struct err e = ERR_INIT;
    jw_reset(lane->writer);
    enum err_code code = view_begin(lane->view, &e);
    if (!code)
        code = write(lane, r, &e);
    view_end(lane->view);
    const char *text = code ? NULL : jw_text(lane->writer, NULL);
    if (text)
        buf_addf(&r->result, "%s\n", text);
    else if (code == ERR_NOT_FOUND)
        refuse(r, 404, "%s", e.msg);
    else
        refuse(r, 503, "%s", code ? e.msg : "no memory for the answer");
}

static enum err_code write_list(struct http_lane *lane, const struct request *r, struct err *e)
{
    jw_object(lane->writer);
    enum err_code code = api_write_incidents(lane, r, e);
    jw_object_end(lane->writer);
    return code;
}

static enum err_code write_one(struct http_lane *lane, const struct request *r, struct err *e)
{
    return api_write_incident(lane, r, r->incident, e);
}

static enum err_code write_event_list(struct http_lane *lane, const struct request *r, struct err *e)
{
    jw_object(lane->writer);
    enum err_code code = api_write_events(lane, r, e);
    jw_object_end(lane->writer);
    return code;
}

static enum err_code write_stats(struct http_lane *lane, const struct request *r, struct err *e)
{
    jw_object(lane->writer);
    enum err_code code = api_write_stats(lane, r, e);
    jw_object_end(lane->writer);
    return code;
}

static void carry_list(struct http_lane *lane, struct request *r)
{
    look(lane, r, write_list);
}

static void carry_one(struct http_lane *lane, struct request *r)
{
    look(lane, r, write_one);
}

static void carry_events(struct http_lane *lane, struct request *r)
{
    look(lane, r, write_event_list);
}

static void carry_stats(struct http_lane *lane, struct request *r)
{
    look(lane, r, write_stats);
}

enum MHD_Result api_incidents(struct request *r)
{
    return lane_answer(r, LANE_READS, carry_list);
}

enum MHD_Result api_incident(struct request *r)
{
    return lane_answer(r, LANE_READS, carry_one);
}

enum MHD_Result api_events(struct request *r)
{
    return stream_wanted(r) ? stream_begin(r) : lane_answer(r, LANE_READS, carry_events);
}

enum MHD_Result api_stats(struct request *r)
{
    return lane_answer(r, LANE_READS, carry_stats);
}
