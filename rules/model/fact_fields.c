#include "rules/model/fact_fields.h"

#include <string.h>

static void write_field(struct json_writer *w, const struct field *f, const char *at)
{
    int64_t i64 = 0;
    int32_t i32 = 0;
    switch (f->type) {
    case FIELD_TEXT:
        if (at[0])
            jw_kstring(w, f->name, at);
        break;
    case FIELD_I64:
        memcpy(&i64, at, sizeof i64);
        if (i64)
            jw_kint(w, f->name, i64);
        break;
    case FIELD_I32:
        memcpy(&i32, at, sizeof i32);
        if (i32)
            jw_kint(w, f->name, i32);
        break;
    case FIELD_WORD:
        memcpy(&i32, at, sizeof i32);
        if (i32)
            jw_kstring(w, f->name, f->names[i32]);
        break;
    case FIELD_ENUM:
        memcpy(&i32, at, sizeof i32);
        jw_kstring(w, f->name, f->names[i32]);
        break;
    case FIELD_BOOL:
        if (*(const bool *)at)
            jw_kbool(w, f->name, true);
        break;
    }
}

void fields_write(struct json_writer *w, const struct field *fields, const void *from)
{
    for (const struct field *f = fields; f->name; f++)
        write_field(w, f, (const char *)from + f->offset);
}

static enum err_code read_enum(const struct field *f, const struct json *j, char *at, struct err *e)
{
    const char *word = json_string(j, NULL);
    for (int32_t i = 0; word && f->names[i]; i++)
        if (strcmp(f->names[i], word) == 0) {
            memcpy(at, &i, sizeof i);
            return ERR_OK;
        }
    if (!word)
        return err_set(e, ERR_INVALID, "\"%s\" is missing, or no text", f->name);
    return err_set(e, ERR_VERSION, "\"%s\": \"%s\" is not known to this release", f->name, word);
}

static enum err_code read_field(const struct field *f, const struct json *j, char *at, struct err *e)
{
    if (f->type == FIELD_ENUM)
        return read_enum(f, j, at, e);
    if (f->type == FIELD_WORD)
        return read_enum(f, j, at, e);
    if (f->type == FIELD_BOOL) {
        *(bool *)at = json_bool(j, false);
        return ERR_OK;
    }
    if (f->type == FIELD_TEXT) {
        const char *text = json_string(j, NULL);
        if (!text || !text_copy(at, f->size, text))
            return err_set(e, ERR_INVALID, "\"%s\" is not a text of less than %zu bytes", f->name, f->size);
        return ERR_OK;
    }
    int64_t i64 = json_int(j, INT64_MIN);
    if (i64 == INT64_MIN || (f->type == FIELD_I32 && (i64 > INT32_MAX || i64 < INT32_MIN)))
        return err_set(e, ERR_INVALID, "\"%s\" is not an integer in range", f->name);
    int32_t i32 = (int32_t)i64;
    if (f->type == FIELD_I64)
        memcpy(at, &i64, sizeof i64);
    else
        memcpy(at, &i32, sizeof i32);
    return ERR_OK;
}

/* By name; writers keep the order of the table, so the next one is looked at first. */
static const struct field *find_field(const struct field *fields, const struct field *next, const char *name)
{
    for (const struct field *f = next; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    for (const struct field *f = fields; f < next; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

enum err_code fields_read_only(const struct field *fields, const struct json *object,
                               bool (*other)(int kind, const char *name), int kind, void *ret, struct err *e)
{
    const struct field *next = fields;
    uint64_t seen = 0;
    for (const struct json *c = json_first(object); c; c = json_next(c)) {
        const struct field *f = find_field(fields, next, json_name(c));
        if (!f && other && !other(kind, json_name(c)))
            return err_set(e, ERR_VERSION, "key \"%s\" is not known to this release", json_name(c));
        if (!f)
            continue;
        enum err_code code = read_field(f, c, (char *)ret + f->offset, e);
        if (code)
            return code;
        seen |= 1ull << (f - fields);
        next = f + 1;
    }
    for (const struct field *f = fields; f->name; f++)
        if (f->type == FIELD_ENUM && !(seen & 1ull << (f - fields)))
            return err_set(e, ERR_INVALID, "\"%s\" is missing, or no text", f->name);
    return ERR_OK;
}

enum err_code fields_read(const struct field *fields, const struct json *object, void *ret, struct err *e)
{
    return fields_read_only(fields, object, NULL, 0, ret, e);
}
