/* receiver/decode/fields.c */
#include "receiver/decode/fields.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "receiver/decode/escapes.h"
#include "receiver/decode/yajl_memory.h"
#include "rules/base/json.h"

#define PIECE_BYTES                                                                                          \
    4096u /* fed to yajl at a time: an unfinished value is noticed that much too late at most */

static_assert(FIELDS_MAX == 64, "a mask of fields is 64 bits");

struct segment {
    const char *key; /* borrowed; NULL: an index */
    uint32_t len;    /* of the key; or the index */
};
struct path {
    struct segment segments[FIELD_SEGMENTS_MAX];
    uint32_t len; /* 0: there is none */
};

struct fields {
    struct path paths[FIELDS_MAX];
    size_t len;
    size_t value_max;
    uint32_t depth_max;

    struct buf text;       /* values, each terminated */
    size_t at[FIELDS_MAX]; /* in text, plus 1; 0: absent */
    uint64_t seen;         /* fields of which a value came */
    struct level {
        uint64_t fields; /* whose path leads into this array or object */
        uint32_t index;  /* of the element that comes next */
        bool array;
    } levels[FIELD_DEPTH_MAX];
    uint32_t depth;
    uint64_t next; /* fields whose path leads to the value that comes next */

    yajl_handle yajl;
    struct escapes escapes;
    int64_t before,
        event; /* as in the decoder of Alertmanager: given before this piece, and at the last value */
    bool finishing;
    enum err_code code; /* sticky */
    struct err e;
    const char *limit;
    struct yajl_memory memory;
};

/* ---- paths ---- */

/* One segment; NULL with *ret_why when it is none. */
static const char *parse_segment(struct segment *ret, const char *p, bool first, const char **ret_why)
{
    if (*p == '[' && (p[1] == '\'' || p[1] == '"')) {
        const char *end = strchr(p + 2, p[1]);
        *ret = (struct segment){ .key = p + 2, .len = end ? (uint32_t)(end - p - 2) : 0 };
        *ret_why = "a quoted key ends with the same quote and \"]\"";
        return end && end[1] == ']' ? end + 2 : NULL;
    }
    if (*p == '[') {
        char *end = NULL;
        unsigned long n = p[1] >= '0' && p[1] <= '9' ? strtoul(p + 1, &end, 10) : FIELD_INDEX_MAX + 1ul;
        *ret = (struct segment){ .key = NULL, .len = (uint32_t)n };
        *ret_why = "an index is written [0], or a key ['a.b']";
        return n <= FIELD_INDEX_MAX && end && *end == ']' ? end + 1 : NULL;
    }
    if (!first && *p++ != '.') {
        *ret_why = "keys are separated by dots";
        return NULL;
    }
    *ret = (struct segment){ .key = p, .len = (uint32_t)strcspn(p, ".[]'\"") };
    *ret_why = "a key is empty";
    return ret->len ? p + ret->len : NULL;
}

static enum err_code parse_path(struct path *ret, const char *text, struct err *e)
{
    const char *why = "", *p = text;
    ret->len = 0;
    if (*p == '$' && (p[1] == '.' || p[1] == '['))
        p += p[1] == '.' ? 2 : 1;
    while (*p) {
        if (ret->len == FIELD_SEGMENTS_MAX)
            return err_set(e, ERR_LIMIT, "path \"%s\" has more than %u keys", text, FIELD_SEGMENTS_MAX);
        p = parse_segment(&ret->segments[ret->len], p, ret->len == 0, &why);
        if (!p)
            return err_set(e, ERR_INVALID, "path \"%s\": %s", text, why);
        ret->len++;
    }
    return ERR_OK;
}

enum err_code field_path_check(const char *path, struct err *e)
{
    struct path ignored;
    enum err_code code = parse_path(&ignored, path, e);
    return code || ignored.len ? code
                               : err_set(e, ERR_INVALID, "a path is empty; write \"key\" or \"key.key\"");
}

/* ---- errors ---- */

static int64_t position(const struct fields *f)
{
    return f->before + (f->finishing ? 0 : (int64_t)yajl_get_bytes_consumed(f->yajl));
}

/* Returns 0, which makes yajl stop. */
static int refuse(struct fields *f, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct fields *f, enum err_code code, const char *fmt, ...)
{
    char text[sizeof f->e.msg];
    va_list args;
    if (f->code)
        return 0;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    f->code = err_set(&f->e, code, "byte %" PRId64 ": %s", position(f), text);
    return 0;
}

static int too_long(struct fields *f)
{
    f->limit = "alert";
    return refuse(f, ERR_LIMIT, "a value is longer than %u bytes", FIELD_UNREAD_MAX);
}

/* Every callback comes by here first. */
static bool arrived(struct fields *f)
{
    int64_t now = position(f);
    if (now - f->event > FIELD_UNREAD_MAX)
        return too_long(f);
    f->event = now;
    return f->code == ERR_OK;
}

static bool is_good(struct fields *f, const unsigned char *text, size_t len)
{
    const char *wrong = json_check_text(text, len);
    return wrong ? refuse(f, ERR_INVALID, "%s; texts are UTF-8 without U+0000", wrong) : true;
}

/* ---- values ---- */

static bool fits(const struct segment *s, const struct level *l, const char *key, size_t len)
{
    if (l->array)
        return !s->key && s->len == l->index;
    return s->key && s->len == len && memcmp(s->key, key, len) == 0;
}

/* Which fields lead to the value at this key, or index, of the present array or object? */
static uint64_t fields_at(const struct fields *f, const char *key, size_t len)
{
    const struct level *l = &f->levels[f->depth - 1];
    uint64_t found = 0;
    for (uint64_t left = l->fields; left; left &= left - 1) {
        const struct path *p = &f->paths[__builtin_ctzll(left)];
        if (fits(&p->segments[f->depth - 1], l, key, len))
            found |= left & -left;
    }
    return found;
}

/* A value begins. */
static void take_place(struct fields *f)
{
    struct level *l = f->depth ? &f->levels[f->depth - 1] : NULL;
    if (!l || !l->array)
        return; /* the key said what it is */
    f->next = fields_at(f, "", 0);
    l->index++;
}

/* Those of the fields that lead to exactly here, and not further. */
static uint64_t ending_here(const struct fields *f)
{
    uint64_t found = 0;
    for (uint64_t left = f->next; left; left &= left - 1)
        if (f->paths[__builtin_ctzll(left)].len == f->depth)
            found |= left & -left;
    return found;
}

static size_t cut(const char *text, size_t len, size_t most)
{
    if (len <= most)
        return len;
    while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80)
        most--;
    return most;
}

static int keep(struct fields *f, const char *text, size_t len)
{
    uint64_t here = ending_here(f);
    size_t at = f->text.len + 1;
    if (here & f->seen)
        return refuse(f, ERR_INVALID, "a key occurs twice");
    f->seen |= here;
    if (!here || !len)
        return 1;
    buf_add(&f->text, text, cut(text, len, f->value_max));
    buf_addc(&f->text, '\0');
    for (uint64_t left = here; left; left &= left - 1)
        f->at[__builtin_ctzll(left)] = at;
    return buf_ok(&f->text) ? 1 : refuse(f, ERR_NOMEM, "no memory for a value of %zu bytes", len);
}

static int on_scalar(struct fields *f, const char *text, size_t len)
{
    if (!arrived(f))
        return 0;
    if (f->depth == 0)
        return refuse(f, ERR_INVALID, "the body is neither an object nor an array");
    take_place(f);
    return keep(f, text, len);
}

static int on_open(struct fields *f, bool array)
{
    if (!arrived(f))
        return 0;
    if (f->depth >= f->depth_max) {
        f->limit = "depth";
        return refuse(f, ERR_LIMIT, "deeper than limits.depth = %u allows", f->depth_max);
    }
    take_place(f);
    uint64_t here = f->depth ? f->next & ~ending_here(f) : f->next;
    f->levels[f->depth++] = (struct level){ .fields = here, .array = array };
    return 1;
}

static int on_close(void *ctx)
{
    struct fields *f = ctx;
    if (!arrived(f))
        return 0;
    f->depth--;
    return 1;
}

static int on_key(void *ctx, const unsigned char *name, size_t len)
{
    struct fields *f = ctx;
    if (!arrived(f) || !is_good(f, name, len))
        return 0;
    f->next = fields_at(f, (const char *)name, len);
    return 1;
}

static int on_null(void *ctx)
{
    return on_scalar(ctx, "", 0);
}
static int on_bool(void *ctx, int yes)
{
    return yes ? on_scalar(ctx, "true", 4) : on_scalar(ctx, "false", 5);
}
static int on_number(void *ctx, const char *text, size_t len)
{
    return on_scalar(ctx, text, len);
}
static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    return is_good(ctx, text, len) ? on_scalar(ctx, (const char *)text, len) : 0;
}
static int on_map(void *ctx)
{
    return on_open(ctx, false);
}
static int on_array(void *ctx)
{
    return on_open(ctx, true);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_bool,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_close,
    .yajl_start_array = on_array,
    .yajl_end_array = on_close,
};

/* ---- life ---- */

static enum err_code set_paths(struct fields *f, const char *const *paths, size_t len, struct err *e)
{
    if (len > FIELDS_MAX)
        return err_set(e, ERR_LIMIT, "%zu paths; there may be %u", len, FIELDS_MAX);
    f->len = len;
    for (size_t i = 0; i < len; i++) {
        enum err_code code = parse_path(&f->paths[i], paths[i] ? paths[i] : "", e);
        if (code)
            return code;
        f->next |= f->paths[i].len ? UINT64_C(1) << i : 0;
    }
    return ERR_OK;
}

static bool make_parser(struct fields *f)
{
    if (setjmp(f->memory.no_memory) == 0)
        f->yajl = yajl_alloc(&callbacks, &f->memory.funcs, f);
    return f->yajl != NULL;
}

enum err_code fields_new(struct fields **ret, const char *const *paths, size_t len, int64_t value_max,
                         int64_t depth, struct err *e)
{
    CLEANUP(fields_freep) struct fields *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(e, ERR_NOMEM, "no memory for a decoder");
    yajl_memory_init(&f->memory);
    f->value_max = (size_t)value_max;
    f->depth_max = (uint32_t)(depth < FIELD_DEPTH_MAX ? depth : FIELD_DEPTH_MAX);
    enum err_code code = set_paths(f, paths, len, e);
    if (code)
        return code;
    if (!make_parser(f))
        return err_set(e, ERR_NOMEM, "no memory for a decoder");
    *ret = TAKE(f);
    return ERR_OK;
}

struct fields *fields_free(struct fields *f)
{
    if (!f)
        return NULL;
    yajl_memory_release(&f->memory);
    buf_release(&f->text);
    free(f);
    return NULL;
}

static void not_json(struct fields *f)
{
    char why[128] = "it ends too early";
    if (setjmp(f->memory.no_memory) == 0) {
        unsigned char *text = yajl_get_error(f->yajl, 0, NULL, 0);
        if (text && !f->finishing)
            text_copy(why, sizeof why, (const char *)text);
        yajl_free_error(f->yajl, text);
    }
    why[strcspn(why, "\n")] = '\0';
    refuse(f, ERR_INVALID, "not JSON: %s", why);
}

/* bytes NULL: the end. */
static void parse(struct fields *f, const char *bytes, size_t len)
{
    yajl_status status = yajl_status_error;
    if (setjmp(f->memory.no_memory) == 0) {
        status =
            bytes ? yajl_parse(f->yajl, (const unsigned char *)bytes, len) : yajl_complete_parse(f->yajl);
    } else {
        f->finishing = true; /* the parser is not to be asked any more */
        refuse(f, ERR_NOMEM, "no memory to parse a value");
        return;
    }
    if (status == yajl_status_error)
        not_json(f);
}

enum err_code fields_feed(struct fields *f, const char *bytes, size_t len, struct err *e)
{
    while (!f->code && len > 0) {
        size_t piece = len < PIECE_BYTES ? len : PIECE_BYTES, at = 0;
        bool paired = escapes_scan(&f->escapes, bytes, piece, &at);
        parse(f, bytes, paired ? piece : at);
        f->before += (int64_t)piece;
        f->finishing = true; /* positions are of the piece's end */
        if (!paired)
            refuse(f, ERR_INVALID, "unpaired surrogate escape");
        if (f->before - f->event > FIELD_UNREAD_MAX)
            too_long(f);
        f->finishing = false;
        bytes += piece;
        len -= piece;
    }
    return f->code ? err_set(e, f->code, "%s", f->e.msg) : ERR_OK;
}

enum err_code fields_end(struct fields *f, struct err *e)
{
    f->finishing = true;
    if (!f->code)
        parse(f, NULL, 0);
    return f->code ? err_set(e, f->code, "%s", f->e.msg) : ERR_OK;
}

const char *fields_get(const struct fields *f, size_t index)
{
    return index < f->len && f->at[index] ? f->text.ptr + f->at[index] - 1 : NULL;
}

const char *fields_limit(const struct fields *f)
{
    return f->code == ERR_LIMIT ? f->limit : NULL;
}
