#include "rules/policy/matcher.h"

#include <stdlib.h>
#include <string.h>

#include "rules/base/json.h"

static const char *const op_texts[] = {
    [MATCH_EQUAL] = "=",
    [MATCH_NOT_EQUAL] = "!=",
    [MATCH_REGEX] = "=~",
    [MATCH_NOT_REGEX] = "!~",
};

/* Go's \s, which Alertmanager trims. */
static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static const char *skip_space(const char *p)
{
    while (is_space(*p))
        p++;
    return p;
}

/* What Alertmanager's UTF-8 parser does not take in an unquoted name. */
static bool ends_name(char c)
{
    return c == '\0' || is_space(c) || strchr("{}!=~,\\\"'`", c) != NULL;
}

/* Undo the escapes of text[0..len) into `out`. False when a double quote stands there without a backslash. */
static bool unescape(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            return false;
        if (text[i] != '\\' || i + 1 == len) {
            buf_addc(out, text[i]);
            continue;
        }
        i++;
        if (text[i] == 'n')
            buf_addc(out, '\n');
        else if (text[i] == '"' || text[i] == '\\')
            buf_addc(out, text[i]);
        else { /* not an escape: the backslash stands for itself, as regular expressions want it */
            buf_addc(out, '\\');
            buf_addc(out, text[i]);
        }
    }
    return true;
}

/* The length of a quoted text's inside, p being behind the opening quote; SIZE_MAX when no quote closes it.
 */
static size_t quoted_len(const char *p)
{
    for (size_t i = 0; p[i]; i++) {
        if (p[i] == '"')
            return i;
        if (p[i] == '\\' && p[i + 1])
            i++;
    }
    return SIZE_MAX;
}

static enum err_code detach(char **ret, struct buf *b, struct err *e)
{
    char *text = buf_detach(b);
    if (!text)
        return err_set(e, ERR_NOMEM, "no memory for a matcher");
    *ret = text;
    return ERR_OK;
}

static enum err_code parse_name(const char **p, char **ret, const char *text, struct err *e)
{
    CLEANUP(buf_release) struct buf name = BUF_INIT;
    const char *start = skip_space(*p);
    if (*start == '{')
        return err_set(e, ERR_INVALID,
                       "matcher '%s' stands in braces; leave them out and write one matcher a string", text);
    if (*start == '"') {
        size_t len = quoted_len(start + 1);
        if (len == SIZE_MAX)
            return err_set(e, ERR_INVALID, "matcher '%s' has a label name without a closing quote", text);
        unescape(&name, start + 1, len);
        *p = start + 1 + len + 1;
    } else {
        *p = start;
        while (!ends_name(**p))
            (*p)++;
        buf_add(&name, start, (size_t)(*p - start));
    }
    if (buf_ok(&name) && name.len == 0)
        return err_set(e, ERR_INVALID, "matcher '%s' has no label name; write name=\"value\"", text);
    return detach(ret, &name, e);
}

static enum err_code parse_op(const char **p, enum matcher_op *ret, const char *text, struct err *e)
{
    static const enum matcher_op longest_first[] = { MATCH_REGEX, MATCH_NOT_REGEX, MATCH_NOT_EQUAL,
                                                     MATCH_EQUAL };
    const char *start = skip_space(*p);
    for (size_t i = 0; i < sizeof longest_first / sizeof longest_first[0]; i++) {
        const char *op = op_texts[longest_first[i]];
        if (strncmp(start, op, strlen(op)) == 0) {
            *p = start + strlen(op);
            *ret = longest_first[i];
            return ERR_OK;
        }
    }
    return err_set(e, ERR_INVALID,
                   "matcher '%s' has no operator behind the label name; write =, !=, =~ or !~", text);
}

static enum err_code parse_value(const char *p, char **ret, const char *text, struct err *e)
{
    CLEANUP(buf_release) struct buf value = BUF_INIT;
    p = skip_space(p);
    size_t len = strlen(p);
    while (len > 0 && is_space(p[len - 1]))
        len--;
    if (len == 0)
        return err_set(e, ERR_INVALID,
                       "matcher '%s' has no value; the empty value, of an absent label, is \"\"", text);
    if (*p == '"') {
        size_t inside = quoted_len(p + 1);
        if (inside == SIZE_MAX)
            return err_set(e, ERR_INVALID, "matcher '%s' has a value without a closing quote", text);
        if (inside + 2 != len)
            return err_set(e, ERR_INVALID,
                           "matcher '%s' goes on behind its value; write one matcher a string", text);
        unescape(&value, p + 1, inside);
    } else if (memchr(p, ',', len)) {
        return err_set(e, ERR_INVALID,
                       "matcher '%s' has a comma; put the value in quotes, or write one matcher a string",
                       text);
    } else if (!unescape(&value, p, len)) {
        return err_set(e, ERR_INVALID, "matcher '%s' has a quote inside its value; write \\\" for it", text);
    }
    return detach(ret, &value, e);
}

enum err_code matcher_parse(struct matcher *ret, const char *text, struct err *e)
{
    size_t len = strlen(text);
    if (len > MATCHER_TEXT_MAX)
        return err_set(e, ERR_LIMIT, "a matcher of %zu bytes is longer than %u", len, MATCHER_TEXT_MAX);
    const char *wrong = json_check_text((const unsigned char *)text, len);
    if (wrong)
        return err_set(e, ERR_INVALID, "a matcher holds %s", wrong);

    struct matcher m = { .op = MATCH_EQUAL };
    const char *p = text;
    enum err_code code = parse_name(&p, &m.name, text, e);
    if (code == ERR_OK)
        code = parse_op(&p, &m.op, text, e);
    if (code == ERR_OK)
        code = parse_value(p, &m.value, text, e);
    if (code == ERR_OK && (m.op == MATCH_REGEX || m.op == MATCH_NOT_REGEX)) {
        code = pattern_new(&m.pattern, m.value, e);
        if (code == ERR_OK && !m.pattern->simple)
            code = re_new(&m.re, m.value, e);
        if (code != ERR_OK)
            err_wrap(e, code, "matcher '%s'", text);
    }
    if (code != ERR_OK) {
        matcher_release(&m);
        return code;
    }
    *ret = m;
    return ERR_OK;
}

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
        plain = plain && !ends_name(*p);
    if (plain)
        buf_adds(out, m->name);
    else
        add_quoted(out, m->name);
    buf_adds(out, op_texts[m->op]);
    add_quoted(out, m->value);
}
