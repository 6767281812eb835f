#include "rules/policy/matcher.h"

#include <stdlib.h>
#include <string.h>

#include "rules/policy/matcher_internal.h"

const char *const matcher_ops[] = {
    [MATCH_EQUAL] = "=",
    [MATCH_NOT_EQUAL] = "!=",
    [MATCH_REGEX] = "=~",
    [MATCH_NOT_REGEX] = "!~",
};

static bool matches_regex(const struct matcher *m, const char *value)
{
    return m->re ? re_matches(m->re, value, strlen(value)) : pattern_matches(m->pattern, value);
}

bool matcher_matches_value(const struct matcher *m, const char *value)
{
    switch (m->op) {
    case MATCH_EQUAL:
        return strcmp(m->value, value) == 0;
    case MATCH_NOT_EQUAL:
        return strcmp(m->value, value) != 0;
    case MATCH_REGEX:
        return matches_regex(m, value);
    case MATCH_NOT_REGEX:
        return !matches_regex(m, value);
    }
    return false;
}

bool matcher_matches(const struct matcher *m, const struct map *labels)
{
    const char *value = map_get(labels, m->name);
    return matcher_matches_value(m, value ? value : "");
}

void matcher_release(struct matcher *m)
{
    free(m->name);
    free(m->value);
    re_free(m->re);
    pattern_free(m->pattern);
    *m = (struct matcher){ .op = MATCH_EQUAL };
}

bool matchers_match(const struct matchers *m, const struct map *labels, const struct matcher **ret_failed)
{
    for (size_t i = 0; i < m->len; i++) {
        if (matcher_matches(&m->list[i], labels))
            continue;
        if (ret_failed)
            *ret_failed = &m->list[i];
        return false;
    }
    return true;
}

void matchers_release(struct matchers *m)
{
    for (size_t i = 0; i < m->len; i++)
        matcher_release(&m->list[i]);
    free(m->list);
    *m = (struct matchers){ .len = 0 };
}

static void add_quoted(struct buf *out, const char *text)
{
    buf_addc(out, '"');
    for (const char *p = text; *p; p++) {
        if (*p == '\n')
            buf_adds(out, "\\n");
        else if (*p == '"' || *p == '\\')
            buf_addf(out, "\\%c", *p);
        else
            buf_addc(out, *p);
    }
    buf_addc(out, '"');
}

void matcher_format(struct buf *out, const struct matcher *m)
{
    bool plain = true;
    for (const char *p = m->name; *p; p++)
        plain = plain && !matcher_ends_name(p);
    if (plain)
        buf_adds(out, m->name);
    else
        add_quoted(out, m->name);
    buf_adds(out, matcher_ops[m->op]);
    add_quoted(out, m->value);
}
