/* test/fuzz/source_fuzz.c - any bytes as the body of any source: the first byte chooses which. Whole and in
 * pieces they mean the same, and what comes out is inside the limits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/decode/decoder.h"
#include "rules/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct limits limits = {
    .alert_bytes = 4096, .labels = 24, .label_bytes = 64, .annotation_bytes = 256, .depth = 8
};

/* The second byte chooses headers: the event's name, the content type. */
static const char *const header_sets[][4] = {
    { NULL },
    { "X-GitHub-Event", "workflow_run", NULL },
    { "X-GitHub-Event", "deployment_status", NULL },
    { "Content-Type", "application/x-www-form-urlencoded", NULL },
    { "Content-Type", "application/cloudevents+json", NULL },
    { "ce-id", "1%20\"x\"", NULL },
    { "Idempotency-Key", "k", NULL },
};
#define HEADER_SETS (sizeof header_sets / sizeof header_sets[0])

static const char *header(void *ctx, const char *name)
{
    for (const char *const *h = ctx; *h; h += 2)
        if (strcmp(*h, name) == 0)
            return h[1];
    return NULL;
}

struct outcome {
    enum err_code code;
    uint64_t hash;
    size_t alerts;
};

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void mix(struct outcome *o, const char *text)
{
    for (; *text; text++)
        o->hash = (o->hash ^ (unsigned char)*text) * 1099511628211u;
    o->hash = (o->hash ^ 0xff) * 1099511628211u;
}

static void check_map(struct outcome *o, const struct map *m, int64_t most)
{
    must((int64_t)m->len <= limits.labels);
    for (size_t i = 0; i < m->len; i++) {
        const char *name = map_name_at(m, i), *value = map_value_at(m, i);
        must((int64_t)strlen(name) <= limits.label_bytes && (int64_t)strlen(value) <= most);
        must(!json_check_text((const unsigned char *)name, strlen(name)));
        must(!json_check_text((const unsigned char *)value, strlen(value)));
        mix(o, name);
        mix(o, value);
    }
}

static enum err_code each(void *ctx, struct alert *a, struct err *e)
{
    struct outcome *o = ctx;
    (void)e;
    o->alerts++;
    must(a->labels.len > 0);
    must((a->status == ALERT_FIRING) == (a->ends_ms == 0));
    check_map(o, &a->labels, limits.label_bytes);
    check_map(o, &a->annotations, limits.annotation_bytes);
    alert_release(a);
    return ERR_OK;
}

/* What heald.cfg would say of a generic source. */
static void fill(struct source_settings *s, unsigned kind)
{
    static char name[] = "source", status[] = "a[1].s", starts[] = "$.t", run[] = "r";
    static char *runs[] = { run };
    s->scope = (struct source){ .name = name, .kind = (enum source_kind)(kind % SOURCE_KIND_END_) };
    if (s->scope.kind != SOURCE_GENERIC)
        return;
    s->map.status = kind & 0x40 ? status : NULL;
    s->map.starts = starts;
    if (kind & 0x80)
        s->map.run = (struct config_strings){ .list = runs, .len = 1 };
    must(map_set(&s->map.labels, "alertname", "n", NULL) == ERR_OK);
    must(map_set(&s->map.labels, "r", "a[0]['x.y']", NULL) == ERR_OK);
    must(map_set(&s->map.annotations, "s", "b.c.d", NULL) == ERR_OK);
}

static struct outcome decode(const struct source_settings *source, const struct headers *headers,
                             const char *bytes, size_t size, size_t piece)
{
    struct outcome o = { .hash = 1469598103934665603u };
    struct decoder d = { .alerts = NULL };
    o.code = decoder_begin(&d, source, headers, &limits, each, &o, NULL);
    must(o.code == ERR_OK);
    for (size_t at = 0; !o.code && at < size; at += piece)
        o.code = decoder_feed(&d, bytes + at, piece < size - at ? piece : size - at, NULL);
    if (!o.code)
        o.code = decoder_end(&d, 1800000000000, NULL);
    must(strlen(decoder_id(&d)) < EVENT_ID_SIZE);
    decoder_release(&d);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source_settings source = { .scope = { .name = NULL } };
    if (size < 2)
        return 0;
    fill(&source, data[0]);
    const struct headers headers = { .get = header,
                                     .ctx = (void *)(uintptr_t)header_sets[data[1] % HEADER_SETS] };
    const char *body = (const char *)data + 2;
    struct outcome whole = decode(&source, &headers, body, size - 2, size);
    for (size_t piece = 1; piece <= 64; piece *= 8) {
        struct outcome part = decode(&source, &headers, body, size - 2, piece);
        must((part.code == ERR_OK) == (whole.code == ERR_OK));
        must(part.code != ERR_OK || (part.hash == whole.hash && part.alerts == whole.alerts));
    }
    map_release(&source.map.labels);
    map_release(&source.map.annotations);
    return 0;
}
