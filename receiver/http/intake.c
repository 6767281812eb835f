/* Deliveries: decoded while they arrive, handed to the loop in slices, answered 2xx only once durable.
 *
 * A delivery that fits into one slice is all or nothing. A bigger one is committed in slices while it
 * arrives: the connection is suspended while a slice waits for its commit, so that memory stays bounded by
 * one slice a connection. Bytes that are decoded and not yet committed count against limits.in_flight: beyond
 * it new deliveries get 503, and running ones hand over what they have at once instead of gathering more. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "receiver/http/http_internal.h"

#define RAW_PIECE_BYTES 16384u /* of a signed body, decoded at a time */
#define KEPT_ALERTS 4          /* room for so many stays with a spare request */

static void hold(struct request *r, int64_t bytes)
{
    r->held_bytes += bytes;
    atomic_fetch_add(&r->server->in_flight, bytes);
    if (r->source)
        r->source->held_bytes += bytes;
}

static bool in_flight_full(const struct request *r)
{
    return atomic_load(&r->server->in_flight) > r->server->settings->limits.in_flight_bytes;
}

static const char *name_of(const struct request *r)
{
    return r->source ? r->source->settings->scope.name : "unknown";
}

void intake_refuse(struct request *r, const char *reason, unsigned status, const char *fmt, ...)
{
    char text[sizeof r->refusal.detail];
    va_list args;
    if (r->refusal.status)
        return; /* the first reason counts */
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    metrics_add(r->server->metrics, METRIC_INTAKE_REFUSALS, name_of(r), reason, 1);
    if (r->source)
        text_copy(r->source->last, sizeof r->source->last, status == 503 ? "unavailable" : "refused");
    refuse(r, status, "%s", text);
}

static enum err_code on_alert(void *ctx, struct alert *a, struct err *e)
{
    struct request *r = ctx;
    enum err_code code = source_force(&r->source->settings->scope, &a->labels, e);
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
        intake_refuse(r, "journal", 503, "the journal cannot be written: send it again");
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
        intake_refuse(r, "unavailable", 503, "%s", e.msg);
        MHD_resume_connection(r->mhd);
    }
    return true;
}

static void decode_error(struct request *r, enum err_code code, const struct err *e)
{
    const char *limit = code == ERR_LIMIT ? decoder_limit(&r->decoder) : NULL;
    if (limit)
        metrics_add(r->server->metrics, METRIC_LIMITS, limit, NULL, 1);
    intake_refuse(r,
                  code == ERR_NOMEM   ? "memory"
                  : code == ERR_LIMIT ? "limit"
                                      : "content",
                  code == ERR_NOMEM ? 503 : 400, "%s", e->msg);
}

/* Browsers send JSON to another site only after asking, so a page that somebody looks at on this machine
 * cannot speak for a source without a credential. A form they send at once. */
static const char *wrong_type(struct request *r)
{
    struct headers headers = request_headers(r);
    const char *type = headers_get(&headers, "Content-Type");
    const char *wanted = decoder_wants_type(r->kind, type);
    bool form = strncasecmp(type, "application/x-www-form", strlen("application/x-www-form")) == 0;
    return wanted ? wanted : form && !r->is_signed ? "application/json" : NULL;
}

static enum err_code begin_decoding(struct request *r, struct err *e)
{
    struct headers headers = request_headers(r);
    return decoder_begin(&r->decoder, r->source->settings, &headers, &r->server->settings->limits, on_alert,
                         r, e);
}

void intake_begin(struct request *r)
{
    struct err e = ERR_INIT;
    const char *wanted = wrong_type(r);
    if (wanted) {
        intake_refuse(r, "content_type", 415, "Content-Type must be %s", wanted);
    } else if (loop_ready(r->server->loop, &e) == ERR_OK && in_flight_full(r)) {
        metrics_add(r->server->metrics, METRIC_LIMITS, "in_flight", NULL, 1);
        intake_refuse(r, "in_flight", 503,
                      "too many bytes of deliveries are being worked on (limits.in_flight)");
    } else if (e.code || (r->source && begin_decoding(r, &e) != ERR_OK)) {
        intake_refuse(r, "unavailable", 503, "%s", e.msg);
    } else {
        r->decoding = true;
    }
}

/* True: the connection is suspended until what is decoded so far is durable. */
static bool decode(struct request *r, const char *bytes, size_t len)
{
    struct err e = ERR_INIT;
    enum err_code code = decoder_feed(&r->decoder, bytes, len, &e);
    if (code)
        decode_error(r, code, &e);
    return !code && (r->alerts_len >= SLICE_ALERTS_MAX || (r->alerts_len && in_flight_full(r))) && submit(r);
}

static void keep_raw(struct request *r, const char *bytes, size_t len)
{
    buf_add(&r->raw, bytes, len);
    if (!buf_ok(&r->raw))
        intake_refuse(r, "memory", 503, "no memory for a body of %lld bytes", (long long)r->body_bytes);
}

void intake_bytes(struct request *r, const char *bytes, size_t len)
{
    take_slice(r);
    if (r->refusal.status) { /* read to its end, and thrown away */
        drop_alerts(r);
        buf_release(&r->raw);
        return;
    }
    hold(r, (int64_t)len);
    if (r->is_signed) {
        keep_raw(r, bytes, len);
        return;
    }
    decode(r, bytes, len);
    if (!r->alerts_len && r->held_bytes > r->server->settings->limits.alert_bytes)
        hold(r, r->server->settings->limits.alert_bytes -
                    r->held_bytes); /* keys that are ignored take no memory */
}

/* The body of a signed delivery is whole: who is it from? */
static void begin_signed(struct request *r)
{
    struct err e = ERR_INIT;
    auth_signed(r);
    if (r->source)
        r->source->held_bytes += r->held_bytes; /* from now on it counts as theirs */
    if (!r->refusal.status && begin_decoding(r, &e) != ERR_OK)
        intake_refuse(r, "unavailable", 503, "%s", e.msg);
}

/* True: suspended. */
static bool decode_raw(struct request *r)
{
    while (!r->refusal.status && r->raw_fed < r->raw.len) {
        size_t left = r->raw.len - r->raw_fed, piece = left < RAW_PIECE_BYTES ? left : RAW_PIECE_BYTES;
        r->raw_fed += piece;
        if (decode(r, r->raw.ptr + r->raw_fed - piece, piece))
            return true;
    }
    return false;
}

/* A delivery that was accepted already is accepted again, and nothing comes of it. */
static void drop_repeat(struct request *r)
{
    if (!r->id[0])
        text_copy(r->id, sizeof r->id, decoder_id(&r->decoder));
    r->is_repeat = r->id[0] && seen_has(&r->server->seen, name_of(r), r->id);
    if (r->is_repeat)
        drop_alerts(r);
}

/* The body has ended. True: suspended. */
static bool end_decoding(struct request *r)
{
    struct err e = ERR_INIT;
    if (r->ended || r->refusal.status)
        return false;
    r->ended = true;
    enum err_code code = decoder_end(&r->decoder, wall_ms(), &e);
    if (code)
        decode_error(r, code, &e);
    else
        drop_repeat(r);
    return !code && r->alerts_len && submit(r);
}

static enum MHD_Result accepted(struct request *r)
{
    struct source_state *s = r->source;
    metrics_add(r->server->metrics, METRIC_DELIVERIES, name_of(r), r->is_repeat ? "repeat" : "accepted", 1);
    if (r->id[0] && !r->is_repeat)
        seen_add(&r->server->seen, name_of(r), r->id);
    s->last_ms = wall_ms();
    text_copy(s->last, sizeof s->last, r->is_repeat ? "repeat" : "accepted");
    metrics_set(r->server->metrics, METRIC_SOURCE_LAST, name_of(r), NULL, (double)s->last_ms / 1000);
    return answer_accepted(r);
}

enum MHD_Result intake_answer(struct request *r)
{
    take_slice(r);
    if (r->is_signed && !r->source && !r->refusal.status)
        begin_signed(r);
    if (r->is_signed && !r->ended && decode_raw(r))
        return MHD_YES; /* asked again once it is durable */
    if (end_decoding(r))
        return MHD_YES; /* the same */
    if (!r->refusal.status)
        return accepted(r);
    metrics_add(r->server->metrics, METRIC_DELIVERIES, name_of(r),
                r->refusal.status == 503 ? "unavailable" : "refused", 1);
    return answer_problem(r, r->refusal.status, r->refusal.detail);
}

void intake_clear(struct request *r)
{
    drop_alerts(r);
    buf_release(&r->raw);
    decoder_clear(&r->decoder);
}

void intake_release(struct request *r)
{
    intake_clear(r);
    free(r->alerts);
    decoder_release(&r->decoder);
}
