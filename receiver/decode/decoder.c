/* receiver/decode/decoder.c */
#include "receiver/decode/decoder.h"

#include <string.h>
#include <strings.h>

const char *source_kind_name(enum source_kind kind)
{
    static const char *const names[SOURCE_KIND_END_] = {
        [SOURCE_ALERTMANAGER] = "alertmanager",
        [SOURCE_GRAFANA] = "grafana",
        [SOURCE_GITHUB] = "github",
        [SOURCE_GITLAB] = "gitlab",
        [SOURCE_JENKINS] = "jenkins",
        [SOURCE_AZURE] = "azure",
        [SOURCE_CIRCLECI] = "circleci",
        [SOURCE_ARGOCD] = "argocd",
        [SOURCE_CLOUDEVENTS] = "cloudevents",
        [SOURCE_GENERIC] = "generic",
    };
    return names[kind];
}

/* ---- content types ---- */

/* "application/json", whatever its parameters. */
static bool is_type(const char *content_type, const char *wanted)
{
    size_t len = content_type ? strcspn(content_type, "; \t") : 0;
    return len == strlen(wanted) && strncasecmp(content_type, wanted, len) == 0;
}

#define FORM_TYPE "application/x-www-form-urlencoded"

const char *decoder_wants_type(enum source_kind kind, const char *content_type)
{
    if (is_type(content_type, "application/json"))
        return NULL;
    if (kind == SOURCE_GITHUB)
        return is_type(content_type, FORM_TYPE) ? NULL : "application/json or " FORM_TYPE;
    if (kind == SOURCE_CLOUDEVENTS)
        return is_type(content_type, "application/cloudevents+json")
                   ? NULL
                   : "application/json or application/cloudevents+json";
    return "application/json";
}

/* ---- bodies ---- */

static enum err_code begin_alerts(struct decoder *d, const struct source_settings *source,
                                  const struct limits *limits, struct err *e)
{
    const char *name = source->scope.name;
    enum err_code code = d->alerts ? alertmanager_again(d->alerts, name, d->ctx, e)
                                   : alertmanager_new(&d->alerts, name, limits, d->each, d->ctx, e);
    if (!code && source->scope.kind == SOURCE_GRAFANA)
        alertmanager_as_grafana(d->alerts);
    return code;
}

enum err_code decoder_begin(struct decoder *d, const struct source_settings *source,
                            const struct headers *headers, const struct limits *limits,
                            alertmanager_each *each, void *ctx, struct err *e)
{
    d->each = each;
    d->ctx = ctx;
    d->headers = *headers;
    d->is_form = is_type(headers_get(headers, "Content-Type"), FORM_TYPE);
    d->form = (struct form){ .place = FORM_KEY };
    if (source->scope.kind == SOURCE_ALERTMANAGER || source->scope.kind == SOURCE_GRAFANA)
        return begin_alerts(d, source, limits, e);
    return event_new(&d->event, source, &d->headers, limits, e);
}

enum err_code decoder_feed(struct decoder *d, const char *bytes, size_t len, struct err *e)
{
    if (!d->event)
        return alertmanager_feed(d->alerts, bytes, len, e);
    if (!d->is_form)
        return event_feed(d->event, bytes, len, e);
    buf_clear(&d->unpacked);
    enum err_code code = form_feed(&d->form, bytes, len, &d->unpacked, e);
    return code ? code : event_feed(d->event, buf_text(&d->unpacked), d->unpacked.len, e);
}

enum err_code decoder_end(struct decoder *d, int64_t now_ms, struct err *e)
{
    int64_t truncated = 0;
    struct alert a;
    bool some = false;
    if (!d->event)
        return alertmanager_end(d->alerts, &truncated, e);
    enum err_code code = event_end(d->event, now_ms, &a, &some, e);
    return !code && some ? d->each(d->ctx, &a, e) : code;
}

const char *decoder_id(const struct decoder *d)
{
    return d->event ? event_id(d->event) : "";
}

const char *decoder_limit(const struct decoder *d)
{
    return d->event ? event_limit(d->event) : d->alerts ? alertmanager_limit(d->alerts) : NULL;
}

void decoder_clear(struct decoder *d)
{
    d->event = event_free(d->event);
    buf_release(&d->unpacked);
    if (d->alerts)
        alertmanager_clear(d->alerts);
}

void decoder_release(struct decoder *d)
{
    decoder_clear(d);
    d->alerts = alertmanager_free(d->alerts);
}
