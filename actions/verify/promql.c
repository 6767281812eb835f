/* actions/verify/promql.c - how far back a PromQL expression looks; declared in prometheus.h.
 *
 * No parser: brackets, parentheses, strings and comments are enough. A subquery looks back over its own
 * window and over what stands inside it: max_over_time(rate(x[5m])[30m:1m]) looks back 35 minutes. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "actions/verify/prometheus.h"
#include "rules/base/timetext.h"

#define PAREN_DEPTH_MAX 64 /* deeper parentheses count as one level */
#define WINDOW_TEXT_MAX 32

struct scan {
    int64_t most_ms[PAREN_DEPTH_MAX]; /* longest look back inside each open parenthesis; [0]: outside all */
    size_t depth;
    int64_t last_ms; /* of the operand just read, to which a following bracket belongs */
};

static int64_t window_ms(const char *text, size_t len)
{
    char copy[WINDOW_TEXT_MAX];
    int64_t ms = 0;
    while (len > 0 && isspace((unsigned char)*text))
        text++, len--;
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    if (len == 0 || len >= sizeof copy)
        return 0;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (duration_parse(&ms, copy, NULL) == ERR_OK)
        return ms;
    char *end;
    double seconds = strtod(copy, &end); /* newer Prometheus takes plain seconds too */
    return *end == '\0' && seconds > 0 && seconds * 1000 < (double)DURATION_MS_MAX ? (int64_t)(seconds * 1000)
                                                                                   : 0;
}

static void settle_operand(struct scan *s)
{
    if (s->last_ms > s->most_ms[s->depth])
        s->most_ms[s->depth] = s->last_ms;
    s->last_ms = 0;
}

static void open_paren(struct scan *s)
{
    settle_operand(s);
    if (s->depth + 1 < PAREN_DEPTH_MAX)
        s->most_ms[++s->depth] = 0;
}

static void close_paren(struct scan *s)
{
    settle_operand(s);
    if (s->depth > 0)
        s->last_ms = s->most_ms[s->depth--];
}

/* At '[': a range, or a subquery of the operand before it. Returns where to go on. */
static const char *bracket(struct scan *s, const char *p)
{
    size_t len = strcspn(p + 1, ":]");
    const char *end = p + 1 + len;
    s->last_ms += window_ms(p + 1, len);
    end += strcspn(end, "]");
    return *end ? end + 1 : end;
}

/* At a quote: where the string has ended. Raw strings know no escapes. */
static const char *skip_string(const char *p)
{
    char quote = *p++;
    while (*p && *p != quote)
        p += quote != '`' && *p == '\\' && p[1] ? 2 : 1;
    return *p ? p + 1 : p;
}

int64_t prometheus_longest_window_ms(const char *query)
{
    struct scan s = { .depth = 0 };
    for (const char *p = query; *p;) {
        if (*p == '"' || *p == '\'' || *p == '`') {
            p = skip_string(p);
        } else if (*p == '#') {
            p += strcspn(p, "\n");
        } else if (*p == '[') {
            p = bracket(&s, p);
        } else {
            if (*p == '(')
                open_paren(&s);
            else if (*p == ')')
                close_paren(&s);
            else if (!isspace((unsigned char)*p))
                settle_operand(&s);
            p++;
        }
    }
    settle_operand(&s);
    while (s.depth > 0) { /* not closed: no expression, but say what was seen */
        close_paren(&s);
        settle_operand(&s);
    }
    return s.most_ms[0];
}
