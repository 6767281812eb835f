/* Success and times to repair, counted. */
#include <string.h>

#include "receiver/http/api_sql.h"
#include "receiver/http/http_internal.h"

#define SEEN " WHERE opened_ms >= :since AND " VISIBLE_NAMESPACE("namespace")
/* Success is healed of those that were to be healed. */
#define COUNTS                                                                                               \
    " count(*) AS incidents, sum(outcome = 'healed') AS healed, sum(outcome = 'cleared') AS cleared,"        \
    " sum(outcome = 'not_healed') AS not_healed, sum(outcome = 'escalated') AS escalated,"                   \
    " sum(outcome = 'refused') AS refused, sum(outcome = 'observed') AS observed,"                           \
    " sum(outcome = 'unknown') AS unknown, sum(outcome = 'cancelled') AS cancelled,"                         \
    " sum(outcome = 'open') AS open, 100 * sum(outcome = 'healed') / nullif(sum(outcome IN"                  \
    " ('healed', 'not_healed', 'escalated', 'unknown')), 0) AS success_percent"
/* The median, and the 90th of a hundred, of the time to repair: of what was healed alone. */
#define TIMES(key)                                                                                           \
    "(SELECT k, max(iif(rank = (n + 1) / 2, took, NULL)) / 1000 AS repair_seconds_median,"                   \
    " max(iif(rank = (9 * n + 9) / 10, took, NULL)) / 1000 AS repair_seconds_p90 FROM"                       \
    " (SELECT " key " AS k, closed_ms - starts_ms AS took,"                                                  \
    " row_number() OVER (PARTITION BY " key " ORDER BY closed_ms - starts_ms) AS rank,"                      \
    " count(*) OVER (PARTITION BY " key ") AS n FROM incident" SEEN " AND outcome = 'healed') GROUP BY k)"
#define BY(name, key)                                                                                        \
    "SELECT " name " c.*, t.repair_seconds_median, t.repair_seconds_p90 FROM (SELECT " key " AS k," COUNTS   \
    " FROM incident" SEEN " GROUP BY k) AS c LEFT JOIN " TIMES(key) " AS t ON t.k = c.k"                     \
                                                                    " ORDER BY c.incidents DESC LIMIT 100"

static const struct {
    const char *key, *sql;
    bool brief;
} parts[] = {
    { "all", BY("", "''"), false },
    { "rules", BY("c.k AS name,", "rule"), true },
    { "causes", BY("c.k AS name,", "cause"), false },
    { "environments", BY("c.k AS name,", "environment"), false },
    { "weeks",
      BY("strftime('%Y-%m-%d', c.k * 604800 - 259200, 'unixepoch') AS name,",
         "((opened_ms / 1000 + 259200) / 604800)"),
      true },
    { "actions",
      "SELECT step.action AS name, count(*) AS writes, sum(verdict = 'fixed') AS fixed,"
      " sum(verdict = 'not_fixed') AS not_fixed, sum(verdict = 'unknown' OR step.state = 'unknown') AS "
      "unknown,"
      " sum(step.state = 'failed') AS failed FROM step JOIN incident ON incident.id = step.incident"
      " WHERE at_ms >= :since AND " VISIBLE_NAMESPACE(
          "namespace") " GROUP BY 1 ORDER BY writes DESC LIMIT 100",
      false },
    { "guards",
      "SELECT fact.body ->> '$.guard' AS name, count(*) AS refusals FROM fact WHERE fact.kind = 'refused'"
      " AND at_ms >= :since AND " VISIBLE_FACT " GROUP BY 1 ORDER BY 2 DESC LIMIT 100",
      false },
};

static enum err_code write_parts(struct http_lane *lane, const struct request *r, bool brief, struct err *e)
{
    CLEANUP(buf_release) struct buf namespaces = BUF_INIT;
    const char *own = api_namespaces(r, &namespaces);
    const struct view_param params[] = { { .name = ":since", .number = query_number(r, "since", 0) },
                                         { .name = ":namespaces", .text = own, .null = !own },
                                         { .name = NULL } };
    enum err_code code = ERR_OK;
    for (size_t i = 0; !code && i < sizeof parts / sizeof parts[0]; i++) {
        if (brief && !parts[i].brief)
            continue;
        jw_key(lane->writer, parts[i].key);
        jw_array(lane->writer);
        code = view_rows(lane->view, lane->writer, parts[i].sql, params, NULL, e);
        jw_array_end(lane->writer);
    }
    return code;
}

enum err_code api_write_stats(struct http_lane *lane, const struct request *r, struct err *e)
{
    return write_parts(lane, r, false, e);
}

enum err_code api_write_brief_stats(struct http_lane *lane, const struct request *r, struct err *e)
{
    return write_parts(lane, r, true, e);
}
