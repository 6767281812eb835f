/* test/fuzz/alertmanager_fuzz.c - any bytes as a webhook body: whole and in pieces they mean the same, and
 * what comes out is inside the limits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/decode/alertmanager.h"
#include "rules/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct limits limits = {
    .alert_bytes = 4096, .labels = 8, .label_bytes = 64, .annotation_bytes = 256, .depth = 8
};

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

static struct outcome decode(const char *bytes, size_t size, size_t piece)
{
    struct outcome o = { .hash = 1469598103934665603u };
    struct alertmanager_decoder *d = NULL;
    int64_t truncated = 0;
    o.code = alertmanager_new(&d, "am", &limits, each, &o, NULL);
    for (size_t at = 0; !o.code && at < size; at += piece)
        o.code = alertmanager_feed(d, bytes + at, piece < size - at ? piece : size - at, NULL);
    if (!o.code)
        o.code = alertmanager_end(d, &truncated, NULL);
    alertmanager_free(d);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole = decode((const char *)data, size, size + 1);
    for (size_t piece = 1; piece <= 64; piece *= 8) {
        struct outcome part = decode((const char *)data, size, piece);
        must((part.code == ERR_OK) == (whole.code == ERR_OK));
        must(part.code != ERR_OK || (part.hash == whole.hash && part.alerts == whole.alerts));
    }
    return 0;
}
