#include "rules/policy/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/config_internal.h"

#define LIST_MAX 10000u /* elements of a list whose key says nothing else */

static void set_defaults(struct config_text *text, const struct config_key *keys, void *target,
                         const void *arg);

static void *field_of(const struct config_key *key, void *target)
{
    return (char *)target + key->offset;
}

static void parse_list(struct config_text *text, const struct config_key *key,
                       const config_setting_t *setting, struct config_list *field, const void *arg)
{
    if (!config_setting_is_list(setting)) {
        config_error(text, setting, "\"%s\" must be a list of groups, ( { ... }, { ... } )", key->name);
        return;
    }
    size_t len = (size_t)config_setting_length(setting), most = key->len_max ? key->len_max : LIST_MAX;
    if (len < (size_t)key->min || len > most) {
        config_error(text, setting, "\"%s\" has %zu entries; it must have from %lld to %zu", key->name, len,
                     (long long)key->min, most);
        return;
    }
    if (len == 0)
        return;
    field->items = calloc(len, key->item_size);
    if (!field->items) {
        config_out_of_memory(text);
        return;
    }
    for (unsigned i = 0; i < len; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, i);
        void *item = (char *)field->items + i * key->item_size;
        field->len = i + 1;
        if (!config_setting_is_group(element)) {
            config_error(text, element, "an entry of \"%s\" must be a group, { ... }", key->name);
            continue;
        }
        config_parse_group(text, element, key->keys, item, arg);
        if (key->check)
            key->check(text, element, item, arg);
    }
}

static void parse_key(struct config_text *text, const struct config_key *key, const config_setting_t *setting,
                      void *target, const void *arg)
{
    void *field = field_of(key, target);
    switch (key->type) {
    case CONFIG_GROUP:
        if (!config_setting_is_group(setting)) {
            config_error(text, setting, "\"%s\" must be a group, { ... }", key->name);
            break;
        }
        config_parse_group(text, setting, key->keys, field, arg);
        if (key->check)
            key->check(text, setting, field, arg);
        break;
    case CONFIG_LIST:
        parse_list(text, key, setting, field, arg);
        break;
    case CONFIG_CUSTOM:
        key->parse(text, setting, field, arg);
        break;
    default:
        config_parse_value(text, key, setting, field);
        break;
    }
}

/* A default that is no single value: a small text of one setting. */
static void parse_default(struct config_text *text, const struct config_key *key, const char *written,
                          void *target, const void *arg)
{
    config_t config;
    config_init(&config);
    int read = config_read_string(&config, written);
    assert(read == CONFIG_TRUE);
    parse_key(text, key, config_setting_get_elem(config_root_setting(&config), 0), target, arg);
    config_destroy(&config);
    (void)read;
}

/* A setting with a value as it is written, made without libconfig: defaults are set for every group. */
static void set_value(struct config_text *text, const struct config_key *key, char *value, void *target,
                      const void *arg)
{
    size_t len = strlen(value);
    config_setting_t setting = { .name = (char *)(uintptr_t)key->name };
    if (*value == '"') {
        value[len - 1] = '\0';
        setting.type = CONFIG_TYPE_STRING;
        setting.value.sval = value + 1;
    } else if (key->type == CONFIG_BOOL) {
        setting.type = CONFIG_TYPE_BOOL;
        setting.value.ival = strcmp(value, "true") == 0;
    } else {
        setting.type = CONFIG_TYPE_INT64;
        setting.value.llval = strtoll(value, NULL, 10);
    }
    parse_key(text, key, &setting, target, arg);
}

/* The default goes the same way as what is written. */
static void set_default(struct config_text *text, const struct config_key *key, void *target, const void *arg)
{
    if (key->type == CONFIG_GROUP)
        set_defaults(text, key->keys, field_of(key, target), arg);
    if (!key->default_text)
        return;
    CLEANUP(buf_release) struct buf line = BUF_INIT;
    buf_adds(&line, "value = ");
    size_t from = line.len;
    config_default_text(&line, key);
    if (!buf_ok(&line)) {
        config_out_of_memory(text);
        return;
    }
    bool outer = text->in_default, single = !strchr("([{", line.ptr[from]) && key->type != CONFIG_GROUP;
    text->in_default = true;
    if (single) {
        set_value(text, key, line.ptr + from, target, arg);
    } else {
        buf_addc(&line, ';');
        parse_default(text, key, buf_text(&line), target, arg);
    }
    text->in_default = outer;
}

static void set_defaults(struct config_text *text, const struct config_key *keys, void *target,
                         const void *arg)
{
    for (const struct config_key *key = keys; key->name; key++)
        set_default(text, key, target, arg);
}

static const struct config_key *find_key(const struct config_key *keys, const char *name)
{
    for (; keys->name; keys++) {
        if (keys->type != CONFIG_LINE && strcmp(keys->name, name) == 0)
            return keys;
    }
    return NULL;
}

static void unknown_key(struct config_text *text, const config_setting_t *setting,
                        const struct config_key *keys)
{
    const char *words[64];
    size_t len = 0;
    for (; keys->name && len < 63; keys++) {
        if (keys->type != CONFIG_LINE)
            words[len++] = keys->name;
    }
    words[len] = NULL;
    const char *near = config_nearest(config_setting_name(setting), words);
    if (near) {
        config_problem(text, setting, "unknown-key", "unknown key \"%s\"; did you mean \"%s\"?",
                       config_setting_name(setting), near);
        return;
    }
    CLEANUP(buf_release) struct buf known = BUF_INIT;
    for (size_t i = 0; i < len; i++)
        buf_addf(&known, "%s\"%s\"", i == 0 ? "" : ", ", words[i]);
    config_problem(text, setting, "unknown-key", "unknown key \"%s\"; the keys here are %s",
                   config_setting_name(setting), buf_text(&known));
}

void config_parse_group(struct config_text *text, const config_setting_t *setting,
                        const struct config_key *keys, void *target, const void *arg)
{
    int len = config_setting_length(setting);
    for (int i = 0; i < len; i++) {
        const config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
        if (!find_key(keys, config_setting_name(member)))
            unknown_key(text, member, keys);
    }
    for (const struct config_key *key = keys; key->name; key++) {
        const config_setting_t *member = config_setting_get_member(setting, key->name);
        if (key->type == CONFIG_LINE)
            *(int *)field_of(key, target) = config_line(setting);
        else if (member)
            parse_key(text, key, member, target, arg);
        else if (key->required)
            config_problem(text, setting, "missing-key", "key \"%s\" is missing: %s", key->name, key->help);
        else
            set_default(text, key, target, arg);
    }
}

static void syntax_error(struct config_text *text, const config_t *config)
{
    const char *what = config_error_text(config);
    if (config_failed(text))
        return; /* the scanner has said more */
    if (what && strstr(what, "duplicate"))
        config_problem_at(text, config_error_line(config), "syntax-error",
                          "a key of this line was set before in the same group; remove one of the two");
    else if (what && strstr(what, "mismatched"))
        config_problem_at(text, config_error_line(config), "syntax-error",
                          "all values of an array [ ] must have one type; a list ( ) may mix them");
    else
        config_problem_at(
            text, config_error_line(config), "syntax-error",
            "%s; settings are key = value; groups { }, arrays of values [ ], lists of groups ( { }, { } )",
            what ? what : "syntax error");
}

/* Settings take over the places that the scanner saw: line and column. Both go through the text in one order.
 */
static void take_places(config_setting_t *setting, const struct place *places, size_t *next)
{
    for (int i = 0; config_setting_is_aggregate(setting) && i < config_setting_length(setting); i++) {
        config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
        member->line = (unsigned)places[*next].line;
        config_setting_set_hook(member, (void *)(intptr_t)places[*next].column);
        (*next)++;
        take_places(member, places, next);
    }
}

static size_t count_settings(const config_setting_t *setting)
{
    size_t n = 0;
    for (int i = 0; config_setting_is_aggregate(setting) && i < config_setting_length(setting); i++)
        n += 1 + count_settings(config_setting_get_elem(setting, (unsigned)i));
    return n;
}

static void parse_text(struct config_text *text, const struct config_source *source, void *target,
                       const void *arg)
{
    CLEANUP(buf_release) struct buf copy = BUF_INIT;
    if (!config_scan(text, &copy))
        return;
    config_t config;
    config_init(&config);
    config_set_auto_convert(&config, CONFIG_FALSE);
    if (config_read_string(&config, buf_text(&copy)) == CONFIG_TRUE) {
        config_setting_t *root = config_root_setting(&config);
        size_t next = 0;
        if (!text->places_lost && count_settings(root) == text->places_len)
            take_places(root, text->places, &next);
        config_parse_group(text, root, source->keys, target, arg);
        if (source->check)
            source->check(text, root, target, arg);
    } else {
        syntax_error(text, &config);
    }
    config_destroy(&config);
}

enum err_code config_parse_source(const struct config_source *source, void *target, const void *arg,
                                  struct err *e)
{
    const char *name = source->name;
    if (source->len > CONFIG_TEXT_MAX) {
        err_set(e, ERR_LIMIT, "%s has %zu bytes; %u is the most", name, source->len, CONFIG_TEXT_MAX);
        if (source->errors)
            buf_addf(source->errors, "%s: the text has %zu bytes; %u is the most\n", name, source->len,
                     CONFIG_TEXT_MAX);
        return ERR_LIMIT;
    }
    CLEANUP(buf_release) struct buf terminated = BUF_INIT;
    buf_add(&terminated, source->bytes, source->len);
    CLEANUP(config_text_release)
    struct config_text text = {
        .name = name, .bytes = buf_text(&terminated), .len = source->len, .reader = source->reader
    };
    if (!buf_ok(&terminated))
        config_out_of_memory(&text);
    else
        parse_text(&text, source, target, arg);
    return config_report(&text, source->problems, source->errors, e);
}

enum err_code config_parse_checked(const char *name, const char *bytes, size_t len,
                                   const struct config_key *keys, void *target, const void *arg,
                                   void (*check)(struct config_text *text, const config_setting_t *root,
                                                 void *target, const void *arg),
                                   struct buf *ret_errors, struct err *e)
{
    const struct config_source source = {
        .name = name, .bytes = bytes, .len = len, .keys = keys, .check = check, .errors = ret_errors
    };
    return config_parse_source(&source, target, arg, e);
}

enum err_code config_parse(const char *name, const char *bytes, size_t len, const struct config_key *keys,
                           void *target, const void *arg, struct buf *ret_errors, struct err *e)
{
    return config_parse_checked(name, bytes, len, keys, target, arg, NULL, ret_errors, e);
}

void config_strings_release(struct config_strings *strings)
{
    for (size_t i = 0; i < strings->len; i++)
        free(strings->list[i]);
    free(strings->list);
    *strings = (struct config_strings){ .len = 0 };
}

static void release_key(const struct config_key *key, void *field)
{
    if (key->type == CONFIG_STRING) {
        free(*(char **)field);
        *(char **)field = NULL;
    } else if (key->type == CONFIG_STRINGS) {
        config_strings_release(field);
    } else if (key->type == CONFIG_GROUP) {
        config_release(key->keys, field);
    } else if (key->type == CONFIG_LIST) {
        struct config_list *list = field;
        for (size_t i = 0; i < list->len; i++)
            config_release(key->keys, (char *)list->items + i * key->item_size);
        free(list->items);
        *list = (struct config_list){ .len = 0 };
    }
}

void config_release(const struct config_key *keys, void *target)
{
    for (const struct config_key *key = keys; key->name; key++)
        release_key(key, field_of(key, target));
}
