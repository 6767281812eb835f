/* actions/verify/probe.h - carrying out probes: PromQL at Prometheus, LogQL at Loki, one HTTP GET at a host
 * that heald.cfg names.
 *
 * Sources: Prometheus HTTP API v1 /api/v1/query, Loki HTTP API /loki/api/v1/query (metric queries). What may
 * be asked is said by heald.cfg alone: a probe names a query or a URL, never a system to trust. */
#ifndef ACTIONS_VERIFY_PROBE_H
#define ACTIONS_VERIFY_PROBE_H

#include "actions/http/remote.h"
#include "rules/base/json.h"
#include "rules/model/probe.h"

#define PROBE_TIMEOUT_MS 3000          /* of one probe */
#define PROBES_TIME_MS 6000            /* of all probes of a look: guards want nothing older than 10 s */
#define PROBE_ANSWER_MAX (1u << 20)    /* bytes of a query's answer */
#define PROBE_BODY_MAX ((size_t)65536) /* bytes of an HTTP body that are read */
#define PROBE_HOSTS_MAX 64u

struct probe_systems { /* nothing owned; NULL and 0: not configured */
    const struct remote *prometheus, *loki;
    struct remote *const *hosts; /* each url is a host that may be asked, and the path below which */
    size_t hosts_len;
};

/* Ask one after the other; ret[i] answers list[i]. Never fails: what cannot be answered is PROBE_NO_DATA with
 * the reason. One that is not begun within PROBES_TIME_MS has no data. now_ms is the wall time to note. */
void probes_ask(const struct probe_systems *s, struct http *h, const struct probe *list, size_t len,
                int64_t now_ms, struct probe_answer *ret);

/* ---- for the parts, and tests ---- */

/* The answer to a query. Pure. A vector or a scalar is an answer; warnings (a partial result), NaN, native
 * histograms, ranges, strings and log lines are none. */
void probe_read_query(const struct json *answer, struct probe_answer *ret);
/* One GET. */
void probe_http(const struct probe_systems *s, struct http *h, const struct probe *p, int64_t timeout_ms,
                struct probe_answer *ret);
/* The host of `s` that may be asked for this URL, and the path to ask it for (appended to *ret_path). Same
 * scheme, host and port; the path is the host's own or lies below it. NULL with the reason: not a URL, a user
 * or password in it, ".." in a way that could leave the path, no such host. */
const struct remote *probe_host(const struct probe_systems *s, const char *url, struct buf *ret_path,
                                struct err *e);
/* No data, for this reason. */
void probe_no_data(struct probe_answer *ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
