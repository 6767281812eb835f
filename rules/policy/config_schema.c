#include "rules/policy/config_schema.h"

#include <stdlib.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/config_internal.h"

#define WORDS_MAX 1024u

/* ---- JSON ---- */

static const char *const types[] = {
    [CONFIG_STRING] = "string",     [CONFIG_BOOL] = "bool",       [CONFIG_INT] = "int",
    [CONFIG_DURATION] = "duration", [CONFIG_SIZE] = "size",       [CONFIG_PERCENT] = "percent",
    [CONFIG_CHOICE] = "choice",     [CONFIG_STRINGS] = "strings", [CONFIG_GROUP] = "group",
    [CONFIG_LIST] = "list",         [CONFIG_CUSTOM] = "other",
};

static void write_keys(struct json_writer *w, const struct config_key *keys);

static void write_range(struct json_writer *w, const struct config_key *key)
{
    char least[DURATION_TEXT_SIZE], most[DURATION_TEXT_SIZE];
    if (key->type == CONFIG_DURATION) {
        jw_kstring(w, "least", duration_format(least, key->min));
        jw_kstring(w, "most", duration_format(most, key->max));
    } else if (key->type == CONFIG_INT || key->type == CONFIG_SIZE || key->type == CONFIG_PERCENT) {
        jw_kint(w, "least", key->min);
        jw_kint(w, "most", key->max);
    }
    if (key->none)
        jw_kbool(w, "none", true);
}

static void write_words(struct json_writer *w, const char *choices)
{
    const char *p = choices, *word;
    jw_key(w, "words");
    jw_array(w);
    for (size_t len = config_next_choice(&p, &word); len > 0; len = config_next_choice(&p, &word))
        jw_string_len(w, word, len);
    jw_array_end(w);
}

static void write_key(struct json_writer *w, const struct config_key *key)
{
    jw_object(w);
    jw_kstring(w, "name", key->name);
    jw_kstring(w, "type", types[key->type]);
    if (key->unit)
        jw_kstring(w, "written", key->unit);
    if (key->required)
        jw_kbool(w, "required", true);
    if (key->default_text)
        jw_kstring(w, "default", key->default_text);
    write_range(w, key);
    if (key->choices)
        write_words(w, key->choices);
    if (key->place > PLACE_NONE)
        jw_kbool(w, "template", true);
    if (key->keys) {
        jw_key(w, "keys");
        write_keys(w, key->keys);
    }
    jw_kstring(w, "help", key->help);
    jw_object_end(w);
}

static void write_keys(struct json_writer *w, const struct config_key *keys)
{
    jw_array(w);
    for (; keys->name; keys++)
        if (keys->type != CONFIG_LINE)
            write_key(w, keys);
    jw_array_end(w);
}

void config_schema_write(struct json_writer *w, const char *title, const struct config_key *keys)
{
    jw_object(w);
    jw_kstring(w, "title", title);
    jw_key(w, "keys");
    write_keys(w, keys);
    jw_object_end(w);
}

/* ---- vim ---- */

struct words {
    struct word {
        const char *text;
        size_t len;
    } list[WORDS_MAX];
    size_t len;
};

static void add_word(struct words *w, const char *text, size_t len)
{
    for (size_t i = 0; i < w->len; i++)
        if (w->list[i].len == len && memcmp(w->list[i].text, text, len) == 0)
            return;
    if (w->len < WORDS_MAX)
        w->list[w->len++] = (struct word){ .text = text, .len = len };
}

static void collect(const struct config_key *keys, struct words *names, struct words *values)
{
    for (; keys->name; keys++) {
        const char *p = keys->choices, *word;
        if (keys->type == CONFIG_LINE)
            continue;
        add_word(names, keys->name, strlen(keys->name));
        for (size_t len = p ? config_next_choice(&p, &word) : 0; len > 0; len = config_next_choice(&p, &word))
            add_word(values, word, len);
        if (keys->none)
            add_word(values, "none", 4);
        if (keys->keys)
            collect(keys->keys, names, values);
    }
}

static int by_text(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    size_t least = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->text, y->text, least);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void add_words(struct buf *out, struct words *w, const char *before, const char *between,
                      const char *behind)
{
    qsort(w->list, w->len, sizeof w->list[0], by_text);
    for (size_t i = 0; i < w->len; i++)
        buf_addf(out, "%s%.*s", i == 0 ? before : between, (int)w->list[i].len, w->list[i].text);
    buf_adds(out, behind);
}

void config_vim(struct buf *out, const char *name, const struct config_key *keys)
{
    struct words *names = calloc(1, sizeof *names), *values = calloc(1, sizeof *values);
    if (names && values) {
        collect(keys, names, values);
        buf_addf(out,
                 "\" %s, printed from the tables that parse it; do not edit.\n"
                 "\" Use: copy it to ~/.vim/syntax/heald.vim, and begin a policy with  # vim: ft=heald\n"
                 "if exists(\"b:current_syntax\")\n  finish\nendif\n"
                 "syntax case match\nsetlocal iskeyword+=-\n",
                 name);
        add_words(out, names, "syntax match healdKey /\\v<(", "|", ")>\\ze\\s*[=:]/\n");
        add_words(out, values, "syntax match healdWord /\\v\"\\zs(", "|", ")\\ze\"/ contained\n");
        buf_adds(out,
                 "syntax match healdTemplate /\\${[^}]*}/ contained\n"
                 "syntax match healdDuration /\\v\"\\zs([0-9]+(ms|[smhdwy]))+\\ze\"/ contained\n"
                 "syntax region healdString start=/\"/ skip=/\\\\\\\\\\|\\\\\"/ end=/\"/ oneline "
                 "contains=healdTemplate,healdDuration,healdWord\n"
                 "syntax match healdNumber /\\v<-?[0-9]+>/\n"
                 "syntax keyword healdBool true false\n"
                 "syntax match healdComment /\\v(#|\\/\\/).*$/ contains=@Spell\n"
                 "syntax region healdComment start=/\\/\\*/ end=/\\*\\// contains=@Spell\n"
                 "syntax match healdInclude /@include/\n"
                 "highlight default link healdKey Identifier\nhighlight default link healdWord Constant\n"
                 "highlight default link healdTemplate Special\nhighlight default link healdDuration Number\n"
                 "highlight default link healdString String\nhighlight default link healdNumber Number\n"
                 "highlight default link healdBool Boolean\nhighlight default link healdComment Comment\n"
                 "highlight default link healdInclude Include\n"
                 "let b:current_syntax = \"heald\"\n");
    } else {
        out->failed = true;
    }
    free(names);
    free(values);
}
