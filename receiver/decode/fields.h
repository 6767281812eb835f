/* receiver/decode/fields.h - values of a JSON text, picked by their paths while it streams by. Memory is
 * bounded by the number of paths, whatever the size of the text.
 *
 * A path is written "workflow_run.head_branch", "checks[0].name", "labels['app.kubernetes.io/name']"; a
 * leading
 * "$." may stand before it. It leads to a string, a number (taken as it was written), true or false. */
#ifndef RECEIVER_DECODE_FIELDS_H
#define RECEIVER_DECODE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/base/err.h"

#define FIELDS_MAX 64u              /* paths of one text */
#define FIELD_SEGMENTS_MAX 8u       /* keys and indices of one path */
#define FIELD_DEPTH_MAX 64u         /* of arrays and objects; fields_new()'s depth is no more */
#define FIELD_UNREAD_MAX (1u << 20) /* bytes of one value, looked at or not: the parser keeps it whole */
#define FIELD_INDEX_MAX 999999

/* ERR_INVALID says what is wrong with the path, ERR_LIMIT that it is too long. */
enum err_code field_path_check(const char *path, struct err *e);

struct fields;
/* Paths are borrowed for the fields' life, and right (field_path_check()); "" stands for none. A value is
 * kept to value_max bytes, cut between characters. */
enum err_code fields_new(struct fields **ret, const char *const *paths, size_t len, int64_t value_max,
                         int64_t depth, struct err *e);
struct fields *fields_free(struct fields *f); /* NULL is fine; returns NULL */
static inline void fields_freep(struct fields **f)
{
    *f = fields_free(*f);
}
/* The next bytes. Errors, with the byte offset; after one it says the same for ever: ERR_INVALID (not JSON,
 * invalid UTF-8, NUL, unpaired surrogates, a field twice), ERR_LIMIT (too deep, too long), ERR_NOMEM. */
enum err_code fields_feed(struct fields *f, const char *bytes, size_t len, struct err *e);
/* The text has ended. */
enum err_code fields_end(struct fields *f, struct err *e);
/* The value, terminated; NULL when it is absent, null, "", an object or an array. */
const char *fields_get(const struct fields *f, size_t index);
/* After ERR_LIMIT: "depth" or "alert", as in heald.cfg; else NULL. */
const char *fields_limit(const struct fields *f);

#endif
