/* A look at a text before libconfig reads it. libconfig 1.5 stops at the first syntax error and names a line,
 * but not what is wrong; takes comments that never end, integers beyond 32 bits (cut to what fits) and
 * strings with NUL without a word; joins neighbouring strings in an array where a comma was forgotten; opens
 * any file named in @include; knows no columns; and gives a string the line of the token behind it.
 *
 * Behind a mistake the scan goes on at the next thing that can begin anew, so that all are found at once. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/base/json.h"
#include "rules/policy/config_internal.h"

struct bracket {
    char open;
    int line, column;
    size_t names; /* that were known when it was opened */
};

/* A setting whose name was set before: it is left out of what libconfig reads, so that the rest is checked.
 */
struct left_out {
    bool on;
    unsigned depth;
    size_t copy, places; /* where it began */
};

struct scanner {
    struct config_text *text;
    struct buf *copy;
    const char *p, *end;
    const char *line_begin; /* of the line in which p is */
    const char *token;      /* where the token that is being read begins */
    int line;               /* with the number of the file */
    unsigned base;          /* brackets that were open when this file began */
    unsigned includes;      /* files in files */
    struct place name;      /* of a setting whose value comes next; column 0: none */
    int last; /* kind of the last token: a bracket or , ; = and 's' string, 'w' another word, 0 none */
    int comma_line, comma_column; /* of a comma that was read but not yet written; 0 none */
    unsigned newlines;            /* read but not yet written */
    struct config_names names;    /* of the groups that are open */
    struct left_out left_out;
    struct bracket open[CONFIG_DEPTH_MAX];
    unsigned depth;
    bool stop; /* nothing sensible can follow */
};

static bool in_list(const struct scanner *s)
{
    return s->depth > 0 && s->open[s->depth - 1].open != '{';
}

/* In characters, from 1. */
static int column_of(const struct scanner *s, const char *at)
{
    int column = 1;
    for (const char *p = s->line_begin; p < at; p++)
        column += ((unsigned char)*p & 0xC0u) != 0x80u;
    return column;
}

#define say(s, ...) config_error_place((s)->text, (s)->line, column_of(s, (s)->token), __VA_ARGS__)

static void next_line(struct scanner *s, const char *begin)
{
    s->line++;
    s->newlines++;
    s->line_begin = begin;
}

/* A value begins at the token: of a setting where its name stands, of a list where it stands itself. */
static void add_place(struct scanner *s)
{
    struct config_text *text = s->text;
    if (text->places_lost)
        return;
    if (text->places_len % 1024 == 0) {
        struct place *more = reallocarray(text->places, text->places_len + 1024, sizeof *more);
        text->places_lost = !more;
        if (!more)
            return;
        text->places = more;
    }
    text->places[text->places_len++] =
        s->name.column ? s->name : (struct place){ .line = s->line, .column = column_of(s, s->token) };
    s->name.column = 0;
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

/* The setting that is left out has ended; its lines stay. */
static void end_left_out(struct scanner *s)
{
    struct left_out *l = &s->left_out;
    if (!l->on || s->depth > l->depth)
        return;
    l->on = false;
    if (!buf_ok(s->copy) || s->copy->len < l->copy)
        return;
    for (size_t i = l->copy; i < s->copy->len; i++)
        s->newlines += s->copy->ptr[i] == '\n';
    if (s->copy->ptr)
        s->copy->ptr[l->copy] = '\0';
    s->copy->len = l->copy;
    s->text->places_len = l->places;
    s->name.column = 0;
    s->comma_line = 0;
    s->last = ';';
}

/* A name begins a setting, unless it was set before in the same group. */
static void check_twice(struct scanner *s, const char *start, size_t len)
{
    const struct config_name name = { start, len, { .line = s->line, .column = column_of(s, start) } };
    size_t from = s->depth ? s->open[s->depth - 1].names : 0;
    const struct config_name *before = config_names_add(&s->names, from, &name);
    if (!before)
        return;
    config_problem_place(s->text, name.place, "duplicate-key",
                         "\"%.*s\" was set before in the same group, on line %d%s%s; remove one of the two",
                         (int)(len < 64 ? len : 64), start, CONFIG_LINE_OF(before->place.line),
                         CONFIG_FILE_OF(before->place.line) == CONFIG_FILE_OF(s->line) ? "" : " of ",
                         CONFIG_FILE_OF(before->place.line) == CONFIG_FILE_OF(s->line)
                             ? ""
                             : config_file_name(s->text, before->place.line));
    if (!s->left_out.on)
        s->left_out = (struct left_out){
            .on = true, .depth = s->depth, .copy = s->copy->len, .places = s->text->places_len
        };
}

static void skip_comment(struct scanner *s)
{
    int from = s->line, column = column_of(s, s->p);
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
        if (*s->p == '\n')
            next_line(s, s->p + 1);
    }
    config_error_place(s->text, from, column, "a comment begins here and never ends; close it with */");
}

static void scan_string(struct scanner *s)
{
    const char *start = s->p++;
    if (s->last == 's' && in_list(s)) {
        say(s, "a comma is missing between two strings");
        s->comma_line = s->line;
    }
    if (s->last != 's' || s->comma_line) /* strings side by side are one */
        add_place(s);
    while (s->p < s->end && *s->p != '"' && *s->p != '\n') {
        if (s->p[0] == '\\' && s->p[1] == 'x' && s->p[2] == '0' && s->p[3] == '0')
            say(s, "a string may not hold \\x00");
        s->p += s->p[0] == '\\' && (s->p[1] == '"' || s->p[1] == '\\') ? 2 : 1;
    }
    if (s->p >= s->end || *s->p == '\n') {
        say(s, "a string has no closing quote on its line; put one, and \\\" for a quote inside the string");
        emit(s, "\"\"", 2, 's');
        return;
    }
    s->p++;
    emit(s, start, (size_t)(s->p - start), 's');
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("_*+-.%", c)) || ((unsigned char)c & 0x80u);
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
        say(s, "the number %s is too large", word);
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
    add_place(s);
    if (is_integer(word, &is_long)) {
        emit_integer(s, word, is_long);
    } else if (is_bool_or_float(word)) {
        emit(s, word, strlen(word), 'w');
    } else {
        say(s, "%s needs quotes: \"%s\"", word, word);
        emit(s, "\"", 1, 's');
        buf_adds(s->copy, word);
        buf_addc(s->copy, '"');
    }
}

static const char *skip_space(const struct scanner *s, const char *p)
{
    while (p < s->end && strchr(" \t\r\n", *p))
        p++;
    return p;
}

/* A word where no value belongs: what stands behind it makes it a name. */
static void check_name(struct scanner *s, const char *word)
{
    const char *next = skip_space(s, s->p);
    int c = next < s->end ? *next : '\0';
    if (in_list(s))
        say(s, "a comma is missing before \"%s\"", word);
    else if (c != '=' && c != ':' && c != '#' && c != '/')
        say(s, "\"%s\" is neither set nor a value; write %s = ...;", word, word);
}

static void scan_equals(struct scanner *s)
{
    if (s->last == '=') {
        say(s, "one \"=\" is enough");
    } else if (s->last == 's' && !in_list(s)) {
        say(s, "names stand without quotes: name = value;");
        s->stop = true;
    } else if (s->last != 'w' || in_list(s)) {
        say(s, "a name is missing before \"%c\"", *s->p);
        s->stop = in_list(s);
    }
    emit(s, s->p++, 1, '=');
}

/* ";" in a list: meant as a comma, or is its end missing? */
static void say_list_ends(struct scanner *s)
{
    const char *next = skip_space(s, s->p + 1);
    if (next < s->end && strchr("{([\"", *next)) {
        say(s, "values of a list are separated by commas, not by \";\"");
        return;
    }
    const struct bracket *b = &s->open[s->depth - 1];
    say(s, "\"%c\" of line %d is not closed before \";\"", b->open, CONFIG_LINE_OF(b->line));
    s->stop = true;
}

static void scan_semicolon(struct scanner *s)
{
    if (s->last == '=')
        say(s, "a value is missing before \";\"");
    else if (in_list(s))
        say_list_ends(s);
    emit(s, s->p++, 1, in_list(s) ? ',' : ';');
    end_left_out(s);
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
        say(s, "\"%.*s\" cannot stand in a list; a list of groups is ( { key = value; }, { ... } )",
            (int)(len < 64 ? len : 64), start);
        s->stop = true;
    } else if (len >= sizeof word) {
        say(s, "a word of %zu bytes cannot stand here", len);
        s->stop = true;
    } else if (value && strspn(start, "-") == len) {
        say(s, "\"-\" cannot stand here; a list of groups is ( { ... }, { ... } ), an array [ \"...\", "
               "\"...\" ]");
        s->stop = true;
    } else {
        memcpy(word, start, len);
        word[len] = '\0';
        if (value) {
            emit_value(s, word);
        } else {
            check_name(s, word);
            end_left_out(s);
            if (!in_list(s))
                check_twice(s, start, len);
            s->name = (struct place){ .line = s->line, .column = column_of(s, start) };
            emit(s, word, len, 'w');
        }
    }
}

static void scan_open(struct scanner *s)
{
    if (s->depth == CONFIG_DEPTH_MAX) {
        say(s, "brackets are nested more than %u deep", CONFIG_DEPTH_MAX);
        s->stop = true;
        return;
    }
    if (in_list(s) && s->last && strchr(")]}", s->last)) {
        say(s, "a comma is missing before \"%c\"", *s->p);
        s->comma_line = s->line;
    }
    add_place(s);
    s->open[s->depth++] = (struct bracket){
        .open = *s->p, .line = s->line, .column = column_of(s, s->p), .names = s->names.len
    };
    emit(s, s->p, 1, *s->p);
    s->p++;
}

static void scan_close(struct scanner *s)
{
    char close = *s->p;
    int open = close == ')' ? '(' : close == ']' ? '[' : '{';
    if (s->depth == s->base) {
        say(s,
            s->includes
                ? "\"%c\" closes nothing of this file: an included file closes only what it has opened itself"
                : "\"%c\" closes nothing; remove it",
            close);
        s->stop = true;
        return;
    }
    const struct bracket *top = &s->open[s->depth - 1];
    if (top->open != open) {
        say(s, "\"%c\" does not close \"%c\" of line %d; a bracket or a quote is missing between them", close,
            top->open, CONFIG_LINE_OF(top->line));
        s->stop = true;
        return;
    }
    if (s->comma_line)
        config_error_place(s->text, s->comma_line, s->comma_column,
                           "a comma may not stand before the closing \"%c\"; remove the comma", close);
    if (s->left_out.on && s->depth == s->left_out.depth)
        end_left_out(s);
    s->names.len = top->names;
    s->depth--;
    emit(s, s->p, 1, close);
    s->p++;
}

static void scan_comma(struct scanner *s)
{
    if (s->comma_line || s->last == '(' || s->last == '[') {
        say(s, "a comma stands here without a value before it; remove it");
    } else if (!in_list(s)) {
        say(s, "settings are separated by \";\", not by a comma");
        emit(s, ";", 1, ';');
    } else {
        s->comma_line = s->line;
        s->comma_column = column_of(s, s->p);
        s->last = ',';
    }
    s->p++;
}

static void scan_token(struct scanner *s);

/* Every bracket that a file opens is closed in it. */
static void check_closed(struct scanner *s)
{
    if (s->depth == s->base || s->stop)
        return;
    const struct bracket *b = &s->open[s->depth - 1];
    config_error_place(s->text, b->line, b->column, "\"%c\" is opened here and never closed%s", b->open,
                       s->includes ? " in this file" : "");
    s->stop = true;
}

/* Line by line, so that the line can be named. */
static bool check_bytes(struct config_text *text, const char *bytes, size_t len, int first_line)
{
    const char *p = bytes, *end = bytes + len;
    for (int line = first_line; p < end; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        const char *wrong = json_check_text((const unsigned char *)p, (size_t)((stop ? stop : end) - p));
        if (wrong) {
            config_error_place(text, line, 0, "the text is not UTF-8: %s", wrong);
            return false;
        }
        p = stop ? stop + 1 : end;
    }
    return true;
}

bool config_is_inner_path(const char *file)
{
    return *file && *file != '/' && !strstr(file, "..") && !strchr(file, '\\') && strlen(file) < 256;
}

/* Read the file into text->included; its number, or 0 when that failed. */
static size_t read_included(struct scanner *s, const char *file)
{
    struct config_text *text = s->text;
    CLEANUP(buf_release) struct buf bytes = BUF_INIT_MAX(CONFIG_TEXT_MAX);
    struct err e = ERR_INIT;
    if (!text->reader)
        say(s, "\"@include\" is refused: this text stands alone; put it into one file");
    else if (!config_is_inner_path(file))
        say(s, "\"@include\" takes a file below the folder of the policy, without \"..\"; \"%s\" is none",
            file);
    else if (s->includes >= CONFIG_INCLUDE_DEPTH_MAX || text->included_len >= CONFIG_INCLUDES_MAX)
        say(s, "files include files more than %u deep, or more than %u in all", CONFIG_INCLUDE_DEPTH_MAX,
            CONFIG_INCLUDES_MAX);
    else if (text->reader->read(text->reader->arg, file, &bytes, &e) != ERR_OK)
        say(s, "\"%s\" cannot be included: %s", file, e.msg);
    else {
        struct config_file *more = reallocarray(text->included, text->included_len + 1, sizeof *more);
        if (more)
            text->included = more;
        size_t len = bytes.len;
        struct config_file f = { .name = strdup(file), .len = len, .bytes = buf_detach(&bytes) };
        if (more && f.name && f.bytes) {
            more[text->included_len++] = f;
            return text->included_len;
        }
        free(f.name);
        free(f.bytes);
        config_out_of_memory(text);
    }
    return 0;
}

static void scan_included(struct scanner *s, const char *file)
{
    size_t number = read_included(s, file);
    if (!number)
        return;
    const struct config_file *f = &s->text->included[number - 1];
    const struct scanner outer = *s;
    s->p = s->line_begin = f->bytes;
    s->end = f->bytes + f->len;
    s->line = (int)(number << CONFIG_LINE_BITS) + 1;
    s->base = s->depth;
    s->includes++;
    if (!check_bytes(s->text, f->bytes, f->len, s->line))
        s->stop = true;
    while (s->p < s->end && !s->stop)
        scan_token(s);
    check_closed(s);
    s->p = outer.p;
    s->end = outer.end;
    s->line = outer.line;
    s->line_begin = outer.line_begin;
    s->base = outer.base;
    s->includes = outer.includes;
}

static void scan_at(struct scanner *s)
{
    char file[256];
    const char *p = s->p + 8, *stop = memchr(s->p, '\n', (size_t)(s->end - s->p));
    stop = stop ? stop : s->end;
    if (strncmp(s->p, "@include", 8) != 0) {
        say(s, "\"@\" cannot stand here");
        s->p = stop;
        return;
    }
    p += strspn(p, " \t");
    size_t len = *p == '"' ? strcspn(p + 1, "\"\n") : 0;
    if (len == 0 || p[1 + len] != '"' || len >= sizeof file) {
        say(s, "write @include \"file.cfg\"");
        s->p = stop;
        return;
    }
    memcpy(file, p + 1, len);
    file[len] = '\0';
    s->p = p + len + 2;
    scan_included(s, file);
}

static void scan_token(struct scanner *s)
{
    char c = *s->p;
    s->token = s->p;
    if (c == '\n') {
        next_line(s, s->p + 1);
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
    } else if (c == ';') {
        scan_semicolon(s);
    } else if (c == '=' || c == ':') {
        scan_equals(s);
    } else if (c == '@') {
        scan_at(s);
    } else if (c == '\'') {
        say(s, "strings stand in double quotes");
        s->stop = true;
    } else if (is_word(c)) {
        scan_word(s);
    } else {
        say(s, (unsigned char)c < 0x20 ? "a control character stands here" : "\"%c\" cannot stand here", c);
        s->p++;
    }
}

bool config_scan(struct config_text *text, struct buf *copy)
{
    if (!check_bytes(text, text->bytes, text->len, 1))
        return false;
    struct scanner s = { .text = text,
                         .copy = copy,
                         .p = text->bytes,
                         .line_begin = text->bytes,
                         .end = text->bytes + text->len,
                         .line = 1 };
    if (text->len >= 3 && memcmp(s.p, "\xEF\xBB\xBF", 3) == 0)
        s.p = s.line_begin = s.p + 3; /* a byte order mark */
    while (s.p < s.end && !s.stop)
        scan_token(&s);
    check_closed(&s);
    if (s.left_out.on && s.depth <= s.left_out.depth)
        end_left_out(&s);
    config_names_release(&s.names);
    if (!buf_ok(copy))
        config_out_of_memory(text);
    return !s.stop && buf_ok(copy);
}
