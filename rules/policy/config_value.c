/* One setting into one field, by the key's type. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/json.h"
#include "rules/base/timetext.h"
#include "rules/policy/config_internal.h"

static const char *type_name(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group { }";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "a number";
    case CONFIG_TYPE_FLOAT:
        return "a number with a point";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    case CONFIG_TYPE_ARRAY:
        return "an array [ ]";
    case CONFIG_TYPE_LIST:
        return "a list ( )";
    default:
        return "nothing";
    }
}

static void wrong_type(struct config_text *text, const struct config_key *key,
                       const config_setting_t *setting, const char *wanted)
{
    config_problem(text, setting, "wrong-type", "\"%s\" must be %s, not %s", key->name, wanted,
                   type_name(setting));
}

const char *config_get_text(struct config_text *text, const config_setting_t *setting)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        config_problem(text, setting, "wrong-type", "a string in quotes must stand here, not %s",
                       type_name(setting));
        return NULL;
    }
    const char *value = config_get_string(text, setting, NULL);
    if (!value)
        value = "";
    const char *wrong = json_check_text((const unsigned char *)value, strlen(value));
    if (wrong) {
        config_error(text, setting, "a string holds %s", wrong);
        return NULL;
    }
    return value;
}

/* A number; also the text of one that a parameter gave. */
static bool get_int(struct config_text *text, const config_setting_t *setting, int64_t *ret)
{
    int type = config_setting_type(setting);
    const char *written = config_setting_get_string(setting);
    if (written && strstr(written, "${params.")) {
        const char *value = config_get_string(text, setting, NULL);
        size_t digits = value ? strspn(value, "0123456789") : 0;
        if (digits == 0 || digits > 15 || value[digits])
            return false;
        *ret = strtoll(value, NULL, 10);
        return true;
    }
    if (type == CONFIG_TYPE_INT)
        *ret = config_setting_get_int(setting);
    else if (type == CONFIG_TYPE_INT64)
        *ret = config_setting_get_int64(setting);
    else
        return false;
    return true;
}

static bool is_none(struct config_text *text, const struct config_key *key, const config_setting_t *setting)
{
    if (!key->none || config_setting_type(setting) != CONFIG_TYPE_STRING)
        return false;
    const char *value = config_get_string(text, setting, NULL);
    return value && strcmp(value, "none") == 0;
}

static void set_string(struct config_text *text, const struct config_key *key,
                       const config_setting_t *setting, char **field)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        wrong_type(text, key, setting, "a string in quotes");
        return;
    }
    const char *value = config_get_text(text, setting);
    if (!value)
        return;
    size_t len = strlen(value);
    bool control = false;
    for (const char *p = value; *p; p++)
        control = control || (unsigned char)*p < 0x20 || *p == 0x7F;
    struct err e = ERR_INIT;
    if (key->place != PLACE_UNCHECKED && template_check(value, key->place, &e) != ERR_OK)
        config_problem(text, setting, "invalid-template", "\"%s\": %s", key->name, e.msg);
    else if (control)
        config_error(text, setting, "\"%s\" holds a control character", key->name);
    else if (len < (size_t)key->min)
        config_error(text, setting, key->min == 1 ? "\"%s\" may not be empty" : "\"%s\" is too short",
                     key->name);
    else if (key->max > 0 && len > (size_t)key->max)
        config_error(text, setting, "\"%s\" has %zu bytes; %" PRId64 " is the most", key->name, len,
                     key->max);
    else if (!(*field = strdup(value)))
        config_out_of_memory(text);
}

static void set_int(struct config_text *text, const struct config_key *key, const config_setting_t *setting,
                    int64_t *field)
{
    const char *unit = key->unit ? key->unit : "";
    const char *or_none = key->none ? ", or \"none\" for no limit" : "";
    int64_t n;
    if (is_none(text, key, setting)) {
        *field = INT64_MAX;
    } else if (!get_int(text, setting, &n)) {
        config_problem(text, setting, "wrong-type", "\"%s\" must be a whole number%s%s%s, not %s", key->name,
                       *unit ? " of " : "", unit, or_none, type_name(setting));
    } else if (n < key->min || n > key->max) {
        config_problem(text, setting, "out-of-range",
                       "\"%s\" is %" PRId64 "; it must be from %" PRId64 " to %" PRId64 "%s", key->name, n,
                       key->min, key->max, or_none);
    } else {
        *field = n;
    }
}

static void set_duration(struct config_text *text, const struct config_key *key,
                         const config_setting_t *setting, int64_t *field)
{
    const char *or_none = key->none ? ", or \"none\" for no limit" : "";
    char least[DURATION_TEXT_SIZE], most[DURATION_TEXT_SIZE], is[DURATION_TEXT_SIZE];
    struct err e = ERR_INIT;
    int64_t ms;
    if (is_none(text, key, setting)) {
        *field = INT64_MAX;
    } else if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        config_problem(text, setting, "wrong-type",
                       "\"%s\" must be a time with its unit, such as \"90s\" or \"15m\"%s, not %s", key->name,
                       or_none, type_name(setting));
    } else if (duration_parse(&ms, config_get_string(text, setting, NULL), &e) != ERR_OK) {
        config_error(text, setting, "\"%s\": %s; write a time such as \"90s\" or \"15m\"%s", key->name, e.msg,
                     or_none);
    } else if (ms < key->min || ms > key->max) {
        config_problem(text, setting, "out-of-range", "\"%s\" is %s; it must be from %s to %s%s", key->name,
                       duration_format(is, ms), duration_format(least, key->min),
                       duration_format(most, key->max), or_none);
    } else {
        *field = ms;
    }
}

/* "256MiB", "64KiB", "10B". */
static bool parse_size(const char *value, int64_t *ret)
{
    static const struct {
        const char *unit;
        int shift;
    } units[] = { { "B", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 } };
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || digits > 9)
        return false;
    int64_t n = strtoll(value, NULL, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(value + digits, units[i].unit) == 0) {
            *ret = n << units[i].shift;
            return true;
        }
    }
    return false;
}

static void set_size(struct config_text *text, const struct config_key *key, const config_setting_t *setting,
                     int64_t *field)
{
    int64_t n;
    bool good = get_int(text, setting, &n);
    if (!good && config_setting_type(setting) == CONFIG_TYPE_STRING)
        good = parse_size(config_get_string(text, setting, NULL), &n);
    if (is_none(text, key, setting))
        *field = INT64_MAX;
    else if (!good)
        config_error(text, setting, "\"%s\" must be a size such as 4096, \"64KiB\", \"256MiB\" or \"1GiB\"",
                     key->name);
    else if (n < key->min || n > key->max)
        config_problem(text, setting, "out-of-range",
                       "\"%s\" is %" PRId64 " bytes; it must be from %" PRId64 " to %" PRId64, key->name, n,
                       key->min, key->max);
    else
        *field = n;
}

static void set_percent(struct config_text *text, const struct config_key *key,
                        const config_setting_t *setting, int64_t *field)
{
    const char *value =
        config_setting_type(setting) == CONFIG_TYPE_STRING ? config_get_string(text, setting, NULL) : "";
    size_t digits = strspn(value, "0123456789");
    int64_t n = digits > 0 && digits < 5 && strcmp(value + digits, "%") == 0 ? strtoll(value, NULL, 10) : -1;
    if (n < key->min || n > key->max)
        config_error(text, setting, "\"%s\" must be a share from \"%" PRId64 "%%\" to \"%" PRId64 "%%\"",
                     key->name, key->min, key->max);
    else
        *field = n;
}

static void set_choice(struct config_text *text, const struct config_key *key,
                       const config_setting_t *setting, int *field)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        CLEANUP(buf_release) struct buf wanted = BUF_INIT;
        config_suggest_choice(&wanted, "", key->choices);
        config_error(text, setting, "\"%s\" is %s%s", key->name, type_name(setting), buf_text(&wanted));
        return;
    }
    const char *value = config_get_string(text, setting, NULL), *p = key->choices, *start;
    int index = 0;
    for (size_t len = config_next_choice(&p, &start); len > 0;
         len = config_next_choice(&p, &start), index++) {
        if (strlen(value) == len && memcmp(value, start, len) == 0) {
            *field = index;
            return;
        }
    }
    CLEANUP(buf_release) struct buf hint = BUF_INIT;
    config_suggest_choice(&hint, value, key->choices);
    config_problem(text, setting, "unknown-word", "\"%s\" is \"%s\"%s", key->name, value, buf_text(&hint));
}

static void set_strings(struct config_text *text, const struct config_key *key,
                        const config_setting_t *setting, struct config_strings *field)
{
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        wrong_type(text, key, setting, "an array of strings, [ \"...\" ]");
        return;
    }
    size_t len = (size_t)config_setting_length(setting), most = key->len_max ? key->len_max : 10000;
    if (len < (size_t)key->min || len > most) {
        config_problem(text, setting, "out-of-range",
                       "\"%s\" has %zu entries; it must have from %" PRId64 " to %zu", key->name, len,
                       key->min, most);
        return;
    }
    if (len == 0)
        return;
    field->list = calloc(len, sizeof *field->list);
    if (!field->list)
        config_out_of_memory(text);
    for (unsigned i = 0; field->list && i < len; i++) {
        const char *value = config_get_text(text, config_setting_get_elem(setting, i));
        if (value && !(field->list[field->len++] = strdup(value))) {
            config_out_of_memory(text);
            field->len--;
        }
    }
}

/* true or false that a parameter gave. */
static void set_word_bool(struct config_text *text, const struct config_key *key,
                          const config_setting_t *setting, const char *value, bool *field)
{
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        config_error(text, setting, "\"%s\" is \"%s\"; write true or false", key->name, value);
    else
        *field = strcmp(value, "true") == 0;
}

void config_parse_value(struct config_text *text, const struct config_key *key,
                        const config_setting_t *setting, void *field)
{
    bool open = false;
    const char *written = config_setting_get_string(setting);
    const char *value =
        written && strstr(written, "${params.") ? config_get_string(text, setting, &open) : NULL;
    if (open && key->type != CONFIG_STRING)
        return; /* read when the parameter is known */
    switch (key->type) {
    case CONFIG_STRING:
        set_string(text, key, setting, field);
        break;
    case CONFIG_BOOL:
        if (value)
            set_word_bool(text, key, setting, value, field);
        else if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
            *(bool *)field = config_setting_get_bool(setting) != 0;
        else
            wrong_type(text, key, setting, "true or false");
        break;
    case CONFIG_INT:
        set_int(text, key, setting, field);
        break;
    case CONFIG_DURATION:
        set_duration(text, key, setting, field);
        break;
    case CONFIG_SIZE:
        set_size(text, key, setting, field);
        break;
    case CONFIG_PERCENT:
        set_percent(text, key, setting, field);
        break;
    case CONFIG_CHOICE:
        set_choice(text, key, setting, field);
        break;
    case CONFIG_STRINGS:
        set_strings(text, key, setting, field);
        break;
    default:
        break;
    }
}

bool config_is_text(enum config_type type)
{
    return type == CONFIG_STRING || type == CONFIG_DURATION || type == CONFIG_PERCENT ||
           type == CONFIG_CHOICE;
}

void config_default_text(struct buf *out, const struct config_key *key)
{
    const char *value = key->default_text;
    bool number =
        strchr("-0123456789", *value) != NULL && value[strspn(value, "-0123456789")] == '\0' && *value;
    bool quote = *value != '"' && (config_is_text(key->type) ||
                                   ((key->type == CONFIG_SIZE || key->type == CONFIG_INT) && !number));
    buf_addf(out, quote ? "\"%s\"" : "%s", value);
}
