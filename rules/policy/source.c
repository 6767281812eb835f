#include "rules/policy/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct matcher *source_violated(const struct source *s, const struct alert *a)
{
    const struct matcher *failed = NULL;
    matchers_match(&s->only, &a->labels, &failed);
    return failed;
}

static bool list_allows(const struct matchers *list, const char *value)
{
    for (size_t i = 0; i < list->len; i++) {
        if (matcher_matches_value(&list->list[i], value))
            return true;
    }
    return list->len == 0;
}

bool source_may(const struct source *s, const struct target *t, char *ret_why, size_t why_size)
{
    const struct {
        const struct matchers *list;
        const char *key, *value;
    } checks[] = {
        { &s->may_clusters, "clusters", t->cluster },
        { &s->may_namespaces, "namespaces", t->namespace },
        { &s->may_kinds, "kinds", t->kind },
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (list_allows(checks[i].list, checks[i].value))
            continue;
        snprintf(ret_why, why_size, "source \"%s\" may not name \"%s\": it is not in its may.%s",
                 s->name ? s->name : "", checks[i].value, checks[i].key);
        return false;
    }
    return true;
}

enum err_code source_force(const struct source *s, struct map *labels, struct err *e)
{
    for (size_t i = 0; i < s->force.len; i++) {
        enum err_code code = map_set(labels, map_name_at(&s->force, i), map_value_at(&s->force, i), e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

void source_release(struct source *s)
{
    free(s->name);
    map_release(&s->force);
    matchers_release(&s->only);
    matchers_release(&s->may_clusters);
    matchers_release(&s->may_namespaces);
    matchers_release(&s->may_kinds);
    *s = (struct source){ .name = NULL };
}

/* ---- from a configuration ---- */

/* Room for all elements of an array of strings; false when there is nothing to read. */
static bool begin_matchers(struct config_text *text, const config_setting_t *setting, struct matchers *field)
{
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        config_error(text, setting, "\"%s\" must be an array of strings, [ \"...\", \"...\" ]",
                     config_setting_name(setting));
        return false;
    }
    int len = config_setting_length(setting);
    if (len == 0)
        return false;
    field->list = calloc((size_t)len, sizeof *field->list);
    if (!field->list)
        config_out_of_memory(text);
    return field->list != NULL;
}

static void add_error(struct config_text *text, const config_setting_t *element, enum err_code code,
                      const struct err *e)
{
    if (code == ERR_NOMEM)
        config_out_of_memory(text);
    else
        config_error(text, element, "%s", e->msg);
}

void source_parse_matchers(struct config_text *text, const config_setting_t *setting, void *field,
                           const void *arg)
{
    struct matchers *ret = field;
    (void)arg;
    if (!begin_matchers(text, setting, ret))
        return;
    for (int i = 0; i < config_setting_length(setting); i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        const char *written = config_get_text(text, element);
        struct err e = ERR_INIT;
        enum err_code code = written ? matcher_parse(&ret->list[ret->len], written, &e) : ERR_INVALID;
        if (code == ERR_OK)
            ret->len++;
        else if (written)
            add_error(text, element, code, &e);
    }
}

/* Regular expressions, kept as matchers whose name is the key. */
static void parse_patterns(struct config_text *text, const config_setting_t *setting, void *field,
                           const void *arg)
{
    struct matchers *ret = field;
    (void)arg;
    if (!begin_matchers(text, setting, ret))
        return;
    for (int i = 0; i < config_setting_length(setting); i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        const char *written = config_get_text(text, element);
        struct matcher m = { .op = MATCH_REGEX };
        struct err e = ERR_INIT;
        enum err_code code = written ? pattern_new(&m.pattern, written, RE_DOT_LINE, &e) : ERR_INVALID;
        if (code == ERR_OK && (code = re_new(&m.re, written, RE_DOT_LINE, &e)) != ERR_OK)
            m.pattern = pattern_free(m.pattern);
        if (code != ERR_OK) {
            if (written)
                add_error(text, element, code, &e);
            continue;
        }
        m.name = strdup(config_setting_name(setting));
        m.value = strdup(written);
        if (!m.name || !m.value)
            config_out_of_memory(text);
        ret->list[ret->len++] = m;
    }
}

static void force_label(struct config_text *text, const config_setting_t *element, struct map *ret,
                        const char *name, const char *value)
{
    struct err e = ERR_INIT;
    enum err_code code = map_set_len(ret, name, strlen(name), value, strlen(value), false, &e);
    if (code == ERR_CONFLICT)
        config_error(text, element, "label \"%s\" is forced twice", name);
    else if (code != ERR_OK)
        add_error(text, element, code, &e);
}

static void force_matcher(struct config_text *text, const config_setting_t *element, struct map *ret)
{
    CLEANUP(matcher_release) struct matcher m = { .op = MATCH_EQUAL };
    const char *written = config_get_text(text, element);
    struct err e = ERR_INIT;
    enum err_code code = written ? matcher_parse(&m, written, &e) : ERR_INVALID;
    if (!written)
        return;
    if (code != ERR_OK)
        add_error(text, element, code, &e);
    else if (m.op != MATCH_EQUAL)
        config_error(text, element, "a forced label has one value: write name=\"value\"");
    else
        force_label(text, element, ret, m.name, m.value);
}

void source_parse_force(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg)
{
    (void)arg;
    bool group = config_setting_is_group(setting);
    if (!config_setting_is_aggregate(setting)) {
        config_error(text, setting, "\"force\" must be a group of labels, { cluster = \"prod-1\"; }");
        return;
    }
    for (int i = 0; i < config_setting_length(setting); i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        const char *value = group ? config_get_text(text, element) : NULL;
        if (value)
            force_label(text, element, field, config_setting_name(element), value);
        else if (!group)
            force_matcher(text, element, field);
    }
}

#define MAY_KEY(key, field, what)                                                                            \
    {                                                                                                        \
        .name = (key), .type = CONFIG_CUSTOM, .parse = parse_patterns,                                       \
        .unit = "array of regular expressions", .offset = offsetof(struct source, field),                    \
        .help = "Regular expressions of the " what " that it may name; anchored at both ends."               \
    }
const struct config_key source_may_keys[] = {
    MAY_KEY("clusters", may_clusters, "clusters"),
    MAY_KEY("namespaces", may_namespaces, "namespaces"),
    MAY_KEY("kinds", may_kinds, "kinds"),
    { .name = NULL },
};

const struct config_key source_scope_keys[] = { SOURCE_SCOPE_KEYS(0), { .name = NULL } };
