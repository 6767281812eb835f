/* Reading a matcher, as Alertmanager does: a name of letters, digits, _ and : by its classic parser, which
 * takes nearly anything for a value; every other name by its parser for UTF-8, where quoted texts have Go's
 * escapes. Where Alertmanager would guess (lists, braces, an empty value, spaces that nobody sees) it is
 * refused. */
#include <stdlib.h>
#include <string.h>

#include "rules/base/json.h"
#include "rules/base/utf8.h"
#include "rules/policy/matcher_internal.h"

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

/* Bytes of a space that is not one of those, else 0. */
static size_t odd_space(const char *p)
{
    static const uint32_t spaces[] = { '\v', 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000 };
    uint32_t c;
    size_t n = utf8_next(p, strlen(p), &c);
    bool yes = c >= 0x2000 && c <= 0x200a;
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
        yes = yes || c == spaces[i];
    return yes ? n : 0;
}

bool matcher_ends_name(const char *p)
{
    return *p == '\0' || is_space(*p) || strchr("{}!=~,\\\"'`", *p) != NULL || odd_space(p) > 0;
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

static enum err_code parse_op(const char **p, enum matcher_op *ret, const char *text, struct err *e)
{
    static const enum matcher_op longest_first[] = { MATCH_REGEX, MATCH_NOT_REGEX, MATCH_NOT_EQUAL,
                                                     MATCH_EQUAL };
    const char *start = skip_space(*p);
    for (size_t i = 0; i < sizeof longest_first / sizeof longest_first[0]; i++) {
        const char *op = matcher_ops[longest_first[i]];
        if (strncmp(start, op, strlen(op)) == 0) {
            *p = skip_space(start + strlen(op));
            *ret = longest_first[i];
            return ERR_OK;
        }
    }
    return err_set(e, ERR_INVALID,
                   "matcher '%s' has no operator behind the label name; write =, !=, =~ or !~", text);
}

/* ---- the classic reading ---- */

/* Length of a classic name, 0 when it is none. */
static size_t classic_name(const char *p)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:";
    size_t n = 0;
    if (*p && strchr(first, *p))
        for (n = 1; p[n] && (strchr(first, p[n]) || (p[n] >= '0' && p[n] <= '9')); n++)
            ;
    return n;
}

/* Undo the escapes of text[0..len) into `out`. False when a double quote stands there without a backslash. */
static bool classic_unescape(struct buf *out, const char *text, size_t len)
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

static bool ends_in_odd_space(const char *p, size_t len)
{
    size_t last = len;
    while (last > 0 && len - last < 4 && ((unsigned char)p[last - 1] & 0xC0u) == 0x80u)
        last--;
    return last > 0 && odd_space(p + last - 1) == len - last + 1;
}

static enum err_code classic_value(struct buf *ret, const char *p, size_t len, const char *text,
                                   struct err *e)
{
    if (*p == '"') {
        size_t inside = quoted_len(p + 1);
        if (inside == SIZE_MAX)
            return err_set(e, ERR_INVALID, "matcher '%s' has a value without a closing quote", text);
        if (inside + 2 != len)
            return err_set(e, ERR_INVALID,
                           "matcher '%s' goes on behind its value; write one matcher a string", text);
        classic_unescape(ret, p + 1, inside);
    } else if (memchr(p, ',', len)) {
        return err_set(e, ERR_INVALID,
                       "matcher '%s' has a comma; put the value in quotes, or write one matcher a string",
                       text);
    } else if (ends_in_odd_space(p, len)) {
        return err_set(e, ERR_INVALID,
                       "matcher '%s' ends in a space that is not plain; put the value in quotes", text);
    } else if (!classic_unescape(ret, p, len)) {
        return err_set(e, ERR_INVALID, "matcher '%s' has a quote inside its value; write \\\" for it", text);
    }
    return ERR_OK;
}

/* ---- the reading for UTF-8 ---- */

static bool go_number(struct buf *out, const char **p, size_t digits, unsigned base, bool byte)
{
    uint32_t c = 0;
    for (size_t i = 0; i < digits; i++) {
        const char *hex = "0123456789abcdef", *at = **p ? strchr(hex, **p | (**p >= 'A' ? 0x20 : 0)) : NULL;
        if (!at || (unsigned)(at - hex) >= base)
            return false;
        c = c * base + (unsigned)(at - hex);
        (*p)++;
    }
    if (c == 0 || (byte && c > 0xff) || c > 0x10ffff || (!byte && c >= 0xd800 && c <= 0xdfff))
        return false;
    if (byte || c < 0x80)
        buf_addc(out, (char)c);
    else if (c < 0x800)
        buf_addf(out, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
    else if (c < 0x10000)
        buf_addf(out, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
    else
        buf_addf(out, "%c%c%c%c", 0xf0 | c >> 18, 0x80 | (c >> 12 & 0x3f), 0x80 | (c >> 6 & 0x3f),
                 0x80 | (c & 0x3f));
    return true;
}

/* p is behind the backslash. False: Go has no such escape, or it would be a NUL. */
static bool go_escape(struct buf *out, const char **p)
{
    static const char letters[] = "abfnrtv\\\"", meant[] = "\a\b\f\n\r\t\v\\\"";
    char c = *(*p)++;
    const char *at = c ? strchr(letters, c) : NULL;
    if (at) {
        buf_addc(out, meant[at - letters]);
        return true;
    }
    if (c == 'x' || c == 'u' || c == 'U')
        return go_number(out, p, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, c == 'x');
    (*p)--;
    return c >= '0' && c <= '7' && go_number(out, p, 3, 8, true);
}

/* The text in quotes at *p, as Go's strconv.Unquote reads it. */
static enum err_code go_unquote(struct buf *ret, const char **p, const char *text, struct err *e)
{
    size_t inside = quoted_len(*p + 1);
    if (inside == SIZE_MAX)
        return err_set(e, ERR_INVALID, "matcher '%s' has text without a closing quote", text);
    const char *end = *p + 1 + inside;
    for (*p += 1; *p < end;) {
        if (**p == '\n')
            return err_set(e, ERR_INVALID, "matcher '%s' has a line break in quotes; write \\n", text);
        if (**p != '\\') {
            buf_addc(ret, *(*p)++);
            continue;
        }
        const char *escape = (*p)++;
        uint32_t c;
        if (!go_escape(ret, p))
            return err_set(e, ERR_INVALID,
                           "matcher '%s' has the escape %.*s in quotes, which there is not; write \\\\ for a "
                           "backslash",
                           text, (int)(1 + utf8_next(escape + 1, strlen(escape + 1), &c)), escape);
    }
    *p = end + 1;
    const char *wrong = buf_ok(ret) ? json_check_text((const unsigned char *)buf_text(ret), ret->len) : NULL;
    return wrong ? err_set(e, ERR_INVALID, "matcher '%s' has %s in quotes", text, wrong) : ERR_OK;
}

static enum err_code utf8_text(struct buf *ret, const char **p, const char *text, struct err *e)
{
    if (**p == '"')
        return go_unquote(ret, p, text, e);
    while (!matcher_ends_name(*p))
        buf_addc(ret, *(*p)++);
    return ERR_OK;
}

static enum err_code utf8_value(struct buf *ret, const char *p, size_t len, const char *text, struct err *e)
{
    const char *end = p + len;
    bool quoted = *p == '"';
    enum err_code code = utf8_text(ret, &p, text, e);
    if (!code && p != end)
        return err_set(e, ERR_INVALID,
                       quoted
                           ? "matcher '%s' goes on behind its value; write one matcher a string"
                           : "matcher '%s' has a value with a space or one of {}!=~,\\\"'`; put it in quotes",
                       text);
    return code;
}

/* ---- both ---- */

static enum err_code parse_name(const char **p, char **ret, bool *ret_classic, const char *text,
                                struct err *e)
{
    CLEANUP(buf_release) struct buf name = BUF_INIT;
    size_t classic = classic_name(*p);
    const char *behind = *p + classic;
    *ret_classic = classic > 0 && matcher_ends_name(behind) && !odd_space(behind);
    enum err_code code = utf8_text(&name, p, text, e);
    if (code)
        return code;
    if (buf_ok(&name) && name.len == 0)
        return err_set(e, ERR_INVALID, "matcher '%s' has no label name; write name=\"value\"", text);
    return detach(ret, &name, e);
}

static enum err_code parse_value(const char *p, bool classic, char **ret, const char *text, struct err *e)
{
    CLEANUP(buf_release) struct buf value = BUF_INIT;
    size_t len = strlen(p);
    while (len > 0 && is_space(p[len - 1]))
        len--;
    if (len == 0)
        return err_set(e, ERR_INVALID,
                       "matcher '%s' has no value; the empty value, of an absent label, is \"\"", text);
    if (p[len - 1] == '}')
        return err_set(e, ERR_INVALID,
                       "matcher '%s' ends in braces, which Alertmanager takes away; put the value in quotes",
                       text);
    enum err_code code =
        classic ? classic_value(&value, p, len, text, e) : utf8_value(&value, p, len, text, e);
    return code ? code : detach(ret, &value, e);
}

static enum err_code compile(struct matcher *m, const char *text, struct err *e)
{
    enum re_dot dot = strcmp(m->name, "message") == 0 ? RE_DOT_ALL : RE_DOT_LINE;
    enum err_code code = pattern_new(&m->pattern, m->value, dot, e);
    if (!code && !m->pattern->simple)
        code = re_new(&m->re, m->value, dot, e);
    return code ? err_wrap(e, code, "matcher '%s'", text) : ERR_OK;
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
    const char *p = skip_space(text);
    bool classic = false;
    if (*p == '{')
        return err_set(e, ERR_INVALID,
                       "matcher '%s' stands in braces; leave them out and write one matcher a string", text);
    enum err_code code = parse_name(&p, &m.name, &classic, text, e);
    if (!code)
        code = parse_op(&p, &m.op, text, e);
    if (!code)
        code = parse_value(p, classic, &m.value, text, e);
    if (!code && (m.op == MATCH_REGEX || m.op == MATCH_NOT_REGEX))
        code = compile(&m, text, e);
    if (code) {
        matcher_release(&m);
        return code;
    }
    *ret = m;
    return ERR_OK;
}
