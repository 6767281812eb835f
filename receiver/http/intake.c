/* Deliveries: decoded while they arrive, handed to the loop in slices, answered 2xx only once durable.
 *
 * A delivery that fits into one slice is all or nothing. A bigger one is committed in slices while it
 * arrives: the connection is suspended while a slice waits for its commit, so that memory stays bounded by
 * one slice a connection. Bytes that are decoded and not yet committed count against limits.in_flight: beyond
 * it new deliveries get 503, and running ones hand over what they have at once instead of gathering more. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "receiver/http/http_internal.h"

#define KEPT_ALERTS 4 /* room for so many stays with a spare request */

static void hold(struct request *r, int64_t bytes)
{
    r->held_bytes += bytes;
    atomic_fetch_add(&r->server->in_flight, bytes);
}

static bool in_flight_full(const struct request *r)
{
    return atomic_load(&r->server->in_flight) > r->server->settings->limits.in_flight_bytes;
}

static enum err_code on_alert(void *ctx, struct alert *a, struct err *e)
{
    struct request *r = ctx;
    enum err_code code = source_force(&r->source->scope, &a->labels, e);
    if (!code && r->alerts_len == r->alerts_cap) {
        size_t cap = r->alerts_cap ? r->alerts_cap * 2 : KEPT_ALERTS;
        struct alert *more = realloc(r->alerts, cap * sizeof *more);
        if (more) {
            r->alerts = more;
            r->alerts_cap = cap;
        } else {
            code = err_set(e, ERR_NOMEM, "no memory for an alert");
        }
    }
    if (code)
        alert_release(a);
    else
        r->alerts[r->alerts_len++] = *a;
    return code;
}

/* On the loop's thread. */
static void on_slice(void *ctx, enum slice_result result)
{
    struct request *r = ctx;
    r->committed = result == SLICE_COMMITTED;
    MHD_resume_connection(r->mhd);
}

static void drop_alerts(struct request *r)
{
    hold(r, -r->held_bytes);
    for (size_t i = 0; i < r->alerts_len; i++)
        alert_release(&r->alerts[i]);
    r->alerts_len = 0;
    if (r->alerts_cap <= KEPT_ALERTS)
        return;
    free(r->alerts);
    r->alerts = NULL;
    r->alerts_cap = 0;
}

/* Back on libmicrohttpd's thread after a slice: what came of it? */
static void take_slice(struct request *r)
{
    if (!r->waiting)
        return;
    r->waiting = false;
    drop_alerts(r);
    connection_phase(r->server, r->connection, PHASE_BODY);
    if (!r->committed)
        refuse(r, 503, "the journal cannot be written: send it again");
}

/* True: the connection is suspended until the slice is durable, or could not be. */
static bool submit(struct request *r)
{
    struct err e = ERR_INIT;
    struct slice s = { .alerts = r->alerts, .len = r->alerts_len, .done = on_slice, .ctx = r };
    if (loop_repeats(r->server->loop, r->alerts, r->alerts_len)) {
        drop_alerts(r);
        return false;
    }
    r->waiting = true;
    r->committed = false;
    connection_phase(r->server, r->connection, PHASE_BUSY);
    MHD_suspend_connection(r->mhd); /* before the loop may resume it */
    if (loop_submit(r->server->loop, &s, &e) != ERR_OK) {
        r->waiting = false;
        refuse(r, 503, "%s", e.msg);
        MHD_resume_connection(r->mhd);
    }
    return true;
}

static void decode_error(struct request *r, enum err_code code, const struct err *e)
{
    const char *limit = code == ERR_LIMIT ? alertmanager_limit(r->decoder) : NULL;
    if (limit)
        metrics_add(r->server->metrics, METRIC_LIMITS, limit, NULL, 1);
    refuse(r, code == ERR_NOMEM ? 503 : 400, "%s", e->msg);
}

/* "application/json", whatever its parameters. Browsers send that to another site only after asking, so a
 * page that somebody looks at on this machine cannot speak for a source without a credential. */
static bool is_json(const struct request *r)
{
    const char *type = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Content-Type");
    size_t len = type ? strcspn(type, "; \t") : 0;
    return len == strlen("application/json") && strncasecmp(type, "application/json", len) == 0;
}

static enum err_code begin_decoding(struct request *r, const struct limits *limits, struct err *e)
{
    const char *source = r->source->scope.name;
    enum err_code code = r->decoder ? alertmanager_again(r->decoder, source, r, e)
                                    : alertmanager_new(&r->decoder, source, limits, on_alert, r, e);
    r->decoding = !code;
    return code;
}

void intake_begin(struct request *r)
{
    struct err e = ERR_INIT;
    const struct limits *limits = &r->server->settings->limits;
    if (!is_json(r)) {
        refuse(r, 415, "Content-Type must be application/json");
    } else if (loop_ready(r->server->loop, &e) == ERR_OK && in_flight_full(r)) {
        metrics_add(r->server->metrics, METRIC_LIMITS, "in_flight", NULL, 1);
        refuse(r, 503, "too many bytes of deliveries are being worked on (limits.in_flight)");
    } else if (e.code || begin_decoding(r, limits, &e) != ERR_OK) {
        refuse(r, 503, "%s", e.msg);
    }
}

void intake_bytes(struct request *r, const char *bytes, size_t len)
{
    struct err e = ERR_INIT;
    take_slice(r);
    if (r->refusal.status) { /* read to its end, and thrown away */
        drop_alerts(r);
        return;
    }
    hold(r, (int64_t)len);
    enum err_code code = alertmanager_feed(r->decoder, bytes, len, &e);
    if (!r->alerts_len && r->held_bytes > r->server->settings->limits.alert_bytes)
        hold(r, r->server->settings->limits.alert_bytes -
                    r->held_bytes); /* keys that are ignored take no memory */
    if (code)
        decode_error(r, code, &e);
    else if (r->alerts_len >= SLICE_ALERTS_MAX || (r->alerts_len && in_flight_full(r)))
        submit(r);
}

static enum MHD_Result finish(struct request *r, const char *result)
{
    metrics_add(r->server->metrics, METRIC_DELIVERIES, r->source->scope.name, result, 1);
    return answer_accepted(r);
}

enum MHD_Result intake_answer(struct request *r)
{
    struct err e = ERR_INIT;
    int64_t truncated = 0;
    take_slice(r);
    if (!r->ended && !r->refusal.status) {
        r->ended = true;
        enum err_code code = alertmanager_end(r->decoder, &truncated, &e);
        if (code)
            decode_error(r, code, &e);
        else if (r->alerts_len && submit(r))
            return MHD_YES; /* asked again once it is durable */
    }
    if (!r->refusal.status)
        return finish(r, "accepted");
    metrics_add(r->server->metrics, METRIC_DELIVERIES, r->source->scope.name,
                r->refusal.status == 503 ? "unavailable" : "refused", 1);
    return answer_problem(r, r->refusal.status, r->refusal.detail);
}

void intake_clear(struct request *r)
{
    drop_alerts(r);
    if (r->decoder)
        alertmanager_clear(r->decoder);
}

void intake_release(struct request *r)
{
    intake_clear(r);
    free(r->alerts);
    alertmanager_free(r->decoder);
}
