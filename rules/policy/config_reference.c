/* The reference of a configuration, in Markdown, from the tables that parse it. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "rules/base/timetext.h"
#include "rules/policy/config_internal.h"

static const char *type_word(enum config_type type)
{
    switch (type) {
    case CONFIG_STRING:
        return "string";
    case CONFIG_BOOL:
        return "true or false";
    case CONFIG_INT:
        return "number";
    case CONFIG_DURATION:
        return "time";
    case CONFIG_SIZE:
        return "size";
    case CONFIG_PERCENT:
        return "share";
    case CONFIG_CHOICE:
        return "choice";
    case CONFIG_STRINGS:
        return "strings";
    case CONFIG_GROUP:
        return "group";
    case CONFIG_LIST:
        return "list of groups";
    case CONFIG_CUSTOM:
    case CONFIG_LINE:
        break;
    }
    return "see text";
}

/* Text inside a table: a bar would end the cell. */
static void add_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_addc(out, '\\');
        buf_addc(out, *text);
    }
}

static void add_choices(struct buf *out, const char *choices)
{
    const char *p = choices, *word;
    size_t n = 0;
    for (size_t len = config_next_choice(&p, &word); len > 0; len = config_next_choice(&p, &word), n++)
        buf_addf(out, "%s`\"%.*s\"`", n == 0 ? "" : ", ", (int)len, word);
}

static void add_type(struct buf *out, const struct config_key *key)
{
    char least[DURATION_TEXT_SIZE], most[DURATION_TEXT_SIZE];
    if (key->type == CONFIG_CHOICE)
        add_choices(out, key->choices);
    else if (key->type == CONFIG_CUSTOM && key->unit)
        buf_adds(out, key->unit);
    else
        buf_adds(out, type_word(key->type));
    if (key->unit && key->type != CONFIG_CUSTOM)
        buf_addf(out, " (%s)", key->unit);
    if (key->type == CONFIG_DURATION)
        buf_addf(out, ", %s to %s", duration_format(least, key->min), duration_format(most, key->max));
    if (key->type == CONFIG_INT || key->type == CONFIG_SIZE)
        buf_addf(out, ", %" PRId64 " to %" PRId64, key->min, key->max);
    if (key->type == CONFIG_PERCENT)
        buf_addf(out, ", `\"%" PRId64 "%%\"` to `\"%" PRId64 "%%\"`", key->min, key->max);
    if (key->none)
        buf_adds(out, ", or `\"none\"`");
}

static void add_row(struct buf *out, const struct config_key *key)
{
    assert(key->help);
    buf_addf(out, "| `%s` | ", key->name);
    add_type(out, key);
    buf_adds(out, " | ");
    if (key->required) {
        buf_adds(out, "required");
    } else if (key->default_text) {
        CLEANUP(buf_release) struct buf value = BUF_INIT;
        config_default_text(&value, key);
        buf_adds(out, "`");
        add_cell(out, buf_text(&value));
        buf_adds(out, "`");
    }
    buf_adds(out, " | ");
    add_cell(out, key->help);
    buf_adds(out, " |\n");
}

void config_reference(struct buf *out, const char *title, const struct config_key *keys, int level)
{
    for (int i = 0; i < level; i++)
        buf_addc(out, '#');
    buf_addf(out, " %s\n\n| key | value | default | what it does |\n| --- | --- | --- | --- |\n", title);
    for (const struct config_key *key = keys; key->name; key++) {
        if (key->type != CONFIG_LINE)
            add_row(out, key);
    }
    buf_adds(out, "\n");
    for (const struct config_key *key = keys; key->name; key++) {
        if (!key->keys)
            continue;
        CLEANUP(buf_release) struct buf name = BUF_INIT;
        buf_addf(&name, "%s: `%s`", title, key->name);
        config_reference(out, buf_text(&name), key->keys, level < 6 ? level + 1 : 6);
    }
}
