/* receiver/decode/alertmanager_alert.c - one alert of the body: its labels, times, and what it must have. */
#include <inttypes.h>
#include <string.h>

#include "receiver/decode/alertmanager_internal.h"
#include "rules/base/timetext.h"

int decoder_add_label(struct alertmanager_decoder *d, struct map *map, const char *value, size_t len)
{
    bool annotation = map == &d->alert.annotations;
    int64_t most = annotation ? d->limits->annotation_bytes : d->limits->label_bytes;
    if ((int64_t)len > most)
        return decoder_too_much(d, annotation ? "annotation" : "label",
                                annotation ? "a longer annotation" : "a longer label value", most);
    if ((int64_t)map->len >= d->limits->labels)
        return decoder_too_much(d, "labels", annotation ? "more annotations" : "more labels",
                                d->limits->labels);
    if (d->key.len == 0)
        return decoder_refuse(d, ERR_INVALID, "a label without a name");
    d->empty_values |= !annotation && len == 0;
    struct err e = ERR_INIT;
    enum err_code code = map_set_len(map, buf_text(&d->key), d->key.len, value, len, false, &e);
    if (code == ERR_CONFLICT)
        return decoder_refuse(d, ERR_INVALID, "%s \"%.*s\" occurs twice in one alert",
                              annotation ? "annotation" : "label", decoder_shown(d->key.len),
                              buf_text(&d->key));
    return code ? decoder_refuse(d, code, "%s", e.msg) : 1;
}

/* A label with an empty value is no label. */
static enum err_code drop_empty(struct map *labels, struct err *e)
{
    struct map kept = MAP_INIT;
    enum err_code code = ERR_OK;
    for (size_t i = 0; !code && i < labels->len; i++)
        if (*map_value_at(labels, i))
            code = map_set(&kept, map_name_at(labels, i), map_value_at(labels, i), e);
    if (code) {
        map_release(&kept);
        return code;
    }
    map_release(labels);
    *labels = kept;
    return ERR_OK;
}

int decoder_begin_alert(struct alertmanager_decoder *d)
{
    d->alert_seen = 0;
    d->empty_values = false;
    d->alert_began = decoder_position(d) - 1;
    text_copy(d->alert.source, sizeof d->alert.source, d->source);
    return 1;
}

static const char *what_is_missing(const struct alertmanager_decoder *d)
{
    return !(d->alert_seen & BIT(F_STATUS))   ? "status"
           : !(d->alert_seen & BIT(F_LABELS)) ? "labels"
           : !(d->alert_seen & BIT(F_STARTS)) ? "startsAt"
                                              : NULL;
}

int decoder_end_alert(struct alertmanager_decoder *d)
{
    struct err e = ERR_INIT;
    const char *missing = what_is_missing(d);
    struct alert *a = &d->alert;
    if (missing)
        return decoder_refuse(d, ERR_INVALID, "alerts[%" PRId64 "] has no \"%s\"; %s", d->alerts, missing,
                              decoder_wanted(d));
    if (decoder_position(d) - d->alert_began > d->limits->alert_bytes)
        return decoder_too_much(d, "alert", "a longer alert", d->limits->alert_bytes);
    if (d->empty_values && drop_empty(&a->labels, &e))
        return decoder_refuse(d, ERR_NOMEM, "%s", e.msg);
    if (a->labels.len == 0)
        return decoder_refuse(
            d, ERR_INVALID, "alerts[%" PRId64 "] has no labels; an alert is known by its labels", d->alerts);
    if (a->status == ALERT_RESOLVED && a->ends_ms == 0)
        return decoder_refuse(d, ERR_INVALID, "alerts[%" PRId64 "] is resolved and has no endsAt", d->alerts);
    if (a->status == ALERT_FIRING)
        a->ends_ms = 0; /* a time-out in the future, if anything */
    d->alerts++;
    struct alert whole = *a;
    *a = ALERT_INIT;
    enum err_code code = d->each(d->ctx, &whole, &e);
    return code ? decoder_refuse(d, code, "%s", e.msg) : 1;
}

int decoder_take_time(struct alertmanager_decoder *d, const char *name, int64_t *ret, const char *text,
                      size_t len)
{
    struct err e = ERR_INIT;
    if (time_parse(ret, text, len, &e) != ERR_OK)
        return decoder_refuse(d, ERR_INVALID, "alerts[%" PRId64 "].%s: %s", d->alerts, name, e.msg);
    return 1;
}

int decoder_take_link(struct alertmanager_decoder *d, const char *text, size_t len)
{
    struct map *map = &d->alert.annotations;
    struct err e = ERR_INIT;
    const char *name = d->field->annotation;
    if (!len || (int64_t)len > d->limits->annotation_bytes || (int64_t)map->len >= d->limits->labels)
        return 1; /* a help for people: the alert is none the worse without it */
    enum err_code code = map_set_len(map, name, strlen(name), text, len, true, &e);
    return code ? decoder_refuse(d, code, "%s", e.msg) : 1;
}

int decoder_take_status(struct alertmanager_decoder *d, const char *text, size_t len)
{
    if (len == 6 && memcmp(text, "firing", 6) == 0)
        d->alert.status = ALERT_FIRING;
    else if (len == 8 && memcmp(text, "resolved", 8) == 0)
        d->alert.status = ALERT_RESOLVED;
    else
        return decoder_refuse(d, ERR_INVALID,
                              "alerts[%" PRId64 "].status is \"%.*s\"; it is \"firing\" or \"resolved\"",
                              d->alerts, decoder_shown(len), text);
    return 1;
}
