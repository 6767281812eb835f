#include "rules/policy/pattern.h"

#include <stdlib.h>
#include <string.h>

#define META "\\.+*?()|[]{}^$"

struct splitting {
    const char *p;
    char *out; /* where the next literal goes */
};

/* Skip to the | that ends this branch, or to the end. */
static const char *skip_branch(const char *p)
{
    unsigned depth = 0;
    for (; *p && (depth > 0 || *p != '|'); p++) {
        if (*p == '\\' && p[1] == 'Q') { /* to \E nothing has a meaning */
            const char *end = strstr(p, "\\E");
            p = end ? end + 1 : p + strlen(p) - 1;
        } else if (*p == '\\' && p[1]) {
            p++;
        } else if (*p == '[') {
            p += p[1] == '^';
            p += p[1] == ']';
            while (p[1] && p[1] != ']') {
                if (p[1] == '[' && p[2] == ':' && strstr(p + 3, ":]"))
                    p = strstr(p + 3, ":]");
                p += p[1] == '\\' && p[2] ? 2 : 1;
            }
            p += p[1] == ']';
        } else {
            depth += *p == '(';
            depth -= *p == ')' && depth > 0;
        }
    }
    return p;
}

static size_t last_character(const char *text, size_t len)
{
    size_t n = len ? 1 : 0;
    while (n < len && ((unsigned char)text[len - n] & 0xC0u) == 0x80u)
        n++;
    return n;
}

static struct pattern_branch read_branch(struct splitting *s)
{
    struct pattern_branch b = { .literal = s->out };
    const char *end = skip_branch(s->p);
    for (; s->p < end; s->p++) {
        if (*s->p == '\\' && s->p + 1 < end && strchr(META, s->p[1]))
            s->p++;
        else if (strchr(META, *s->p))
            break;
        *s->out++ = *s->p;
        b.len++;
    }
    size_t rest = (size_t)(end - s->p);
    if (rest == 0)
        b.behind = BEHIND_NOTHING;
    else if (rest == 2 && memcmp(s->p, ".*", 2) == 0)
        b.behind = BEHIND_ANY;
    else if (rest == 2 && memcmp(s->p, ".+", 2) == 0)
        b.behind = BEHIND_SOME;
    else
        b.behind = BEHIND_MORE;
    if (b.behind == BEHIND_MORE && strchr("*?{", *s->p))
        b.len -= last_character(b.literal, b.len); /* it may be absent */
    s->p = end;
    return b;
}

enum err_code pattern_new(struct pattern **ret, const char *regex, enum re_dot dot, struct err *e)
{
    size_t most = 1;
    for (const char *p = regex; *p; p++)
        most += *p == '|';
    if (most > PATTERN_BRANCHES_MAX)
        most = 1;
    struct pattern *made = calloc(1, sizeof *made);
    if (!made || !(made->text = malloc(strlen(regex) + 1)) ||
        !(made->branches = calloc(most, sizeof *made->branches))) {
        pattern_free(made);
        return err_set(e, ERR_NOMEM, "no memory for a regular expression");
    }
    struct splitting s = { .p = regex, .out = made->text };
    made->simple = true;
    made->dot = dot;
    bool more = true;
    while (more && made->len < most) {
        struct pattern_branch b = read_branch(&s);
        made->branches[made->len++] = b;
        made->simple = made->simple && b.behind != BEHIND_MORE;
        more = *s.p == '|';
        s.p += more;
    }
    if (more) { /* too many: nothing is said of it */
        made->branches[0] = (struct pattern_branch){ .literal = made->text, .behind = BEHIND_MORE };
        made->len = 1;
        made->simple = false;
    }
    *ret = made;
    return ERR_OK;
}

struct pattern *pattern_free(struct pattern *p)
{
    if (p) {
        free(p->branches);
        free(p->text);
    }
    free(p);
    return NULL;
}

bool pattern_matches(const struct pattern *p, const char *value)
{
    size_t len = strlen(value);
    for (size_t i = 0; i < p->len; i++) {
        const struct pattern_branch *b = &p->branches[i];
        if (len >= b->len && memcmp(value, b->literal, b->len) == 0 &&
            (b->behind == BEHIND_ANY || (b->behind == BEHIND_SOME ? len > b->len : len == b->len)) &&
            (p->dot == RE_DOT_ALL || b->behind == BEHIND_NOTHING || !strchr(value + b->len, '\n')))
            return true;
    }
    return false;
}
