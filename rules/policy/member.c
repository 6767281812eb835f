#include "rules/policy/member.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

struct groups { /* MEMBER_GROUPS */
    void *items;
    size_t len;
};

static bool is_zero(const struct member *m, const void *field)
{
    switch (m->type) {
    case MEMBER_TEXT:
        return !*(char *const *)field;
    case MEMBER_BOOL:
        return !*(const bool *)field;
    case MEMBER_INT:
        return *(const int64_t *)field == 0;
    case MEMBER_FLAG:
    case MEMBER_CHOICE:
        return *(const int *)field == 0;
    case MEMBER_WORDS:
        return ((const struct config_strings *)field)->len == 0;
    case MEMBER_MATCHERS:
        return ((const struct matchers *)field)->len == 0;
    case MEMBER_GROUPS:
        return ((const struct groups *)field)->len == 0;
    case MEMBER_GROUP:
        return members_empty(m->members, field);
    }
    return true;
}

bool members_empty(const struct member *members, const void *from)
{
    for (const struct member *m = members; m->name; m++)
        if (!is_zero(m, (const char *)from + m->offset))
            return false;
    return true;
}

/* ---- writing ---- */

static void write_matchers(struct json_writer *w, const struct matchers *list)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    jw_array(w);
    for (size_t i = 0; i < list->len; i++) {
        buf_clear(&text);
        matcher_format(&text, &list->list[i]);
        jw_string(w, buf_text(&text));
    }
    jw_array_end(w);
}

static void write_group(struct json_writer *w, const struct member *members, const void *group)
{
    jw_object(w);
    members_write(w, members, group);
    jw_object_end(w);
}

static void write_member(struct json_writer *w, const struct member *m, const void *field)
{
    const struct config_strings *words = field;
    const struct groups *groups = field;
    switch (m->type) {
    case MEMBER_TEXT:
        jw_string(w, *(char *const *)field);
        break;
    case MEMBER_BOOL:
        jw_bool(w, *(const bool *)field);
        break;
    case MEMBER_FLAG:
        jw_bool(w, *(const int *)field);
        break;
    case MEMBER_INT:
        jw_int(w, *(const int64_t *)field);
        break;
    case MEMBER_CHOICE:
        choice_write(w, m->choices, *(const int *)field);
        break;
    case MEMBER_WORDS:
        jw_array(w);
        for (size_t i = 0; i < words->len; i++)
            jw_string(w, words->list[i]);
        jw_array_end(w);
        break;
    case MEMBER_MATCHERS:
        write_matchers(w, field);
        break;
    case MEMBER_GROUP:
        write_group(w, m->members, field);
        break;
    case MEMBER_GROUPS:
        jw_array(w);
        for (size_t i = 0; i < groups->len; i++)
            write_group(w, m->members, (const char *)groups->items + i * m->size);
        jw_array_end(w);
        break;
    }
}

void members_write(struct json_writer *w, const struct member *members, const void *from)
{
    for (const struct member *m = members; m->name; m++) {
        const void *field = (const char *)from + m->offset;
        if (!m->always && is_zero(m, field))
            continue;
        jw_key(w, m->name);
        write_member(w, m, field);
    }
}

/* ---- reading ---- */

static enum err_code no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a plan");
}

static enum err_code read_text(const struct member *m, const struct json *j, char **ret, struct err *e)
{
    if (json_type(j) != JSON_STRING)
        return err_set(e, ERR_INVALID, "\"%s\" of a plan is not a text", m->name);
    *ret = strdup(json_string(j, ""));
    return *ret ? ERR_OK : no_memory(e);
}

/* Room for the elements of an array; NULL with ERR_OK: it has none. */
static enum err_code begin_list(const struct member *m, const struct json *j, size_t size, void *ret,
                                struct err *e)
{
    size_t len = json_len(j);
    if (json_type(j) != JSON_ARRAY)
        return err_set(e, ERR_INVALID, "\"%s\" of a plan is not a list", m->name);
    void *list = len ? calloc(len, size) : NULL;
    memcpy(ret, &list, sizeof list);
    return len && !list ? no_memory(e) : ERR_OK;
}

static enum err_code read_words(const struct member *m, const struct json *j, struct config_strings *ret,
                                struct err *e)
{
    enum err_code code = begin_list(m, j, sizeof(char *), &ret->list, e);
    for (const struct json *x = json_first(j); x && !code; x = json_next(x)) {
        code = read_text(m, x, &ret->list[ret->len], e);
        ret->len += !code;
    }
    return code;
}

static enum err_code read_matchers(const struct member *m, const struct json *j, struct matchers *ret,
                                   struct err *e)
{
    enum err_code code = begin_list(m, j, sizeof *ret->list, &ret->list, e);
    for (const struct json *x = json_first(j); x && !code; x = json_next(x)) {
        code = matcher_parse(&ret->list[ret->len], json_string(x, ""), e);
        ret->len += !code;
    }
    return code;
}

static enum err_code read_group(const struct member *m, const struct json *j, void *ret, struct err *e)
{
    enum err_code code = members_read(m->members, "", j, ret, e);
    return code || !m->read ? code : m->read(ret, e);
}

static enum err_code read_groups(const struct member *m, const struct json *j, struct groups *ret,
                                 struct err *e)
{
    if (json_len(j) > (size_t)m->max)
        return err_set(e, ERR_LIMIT, "\"%s\" of a plan has %zu entries; %" PRId64 " is the most", m->name,
                       json_len(j), m->max);
    enum err_code code = begin_list(m, j, m->size, &ret->items, e);
    for (const struct json *x = json_first(j); x && !code; x = json_next(x))
        code = read_group(m, x, (char *)ret->items + ret->len++ * m->size, e);
    return code;
}

static enum err_code read_int(const struct member *m, const struct json *j, int64_t *ret, struct err *e)
{
    int64_t n = json_int(j, -1), max = m->max ? m->max : INT64_MAX;
    if (n < 0 || n > max)
        return err_set(e, ERR_INVALID, "\"%s\" of a plan is not a number from 0 to %" PRId64, m->name, max);
    *ret = n;
    return ERR_OK;
}

static enum err_code read_member(const struct member *m, const struct json *j, void *field, struct err *e)
{
    int64_t index;
    switch (m->type) {
    case MEMBER_TEXT:
        return read_text(m, j, field, e);
    case MEMBER_BOOL:
    case MEMBER_FLAG:
        if (json_type(j) != JSON_BOOL)
            return err_set(e, ERR_INVALID, "\"%s\" of a plan is not true or false", m->name);
        if (m->type == MEMBER_BOOL)
            *(bool *)field = json_bool(j, false);
        else
            *(int *)field = json_bool(j, false);
        return ERR_OK;
    case MEMBER_INT:
        return read_int(m, j, field, e);
    case MEMBER_CHOICE:
        index = choice_index(m->choices, json_string(j, ""));
        if (index < 0)
            return err_set(e, ERR_VERSION,
                           "a plan has \"%s\" for \"%s\", which this release does not know; run the release "
                           "that wrote it",
                           json_string(j, ""), m->name);
        *(int *)field = (int)index;
        return ERR_OK;
    case MEMBER_WORDS:
        return read_words(m, j, field, e);
    case MEMBER_MATCHERS:
        return read_matchers(m, j, field, e);
    case MEMBER_GROUP:
        return read_group(m, j, field, e);
    case MEMBER_GROUPS:
        return read_groups(m, j, field, e);
    }
    return ERR_OK;
}

static const struct member *find(const struct member *members, const char *name)
{
    for (; members->name; members++)
        if (strcmp(members->name, name) == 0)
            return members;
    return NULL;
}

enum err_code members_read(const struct member *members, const char *also, const struct json *object,
                           void *ret, struct err *e)
{
    if (json_type(object) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "a plan holds something else where an object with \"%s\" belongs",
                       members->name ? members->name : also);
    for (const struct json *j = json_first(object); j; j = json_next(j)) {
        const struct member *m = find(members, json_name(j));
        if (!m && choice_index(also, json_name(j)) < 0)
            return err_set(
                e, ERR_VERSION,
                "a plan holds \"%s\", which this release does not know; run the release that wrote it",
                json_name(j));
    }
    for (const struct member *m = members; m->name; m++) {
        const struct json *j = json_get(object, m->name);
        enum err_code code = ERR_OK;
        if (j)
            code = read_member(m, j, (char *)ret + m->offset, e);
        else if (m->always)
            code = err_set(e, ERR_INVALID, "a plan has no \"%s\" where it belongs", m->name);
        if (code)
            return code;
    }
    return ERR_OK;
}

/* ---- freeing ---- */

void members_release(const struct member *members, void *from)
{
    for (const struct member *m = members; m->name; m++) {
        void *field = (char *)from + m->offset;
        struct config_strings *words = field;
        struct groups *groups = field;
        switch (m->type) {
        case MEMBER_TEXT:
            free(*(char **)field);
            *(char **)field = NULL;
            break;
        case MEMBER_WORDS:
            for (size_t i = 0; i < words->len; i++)
                free(words->list[i]);
            free(words->list);
            *words = (struct config_strings){ .len = 0 };
            break;
        case MEMBER_MATCHERS:
            matchers_release(field);
            break;
        case MEMBER_GROUP:
            members_release(m->members, field);
            break;
        case MEMBER_GROUPS:
            for (size_t i = 0; i < groups->len; i++)
                members_release(m->members, (char *)groups->items + i * m->size);
            free(groups->items);
            *groups = (struct groups){ .len = 0 };
            break;
        default:
            break;
        }
    }
}
