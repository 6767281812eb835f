/* What was found in a text, for people and programs: by line and column, with the line itself and a caret. */
#include <stdlib.h>
#include <string.h>

#include "rules/policy/config_internal.h"

#define CARET_CONTEXT 80 /* bytes shown before the caret of a long line */

const char *config_find_line(const char *bytes, size_t len, int line, size_t *ret_len)
{
    const char *p = bytes, *end = bytes + len;
    for (int at = 1; p && p < end; at++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        if (at == line) {
            *ret_len = (size_t)((stop ? stop : end) - p);
            return p;
        }
        p = stop ? stop + 1 : NULL;
    }
    return NULL;
}

static bool is_inside(unsigned char c)
{
    return (c & 0xC0u) == 0x80u; /* of a UTF-8 sequence */
}

/* The byte at which a character stands, or the line's first that is not blank for column 0. */
static size_t byte_of(const char *line, size_t len, int column)
{
    size_t at = 0;
    if (column == 0)
        while (at < len && (line[at] == ' ' || line[at] == '\t'))
            at++;
    for (int i = 1; i < column && at < len; i++)
        for (at++; at < len && is_inside((unsigned char)line[at]); at++)
            continue;
    return at;
}

/* The line from `from`, cut, without control characters, then the caret under byte `at`. */
static void add_excerpt(struct buf *out, const char *line, size_t len, size_t from, size_t at)
{
    size_t end = len - from > CONFIG_EXCERPT_MAX ? from + CONFIG_EXCERPT_MAX : len, width = 4;
    while (end < len && end > from && is_inside((unsigned char)line[end]))
        end--;
    buf_adds(out, from && line[from - 1] != ' ' && line[from - 1] != '\t' ? " ..." : "    ");
    for (size_t i = from; i < end; i++) {
        buf_add(out, (unsigned char)line[i] < 0x20 || line[i] == 0x7F ? " " : &line[i], 1);
        width += i < at && !is_inside((unsigned char)line[i]);
    }
    buf_adds(out, end < len ? "...\n" : "\n");
    buf_addf(out, "%*s^\n", (int)width, "");
}

static char *excerpt(const struct config_text *text, const struct finding *f)
{
    CLEANUP(buf_release) struct buf out = BUF_INIT;
    size_t file = (size_t)CONFIG_FILE_OF(f->line), len = 0;
    const char *bytes = file ? text->included[file - 1].bytes : text->bytes;
    size_t bytes_len = file ? text->included[file - 1].len : text->len;
    int number = CONFIG_LINE_OF(f->line);
    const char *line = number > 0 ? config_find_line(bytes, bytes_len, number, &len) : NULL;
    while (line && len > 0 && strchr(" \t\r", line[len - 1]))
        len--;
    if (line && len > 0) {
        size_t at = byte_of(line, len, f->column), from = byte_of(line, len, 0);
        if (at > from + CONFIG_EXCERPT_MAX - CARET_CONTEXT / 2)
            from = at - CARET_CONTEXT;
        while (from < len && is_inside((unsigned char)line[from]))
            from++;
        add_excerpt(&out, line, len, from, at);
    }
    return buf_detach(&out);
}

static int by_line(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

void config_problem_write(struct buf *out, const struct config_problem *p, bool named)
{
    buf_adds(out, p->file);
    if (p->line)
        buf_addf(out, ":%d", p->line);
    if (p->column)
        buf_addf(out, ":%d", p->column);
    buf_addf(out, ": %s%s", p->warning ? "warning: " : "", p->text);
    if (named)
        buf_addf(out, " [%s]", p->name);
    buf_addf(out, "\n%s", p->excerpt);
}

void config_problems_release(struct config_problems *p)
{
    for (size_t i = 0; i < p->len; i++) {
        free(p->list[i].file);
        free(p->list[i].text);
        free(p->list[i].excerpt);
    }
    free(p->list);
    *p = (struct config_problems){ .len = 0 };
}

bool config_problems_add(struct config_problems *p, const char *file, int line, bool warning,
                         const char *name, const char *text)
{
    struct config_problem *longer = reallocarray(p->list, p->len + 1, sizeof *longer);
    if (!longer)
        return false;
    p->list = longer;
    struct config_problem *added = &longer[p->len++];
    *added = (struct config_problem){ .line = line,
                                      .warning = warning,
                                      .name = name,
                                      .file = strdup(file),
                                      .text = strdup(text),
                                      .excerpt = strdup("") };
    return added->file && added->text && added->excerpt;
}

/* False: no memory. */
static bool add_problem(struct config_problems *ret, const struct config_text *text, const struct finding *f)
{
    struct config_problem *longer = reallocarray(ret->list, ret->len + 1, sizeof *longer);
    if (!longer)
        return false;
    ret->list = longer;
    struct config_problem *p = &longer[ret->len++];
    *p = (struct config_problem){ .line = CONFIG_LINE_OF(f->line),
                                  .column = f->column,
                                  .warning = f->warning,
                                  .name = f->name,
                                  .file = strdup(config_file_name(text, f->line)),
                                  .text = strdup(f->text),
                                  .excerpt = excerpt(text, f) };
    return p->file && p->text && p->excerpt;
}

static enum err_code say_first(const struct config_text *text, const struct config_problem *p, struct err *e)
{
    size_t more = text->errors_len - 1 + text->unlisted;
    if (p->line)
        err_set(e, ERR_INVALID, "%s:%d: %s", p->file, p->line, p->text);
    else
        err_set(e, ERR_INVALID, "%s: %s", p->file, p->text);
    if (more > 0)
        err_wrap(e, ERR_INVALID, "%zu errors, the first", more + 1);
    return ERR_INVALID;
}

enum err_code config_report(struct config_text *text, struct config_problems *ret_problems,
                            struct buf *ret_errors, struct err *e)
{
    CLEANUP(config_problems_release) struct config_problems own = { .len = 0 };
    struct config_problems *all = ret_problems ? ret_problems : &own;
    const struct config_problem *first = NULL;
    size_t from = all->len;
    if (text->findings_len > 1)
        qsort(text->findings, text->findings_len, sizeof text->findings[0], by_line);
    for (size_t i = 0; i < text->findings_len && !text->out_of_memory; i++)
        text->out_of_memory = !add_problem(all, text, &text->findings[i]);
    if (text->out_of_memory)
        return err_set(e, ERR_NOMEM, "no memory to read \"%s\"", text->name);
    for (size_t i = from; i < all->len; i++) {
        if (all->list[i].warning)
            continue;
        first = first ? first : &all->list[i];
        if (ret_errors)
            config_problem_write(ret_errors, &all->list[i], false);
    }
    if (text->unlisted > 0 && ret_errors)
        buf_addf(ret_errors, "%s: and %zu more errors; mend these first\n", text->name, text->unlisted);
    return first ? say_first(text, first, e) : ERR_OK;
}
