/* test/kit/decode_kit.h - a body through the decoder of its source, and what came of it as text: "firing
 * TIME", labels "name=value", annotations "~name=value", a line each. */
#ifndef TEST_KIT_DECODE_KIT_H
#define TEST_KIT_DECODE_KIT_H

#include <criterion/criterion.h>

#include "receiver/decode/decoder.h"
#include "rules/base/timetext.h"

#define NOW_MS 1800000000000ll

static const struct limits decode_limits = {
    .alert_bytes = 65536, .labels = 64, .label_bytes = 4096, .annotation_bytes = 16384, .depth = 16
};

struct seen { /* the alerts of one body, as text */
    struct buf text;
    size_t alerts;
    char id[EVENT_ID_SIZE];
};

static inline void write_map(struct buf *out, const char *before, const struct map *m)
{
    for (size_t i = 0; i < m->len; i++)
        buf_addf(out, "%s%s=%s\n", before, map_name_at(m, i), map_value_at(m, i));
}

static inline enum err_code keep(void *ctx, struct alert *a, struct err *e)
{
    struct seen *s = ctx;
    char time[TIME_TEXT_SIZE];
    (void)e;
    s->alerts++;
    buf_addf(&s->text, "%s %s\n", a->status == ALERT_FIRING ? "firing" : "resolved",
             time_format(time, a->status == ALERT_FIRING ? a->starts_ms : a->ends_ms));
    write_map(&s->text, "", &a->labels);
    write_map(&s->text, "~", &a->annotations);
    alert_release(a);
    return ERR_OK;
}

static inline const char *header(void *ctx, const char *name)
{
    static char value[200];
    size_t len = strlen(name);
    for (const char *line = ctx; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line + len + 2, "\n"), line + len + 2);
            return value;
        }
    return NULL;
}

static inline enum err_code decode_as(struct seen *ret, const struct source_settings *source,
                                      const char *headers, const char *bytes, size_t len, size_t piece,
                                      struct err *e)
{
    struct decoder d = { .alerts = NULL };
    const struct headers h = { .get = header, .ctx = (void *)(uintptr_t)headers };
    enum err_code code = decoder_begin(&d, source, &h, &decode_limits, keep, ret, e);
    for (size_t at = 0; !code && at < len; at += piece)
        code = decoder_feed(&d, bytes + at, piece < len - at ? piece : len - at, e);
    if (!code)
        code = decoder_end(&d, NOW_MS, e);
    text_copy(ret->id, sizeof ret->id, decoder_id(&d));
    decoder_release(&d);
    return code;
}

static inline enum err_code decode(struct seen *ret, enum source_kind kind, const char *headers,
                                   const char *bytes, size_t len, size_t piece, struct err *e)
{
    char name[] = "ci";
    const struct source_settings source = { .scope = { .name = name, .kind = kind } };
    return decode_as(ret, &source, headers, bytes, len, piece, e);
}

static inline struct seen decoded(enum source_kind kind, const char *headers, const char *bytes)
{
    struct seen s = { .alerts = 0 };
    struct err e = ERR_INIT;
    cr_assert_eq(decode(&s, kind, headers, bytes, strlen(bytes), strlen(bytes), &e), ERR_OK, "%s", e.msg);
    return s;
}

static inline void seen_end(struct seen *s)
{
    buf_release(&s->text);
}

#endif
