/* rules/base/map.h - a small sorted map from text to text: labels and annotations.
 *
 * Entries are sorted bytewise by name, so equal maps iterate equally (fingerprints, keys). Two allocations
 * however many entries. Pointers from map_get/map_at stay valid until the next map_set. One thread owns a
 * map. */
#ifndef RULES_BASE_MAP_H
#define RULES_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/base/buf.h"
#include "rules/base/err.h"

struct map_entry {
    uint32_t name, value;         /* offsets into text */
    uint32_t name_len, value_len; /* bytes, without terminator */
};
struct map {
    struct buf text;
    struct map_entry *entries; /* sorted by name */
    uint32_t len, cap;
};
#define MAP_INIT ((struct map){ .len = 0 })

/* Set name to value. With `replace` false an existing name is ERR_CONFLICT. Names and values may hold any
 * bytes but NUL (ERR_INVALID), and must not point into m itself. On failure m is as it was. */
enum err_code map_set_len(struct map *m, const char *name, size_t name_len, const char *value,
                          size_t value_len, bool replace, struct err *e) __attribute__((nonnull(1)));
enum err_code map_set(struct map *m, const char *name, const char *value, struct err *e)
    __attribute__((nonnull(1)));
const char *map_get(const struct map *m, const char *name); /* NULL when absent */
const char *map_name_at(const struct map *m, size_t index);
const char *map_value_at(const struct map *m, size_t index);
/* name SEPARATOR value SEPARATOR ..., sorted by name. Returns how many bytes that are, and writes them unless
 * `into` is NULL; no terminator. */
size_t map_joined(const struct map *m, char separator, char *into);
bool map_equal(const struct map *a, const struct map *b);
/* *ret must be a map (MAP_INIT at least): what it held is released. */
enum err_code map_copy(struct map *ret, const struct map *from, struct err *e);
void map_clear(struct map *m); /* empty, keep the memory */
void map_release(struct map *m);

#endif
