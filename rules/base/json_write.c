/* rules/base/json_write.c - writing over yajl_gen, which prints straight into a buffer. */
#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "rules/base/json_internal.h"

#define POOL_SIZE 2048u /* yajl_gen's own state: about 700 bytes, taken once */

struct json_writer {
    yajl_gen gen;
    struct buf own;
    struct buf *out;
    bool failed;                  /* sticky */
    bool value_due;               /* a key was written */
    bool done;                    /* one whole text was written */
    uint32_t depth;               /* open arrays and objects */
    uint8_t kind[JSON_DEPTH_MAX]; /* enum json_type: yajl_gen closes an array with '}' if told so */
    size_t pool_used;
    alignas(16) char pool[POOL_SIZE];
};

/* ---- memory for yajl_gen, which does not look whether it got any
 * ----------------------------------------------------- */

static void *pool_malloc(void *ctx, size_t size)
{
    struct json_writer *w = ctx;
    size_t whole = (size + 15) / 16 * 16;
    assert(whole <= POOL_SIZE - w->pool_used);
    void *ptr = w->pool + w->pool_used;
    w->pool_used += whole;
    return ptr;
}

static void *pool_realloc(void *ctx, void *ptr, size_t size)
{
    assert(!ptr); /* yajl's own output buffer, which is not in use */
    return pool_malloc(ctx, size);
}

static void pool_free(void *ctx, void *ptr)
{
    (void)ctx;
    (void)ptr;
}

static void print(void *ctx, const char *text, size_t len)
{
    buf_add(ctx, text, len);
}

/* The writer must not move afterwards. It owns nothing but `own`. */
static void writer_init(struct json_writer *w, struct buf *out)
{
    w->own = BUF_INIT;
    w->out = out;
    w->failed = w->value_due = w->done = false;
    w->depth = 0;
    w->pool_used = 0;
    yajl_alloc_funcs memory = { .malloc = pool_malloc, .realloc = pool_realloc, .free = pool_free, .ctx = w };
    w->gen = yajl_gen_alloc(&memory);
    yajl_gen_config(w->gen, yajl_gen_print_callback, print, out);
}

enum err_code json_writer_new(struct json_writer **ret, struct err *e)
{
    struct json_writer *w = malloc(sizeof *w);
    if (!w)
        return err_set(e, ERR_NOMEM, "no memory for a JSON writer");
    writer_init(w, &w->own);
    *ret = w;
    return ERR_OK;
}

struct json_writer *json_writer_free(struct json_writer *w)
{
    if (w)
        buf_release(&w->own);
    free(w);
    return NULL;
}

void jw_reset(struct json_writer *w)
{
    buf_clear(w->out);
    yajl_gen_reset(w->gen, NULL);
    w->failed = w->value_due = w->done = false;
    w->depth = 0;
}

const char *jw_text(const struct json_writer *w, size_t *ret_len)
{
    if (w->failed || !w->done || !buf_ok(w->out))
        return NULL;
    if (ret_len)
        *ret_len = w->out->len;
    return buf_text(w->out);
}

/* ---- the grammar
 * ------------------------------------------------------------------------------------------------------ */

static bool in_object(const struct json_writer *w)
{
    return w->depth > 0 && w->kind[w->depth - 1] == JSON_OBJECT;
}

/* May a value come here? */
static bool value_begin(struct json_writer *w)
{
    if (w->done || (in_object(w) && !w->value_due))
        w->failed = true;
    return !w->failed;
}

static void value_end(struct json_writer *w, yajl_gen_status status)
{
    w->failed = w->failed || status != yajl_gen_status_ok;
    w->value_due = false;
    w->done = w->depth == 0;
}

static void open_container(struct json_writer *w, enum json_type type)
{
    if (w->depth == JSON_DEPTH_MAX)
        w->failed = true;
    if (!value_begin(w))
        return;
    yajl_gen_status status = type == JSON_OBJECT ? yajl_gen_map_open(w->gen) : yajl_gen_array_open(w->gen);
    w->kind[w->depth++] = (uint8_t)type;
    value_end(w, status);
}

static void close_container(struct json_writer *w, enum json_type type)
{
    if (w->depth == 0 || w->kind[w->depth - 1] != type || w->value_due)
        w->failed = true;
    if (w->failed)
        return;
    w->depth--;
    value_end(w, type == JSON_OBJECT ? yajl_gen_map_close(w->gen) : yajl_gen_array_close(w->gen));
}

void jw_object(struct json_writer *w)
{
    open_container(w, JSON_OBJECT);
}

void jw_object_end(struct json_writer *w)
{
    close_container(w, JSON_OBJECT);
}

void jw_array(struct json_writer *w)
{
    open_container(w, JSON_ARRAY);
}

void jw_array_end(struct json_writer *w)
{
    close_container(w, JSON_ARRAY);
}

/* Text that is known to be valid. */
static void put_key(struct json_writer *w, const char *key, size_t len)
{
    if (!in_object(w) || w->value_due)
        w->failed = true;
    if (w->failed)
        return;
    w->failed = yajl_gen_string(w->gen, (const unsigned char *)key, len) != yajl_gen_status_ok;
    w->value_due = true;
}

static void put_string(struct json_writer *w, const char *text, size_t len)
{
    if (value_begin(w))
        value_end(w, yajl_gen_string(w->gen, (const unsigned char *)text, len));
}

static bool text_is_valid(struct json_writer *w, const char *text, size_t len)
{
    if (!text || json_check_text((const unsigned char *)text, len))
        w->failed = true;
    return !w->failed;
}

void jw_key(struct json_writer *w, const char *key)
{
    size_t len = key ? strlen(key) : 0;
    if (text_is_valid(w, key, len))
        put_key(w, key, len);
}

void jw_string_len(struct json_writer *w, const char *text, size_t len)
{
    if (text_is_valid(w, text, len))
        put_string(w, text, len);
}

void jw_string(struct json_writer *w, const char *text)
{
    jw_string_len(w, text, text ? strlen(text) : 0);
}

void jw_int(struct json_writer *w, int64_t n)
{
    if (value_begin(w))
        value_end(w, yajl_gen_integer(w->gen, n));
}

void jw_bool(struct json_writer *w, bool yes)
{
    if (value_begin(w))
        value_end(w, yajl_gen_bool(w->gen, yes));
}

void jw_null(struct json_writer *w)
{
    if (value_begin(w))
        value_end(w, yajl_gen_null(w->gen));
}

void jw_kstring(struct json_writer *w, const char *key, const char *text)
{
    jw_key(w, key);
    jw_string(w, text);
}

void jw_kint(struct json_writer *w, const char *key, int64_t n)
{
    jw_key(w, key);
    jw_int(w, n);
}

void jw_kbool(struct json_writer *w, const char *key, bool yes)
{
    jw_key(w, key);
    jw_bool(w, yes);
}

/* ---- trees
 * --------------------------------------------------------------------------------------------------------------
 */

static void put_node(struct json_writer *w, const struct json *j, bool canonical);

static void put_member(struct json_writer *w, const struct json *member, bool canonical)
{
    put_key(w, member->name, member->name_len);
    put_node(w, member, canonical);
}

/* An insertion sort: larger objects carry a sorted index. Returns the number of members. */
static size_t sort_members(const struct json *object, const struct json *ret[static JSON_INDEX_OVER])
{
    size_t count = 0;
    for (const struct json *member = json_first(object); member; member = json_next(member)) {
        size_t at = count++;
        for (; at > 0 && json_name_compare(ret[at - 1], member) > 0; at--)
            ret[at] = ret[at - 1];
        ret[at] = member;
    }
    return count;
}

static void put_sorted_members(struct json_writer *w, const struct json *object)
{
    const struct json *few[JSON_INDEX_OVER];
    const struct json *const *sorted = few;
    size_t count = object->len;
    if (count > JSON_INDEX_OVER)
        sorted = object->u.index->sorted;
    else
        count = sort_members(object, few);
    for (size_t i = 0; i < count && !w->failed; i++)
        put_member(w, sorted[i], true);
}

/* Recursion ends at JSON_DEPTH_MAX. */
static void put_node(struct json_writer *w, const struct json *j, bool canonical)
{
    switch (json_type(j)) {
    case JSON_NULL:
        jw_null(w);
        break;
    case JSON_BOOL:
        jw_bool(w, j->yes);
        break;
    case JSON_NUMBER:
        if (value_begin(w))
            value_end(w, yajl_gen_number(w->gen, j->u.text, j->len));
        break;
    case JSON_STRING:
        put_string(w, j->u.text, j->len);
        break;
    case JSON_ARRAY:
        jw_array(w);
        for (const struct json *c = json_first(j); c && !w->failed; c = json_next(c))
            put_node(w, c, canonical);
        jw_array_end(w);
        break;
    case JSON_OBJECT:
        jw_object(w);
        if (canonical)
            put_sorted_members(w, j);
        for (const struct json *c = canonical ? NULL : json_first(j); c && !w->failed; c = json_next(c))
            put_member(w, c, false);
        jw_object_end(w);
        break;
    }
}

void jw_node(struct json_writer *w, const struct json *j)
{
    put_node(w, j, false);
}

void json_write(struct buf *out, const struct json *j, bool canonical)
{
    struct json_writer w;
    writer_init(&w, out);
    put_node(&w, j, canonical);
    if (w.failed)
        out->failed = true;
}
