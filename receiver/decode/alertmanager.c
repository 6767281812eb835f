/* receiver/decode/alertmanager.c - yajl's callbacks, and where in the body they are. */
#include "receiver/decode/alertmanager.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/decode/alertmanager_internal.h"
#include "rules/base/json.h"

#define PIECE_BYTES                                                                                          \
    4096u /* fed to yajl at a time: an unfinished value is noticed that much too late at most */

static const char *const type_names[] = { "null",     "true or false", "a number",
                                          "a string", "an object",     "an array" };

static const struct known known_fields[] = {
    { "version", BODY, F_VERSION, T_STRING, NULL },
    { "alerts", BODY, F_ALERTS, T_ARRAY, NULL },
    { "truncatedAlerts", BODY, F_TRUNCATED, T_NUMBER, NULL },
    { "status", ALERT, F_STATUS, T_STRING, NULL },
    { "labels", ALERT, F_LABELS, T_OBJECT, NULL },
    { "annotations", ALERT, F_ANNOTATIONS, T_OBJECT, NULL },
    { "startsAt", ALERT, F_STARTS, T_STRING, NULL },
    { "endsAt", ALERT, F_ENDS, T_STRING, NULL },
    { "dashboardURL", ALERT, F_LINK, T_STRING, "dashboard_url" },
    { "panelURL", ALERT, F_LINK, T_STRING, "panel_url" },
    { "silenceURL", ALERT, F_LINK, T_STRING, "silence_url" },
};

const char *decoder_wanted(const struct alertmanager_decoder *d)
{
    return d->grafana
               ? "send Grafana's own body, version \"1\": remove the custom payload from its contact point"
               : "send Alertmanager's own body, payload version \"4\": remove `payload` from its webhook "
                 "configuration";
}

int64_t decoder_position(const struct alertmanager_decoder *d)
{
    return d->before + (d->finishing ? 0 : (int64_t)yajl_get_bytes_consumed(d->yajl));
}

int decoder_refuse(struct alertmanager_decoder *d, enum err_code code, const char *fmt, ...)
{
    char text[sizeof d->e.msg];
    va_list args;
    if (d->code)
        return 0;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    d->code = err_set(&d->e, code, "byte %" PRId64 ": %s", decoder_position(d), text);
    return 0;
}

int decoder_too_much(struct alertmanager_decoder *d, const char *limit, const char *what, int64_t most)
{
    d->limit = limit;
    return decoder_refuse(d, ERR_LIMIT, "%s than limits.%s = %" PRId64 " allows", what, limit, most);
}

int decoder_shown(size_t len)
{
    return (int)(len < DECODER_SHOWN_MAX ? len : DECODER_SHOWN_MAX);
}

static enum place place_of(const struct alertmanager_decoder *d)
{
    return d->depth ? (enum place)d->stack[d->depth - 1] : OUTSIDE;
}

/* Every callback comes by here first. */
static bool arrived(struct alertmanager_decoder *d)
{
    int64_t now = decoder_position(d);
    if (now - d->event > d->limits->alert_bytes)
        return decoder_too_much(d, "alert", "a longer value", d->limits->alert_bytes);
    d->event = now;
    return d->code == ERR_OK;
}

static bool text_is_good(struct alertmanager_decoder *d, const unsigned char *text, size_t len)
{
    const char *wrong = json_check_text(text, len);
    return wrong ? decoder_refuse(d, ERR_INVALID, "%s; texts are UTF-8 without U+0000", wrong) : true;
}

static int take_truncated(struct alertmanager_decoder *d, const char *text, size_t len)
{
    int64_t n = 0;
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, text[i] - '0', &n))
            return decoder_refuse(d, ERR_INVALID, "truncatedAlerts is %.*s; it is a whole number from 0 on",
                                  decoder_shown(len), text);
    d->truncated = n;
    return 1;
}

static int take_scalar(struct alertmanager_decoder *d, const char *text, size_t len)
{
    switch (d->field->field) {
    case F_VERSION:
        return len == 1 && *text == (d->grafana ? '1' : '4')
                   ? 1
                   : decoder_refuse(d, ERR_INVALID, "version is \"%.*s\"; %s", decoder_shown(len), text,
                                    decoder_wanted(d));
    case F_TRUNCATED:
        return take_truncated(d, text, len);
    case F_STATUS:
        return decoder_take_status(d, text, len);
    case F_STARTS:
        return decoder_take_time(d, "startsAt", &d->alert.starts_ms, text, len);
    case F_ENDS:
        return decoder_take_time(d, "endsAt", &d->alert.ends_ms, text, len);
    case F_LINK:
        return decoder_take_link(d, text, len);
    default:
        return 1;
    }
}

/* Is a value of this type what belongs here? */
static bool type_fits(struct alertmanager_decoder *d, enum type type)
{
    switch (place_of(d)) {
    case OUTSIDE:
        return type == T_OBJECT ? true
                                : decoder_refuse(d, ERR_INVALID, "the body is %s, not an object; %s",
                                                 type_names[type], decoder_wanted(d));
    case ALERTS:
        return type == T_OBJECT
                   ? true
                   : decoder_refuse(d, ERR_INVALID, "alerts[%" PRId64 "] is %s, not an object; %s", d->alerts,
                                    type_names[type], decoder_wanted(d));
    case LABELS:
    case ANNOTATIONS:
        return type == T_STRING
                   ? true
                   : decoder_refuse(d, ERR_INVALID, "the value of \"%.*s\" is %s, not a string; %s",
                                    decoder_shown(d->key.len), buf_text(&d->key), type_names[type],
                                    decoder_wanted(d));
    case BODY:
    case ALERT:
        if (!d->field || d->field->type == type ||
            (type == T_NULL && (d->field->field == F_ANNOTATIONS || d->field->field == F_LINK)))
            return true;
        return decoder_refuse(d, ERR_INVALID, "%s is %s, not %s; %s", d->field->name, type_names[type],
                              type_names[d->field->type], decoder_wanted(d));
    case SKIPPED:
        break;
    }
    return true;
}

static int on_scalar(struct alertmanager_decoder *d, enum type type, const char *text, size_t len)
{
    if (!arrived(d) || !type_fits(d, type))
        return 0;
    if (type == T_STRING && !text_is_good(d, (const unsigned char *)text, len))
        return 0;
    enum place place = place_of(d);
    if (place == LABELS || place == ANNOTATIONS)
        return decoder_add_label(d, place == LABELS ? &d->alert.labels : &d->alert.annotations, text, len);
    if ((place == BODY || place == ALERT) && d->field && type != T_NULL)
        return take_scalar(d, text, len);
    return 1;
}

static enum place place_inside(const struct alertmanager_decoder *d)
{
    switch (place_of(d)) {
    case OUTSIDE:
        return BODY;
    case ALERTS:
        return ALERT;
    case BODY:
        return d->field ? ALERTS : SKIPPED;
    case ALERT:
        return !d->field ? SKIPPED : d->field->field == F_LABELS ? LABELS : ANNOTATIONS;
    default:
        return SKIPPED;
    }
}

static int on_open(struct alertmanager_decoder *d, enum type type)
{
    if (!arrived(d) || !type_fits(d, type))
        return 0;
    if ((int64_t)d->depth >= d->limits->depth || d->depth >= DECODER_DEPTH_MAX)
        return decoder_too_much(d, "depth", "deeper", d->limits->depth);
    enum place place = place_inside(d);
    d->stack[d->depth++] = (uint8_t)place;
    return place == ALERT ? decoder_begin_alert(d) : 1;
}

static int on_close(struct alertmanager_decoder *d)
{
    if (!arrived(d))
        return 0;
    enum place place = place_of(d);
    d->depth--;
    return place == ALERT ? decoder_end_alert(d) : 1;
}

static int known_key(struct alertmanager_decoder *d, enum place place, const char *name, size_t len)
{
    unsigned *seen = place == BODY ? &d->body_seen : &d->alert_seen;
    d->field = NULL;
    for (size_t i = 0; i < sizeof known_fields / sizeof known_fields[0]; i++) {
        const struct known *k = &known_fields[i];
        if (k->in == place && (!k->annotation || d->grafana) && strlen(k->name) == len &&
            memcmp(k->name, name, len) == 0)
            d->field = k;
    }
    bool link = d->field && d->field->field == F_LINK; /* of several names; the last of each counts */
    if (d->field && !link && (*seen & BIT(d->field->field)))
        return decoder_refuse(d, ERR_INVALID, "\"%s\" occurs twice", d->field->name);
    if (d->field)
        *seen |= BIT(d->field->field);
    return 1;
}

static int on_key(void *ctx, const unsigned char *name, size_t len)
{
    struct alertmanager_decoder *d = ctx;
    enum place place = place_of(d);
    if (!arrived(d) || !text_is_good(d, name, len))
        return 0;
    if (place == BODY || place == ALERT)
        return known_key(d, place, (const char *)name, len);
    if (place == SKIPPED)
        return 1;
    if ((int64_t)len > d->limits->label_bytes)
        return decoder_too_much(d, "label", "a longer name", d->limits->label_bytes);
    buf_clear(&d->key);
    buf_add(&d->key, name, len);
    return buf_ok(&d->key) ? 1 : decoder_refuse(d, ERR_NOMEM, "no memory for a name of %zu bytes", len);
}

static int on_null(void *ctx)
{
    return on_scalar(ctx, T_NULL, "", 0);
}
static int on_bool(void *ctx, int yes)
{
    (void)yes;
    return on_scalar(ctx, T_BOOL, "", 0);
}
static int on_number(void *ctx, const char *text, size_t len)
{
    return on_scalar(ctx, T_NUMBER, text, len);
}
static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    return on_scalar(ctx, T_STRING, (const char *)text, len);
}
static int on_map(void *ctx)
{
    return on_open(ctx, T_OBJECT);
}
static int on_array(void *ctx)
{
    return on_open(ctx, T_ARRAY);
}
static int on_end(void *ctx)
{
    return on_close(ctx);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_bool,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_array,
    .yajl_end_array = on_end,
};

/* ---- life ---- */

void alertmanager_clear(struct alertmanager_decoder *d)
{
    yajl_memory_release(&d->memory);
    d->yajl = NULL;
    alert_release(&d->alert);
    buf_clear(&d->key);
}

enum err_code alertmanager_again(struct alertmanager_decoder *d, const char *source, void *ctx, struct err *e)
{
    alertmanager_clear(d);
    const struct limits *limits = d->limits;
    alertmanager_each *each = d->each;
    struct buf key = d->key;
    memset(d, 0, offsetof(struct alertmanager_decoder, memory));
    text_copy(d->source, sizeof d->source, source);
    d->limits = limits;
    d->each = each;
    d->ctx = ctx;
    d->alert = ALERT_INIT;
    d->key = key;
    if (setjmp(d->memory.no_memory) == 0)
        d->yajl = yajl_alloc(&callbacks, &d->memory.funcs, d);
    return d->yajl ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a decoder");
}

enum err_code alertmanager_new(struct alertmanager_decoder **ret, const char *source,
                               const struct limits *limits, alertmanager_each *each, void *ctx, struct err *e)
{
    struct alertmanager_decoder *d = malloc(sizeof *d);
    if (!d)
        return err_set(e, ERR_NOMEM, "no memory for a decoder");
    d->limits = limits;
    d->each = each;
    d->alert = ALERT_INIT;
    d->key = BUF_INIT;
    yajl_memory_init(&d->memory);
    enum err_code code = alertmanager_again(d, source, ctx, e);
    if (code) {
        alertmanager_free(d);
        return code;
    }
    *ret = d;
    return ERR_OK;
}

void alertmanager_as_grafana(struct alertmanager_decoder *d)
{
    d->grafana = true;
}

struct alertmanager_decoder *alertmanager_free(struct alertmanager_decoder *d)
{
    if (!d)
        return NULL;
    alertmanager_clear(d);
    buf_release(&d->key);
    free(d);
    return NULL;
}

const char *alertmanager_limit(const struct alertmanager_decoder *d)
{
    return d->code == ERR_LIMIT ? d->limit : NULL;
}

static void not_json(struct alertmanager_decoder *d)
{
    char why[128] = "it ends too early";
    if (setjmp(d->memory.no_memory) == 0) {
        unsigned char *text = yajl_get_error(d->yajl, 0, NULL, 0);
        if (text && !d->finishing)
            text_copy(why, sizeof why, (const char *)text);
        yajl_free_error(d->yajl, text);
    }
    why[strcspn(why, "\n")] = '\0';
    decoder_refuse(d, ERR_INVALID, "not JSON: %s", why);
}

/* bytes NULL: the end. */
static void parse(struct alertmanager_decoder *d, const char *bytes, size_t len)
{
    yajl_status status = yajl_status_error;
    if (setjmp(d->memory.no_memory) == 0) {
        status =
            bytes ? yajl_parse(d->yajl, (const unsigned char *)bytes, len) : yajl_complete_parse(d->yajl);
    } else {
        d->finishing = true; /* the parser is not to be asked any more */
        decoder_refuse(d, ERR_NOMEM, "no memory to parse a value");
        return;
    }
    if (status == yajl_status_error)
        not_json(d);
}

enum err_code alertmanager_feed(struct alertmanager_decoder *d, const char *bytes, size_t len, struct err *e)
{
    while (!d->code && len > 0) {
        size_t piece = len < PIECE_BYTES ? len : PIECE_BYTES, at = 0;
        bool paired = escapes_scan(&d->escapes, bytes, piece, &at);
        parse(d, bytes, paired ? piece : at);
        d->before += (int64_t)piece;
        bool in_alert = d->depth > 2 && d->stack[2] == ALERT;
        d->finishing = true; /* positions are of the piece's end */
        if (!paired)
            decoder_refuse(d, ERR_INVALID,
                           "unpaired surrogate escape; texts are UTF-8, or both halves as \\ud83d\\ude00");
        if (d->before - d->event > d->limits->alert_bytes)
            decoder_too_much(d, "alert", "a longer value", d->limits->alert_bytes);
        if (in_alert && d->before - d->alert_began > d->limits->alert_bytes)
            decoder_too_much(d, "alert", "a longer alert", d->limits->alert_bytes);
        d->finishing = false;
        bytes += piece;
        len -= piece;
    }
    return d->code ? err_set(e, d->code, "%s", d->e.msg) : ERR_OK;
}

enum err_code alertmanager_end(struct alertmanager_decoder *d, int64_t *ret_truncated, struct err *e)
{
    d->finishing = true;
    if (!d->code)
        parse(d, NULL, 0);
    if (!d->code && !(d->body_seen & BIT(F_VERSION)))
        decoder_refuse(d, ERR_INVALID, "the body has no \"version\"; %s", decoder_wanted(d));
    if (!d->code && d->alerts == 0)
        decoder_refuse(d, ERR_INVALID, "the body has no \"alerts\"; %s", decoder_wanted(d));
    if (d->code)
        return err_set(e, d->code, "%s", d->e.msg);
    *ret_truncated = d->truncated;
    return ERR_OK;
}
