/* rules/base/json_tree.c - reading a parsed tree. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/json_internal.h"

static bool is_type(const struct json *j, enum json_type type)
{
    return j && j->type == type;
}

static int text_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

int json_name_compare(const struct json *a, const struct json *b)
{
    return text_compare(a->name, a->name_len, b->name, b->name_len);
}

enum json_type json_type(const struct json *j)
{
    return j ? (enum json_type)j->type : JSON_NULL;
}

static const struct json *index_get(const struct json *object, const char *key, size_t len)
{
    size_t low = 0, high = object->len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct json *member = object->u.index->sorted[mid];
        int order = text_compare(member->name, member->name_len, key, len);
        if (order == 0)
            return member;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static const struct json *get_len(const struct json *object, const char *key, size_t len)
{
    if (!is_type(object, JSON_OBJECT))
        return NULL;
    if (object->len > JSON_INDEX_OVER)
        return index_get(object, key, len);
    for (const struct json *member = object->u.first; member; member = member->next)
        if (member->name_len == len && memcmp(member->name, key, len) == 0)
            return member;
    return NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
    return get_len(object, key, strlen(key));
}

const struct json *json_path(const struct json *object, const char *path)
{
    for (;;) {
        size_t len = strcspn(path, ".");
        object = get_len(object, path, len);
        if (!object || path[len] == '\0')
            return object;
        path += len + 1;
    }
}

const struct json *json_first(const struct json *container)
{
    if (is_type(container, JSON_OBJECT) && container->len > JSON_INDEX_OVER)
        return container->u.index->first;
    return is_type(container, JSON_OBJECT) || is_type(container, JSON_ARRAY) ? container->u.first : NULL;
}

const struct json *json_next(const struct json *element)
{
    return element ? element->next : NULL;
}

const struct json *json_at(const struct json *array, size_t index)
{
    if (!is_type(array, JSON_ARRAY) || index >= array->len)
        return NULL;
    const struct json *element = array->u.first;
    while (index--)
        element = element->next;
    return element;
}

size_t json_len(const struct json *j)
{
    return is_type(j, JSON_OBJECT) || is_type(j, JSON_ARRAY) ? j->len : 0;
}

const char *json_name(const struct json *member)
{
    return member ? member->name : "";
}

const char *json_string(const struct json *j, const char *fallback)
{
    return is_type(j, JSON_STRING) ? j->u.text : fallback;
}

size_t json_string_len(const struct json *j)
{
    return is_type(j, JSON_STRING) ? j->len : 0;
}

int64_t json_int(const struct json *j, int64_t fallback)
{
    if (!is_type(j, JSON_NUMBER))
        return fallback;
    const char *at = j->u.text;
    bool negative = *at == '-';
    int64_t value = 0; /* negative all along: INT64_MIN has no positive counterpart */
    for (at += negative; *at; at++)
        if (*at < '0' || *at > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *at - '0', &value))
            return fallback;
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return fallback;
    return value;
}

double json_double(const struct json *j, double fallback)
{
    if (!is_type(j, JSON_NUMBER))
        return fallback;
    double value = strtod(j->u.text, NULL);
    return isfinite(value) ? value : fallback;
}

bool json_bool(const struct json *j, bool fallback)
{
    return is_type(j, JSON_BOOL) ? j->yes : fallback;
}

static bool same_text(const struct json *a, const struct json *b)
{
    return a->len == b->len && memcmp(a->u.text, b->u.text, a->len) == 0;
}

/* Recursion ends at JSON_DEPTH_MAX. */
bool json_equal(const struct json *a, const struct json *b)
{
    if (json_type(a) != json_type(b))
        return false;
    if (json_type(a) == JSON_NULL || a == b)
        return true;
    if (a->type == JSON_BOOL)
        return a->yes == b->yes;
    if (a->type == JSON_STRING || a->type == JSON_NUMBER)
        return same_text(a, b);
    if (a->len != b->len)
        return false;
    const struct json *y = json_first(b);
    for (const struct json *x = json_first(a); x; x = x->next, y = json_next(y)) {
        const struct json *other = a->type == JSON_ARRAY ? y : get_len(b, x->name, x->name_len);
        if (!other || !json_equal(x, other))
            return false;
    }
    return true;
}
