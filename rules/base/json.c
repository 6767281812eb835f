/* rules/base/json.c - yajl's callbacks into a tree of nodes that live in one arena. */
#include <assert.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "rules/base/json_internal.h"

/* ---- the arena: nodes from the low end of a chunk, texts from its high end
 * ------------------------------------------ */

#define CHUNK_FIRST_MIN 512u
#define CHUNK_FIRST_MAX (64u << 10)
#define CHUNK_MAX (1u << 20)

struct chunk {
    struct chunk *next;
};
struct json_doc {
    const struct json *root;
    struct chunk *more; /* chunks after the one that follows this header in memory */
};
_Static_assert(sizeof(struct json_doc) % alignof(struct json) == 0, "nodes follow the header");
_Static_assert(sizeof(struct chunk) % alignof(struct json) == 0, "nodes follow the header");

/* ---- memory for yajl, which does not look whether it got any: freed as a whole, a failure jumps out of yajl
 * --------- */

#define SCRATCH_FIRST 4096u
#define SCRATCH_ALIGN 16u

struct block {
    struct block *next;
};
struct scratch {
    size_t used; /* of first */
    struct block *more;
    jmp_buf no_memory;
    alignas(SCRATCH_ALIGN) char first[SCRATCH_FIRST];
};

struct frame {
    struct json *self, *last;
};
struct parser {
    struct json_doc *doc;
    char *low, *high; /* what is left of the newest chunk */
    size_t chunk_size;
    struct frame frames[JSON_DEPTH_MAX];
    uint32_t depth;
    const char *key; /* of the member that comes next */
    size_t key_len;
    yajl_handle yajl;
    size_t len;     /* of the text */
    bool finishing; /* yajl has seen the whole text: its offset counts from there */
    struct err *e;
    enum err_code code;
    struct scratch scratch;
};

static void *scratch_malloc(void *ctx, size_t size)
{
    struct scratch *s = ctx;
    if (size > SIZE_MAX / 2)
        longjmp(s->no_memory, 1);
    size_t whole = SCRATCH_ALIGN + (size + SCRATCH_ALIGN - 1) / SCRATCH_ALIGN * SCRATCH_ALIGN;
    char *at;
    if (whole <= SCRATCH_FIRST - s->used) {
        at = s->first + s->used;
        s->used += whole;
    } else {
        struct block *block = malloc(SCRATCH_ALIGN + whole);
        if (!block)
            longjmp(s->no_memory, 1);
        block->next = s->more;
        s->more = block;
        at = (char *)block + SCRATCH_ALIGN;
    }
    memcpy(at, &size, sizeof size); /* for realloc */
    return at + SCRATCH_ALIGN;
}

static void scratch_free(void *ctx, void *ptr)
{
    (void)ctx;
    (void)ptr; /* all goes at once, in scratch_release() */
}

static void *scratch_realloc(void *ctx, void *ptr, size_t size)
{
    char *copy = scratch_malloc(ctx, size);
    if (ptr) {
        size_t old;
        memcpy(&old, (char *)ptr - SCRATCH_ALIGN, sizeof old);
        memcpy(copy, ptr, old < size ? old : size);
    }
    return copy;
}

static void scratch_release(struct scratch *s)
{
    while (s->more) {
        struct block *block = s->more;
        s->more = block->next;
        free(block);
    }
}

/* ---- arena
 * ------------------------------------------------------------------------------------------------------- */

static bool arena_first(struct parser *p)
{
    size_t size = p->len * 3 + CHUNK_FIRST_MIN;
    size = (size < CHUNK_FIRST_MAX ? size : CHUNK_FIRST_MAX) / 16 * 16;
    p->doc = malloc(sizeof *p->doc + size);
    if (!p->doc)
        return false;
    *p->doc = (struct json_doc){ .root = NULL };
    p->low = (char *)(p->doc + 1);
    p->high = p->low + size;
    p->chunk_size = size;
    return true;
}

/* What the old chunk has left is given up. */
static bool arena_more(struct parser *p, size_t need)
{
    size_t size = p->chunk_size * 2 < CHUNK_MAX ? p->chunk_size * 2 : CHUNK_MAX;
    if (size < need)
        size = need;
    struct chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        return false;
    chunk->next = p->doc->more;
    p->doc->more = chunk;
    p->low = (char *)(chunk + 1);
    p->high = p->low + size;
    p->chunk_size = size;
    return true;
}

/* `size` is a multiple of a pointer's. */
static void *arena_take(struct parser *p, size_t size)
{
    if ((size_t)(p->high - p->low) < size && !arena_more(p, size))
        return NULL;
    void *ptr = p->low;
    p->low += size;
    return ptr;
}

static const char *arena_text(struct parser *p, const void *bytes, size_t len)
{
    if ((size_t)(p->high - p->low) < len + 1 && !arena_more(p, len + 1 + sizeof(struct json)))
        return NULL;
    /* The high end need not be aligned, the low end always is. */
    p->high -= len + 1;
    if (len)
        memcpy(p->high, bytes, len);
    p->high[len] = '\0';
    return p->high;
}

/* ---- building
 * ------------------------------------------------------------------------------------------------------ */

static size_t offset_now(const struct parser *p)
{
    return p->finishing ? p->len : yajl_get_bytes_consumed(p->yajl);
}

/* For callbacks: 0 tells yajl to stop. */
static int no_memory(struct parser *p)
{
    p->code = err_set(p->e, ERR_NOMEM, "no memory for a JSON text of %zu bytes", p->len);
    return 0;
}

/* A new node, hung into its container. */
static struct json *node_add(struct parser *p, enum json_type type)
{
    struct json *node = arena_take(p, sizeof *node);
    if (!node) {
        no_memory(p);
        return NULL;
    }
    *node = (struct json){ .name = "", .type = type & 7u };
    if (p->depth == 0) {
        p->doc->root = node;
        return node;
    }
    struct frame *frame = &p->frames[p->depth - 1];
    if (frame->self->type == JSON_OBJECT) {
        node->name = p->key;
        node->name_len = (uint32_t)p->key_len & 0x0FFFFFFFu;
    }
    if (frame->last)
        frame->last->next = node;
    else
        frame->self->u.first = node;
    frame->last = node;
    frame->self->len++;
    return node;
}

static int on_null(void *ctx)
{
    return node_add(ctx, JSON_NULL) != NULL;
}

static int on_boolean(void *ctx, int value)
{
    struct json *node = node_add(ctx, JSON_BOOL);
    if (!node)
        return 0;
    node->yes = value != 0;
    return 1;
}

static int text_node(struct parser *p, enum json_type type, const void *bytes, size_t len)
{
    struct json *node = node_add(p, type);
    if (!node)
        return 0;
    node->u.text = arena_text(p, bytes, len);
    if (!node->u.text)
        return no_memory(p);
    node->len = (uint32_t)len;
    return 1;
}

static int on_number(void *ctx, const char *text, size_t len)
{
    return text_node(ctx, JSON_NUMBER, text, len);
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    return text_node(ctx, JSON_STRING, text, len);
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
    struct parser *p = ctx;
    p->key = arena_text(p, text, len);
    p->key_len = len;
    return p->key ? 1 : no_memory(p);
}

static int open_container(struct parser *p, enum json_type type)
{
    if (p->depth == JSON_DEPTH_MAX) {
        p->code = err_set(p->e, ERR_LIMIT, "JSON is nested deeper than %u at byte %zu", JSON_DEPTH_MAX,
                          offset_now(p));
        return 0;
    }
    struct json *node = node_add(p, type);
    if (!node)
        return 0;
    p->frames[p->depth++] = (struct frame){ .self = node };
    return 1;
}

static int on_start_map(void *ctx)
{
    return open_container(ctx, JSON_OBJECT);
}

static int on_start_array(void *ctx)
{
    return open_container(ctx, JSON_ARRAY);
}

static int on_end_array(void *ctx)
{
    struct parser *p = ctx;
    p->depth--;
    return 1;
}

static int twice(struct parser *p, const struct json *member)
{
    char shown[80];
    text_copy(shown, sizeof shown, member->name);
    p->code =
        err_set(p->e, ERR_INVALID, "invalid JSON: duplicate key '%s' in the object that ends at byte %zu",
                shown, offset_now(p));
    return 0;
}

static int compare_members(const void *a, const void *b)
{
    return json_name_compare(*(const struct json *const *)a, *(const struct json *const *)b);
}

/* Many members: sort them once, for duplicates now and look-ups later. */
static int index_members(struct parser *p, struct json *object)
{
    size_t count = object->len;
    struct json_index *index = arena_take(p, sizeof *index + count * sizeof(void *));
    if (!index)
        return no_memory(p);
    index->first = object->u.first;
    const struct json *member = index->first;
    for (size_t i = 0; i < count; i++, member = member->next)
        index->sorted[i] = member;
    qsort(index->sorted, count, sizeof(void *), compare_members);
    object->u.index = index;
    for (size_t i = 1; i < count; i++)
        if (json_name_compare(index->sorted[i - 1], index->sorted[i]) == 0)
            return twice(p, index->sorted[i]);
    return 1;
}

static int on_end_map(void *ctx)
{
    struct parser *p = ctx;
    struct json *object = p->frames[--p->depth].self;
    if (object->len > JSON_INDEX_OVER)
        return index_members(p, object);
    for (const struct json *a = object->u.first; a; a = a->next)
        for (const struct json *b = a->next; b; b = b->next)
            if (a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0)
                return twice(p, b);
    return 1;
}

/* ---- parsing
 * ------------------------------------------------------------------------------------------------------- */

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number, /* all numbers: yajl refuses integers of 20 digits by itself */
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end_map,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
};

static void blame_syntax(struct parser *p)
{
    size_t at = offset_now(p); /* yajl_get_error() changes it */
    unsigned char *why = yajl_get_error(p->yajl, 0, NULL, 0);
    p->code = err_set(p->e, ERR_INVALID, "invalid JSON at byte %zu: %.*s", at,
                      (int)strcspn((char *)why, "\n"), (char *)why);
}

/* Run yajl over the text. It may be left by a jump: nothing in here owns anything. */
static enum err_code run_yajl(struct parser *p, const char *text)
{
    yajl_alloc_funcs memory = {
        .malloc = scratch_malloc, .realloc = scratch_realloc, .free = scratch_free, .ctx = &p->scratch
    };
    if (setjmp(p->scratch.no_memory)) {
        no_memory(p);
        return p->code;
    }
    p->yajl = yajl_alloc(&callbacks, &memory, p);
    yajl_config(p->yajl, yajl_dont_validate_strings, 1); /* json_scan() did, and better */
    yajl_status status = yajl_parse(p->yajl, (const unsigned char *)text, p->len);
    if (status == yajl_status_ok) {
        p->finishing = true;
        status = yajl_complete_parse(p->yajl); /* a number at the end is delivered now */
    }
    if (status == yajl_status_error)
        blame_syntax(p);
    assert(status != yajl_status_client_canceled || p->code);
    return p->code;
}

enum err_code json_parse(struct json_doc **ret, const char *text, size_t len, struct err *e)
{
    if (len > JSON_TEXT_MAX)
        return err_set(e, ERR_LIMIT, "JSON text of %zu bytes, at most %u are allowed", len, JSON_TEXT_MAX);
    size_t at;
    const char *why = json_scan((const unsigned char *)text, len, &at);
    if (why)
        return err_set(e, ERR_INVALID, "invalid JSON at byte %zu: %s", at, why);

    struct parser p; /* not cleared as a whole: most of it is scratch */
    p.len = len;
    p.depth = 0;
    p.finishing = false;
    p.e = e;
    p.code = ERR_OK;
    p.scratch.used = 0;
    p.scratch.more = NULL;
    if (!arena_first(&p)) {
        no_memory(&p);
        return p.code;
    }
    enum err_code code = run_yajl(&p, text);
    scratch_release(&p.scratch);
    if (code) {
        json_free(p.doc);
        return code;
    }
    *ret = p.doc;
    return ERR_OK;
}

struct json_doc *json_free(struct json_doc *doc)
{
    if (!doc)
        return NULL;
    while (doc->more) {
        struct chunk *chunk = doc->more;
        doc->more = chunk->next;
        free(chunk);
    }
    free(doc);
    return NULL;
}

const struct json *json_root(const struct json_doc *doc)
{
    return doc ? doc->root : NULL;
}
