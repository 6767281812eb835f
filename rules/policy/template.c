#include "rules/policy/template.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

#define NAME_MAX_ 128u
#define SCOPES "labels|annotations|target|params|evidence"
#define TARGET_FIELDS "name|namespace|kind|cluster"
#define FILTERS "lower|cut|hash"

enum scope { SCOPE_LABELS, SCOPE_ANNOTATIONS, SCOPE_TARGET, SCOPE_PARAMS, SCOPE_EVIDENCE };
enum filter { FILTER_LOWER, FILTER_CUT, FILTER_HASH };

struct reference {
    enum scope scope;
    char name[NAME_MAX_ + 1];
    bool has_default;
    char otherwise[NAME_MAX_ + 1];
    struct {
        enum filter filter;
        size_t bytes; /* cut */
    } filters[TEMPLATE_FILTERS_MAX];
    size_t filters_len;
    const char *begins, *filters_begin; /* of the text in braces */
    size_t len;                         /* of the text in braces */
};

/* ---- reading ---- */

static enum err_code read_filter(struct reference *r, const char *text, size_t len, struct err *e)
{
    char word[32];
    int end = 0;
    unsigned long bytes = 0;
    snprintf(word, sizeof word, "%.*s", (int)(len < 31 ? len : 31), text);
    const char *space = strchr(word, ' ');
    char verb[32];
    snprintf(verb, sizeof verb, "%.*s", (int)strcspn(word, " "), word);
    int64_t filter = choice_index(FILTERS, verb);
    bool cut = filter == FILTER_CUT;
    if (r->filters_len == TEMPLATE_FILTERS_MAX)
        return err_set(e, ERR_INVALID, "a reference has more than %u filters", TEMPLATE_FILTERS_MAX);
    if (filter < 0)
        return err_set(e, ERR_INVALID, "there is no filter \"%s\"; there are lower, cut N and hash", word);
    /* NOLINTNEXTLINE(cert-err34-c): what is too large fails the range */
    if (cut != (space != NULL) || (cut && (sscanf(space, " %lu%n", &bytes, &end) != 1 || space[end] ||
                                           bytes < 1 || bytes > TEMPLATE_VALUE_MAX)))
        return err_set(e, ERR_INVALID,
                       "\"%s\" is no filter; write lower, hash, or cut with a number of bytes", word);
    r->filters[r->filters_len].filter = (enum filter)filter;
    r->filters[r->filters_len++].bytes = bytes;
    return ERR_OK;
}

static enum err_code read_scope(struct reference *r, const char *text, size_t len, struct err *e)
{
    const char *dot = memchr(text, '.', len);
    char scope[NAME_MAX_ + 1] = "";
    if (dot && (size_t)(dot - text) <= NAME_MAX_)
        memcpy(scope, text, (size_t)(dot - text));
    int64_t index = dot ? choice_index(SCOPES, scope) : -1;
    size_t name = dot ? len - (size_t)(dot + 1 - text) : 0;
    if (index < 0)
        return err_set(e, ERR_INVALID,
                       "\"${%.*s}\" names nothing; write ${labels.x}, ${annotations.x}, ${target.x}, "
                       "${params.x} or ${evidence.x}",
                       (int)(len < 100 ? len : 100), text);
    if (name == 0 || name > NAME_MAX_)
        return err_set(e, ERR_INVALID, "\"${%s.}\" needs a name of 1 to %u bytes", scope, NAME_MAX_);
    r->scope = (enum scope)index;
    memcpy(r->name, dot + 1, name);
    r->name[name] = '\0';
    if (r->scope == SCOPE_TARGET && choice_index(TARGET_FIELDS, r->name) < 0)
        return err_set(e, ERR_INVALID, "a target has no \"%s\"; it has name, namespace, kind and cluster",
                       r->name);
    if (r->scope == SCOPE_EVIDENCE && choice_index(EVIDENCE_WORDS, r->name) < 0)
        return err_set(e, ERR_INVALID,
                       "evidence has no \"%s\"; it has reason, ended, exit_code, restarts, container, pod, "
                       "node and message",
                       r->name);
    return ERR_OK;
}

/* text[0..len) is what stands in the braces. */
static enum err_code read_reference(struct reference *ret, const char *text, size_t len, struct err *e)
{
    *ret = (struct reference){ .begins = text, .len = len };
    const char *end = text + len, *bar = memchr(text, '|', len);
    const char *stop = bar ? bar : end, *colon = NULL;
    for (const char *p = text; p + 1 < stop && !colon; p++)
        if (p[0] == ':' && p[1] == '-')
            colon = p;
    ret->filters_begin = stop;
    enum err_code code = read_scope(ret, text, (size_t)((colon ? colon : stop) - text), e);
    if (code == ERR_OK && colon) {
        size_t bytes = (size_t)(stop - colon) - 2;
        if (bytes > NAME_MAX_)
            return err_set(e, ERR_INVALID, "the default of \"${%s\" is longer than %u bytes", ret->name,
                           NAME_MAX_);
        ret->has_default = true;
        memcpy(ret->otherwise, colon + 2, bytes);
    }
    while (code == ERR_OK && bar) {
        const char *next = memchr(bar + 1, '|', (size_t)(end - bar - 1));
        code = read_filter(ret, bar + 1, (size_t)((next ? next : end) - bar - 1), e);
        bar = next;
    }
    return code;
}

/* The next piece of *p: text (its length in *ret_len, where it begins in *ret_text), or a reference (length 0
 * and no text). False at the end, and on an error. */
static bool next_piece(const char **p, const char **ret_text, size_t *ret_len, struct reference *ret,
                       enum err_code *ret_code, struct err *e)
{
    const char *text = *p, *open = strstr(text, "${");
    *ret_text = text;
    *ret_len = 0;
    if (!*text)
        return false;
    if (open > text && open[-1] == '$') { /* $${ */
        *ret_len = (size_t)(open - text) - 1;
        if (*ret_len == 0) {
            *ret_text = "${";
            *ret_len = 2;
            *p = open + 2;
        } else {
            *p = open - 1;
        }
        return true;
    }
    if (open != text) {
        *ret_len = open ? (size_t)(open - text) : strlen(text);
        *p = text + *ret_len;
        return true;
    }
    const char *close = strchr(open, '}');
    *ret_text = NULL;
    if (!close) {
        *ret_code = err_set(e, ERR_INVALID, "\"${\" is not closed by \"}\"; write $${ for the two letters");
        return false;
    }
    *ret_code = read_reference(ret, open + 2, (size_t)(close - open) - 2, e);
    *p = close + 1;
    return *ret_code == ERR_OK;
}

/* ---- values ---- */

static const char *target_field(const struct target *t, const char *name)
{
    if (strcmp(name, "name") == 0)
        return t->name;
    if (strcmp(name, "namespace") == 0)
        return t->namespace;
    return strcmp(name, "kind") == 0 ? t->kind : t->cluster;
}

static enum err_code missing(const struct reference *r, const struct template_values *v, struct err *e)
{
    const struct map *m = r->scope == SCOPE_LABELS        ? v->labels
                          : r->scope == SCOPE_ANNOTATIONS ? v->annotations
                                                          : NULL;
    if (!m)
        return err_set(e, ERR_NOT_FOUND, "\"${%.*s}\" is not known", (int)r->len, r->begins);
    CLEANUP(buf_release) struct buf names = BUF_INIT;
    for (uint32_t i = 0; i < m->len && i < 20; i++)
        buf_addf(&names, "%s%s", i ? ", " : "", map_name_at(m, i));
    return err_set(e, ERR_NOT_FOUND, "the alert has no %s \"%s\"; it has %.300s",
                   r->scope == SCOPE_LABELS ? "label" : "annotation", r->name,
                   m->len ? buf_text(&names) : "none");
}

static const char *find_value(const struct reference *r, const struct template_values *v,
                              char number[EVIDENCE_NUMBER_SIZE])
{
    switch (r->scope) {
    case SCOPE_LABELS:
        return v->labels ? map_get(v->labels, r->name) : NULL;
    case SCOPE_ANNOTATIONS:
        return v->annotations ? map_get(v->annotations, r->name) : NULL;
    case SCOPE_TARGET:
        return v->target ? target_field(v->target, r->name) : NULL;
    case SCOPE_EVIDENCE:
        return v->evidence ? evidence_field(v->evidence, r->name, number) : NULL;
    case SCOPE_PARAMS:
        break;
    }
    return NULL;
}

/* At most `bytes`, and no part of a UTF-8 sequence. */
static void cut(struct buf *b, size_t bytes)
{
    if (b->len <= bytes)
        return;
    while (bytes > 0 && ((unsigned char)b->ptr[bytes] & 0xC0u) == 0x80u)
        bytes--;
    b->ptr[bytes] = '\0';
    b->len = bytes;
}

static void apply_filters(struct buf *value, const struct reference *r)
{
    for (size_t k = 0; k < r->filters_len && buf_ok(value); k++) {
        uint64_t hash = 14695981039346656037u;
        for (size_t i = 0; i < value->len; i++) {
            hash = (hash ^ (unsigned char)value->ptr[i]) * 1099511628211u;
            if (r->filters[k].filter == FILTER_LOWER && isupper((unsigned char)value->ptr[i]))
                value->ptr[i] = (char)tolower((unsigned char)value->ptr[i]);
        }
        if (r->filters[k].filter == FILTER_CUT)
            cut(value, r->filters[k].bytes);
        if (r->filters[k].filter == FILTER_HASH) {
            buf_clear(value);
            buf_addf(value, "%010" PRIx64, hash >> 24);
        }
    }
}

static enum err_code get_value(struct buf *ret, const struct reference *r, const struct template_values *v,
                               struct err *e)
{
    char number[EVIDENCE_NUMBER_SIZE];
    const char *value = find_value(r, v, number);
    if ((!value || !*value) && r->has_default)
        value = r->otherwise;
    else if (!value || !*value)
        return missing(r, v, e);
    buf_adds(ret, value);
    if (ret->len > TEMPLATE_VALUE_MAX)
        return err_set(e, ERR_LIMIT, "the value of \"${%.*s}\" has %zu bytes; %u is the most", (int)r->len,
                       r->begins, ret->len, TEMPLATE_VALUE_MAX);
    apply_filters(ret, r);
    return buf_ok(ret) ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a text");
}

/* ---- places ---- */

/* Where in the text a piece stands. */
struct position {
    enum template_place place;
    char quote;    /* QUERY: the string's quote; 0: outside */
    bool escaped;  /* behind a backslash */
    char before;   /* QUERY: the last character outside strings that is no space */
    bool regex;    /* QUERY: the string is a regular expression */
    int slashes;   /* URL: 0 to 2 before the host, 3 in the path */
    bool in_query; /* URL: behind the question mark */
};

static void pass(struct position *at, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (at->place == PLACE_URL) {
            at->slashes += c == '/' && at->slashes < 3;
            at->in_query = at->in_query || c == '?';
        } else if (at->place == PLACE_QUERY && at->quote) {
            if (!at->escaped && c == at->quote)
                at->quote = at->before = 0;
            at->escaped = !at->escaped && c == '\\' && at->quote != '`';
        } else if (at->place == PLACE_QUERY) {
            if (strchr("\"'`", c)) {
                at->quote = c;
                at->regex = at->before == '~';
            } else if (c != ' ') {
                at->before = c;
            }
        }
    }
}

static bool is_unreserved(char c)
{
    return isalnum((unsigned char)c) || strchr("-._~", c);
}

static enum err_code put_url(struct buf *ret, const struct position *at, const char *value, struct err *e)
{
    if (!at->in_query && value[strspn(value, ".")] == '\0')
        return err_set(e, ERR_INVALID, "\"%s\" cannot be a segment of a path", value);
    for (const char *p = value; *p; p++)
        if (is_unreserved(*p))
            buf_addc(ret, *p);
        else
            buf_addf(ret, "%%%02X", (unsigned char)*p);
    return ERR_OK;
}

/* Digits with a point or a unit: 5, 0.5, 90s, 1h30m. */
static bool is_plain_number(const char *value)
{
    size_t digits = strspn(value, "0123456789");
    return digits > 0 && value[strspn(value, "0123456789.smhdwy")] == '\0';
}

static enum err_code put_query(struct buf *ret, const struct position *at, const char *value, struct err *e)
{
    if (!at->quote && !is_plain_number(value))
        return err_set(e, ERR_INVALID,
                       "\"%s\" cannot stand outside a string of the query; only a number or a duration can",
                       value);
    if (at->quote == '`' && strchr(value, '`'))
        return err_set(e, ERR_INVALID, "\"%s\" has a backquote, which cannot stand in such a string", value);
    for (const char *p = value; *p; p++) {
        bool raw = at->quote == '`', meta = at->quote && at->regex && strchr("\\.+*?()|[]{}^$", *p);
        if (meta)
            buf_adds(ret, raw ? "\\" : "\\\\");
        if (!raw && at->quote && (*p == '\\' || *p == at->quote))
            buf_addf(ret, "\\%c", *p);
        else if (!raw && (unsigned char)*p < 0x20)
            buf_addf(ret, "\\x%02x", (unsigned char)*p);
        else
            buf_addc(ret, *p);
    }
    return ERR_OK;
}

static enum err_code put_selector(struct buf *ret, const char *value, struct err *e)
{
    size_t len = strlen(value);
    bool good = len <= 63;
    for (size_t i = 0; good && i < len; i++)
        good = isalnum((unsigned char)value[i]) || (i > 0 && i + 1 < len && strchr("-_.", value[i]));
    if (!good)
        return err_set(e, ERR_INVALID, "\"%.80s\" cannot be the value of a label", value);
    buf_adds(ret, value);
    return ERR_OK;
}

static enum err_code put(struct buf *ret, const struct position *at, const char *value, struct err *e)
{
    switch (at->place) {
    case PLACE_URL:
        return put_url(ret, at, value, e);
    case PLACE_QUERY:
        return put_query(ret, at, value, e);
    case PLACE_SELECTOR:
        return put_selector(ret, value, e);
    default:
        for (const char *p = value; *p; p++)
            buf_addc(ret, (char)((unsigned char)*p < 0x20 || *p == 0x7F ? ' ' : *p));
        return ERR_OK;
    }
}

static enum err_code check_position(const struct position *at, const struct reference *r, struct err *e)
{
    if (at->place == PLACE_NONE)
        return err_set(e, ERR_INVALID, "\"${%.*s}\" cannot stand here: this text is taken as it is",
                       (int)r->len, r->begins);
    if (at->place == PLACE_URL && at->slashes < 3)
        return err_set(e, ERR_INVALID,
                       "\"${%.*s}\" cannot choose whom to ask: write the host, and put it into the path",
                       (int)r->len, r->begins);
    return ERR_OK;
}

/* A DNS subdomain: what Kubernetes takes as a name. */
static enum err_code check_name(const char *name, struct err *e)
{
    size_t len = strlen(name);
    bool good = len > 0 && len <= 253;
    for (size_t i = 0; good && i < len; i++) {
        char c = name[i];
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (i > 0 && i + 1 < len && strchr("-.", c));
    }
    return good ? ERR_OK : err_set(e, ERR_INVALID, "\"%.100s\" cannot be the name of an object", name);
}

/* ---- the whole ---- */

enum err_code template_check(const char *text, enum template_place place, struct err *e)
{
    struct position at = { .place = place };
    struct reference r;
    const char *piece;
    size_t len;
    enum err_code code = ERR_OK;
    for (const char *p = text; code == ERR_OK && next_piece(&p, &piece, &len, &r, &code, e);)
        if (piece)
            pass(&at, piece, len);
        else
            code = check_position(&at, &r, e);
    return code;
}

enum err_code template_render(struct buf *ret, const char *text, enum template_place place,
                              const struct template_values *v, struct err *e)
{
    struct position at = { .place = place };
    struct reference r;
    const char *piece;
    size_t len, from = ret->len;
    enum err_code code = ERR_OK;
    for (const char *p = text; code == ERR_OK && next_piece(&p, &piece, &len, &r, &code, e);) {
        if (piece) {
            buf_add(ret, piece, len);
            pass(&at, piece, len);
            continue;
        }
        CLEANUP(buf_release) struct buf value = BUF_INIT;
        code = check_position(&at, &r, e);
        if (code == ERR_OK)
            code = get_value(&value, &r, v, e);
        if (code == ERR_OK)
            code = put(ret, &at, buf_text(&value), e);
    }
    if (code == ERR_OK && !buf_ok(ret))
        return err_set(e, ret->max ? ERR_LIMIT : ERR_NOMEM, "a text became too long");
    return code == ERR_OK && place == PLACE_NAME ? check_name(buf_text(ret) + from, e) : code;
}

void template_each(const char *text,
                   void (*each)(void *arg, const char *scope, const char *name, bool has_default), void *arg)
{
    static const char *const scopes[] = { "labels", "annotations", "target", "params", "evidence" };
    struct reference r;
    const char *piece;
    size_t len;
    enum err_code code = ERR_OK;
    for (const char *p = text; next_piece(&p, &piece, &len, &r, &code, NULL);)
        if (!piece)
            each(arg, scopes[r.scope], r.name, r.has_default);
}

/* A parameter's value in the place of a reference that may have filters. */
static enum err_code put_param(struct buf *ret, const struct reference *r, const char *value, struct err *e)
{
    size_t len = strlen(value);
    const char *open = strstr(value, "${");
    if (r->filters_len == 0) {
        buf_adds(ret, value);
    } else if (!open) {
        CLEANUP(buf_release) struct buf filtered = BUF_INIT;
        buf_adds(&filtered, value);
        apply_filters(&filtered, r);
        buf_adds(ret, buf_text(&filtered));
    } else if (open == value && strchr(value, '}') == value + len - 1) {
        buf_add(ret, value, len - 1);
        buf_add(ret, r->filters_begin, (size_t)(r->begins + r->len - r->filters_begin));
        buf_addc(ret, '}');
    } else {
        return err_set(
            e, ERR_INVALID,
            "parameter \"%s\" is \"%.100s\": filters can be put on a text or on one reference, not on "
            "both; put them into the parameter",
            r->name, value);
    }
    return ERR_OK;
}

enum err_code template_substitute(struct buf *ret, const char *text,
                                  const char *(*lookup)(void *arg, const char *name), void *arg,
                                  bool *ret_open, struct err *e)
{
    struct reference r;
    const char *piece;
    size_t len;
    enum err_code code = ERR_OK;
    for (const char *p = text; code == ERR_OK && next_piece(&p, &piece, &len, &r, &code, e);) {
        const char *value = !piece && r.scope == SCOPE_PARAMS ? lookup(arg, r.name) : NULL;
        if (!piece && r.scope == SCOPE_PARAMS && !value && r.has_default)
            value = r.otherwise;
        *ret_open = *ret_open || (!piece && r.scope == SCOPE_PARAMS && !value);
        if (value)
            code = put_param(ret, &r, value, e);
        else if (!piece)
            buf_addf(ret, "${%.*s}", (int)r.len, r.begins);
        else if (len == 2 && memcmp(piece, "${", 2) == 0)
            buf_adds(ret, "$${");
        else
            buf_add(ret, piece, len);
    }
    return code == ERR_OK && !buf_ok(ret) ? err_set(e, ERR_NOMEM, "no memory for a text") : code;
}
