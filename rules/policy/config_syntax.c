/* A look at a text before libconfig reads it. libconfig 1.5 stops at the first syntax error and names a line,
 * but not what is wrong; takes comments that never end, integers beyond 32 bits (cut to what fits) and
 * strings with NUL without a word; joins neighbouring strings in an array where a comma was forgotten; opens
 * any file named in @include; and gives a string the line of the token behind it. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/base/json.h"
#include "rules/policy/config_internal.h"

struct bracket {
    char open;
    int line;
};

struct scanner {
    struct config_text *text;
    struct buf *copy;
    const char *p, *end;
    int line;
    int last;       /* kind of the last token: a bracket or , ; = and 's' string, 'w' another word, 0 none */
    int comma_line; /* of a comma that was read but not yet written; 0 none */
    unsigned newlines; /* read but not yet written */
    struct bracket open[CONFIG_DEPTH_MAX];
    unsigned depth;
    bool stop; /* nothing sensible can follow */
};

static bool in_list(const struct scanner *s)
{
    return s->depth > 0 && s->open[s->depth - 1].open != '{';
}

/* Write what was held back, then the token. A token that ends a setting goes before the line ends, so that
 * libconfig, which reads one token ahead, gives the string in front of it the right line. */
static void emit(struct scanner *s, const char *token, size_t len, int kind)
{
    bool ends = strchr(")]};", kind) != NULL;
    if (s->comma_line && !ends)
        buf_addc(s->copy, ',');
    s->comma_line = 0;
    if (ends)
        buf_add(s->copy, token, len);
    for (; s->newlines > 0; s->newlines--)
        buf_addc(s->copy, '\n');
    if (!ends) {
        buf_addc(s->copy, ' ');
        buf_add(s->copy, token, len);
    }
    s->last = kind;
}

static void skip_comment(struct scanner *s)
{
    int from = s->line;
    if (s->p[0] == '#' || s->p[1] == '/') {
        while (s->p < s->end && *s->p != '\n')
            s->p++;
        return;
    }
    for (s->p += 2; s->p < s->end; s->p++) {
        if (s->p[0] == '*' && s->p[1] == '/') {
            s->p += 2;
            return;
        }
        if (*s->p == '\n') {
            s->line++;
            s->newlines++;
        }
    }
    config_error_at(s->text, from, "a comment begins here and never ends; close it with */");
}

static void scan_string(struct scanner *s)
{
    const char *start = s->p++;
    if (s->last == 's' && in_list(s)) {
        config_error_at(s->text, s->line, "a comma is missing between two strings");
        s->comma_line = s->line;
    }
    while (s->p < s->end && *s->p != '"' && *s->p != '\n') {
        if (s->p[0] == '\\' && s->p[1] == 'x' && s->p[2] == '0' && s->p[3] == '0')
            config_error_at(s->text, s->line, "a string may not hold \\x00");
        s->p += s->p[0] == '\\' && (s->p[1] == '"' || s->p[1] == '\\') ? 2 : 1;
    }
    if (s->p >= s->end || *s->p == '\n') {
        config_error_at(
            s->text, s->line,
            "a string has no closing quote on its line; put one, and \\\" for a quote inside the string");
        emit(s, "\"\"", 2, 's');
        return;
    }
    s->p++;
    emit(s, start, (size_t)(s->p - start), 's');
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("_*+-.", c)) || ((unsigned char)c & 0x80u);
}

/* An integer as libconfig writes it; *ret_long says whether it ends in L. */
static bool is_integer(const char *word, bool *ret_long)
{
    size_t digits = strspn(word + (*word == '-' || *word == '+'), "0123456789");
    const char *rest = word + (*word == '-' || *word == '+') + digits;
    if (digits == 1 && *word == '0' && (*rest == 'x' || *rest == 'X')) {
        digits = strspn(rest + 1, "0123456789abcdefABCDEF");
        rest += 1 + digits;
    }
    *ret_long = *rest == 'L';
    return digits > 0 && (!*rest || !strcmp(rest, "L") || !strcmp(rest, "LL"));
}

static bool is_bool_or_float(const char *word)
{
    char *rest;
    if (!strcasecmp(word, "true") || !strcasecmp(word, "false"))
        return true;
    if (!strpbrk(word, "0123456789") || strspn(word, "0123456789+-.eE") != strlen(word))
        return false;
    strtod(word, &rest);
    return *rest == '\0';
}

static void emit_integer(struct scanner *s, const char *word, bool is_long)
{
    long long n = strtoll(word, NULL, strpbrk(word, "xX") ? 16 : 10);
    if (n == LLONG_MAX || n == LLONG_MIN) {
        config_error_at(s->text, s->line, "the number %s is too large", word);
        emit(s, "0", 1, 'w');
        return;
    }
    emit(s, word, strlen(word), 'w');
    if (!is_long && (n > INT32_MAX || n < INT32_MIN))
        buf_addc(s->copy, 'L'); /* libconfig would cut it to 32 bits */
}

/* A word where a value belongs. */
static void emit_value(struct scanner *s, const char *word)
{
    bool is_long;
    if (is_integer(word, &is_long)) {
        emit_integer(s, word, is_long);
    } else if (is_bool_or_float(word)) {
        emit(s, word, strlen(word), 'w');
    } else {
        config_error_at(s->text, s->line, "%s needs quotes: \"%s\"", word, word);
        emit(s, "\"", 1, 's');
        buf_adds(s->copy, word);
        buf_addc(s->copy, '"');
    }
}

static void scan_word(struct scanner *s)
{
    char word[CONFIG_EXCERPT_MAX];
    const char *start = s->p;
    while (s->p < s->end && is_word(*s->p))
        s->p++;
    size_t len = (size_t)(s->p - start);
    const char *next = s->p + strspn(s->p, " \t");
    bool value = s->last == '=' || (in_list(s) && (s->last == ',' || s->last == '(' || s->last == '['));
    if (value && in_list(s) && (*next == '=' || *next == ':')) {
        config_error_at(s->text, s->line,
                        "\"%.*s\" cannot stand in a list; a list of groups is ( { key = value; }, { ... } )",
                        (int)(len < 64 ? len : 64), start);
        s->stop = true;
    } else if (len >= sizeof word) {
        config_error_at(s->text, s->line, "a word of %zu bytes cannot stand here", len);
        s->stop = true;
    } else {
        memcpy(word, start, len);
        word[len] = '\0';
        if (value)
            emit_value(s, word);
        else
            emit(s, word, len, 'w');
    }
}

static void scan_open(struct scanner *s)
{
    if (s->depth == CONFIG_DEPTH_MAX) {
        config_error_at(s->text, s->line, "brackets are nested more than %u deep", CONFIG_DEPTH_MAX);
        s->stop = true;
        return;
    }
    if (in_list(s) && s->last && strchr(")]}", s->last)) {
        config_error_at(s->text, s->line, "a comma is missing before \"%c\"", *s->p);
        s->comma_line = s->line;
    }
    s->open[s->depth++] = (struct bracket){ .open = *s->p, .line = s->line };
    emit(s, s->p, 1, *s->p);
    s->p++;
}

static void scan_close(struct scanner *s)
{
    char close = *s->p;
    int open = close == ')' ? '(' : close == ']' ? '[' : '{';
    if (s->depth == 0) {
        config_error_at(s->text, s->line, "\"%c\" closes nothing; remove it", close);
        s->stop = true;
        return;
    }
    const struct bracket *top = &s->open[s->depth - 1];
    if (top->open != open) {
        config_error_at(
            s->text, s->line,
            "\"%c\" does not close \"%c\" of line %d; a bracket or a quote is missing between them", close,
            top->open, top->line);
        s->stop = true;
        return;
    }
    if (s->comma_line)
        config_error_at(s->text, s->comma_line,
                        "a comma may not stand before the closing \"%c\"; remove the comma", close);
    s->depth--;
    emit(s, s->p, 1, close);
    s->p++;
}

static void scan_comma(struct scanner *s)
{
    if (s->comma_line || s->last == '(' || s->last == '[') {
        config_error_at(s->text, s->line, "a comma stands here without a value before it; remove it");
    } else if (!in_list(s)) {
        config_error_at(s->text, s->line, "settings are separated by \";\", not by a comma");
        emit(s, ";", 1, ';');
    } else {
        s->comma_line = s->line;
        s->last = ',';
    }
    s->p++;
}

static void scan_at(struct scanner *s)
{
    if (strncmp(s->p, "@include", 8) == 0)
        config_error_at(s->text, s->line,
                        "\"@include\" is refused: a policy stands alone; put it into one file");
    else
        config_error_at(s->text, s->line, "\"@\" cannot stand here");
    while (s->p < s->end && *s->p != '\n')
        s->p++;
}

static void scan_token(struct scanner *s)
{
    char c = *s->p;
    if (c == '\n') {
        s->line++;
        s->newlines++;
        s->p++;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f') {
        s->p++;
    } else if (c == '#' || (c == '/' && (s->p[1] == '/' || s->p[1] == '*'))) {
        skip_comment(s);
    } else if (c == '"') {
        scan_string(s);
    } else if (c == '{' || c == '(' || c == '[') {
        scan_open(s);
    } else if (c == '}' || c == ')' || c == ']') {
        scan_close(s);
    } else if (c == ',') {
        scan_comma(s);
    } else if (c == ';' || c == '=' || c == ':') {
        emit(s, s->p++, 1, c == ':' ? '=' : c);
    } else if (c == '@') {
        scan_at(s);
    } else if (is_word(c)) {
        scan_word(s);
    } else {
        config_error_at(
            s->text, s->line,
            (unsigned char)c < 0x20 ? "a control character stands here" : "\"%c\" cannot stand here", c);
        s->p++;
    }
}

/* Line by line, so that the line can be named. */
static bool check_bytes(struct config_text *text)
{
    const char *p = text->bytes, *end = text->bytes + text->len;
    for (int line = 1; p < end; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        const char *wrong = json_check_text((const unsigned char *)p, (size_t)((stop ? stop : end) - p));
        if (wrong) {
            config_error_at(text, line, "the text is not UTF-8: %s", wrong);
            return false;
        }
        p = stop ? stop + 1 : end;
    }
    return true;
}

bool config_scan(struct config_text *text, struct buf *copy)
{
    if (!check_bytes(text))
        return false;
    struct scanner s = {
        .text = text, .copy = copy, .p = text->bytes, .end = text->bytes + text->len, .line = 1
    };
    if (text->len >= 3 && memcmp(s.p, "\xEF\xBB\xBF", 3) == 0)
        s.p += 3; /* a byte order mark */
    while (s.p < s.end && !s.stop)
        scan_token(&s);
    if (s.depth > 0 && !s.stop) {
        config_error_at(text, s.open[s.depth - 1].line, "\"%c\" is opened here and never closed",
                        s.open[s.depth - 1].open);
        s.stop = true;
    }
    if (!buf_ok(copy))
        config_out_of_memory(text);
    return !s.stop && buf_ok(copy);
}
