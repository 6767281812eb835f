/* rules/model/fact_fields.h - internal to rules/model: a struct's members written to and read from a JSON
 * object by a table. Empty texts and zeros are left out of the text and are the default when read. */
#ifndef RULES_MODEL_FACT_FIELDS_H
#define RULES_MODEL_FACT_FIELDS_H

#include <stddef.h>

#include "rules/base/json.h"

enum field_type {
    FIELD_TEXT, /* char[size] */
    FIELD_I64,
    FIELD_I32,  /* int32_t or uint32_t below 2^31 */
    FIELD_ENUM, /* written by name; always there */
    FIELD_WORD, /* written by name, unless it is the first: that is the default */
    FIELD_BOOL, /* true, or left out */
};

/* At most 64 in a table. */
struct field {
    const char *name; /* NULL ends a table */
    enum field_type type;
    size_t offset, size;
    const char *const *names; /* FIELD_ENUM, FIELD_WORD; NULL-ended */
};

void fields_write(struct json_writer *w, const struct field *fields, const void *from);
/* ERR_INVALID names the key that is wrong; ERR_VERSION an enum's unknown word. */
enum err_code fields_read(const struct field *fields, const struct json *object, void *ret, struct err *e);
/* The same, and a key that neither the table nor `other` knows is ERR_VERSION. */
enum err_code fields_read_only(const struct field *fields, const struct json *object,
                               bool (*other)(int kind, const char *name), int kind, void *ret, struct err *e);

/* The words of enums, each list NULL-ended. */
extern const char *const fact_disposition_words[],
    *const fact_write_words[], *const fact_outcome_words[], *const fact_pause_words[],
                                                                *const fact_mode_words[],
                                                                    *const fact_site_words[];

#endif
