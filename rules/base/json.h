/* rules/base/json.h - JSON (RFC 8259) read into a small tree, and written, both over yajl.
 *
 * The tree is for objects that are looked at as a whole (facts, Kubernetes objects, API answers). Hot input
 * paths use yajl's callbacks themselves, with json_check_text() for what yajl lets pass. All nodes of a
 * document live in one arena and are freed together. A document is immutable after parsing: any number of
 * threads may read it. */
#ifndef RULES_BASE_JSON_H
#define RULES_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/base/buf.h"
#include "rules/base/err.h"

#define JSON_DEPTH_MAX 64u         /* nested arrays and objects; deeper is ERR_LIMIT */
#define JSON_TEXT_MAX (256u << 20) /* bytes of one text; more is ERR_LIMIT */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json;     /* one node; owned by its document */
struct json_doc; /* a parsed text */

/* Parse exactly one JSON text (surrounding white space allowed). Refused, with the byte offset in the
 * message: ERR_INVALID  not JSON, invalid UTF-8 (also overlong forms and surrogates), U+0000 in a string, an
 * unpaired \u surrogate, duplicate keys in one object, trailing bytes ERR_LIMIT    deeper than
 * JSON_DEPTH_MAX, longer than JSON_TEXT_MAX ERR_NOMEM *ret is untouched on failure; on success the caller
 * frees it with json_free(). */
enum err_code json_parse(struct json_doc **ret, const char *text, size_t len, struct err *e)
    __attribute__((warn_unused_result, nonnull(1)));
struct json_doc *json_free(struct json_doc *doc); /* NULL is fine; returns NULL */
static inline void json_freep(struct json_doc **doc)
{
    *doc = json_free(*doc);
}
const struct json *json_root(const struct json_doc *doc);

/* Every getter accepts NULL and a node of another type, so that paths can be chained without checks. */
enum json_type json_type(const struct json *j); /* NULL node: JSON_NULL */
const struct json *json_get(const struct json *object,
                            const char *key); /* NULL when absent or not an object */
const struct json *json_path(const struct json *object,
                             const char *path); /* "status.conditions"; keys with dots: json_get */
const struct json *json_at(const struct json *array, size_t index); /* NULL when out of range */
size_t json_len(const struct json *j); /* elements of an array or object, else 0 */
const struct json *
json_first(const struct json *container); /* for (c = json_first(j); c; c = json_next(c)) */
const struct json *json_next(const struct json *element);
const char *json_name(const struct json *member); /* a member's key; "" for array elements */
const char *json_string(const struct json *j,
                        const char *fallback); /* terminated; fallback when not a string */
size_t json_string_len(const struct json *j);
int64_t json_int(const struct json *j, int64_t fallback); /* fallback when not an integer in range */
double json_double(const struct json *j, double fallback);
bool json_bool(const struct json *j, bool fallback);
bool json_equal(const struct json *a, const struct json *b); /* objects: key order does not matter */

/* Append j as compact JSON. With `canonical`, object keys are sorted bytewise at every level, so that equal
 * values give equal bytes. Numbers keep their source text. */
void json_write(struct buf *out, const struct json *j, bool canonical) __attribute__((nonnull(1)));

/* Find what yajl lets pass: returns NULL when the string is valid UTF-8 without U+0000, else what is wrong
 * with it. */
const char *json_check_text(const unsigned char *text, size_t len);

/* ---- writing
 * ------------------------------------------------------------------------------------------------------ A
 * writer over yajl_gen that is used again for the next text. Errors are sticky, like buf's. */
struct json_writer;
enum err_code json_writer_new(struct json_writer **ret, struct err *e)
    __attribute__((warn_unused_result, nonnull(1)));
struct json_writer *json_writer_free(struct json_writer *w);
static inline void json_writer_freep(struct json_writer **w)
{
    *w = json_writer_free(*w);
}
void jw_reset(struct json_writer *w); /* begin a new text */
void jw_object(struct json_writer *w);
void jw_object_end(struct json_writer *w);
void jw_array(struct json_writer *w);
void jw_array_end(struct json_writer *w);
void jw_key(struct json_writer *w, const char *key);
void jw_string(struct json_writer *w, const char *text);
void jw_string_len(struct json_writer *w, const char *text, size_t len);
void jw_int(struct json_writer *w, int64_t n);
void jw_bool(struct json_writer *w, bool yes);
void jw_null(struct json_writer *w);
void jw_node(struct json_writer *w, const struct json *j); /* a copy of a parsed node */
/* key and value in one call */
void jw_kstring(struct json_writer *w, const char *key, const char *text);
void jw_kint(struct json_writer *w, const char *key, int64_t n);
void jw_kbool(struct json_writer *w, const char *key, bool yes);
/* The finished text, terminated, valid until jw_reset or free; NULL when the writer failed (a bug of the
 * caller, invalid UTF-8, or no memory). */
const char *jw_text(const struct json_writer *w, size_t *ret_len);

#endif
