/* rules/base/json_internal.h - what json.c, json_text.c and json_write.c share. */
#ifndef RULES_BASE_JSON_INTERNAL_H
#define RULES_BASE_JSON_INTERNAL_H

#include "rules/base/json.h"

/* Objects with more members get an index: duplicates and look-ups stay cheap whatever the sender chose. */
#define JSON_INDEX_OVER 16u

struct json {
    const struct json *next; /* in the array or object */
    const char *name;        /* key, terminated; "" for array elements and the root */
    union {
        const char *text;               /* string, number: terminated */
        const struct json *first;       /* array, object of at most JSON_INDEX_OVER members */
        const struct json_index *index; /* object of more members */
    } u;
    uint32_t len;           /* string, number: bytes; array, object: elements */
    uint32_t name_len : 28; /* JSON_TEXT_MAX fits */
    uint32_t type : 3;      /* enum json_type */
    uint32_t yes : 1;       /* bool */
};
_Static_assert(JSON_TEXT_MAX <= 1u << 28, "a key's length fits its field");

struct json_index {
    const struct json *first;    /* in the order of the text */
    const struct json *sorted[]; /* by json_name_compare */
};

/* Bytewise order of keys, as memcmp; a prefix sorts first. */
int json_name_compare(const struct json *a, const struct json *b);

/* Find what yajl lets pass in a whole text: returns NULL, or what is wrong at *ret_at. Checks UTF-8, escapes
 * and white space; the grammar is left to yajl. */
const char *json_scan(const unsigned char *text, size_t len, size_t *ret_at);

#endif
