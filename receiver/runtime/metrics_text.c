/* receiver/runtime/metrics_text.c - Prometheus text 0.0.4 and OpenMetrics 1.0 of the same table.
 * Sources: prometheus/docs exposition_formats.md and content_negotiation.md; OpenMetrics 1.0 specification.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "receiver/runtime/metrics_internal.h"

#define TYPE_TEXT "text/plain; version=0.0.4; charset=utf-8"
#define TYPE_OPEN "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define NUMBER_SIZE 40

struct writer {
    struct buf *out;
    bool open; /* OpenMetrics */
};

/* The shortest text that reads back as the same double, whatever the locale; integers without a point. */
static const char *number(char ret[NUMBER_SIZE], double v)
{
    if (isnan(v) || isinf(v)) {
        snprintf(ret, NUMBER_SIZE, "%s", isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
        return ret;
    }
    if (v == floor(v) && fabs(v) < 9e15) {
        snprintf(ret, NUMBER_SIZE, "%lld", (long long)v);
        return ret;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(ret, NUMBER_SIZE, "%.*g", digits, v);
        if (strtod(ret, NULL) == v)
            break;
    }
    for (char *p = ret; *p; p++)
        if (*p == ',')
            *p = '.';
    return ret;
}

/* An "le" label: OpenMetrics wants a float to look like one. */
static void add_bound(const struct writer *w, double v)
{
    char text[NUMBER_SIZE];
    buf_adds(w->out, number(text, v));
    if (w->open && v == floor(v))
        buf_adds(w->out, ".0");
}

static void add_escaped(struct buf *out, const char *text, bool quotes)
{
    for (; *text; text++) {
        if (*text == '\\')
            buf_adds(out, "\\\\");
        else if (*text == '\n')
            buf_adds(out, "\\n");
        else if (*text == '"' && quotes)
            buf_adds(out, "\\\"");
        else
            buf_addc(out, *text);
    }
}

static bool ends_in(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);
    return len > n && !strcmp(text + len - n, end);
}

/* OpenMetrics names the family: without what the samples carry at their end. */
static int family_len(const struct writer *w, const struct metric_family *f)
{
    size_t len = strlen(f->name);
    if (w->open && f->type == METRIC_COUNTER)
        len -= strlen("_total");
    if (w->open && f->type == METRIC_INFO)
        len -= strlen("_info");
    return (int)len;
}

static void write_head(const struct writer *w, const struct metric_family *f)
{
    static const char *const names[] = { "counter", "gauge", "histogram", "info" };
    int len = family_len(w, f);
    const char *type = f->type == METRIC_INFO && !w->open ? "gauge" : names[f->type];
    if (!w->open) {
        buf_addf(w->out, "# HELP %s ", f->name);
        add_escaped(w->out, f->help, false);
        buf_addf(w->out, "\n# TYPE %s %s\n", f->name, type);
        return;
    }
    buf_addf(w->out, "# TYPE %.*s %s\n", len, f->name, type);
    if (ends_in(f->name, "_seconds") || ends_in(f->name, "_bytes"))
        buf_addf(w->out, "# UNIT %s %s\n", f->name, strrchr(f->name, '_') + 1);
    buf_addf(w->out, "# HELP %.*s ", len, f->name);
    add_escaped(w->out, f->help, true);
    buf_addc(w->out, '\n');
}

static void write_series(const struct writer *w, const struct metric_family *f, const struct metric_series *s)
{
    char text[NUMBER_SIZE];
    const char *value2 = s->key + strlen(s->key) + 1;
    buf_adds(w->out, f->name);
    if (f->label1) {
        buf_addf(w->out, "{%s=\"", f->label1);
        add_escaped(w->out, s->key, true);
        buf_addc(w->out, '"');
    }
    if (f->label2) {
        buf_addf(w->out, ",%s=\"", f->label2);
        add_escaped(w->out, value2, true);
        buf_addc(w->out, '"');
    }
    buf_addf(w->out, "%s %s\n", f->label1 ? "}" : "", number(text, s->value));
}

static void write_histogram(const struct writer *w, const struct metric_family *f,
                            const struct metric_histogram *h)
{
    char text[NUMBER_SIZE];
    uint64_t n = 0;
    for (size_t i = 0; f->buckets[i] > 0; i++) {
        n += h->counts[i];
        buf_addf(w->out, "%s_bucket{le=\"", f->name);
        add_bound(w, f->buckets[i]);
        buf_addf(w->out, "\"} %llu\n", (unsigned long long)n);
    }
    n += h->counts[METRICS_BUCKETS_MAX];
    buf_addf(w->out, "%s_bucket{le=\"+Inf\"} %llu\n", f->name, (unsigned long long)n);
    buf_addf(w->out, "%s_sum %s\n", f->name, number(text, h->sum));
    buf_addf(w->out, "%s_count %llu\n", f->name, (unsigned long long)n);
}

static void write_all(struct metrics *m, const struct writer *w)
{
    for (int id = 0; id < METRIC_END_; id++) {
        const struct metric_family *f = &metric_families[id];
        const struct metric_series *s;
        write_head(w, f);
        if (m->hist[id])
            write_histogram(w, f, m->hist[id]);
        for (s = m->series[id]; s; s = s->hh.next)
            write_series(w, f, s);
    }
}

/* ---- content negotiation (RFC 9110, 12.5.1) ---- */

struct range { /* one media range of an Accept header */
    char type[64];
    char version[16]; /* "" none */
    double q;
};

static void copy_trimmed(char *ret, size_t size, const char *from, size_t len)
{
    while (len > 0 && (*from == ' ' || *from == '\t' || *from == '"'))
        from++, len--;
    while (len > 0 && (from[len - 1] == ' ' || from[len - 1] == '\t' || from[len - 1] == '"'))
        len--;
    if (len >= size)
        len = size - 1;
    memcpy(ret, from, len);
    ret[len] = '\0';
}

static void read_parameter(struct range *r, const char *text, size_t len)
{
    char name[16], value[16];
    const char *equals = memchr(text, '=', len);
    if (!equals)
        return;
    copy_trimmed(name, sizeof name, text, (size_t)(equals - text));
    copy_trimmed(value, sizeof value, equals + 1, len - (size_t)(equals - text) - 1);
    if (!strcasecmp(name, "q"))
        r->q = strtod(value, NULL);
    else if (!strcasecmp(name, "version"))
        memcpy(r->version, value, sizeof value);
}

/* Read the range at *at and step over it; false at the end. */
static bool next_range(struct range *ret, const char **at)
{
    if (!**at)
        return false;
    *ret = (struct range){ .q = 1 };
    const char *end = *at + strcspn(*at, ",");
    const char *part = *at + strcspn(*at, ",;");
    copy_trimmed(ret->type, sizeof ret->type, *at, (size_t)(part - *at));
    while (part < end) {
        size_t len = strcspn(part + 1, ",;");
        read_parameter(ret, part + 1, len);
        part += 1 + len;
    }
    *at = *end ? end + 1 : end;
    return true;
}

/* Only who asks for OpenMetrics by name gets it, when it is wanted at least as much as text. */
static bool wants_open(const char *accept)
{
    double open = 0, text = -1, text_any = -1, any = -1;
    struct range r;
    while (next_range(&r, &accept)) {
        bool known = !*r.version || !strcmp(r.version, "1.0.0") || !strcmp(r.version, "0.0.1");
        if (!strcasecmp(r.type, "application/openmetrics-text") && known && r.q > open)
            open = r.q;
        else if (!strcasecmp(r.type, "text/plain") && r.q > text)
            text = r.q;
        else if (!strcasecmp(r.type, "text/*"))
            text_any = r.q;
        else if (!strcmp(r.type, "*/*"))
            any = r.q;
    }
    if (text < 0)
        text = text_any >= 0 ? text_any : any;
    return open > 0 && open >= text;
}

const char *metrics_render(struct metrics *m, const char *accept, struct buf *out)
{
    struct writer w = { .out = out, .open = accept && wants_open(accept) };
    if (m) {
        pthread_mutex_lock(&m->mutex);
        write_all(m, &w);
        pthread_mutex_unlock(&m->mutex);
    }
    if (w.open)
        buf_adds(out, "# EOF\n");
    return w.open ? TYPE_OPEN : TYPE_TEXT;
}

void metrics_reference(struct buf *out)
{
    static const char *const names[] = { "counter", "gauge", "histogram", "info" };
    buf_adds(out, "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
    for (int id = 0; id < METRIC_END_; id++) {
        const struct metric_family *f = &metric_families[id];
        buf_addf(out, "| `%s` | %s |", f->name, names[f->type]);
        if (f->label1)
            buf_addf(out, " `%s`", f->label1);
        if (f->label2)
            buf_addf(out, ", `%s`", f->label2);
        buf_addf(out, " | %s |\n", f->help);
    }
}
