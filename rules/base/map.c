/* rules/base/map.c */
#include "rules/base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Bytewise order, as memcmp; a prefix sorts first. */
static int name_compare(const struct map *m, const struct map_entry *entry, const char *name, size_t len)
{
    size_t common = entry->name_len < len ? entry->name_len : len;
    int order = common ? memcmp(m->text.ptr + entry->name, name, common) : 0;
    return order ? order : (entry->name_len > len) - (entry->name_len < len);
}

/* Index of the first entry whose name is not before `name`. */
static uint32_t map_find(const struct map *m, const char *name, size_t len, bool *ret_found)
{
    uint32_t low = 0, high = m->len;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (name_compare(m, &m->entries[mid], name, len) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *ret_found = low < m->len && name_compare(m, &m->entries[low], name, len) == 0;
    return low;
}

/* Append text and terminator, or change nothing. */
static bool text_add(struct map *m, const char *text, size_t len, uint32_t *ret_at)
{
    size_t at = m->text.len;
    if (len < UINT32_MAX && at < UINT32_MAX - len - 1) {
        buf_add(&m->text, text, len);
        buf_addc(&m->text, '\0');
        if (buf_ok(&m->text)) {
            *ret_at = (uint32_t)at;
            return true;
        }
    }
    m->text.len = at;
    m->text.failed = false;
    return false;
}

/* Close the gap that a replaced value leaves. */
static void text_remove(struct map *m, uint32_t at, uint32_t len)
{
    memmove(m->text.ptr + at, m->text.ptr + at + len, m->text.len - at - len);
    m->text.len -= len;
    for (uint32_t i = 0; i < m->len; i++) {
        if (m->entries[i].name > at)
            m->entries[i].name -= len;
        if (m->entries[i].value > at)
            m->entries[i].value -= len;
    }
}

static bool map_grow(struct map *m)
{
    if (m->len < m->cap)
        return true;
    uint32_t cap = m->cap ? m->cap * 2 : 8;
    if (cap <= m->cap)
        return false;
    struct map_entry *entries = realloc(m->entries, cap * sizeof *entries);
    if (!entries)
        return false;
    m->entries = entries;
    m->cap = cap;
    return true;
}

static enum err_code map_replace(struct map *m, uint32_t index, const char *value, size_t len, struct err *e)
{
    uint32_t at;
    if (!text_add(m, value, len, &at))
        return err_set(e, ERR_NOMEM, "no memory for a value of %zu bytes", len);
    struct map_entry *entry = &m->entries[index];
    uint32_t old = entry->value, old_len = entry->value_len;
    entry->value = at;
    entry->value_len = (uint32_t)len;
    text_remove(m, old, old_len + 1);
    return ERR_OK;
}

static enum err_code map_insert(struct map *m, uint32_t index, const char *name, size_t name_len,
                                const char *value, size_t value_len, struct err *e)
{
    uint32_t name_at, value_at;
    size_t before = m->text.len;
    if (!map_grow(m) || !text_add(m, name, name_len, &name_at))
        return err_set(e, ERR_NOMEM, "no memory for a name of %zu bytes", name_len);
    if (!text_add(m, value, value_len, &value_at)) {
        m->text.len = before;
        return err_set(e, ERR_NOMEM, "no memory for a value of %zu bytes", value_len);
    }
    struct map_entry *entry = &m->entries[index];
    memmove(entry + 1, entry, (m->len - index) * sizeof *entry);
    *entry = (struct map_entry){
        .name = name_at, .value = value_at, .name_len = (uint32_t)name_len, .value_len = (uint32_t)value_len
    };
    m->len++;
    return ERR_OK;
}

static bool is_inside(const struct map *m, const char *text)
{
    uintptr_t start = (uintptr_t)m->text.ptr, at = (uintptr_t)text;
    return m->text.ptr && at >= start && at < start + m->text.cap;
}

enum err_code map_set_len(struct map *m, const char *name, size_t name_len, const char *value,
                          size_t value_len, bool replace, struct err *e)
{
    assert(!is_inside(m, name) && !is_inside(m, value));
    int shown = (int)(name_len < 200 ? name_len : 200);
    if ((name_len && memchr(name, '\0', name_len)) || (value_len && memchr(value, '\0', value_len)))
        return err_set(e, ERR_INVALID, "a NUL byte in the name or the value of '%.*s'", shown, name);
    bool found;
    uint32_t index = map_find(m, name, name_len, &found);
    if (!found)
        return map_insert(m, index, name, name_len, value, value_len, e);
    if (!replace)
        return err_set(e, ERR_CONFLICT, "name '%.*s' occurs twice", shown, name);
    return map_replace(m, index, value, value_len, e);
}

enum err_code map_set(struct map *m, const char *name, const char *value, struct err *e)
{
    return map_set_len(m, name, strlen(name), value, strlen(value), true, e);
}

const char *map_get(const struct map *m, const char *name)
{
    bool found;
    uint32_t index = map_find(m, name, strlen(name), &found);
    return found ? m->text.ptr + m->entries[index].value : NULL;
}

const char *map_name_at(const struct map *m, size_t index)
{
    return index < m->len ? m->text.ptr + m->entries[index].name : NULL;
}

const char *map_value_at(const struct map *m, size_t index)
{
    return index < m->len ? m->text.ptr + m->entries[index].value : NULL;
}

static size_t join(const struct map *m, uint32_t text, uint32_t len, char separator, char *into)
{
    if (into) {
        memcpy(into, m->text.ptr + text, len);
        into[len] = separator;
    }
    return len + 1;
}

size_t map_joined(const struct map *m, char separator, char *into)
{
    size_t len = 0;
    for (uint32_t i = 0; i < m->len; i++) {
        const struct map_entry *entry = &m->entries[i];
        len += join(m, entry->name, entry->name_len, separator, into ? into + len : NULL);
        len += join(m, entry->value, entry->value_len, separator, into ? into + len : NULL);
    }
    return len;
}

bool map_equal(const struct map *a, const struct map *b)
{
    if (a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++) {
        const struct map_entry *x = &a->entries[i], *y = &b->entries[i];
        if (x->name_len != y->name_len || x->value_len != y->value_len ||
            memcmp(a->text.ptr + x->name, b->text.ptr + y->name, x->name_len) != 0 ||
            memcmp(a->text.ptr + x->value, b->text.ptr + y->value, x->value_len) != 0)
            return false;
    }
    return true;
}

enum err_code map_copy(struct map *ret, const struct map *from, struct err *e)
{
    if (ret == from)
        return ERR_OK;
    struct map copy = MAP_INIT;
    if (from->len) {
        buf_add(&copy.text, from->text.ptr, from->text.len);
        copy.entries = malloc(from->len * sizeof *copy.entries);
        if (!copy.entries || !buf_ok(&copy.text)) {
            map_release(&copy);
            return err_set(e, ERR_NOMEM, "no memory to copy a map of %u entries", from->len);
        }
        memcpy(copy.entries, from->entries, from->len * sizeof *copy.entries);
        copy.len = copy.cap = from->len;
    }
    map_release(ret);
    *ret = copy;
    return ERR_OK;
}

void map_clear(struct map *m)
{
    buf_clear(&m->text);
    m->len = 0;
}

void map_release(struct map *m)
{
    buf_release(&m->text);
    free(m->entries);
    *m = MAP_INIT;
}
