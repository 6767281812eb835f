/* What is found in a text: collected while it is read; the nearest right word. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/config_internal.h"

#define WORD_MAX 64 /* bytes; longer words have no neighbours */

/* The same thing may be found several times: plans are read once for each that calls them. */
static bool is_known(const struct config_text *text, int line, const char *message)
{
    for (size_t i = 0; i < text->findings_len; i++) {
        const struct finding *f = &text->findings[i];
        if (f->line == line && f->text && strncmp(f->text, message, strlen(message)) == 0)
            return true;
    }
    return false;
}

/* Room for one more finding of its kind, or false. */
static bool has_room(struct config_text *text, bool warning)
{
    size_t warnings = text->findings_len - text->errors_len;
    if (warning ? warnings == CONFIG_ERRORS_MAX : text->errors_len == CONFIG_ERRORS_MAX) {
        text->unlisted += !warning;
        return false;
    }
    if (!text->findings)
        text->findings = calloc(2 * (size_t)CONFIG_ERRORS_MAX, sizeof *text->findings);
    text->out_of_memory |= !text->findings;
    return text->findings != NULL;
}

__attribute__((format(printf, 3, 0))) static void record(struct config_text *text, struct finding f,
                                                         const char *fmt, va_list args)
{
    const char *who = text->scope ? text->scope->who : NULL;
    char *message = NULL, *longer = NULL;
    assert(!text->in_default);
    if (!has_room(text, f.warning))
        return;
    if (vasprintf(&message, fmt, args) < 0) {
        text->out_of_memory = true;
        return;
    }
    if (is_known(text, f.line, message)) {
        free(message);
        return;
    }
    if (who && asprintf(&longer, "%s; in %s", message, who) > 0) {
        free(message);
        message = longer;
    }
    f.text = message;
    f.order = text->findings_len;
    text->errors_len += !f.warning;
    text->findings[text->findings_len++] = f;
}

#define RECORD(text_, ...)                                                                                   \
    va_list args;                                                                                            \
    va_start(args, fmt);                                                                                     \
    record(text_, (struct finding){ __VA_ARGS__ }, fmt, args);                                               \
    va_end(args)

static int column_of(const config_setting_t *setting)
{
    return setting ? (int)(intptr_t)config_setting_get_hook(setting) : 0;
}

void config_error(struct config_text *text, const config_setting_t *setting, const char *fmt, ...)
{
    RECORD(text, .line = setting ? config_line(setting) : 0, .column = column_of(setting),
           .name = "invalid-value");
}

void config_problem(struct config_text *text, const config_setting_t *setting, const char *name,
                    const char *fmt, ...)
{
    RECORD(text, .line = setting ? config_line(setting) : 0, .column = column_of(setting), .name = name);
}

void config_error_at(struct config_text *text, int line, const char *fmt, ...)
{
    RECORD(text, .line = line, .name = "invalid-value");
}

void config_problem_at(struct config_text *text, int line, const char *name, const char *fmt, ...)
{
    RECORD(text, .line = line, .name = name);
}

void config_warning_at(struct config_text *text, int line, const char *name, const char *fmt, ...)
{
    RECORD(text, .line = line, .warning = true, .name = name);
}

void config_error_place(struct config_text *text, int line, int column, const char *fmt, ...)
{
    RECORD(text, .line = line, .column = column, .name = "syntax-error");
}

void config_problem_place(struct config_text *text, struct place place, const char *name, const char *fmt,
                          ...)
{
    RECORD(text, .line = place.line, .column = place.column, .name = name);
}

void config_out_of_memory(struct config_text *text)
{
    text->out_of_memory = true;
}

int config_line(const config_setting_t *setting)
{
    return (int)setting->line;
}

int config_line_number(int line)
{
    return CONFIG_LINE_OF(line);
}

bool config_failed(const struct config_text *text)
{
    return text->errors_len > 0 || text->out_of_memory;
}

const char *config_file_name(const struct config_text *text, int line)
{
    size_t file = (size_t)CONFIG_FILE_OF(line);
    return file && file <= text->included_len ? text->included[file - 1].name : text->name;
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
    for (size_t i = 0; i < text->included_len; i++) {
        free(text->included[i].name);
        free(text->included[i].bytes);
    }
    free(text->included);
    free(text->places);
    free(text->findings);
    text->findings = NULL;
    text->findings_len = 0;
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
