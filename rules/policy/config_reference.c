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

/* What could be written, by what is written there. */
static const char *example_of_unit(const char *unit)
{
    static const char *const examples[][2] = {
        { "array of actions or risks", "[ \"rollback\", \"dangerous\" ]" },
        { "array of matchers", "[ \"namespace=shop\" ]" },
        { "array of regular expressions", "[ \"shop-.*\" ]" },
        { "duration, or group", "\"2m\"" },
        { "time", "\"2m\"" },
        { "time of day", "\"09:00\"" },
        { "group of conditions", "{ changed = \"template\"; }" },
        { "group of labels", "{ cluster = \"prod-1\"; }" },
        { "group of named groups", "{ name = { ... }; }" },
        { "group of texts", "{ app = \"${labels.app}\"; }" },
        { "list of arrays of matchers", "( [ \"namespace=kube-system\" ] )" },
        { "list of groups of conditions", "( { attempt = 2; }, { cause = [ \"oom\" ]; } )" },
        { "list of groups, or `\"none\"`", "\"20 per 1h\"" },
        { "list of steps", "( { do = \"restart\"; } )" },
        { "list of groups", "( { ... }, { ... } )" },
        { "group", "{ ... }" },
        { "number, `\"all\"` or `\"any\"`", "2" },
        { "string, or array of strings", "\"2026-12-24\"" },
    };
    for (size_t i = 0; unit && i < sizeof examples / sizeof examples[0]; i++)
        if (strcmp(unit, examples[i][0]) == 0)
            return examples[i][1];
    return NULL;
}

static const char *example_of_text(const struct config_key *key)
{
    static const char *const by_place[] = { [PLACE_TEXT] = "look at ${target.name}",
                                            [PLACE_NAME] = "${labels.app}-web",
                                            [PLACE_SELECTOR] = "app=${labels.app}",
                                            [PLACE_QUERY] = "up{job=\\\"${labels.job}\\\"}",
                                            [PLACE_URL] = "https://shop.example/health/${labels.app}",
                                            [PLACE_PARAM] = "${labels.app}" };
    static const char *const by_name[][2] = {
        { "is", "> 0.5" },
        { "owner", "Deployment" },
        { "kind", "Deployment" },
        { "role", "sre" },
        { "notify", "sre" },
        { "condition", "Available" },
        { "during", "night" },
        { "zone", "Europe/Berlin" },
        { "file", "shop.cfg" },
        { "do", "restart" },
        { "stop", "escalated" },
        { "days", "Mon-Fri" },
        { "profile", "small" },
        { "severity", "critical" },
        { "cause", "oom" },
        { "plan", "undo-or-restart" },
        { "url", "http://prometheus:9090" },
    };
    if (key->place > PLACE_NONE)
        return by_place[key->place];
    for (size_t i = 0; i < sizeof by_name / sizeof by_name[0]; i++)
        if (strcmp(key->name, by_name[i][0]) == 0)
            return by_name[i][1];
    return strstr(key->name, "file") ? "/etc/heald/token" : "shop";
}

static bool is_text(const struct config_key *key)
{
    return key->type == CONFIG_STRING ||
           (key->type == CONFIG_CUSTOM && key->unit && strcmp(key->unit, "string") == 0);
}

/* Every key has one: a kind of value without an example is a mistake of ours. */
static void add_example(struct buf *out, const struct config_key *key)
{
    char text[DURATION_TEXT_SIZE];
    const char *unit = key->example                 ? key->example
                       : key->type == CONFIG_CUSTOM ? example_of_unit(key->unit)
                                                    : NULL;
    if (unit)
        buf_adds(out, unit);
    else if (key->type == CONFIG_BOOL)
        buf_adds(out, key->default_text && strcmp(key->default_text, "true") == 0 ? "false" : "true");
    else if (key->type == CONFIG_CHOICE)
        buf_addf(out, "\"%s\"", strrchr(key->choices, '|') ? strrchr(key->choices, '|') + 1 : key->choices);
    else if (key->type == CONFIG_STRING || (key->type == CONFIG_CUSTOM && is_text(key)))
        buf_addf(out, "\"%s\"", example_of_text(key));
    else if (key->type == CONFIG_STRINGS)
        buf_adds(out, "[ \"sre\" ]");
    else if (key->type == CONFIG_GROUP)
        buf_adds(out, "{ ... }");
    else if (key->type == CONFIG_LIST)
        buf_adds(out, "( { ... } )");
    else if (key->default_text && strcmp(key->default_text, "none") != 0)
        config_default_text(out, key);
    else if (key->type == CONFIG_DURATION)
        buf_addf(out, "\"%s\"",
                 duration_format(text, key->min > 600000 || key->max < 600000 ? key->min : 600000));
    else if (key->type == CONFIG_SIZE)
        buf_adds(out, "\"1MiB\"");
    else
        buf_addf(out, "%" PRId64, key->min > 0 || key->max < 2 ? key->min : 2);
}

static void add_example_cell(struct buf *out, const struct config_key *key)
{
    CLEANUP(buf_release) struct buf value = BUF_INIT;
    buf_addf(&value, "%s = ", key->name);
    add_example(&value, key);
    buf_adds(&value, ";");
    buf_adds(out, "`");
    add_cell(out, buf_text(&value));
    buf_adds(out, "`");
}

static void add_row(struct buf *out, const struct config_key *key)
{
    assert(key->help &&
           (key->type != CONFIG_CUSTOM || key->example || is_text(key) || example_of_unit(key->unit)));
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
    add_example_cell(out, key);
    buf_adds(out, " | ");
    add_cell(out, key->help);
    buf_adds(out, " |\n");
}

void config_reference(struct buf *out, const char *title, const struct config_key *keys, int level)
{
    for (int i = 0; i < level; i++)
        buf_addc(out, '#');
    buf_addf(out,
             " %s\n\n| key | value | default | example | what it does |\n| --- | --- | --- | --- | --- |\n",
             title);
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
