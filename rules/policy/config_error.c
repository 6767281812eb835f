/* Errors of a text: collected while it is read, shown by line, with the nearest right word. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/config_internal.h"

#define WORD_MAX 64 /* bytes; longer words have no neighbours */

__attribute__((format(printf, 3, 0))) static void record(struct config_text *text, int line, const char *fmt,
                                                         va_list args)
{
    assert(!text->in_default);
    if (text->findings_len == CONFIG_ERRORS_MAX) {
        text->unlisted++;
        return;
    }
    if (!text->findings)
        text->findings = calloc(CONFIG_ERRORS_MAX, sizeof *text->findings);
    char *message = NULL;
    if (!text->findings || vasprintf(&message, fmt, args) < 0) {
        text->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < text->findings_len; i++) {
        const struct finding *f = &text->findings[i];
        if (f->line == line &&
            strncmp(f->text, message, strlen(message)) == 0) { /* a plan is read several times */
            free(message);
            return;
        }
    }
    if (text->scope && text->scope->who) {
        char *longer = NULL;
        if (asprintf(&longer, "%s; in %s", message, text->scope->who) < 0)
            text->out_of_memory = true;
        else
            message = (free(message), longer);
    }
    text->findings[text->findings_len] =
        (struct finding){ .line = line, .order = text->findings_len, .text = message };
    text->findings_len++;
}

void config_error(struct config_text *text, const config_setting_t *setting, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    record(text, setting ? config_line(setting) : 0, fmt, args);
    va_end(args);
}

void config_error_at(struct config_text *text, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    record(text, line, fmt, args);
    va_end(args);
}

void config_out_of_memory(struct config_text *text)
{
    text->out_of_memory = true;
}

int config_line(const config_setting_t *setting)
{
    return (int)setting->line;
}

bool config_failed(const struct config_text *text)
{
    return text->findings_len > 0 || text->out_of_memory;
}

void config_text_release(struct config_text *text)
{
    for (size_t i = 0; i < text->findings_len; i++)
        free(text->findings[i].text);
    for (size_t i = 0; i < text->kept_len; i++)
        free(text->kept[i]);
    free(text->kept);
    text->kept = NULL;
    text->kept_len = 0;
    free(text->findings);
    text->findings = NULL;
    text->findings_len = 0;
}

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

/* The line, indented, trimmed, without control characters. */
static void add_excerpt(struct buf *out, const struct config_text *text, int line)
{
    size_t len = 0;
    const char *p = line > 0 ? config_find_line(text->bytes, text->len, line, &len) : NULL;
    while (p && len > 0 && (*p == ' ' || *p == '\t')) {
        p++;
        len--;
    }
    while (p && len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t' || p[len - 1] == '\r'))
        len--;
    if (!p || len == 0)
        return;
    bool cut = len > CONFIG_EXCERPT_MAX;
    if (cut)
        len = CONFIG_EXCERPT_MAX;
    while (cut && len > 0 && ((unsigned char)p[len] & 0xC0u) == 0x80u)
        len--; /* not inside a UTF-8 sequence */
    buf_adds(out, "    ");
    for (size_t i = 0; i < len; i++)
        buf_add(out, (unsigned char)p[i] < 0x20 || p[i] == 0x7F ? " " : &p[i], 1);
    buf_adds(out, cut ? "...\n" : "\n");
}

static int by_line(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void add_findings(struct buf *out, const struct config_text *text)
{
    for (size_t i = 0; i < text->findings_len; i++) {
        const struct finding *f = &text->findings[i];
        if (f->line > 0)
            buf_addf(out, "%s:%d: %s\n", text->name, f->line, f->text);
        else
            buf_addf(out, "%s: %s\n", text->name, f->text);
        add_excerpt(out, text, f->line);
    }
    if (text->unlisted > 0)
        buf_addf(out, "%s: and %zu more errors; mend these first\n", text->name, text->unlisted);
}

enum err_code config_report(struct config_text *text, struct buf *ret_errors, struct err *e)
{
    if (text->findings_len > 1)
        qsort(text->findings, text->findings_len, sizeof text->findings[0], by_line);
    if (ret_errors)
        add_findings(ret_errors, text);
    if (text->out_of_memory || text->findings_len == 0)
        return err_set(e, ERR_NOMEM, "no memory to read \"%s\"", text->name);
    const struct finding *first = &text->findings[0];
    size_t more = text->findings_len - 1 + text->unlisted;
    err_set(e, ERR_INVALID, "%s:%d: %s", text->name, first->line, first->text);
    if (first->line == 0)
        err_set(e, ERR_INVALID, "%s: %s", text->name, first->text);
    if (more > 0)
        err_wrap(e, ERR_INVALID, "%zu errors, the first", more + 1);
    return ERR_INVALID;
}

/* ---- the nearest right word ---- */

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, replacements and swapped neighbours; upper and lower case
 * are equal. */
static unsigned distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned rows[3][WORD_MAX + 1];
    if (la > WORD_MAX || lb > WORD_MAX)
        return WORD_MAX;
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];
    memset(rows, 0, sizeof rows);
    for (size_t j = 0; j <= lb; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned differ = lower(a[i - 1]) != lower(b[j - 1]);
            now[j] = least(least(last[j] + 1, now[j - 1] + 1), last[j - 1] + differ);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = least(now[j], before[j - 2] + 1);
        }
        unsigned *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[lb];
}

const char *config_nearest(const char *word, const char *const *words)
{
    const char *best = NULL;
    size_t len = strlen(word);
    unsigned bound = len < 3 ? 0 : len < 6 ? 1 : (unsigned)least((unsigned)len / 3, 4);
    for (; *words; words++) {
        unsigned d = distance(word, *words);
        if (d <= bound) {
            best = *words;
            if (d == 0)
                break;
            bound = d - 1;
        }
    }
    return best;
}

size_t config_next_choice(const char **p, const char **ret_word)
{
    if (**p == '|')
        (*p)++;
    *ret_word = *p;
    size_t len = strcspn(*p, "|");
    *p += len;
    return len;
}

void config_suggest_choice(struct buf *out, const char *word, const char *choices)
{
    const char *p = choices, *start;
    for (size_t len = config_next_choice(&p, &start); len > 0; len = config_next_choice(&p, &start)) {
        char choice[WORD_MAX + 1];
        snprintf(choice, sizeof choice, "%.*s", (int)len, start);
        const char *const one[] = { choice, NULL };
        if (config_nearest(word, one)) {
            buf_addf(out, "; did you mean \"%s\"?", choice);
            return;
        }
    }
    buf_adds(out, "; write ");
    p = choices;
    for (size_t len = config_next_choice(&p, &start), n = 0; len > 0;
         len = config_next_choice(&p, &start), n++)
        buf_addf(out, "%s\"%.*s\"", n == 0 ? "" : *p ? ", " : " or ", (int)len, start);
}
