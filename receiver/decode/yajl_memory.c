/* receiver/decode/yajl_memory.c */
#include "receiver/decode/yajl_memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct yajl_block {
    alignas(max_align_t) struct yajl_block *next;
    struct yajl_block *previous;
};

static void *far_realloc(struct yajl_memory *m, void *ptr, size_t size)
{
    struct yajl_block *old = ptr ? (struct yajl_block *)ptr - 1 : NULL;
    struct yajl_block *block = size <= SIZE_MAX / 2 ? realloc(old, sizeof *block + size) : NULL;
    if (!block)
        longjmp(m->no_memory, 1);
    if (!old) {
        block->previous = NULL;
        block->next = m->first;
    }
    if (block->next)
        block->next->previous = block;
    if (block->previous)
        block->previous->next = block;
    else
        m->first = block;
    return block + 1;
}

/* ---- near: one piece behind the other, given back all at once ---- */

union near_head {
    size_t size;
    max_align_t align;
};

static bool is_near(const struct yajl_memory *m, const void *ptr)
{
    uintptr_t at = (uintptr_t)ptr, begin = (uintptr_t)m->near;
    return at >= begin && at < begin + sizeof m->near;
}

static void *near_malloc(struct yajl_memory *m, size_t size)
{
    size_t room = sizeof m->near - m->near_used, whole = sizeof(union near_head) + size;
    whole = (whole + sizeof(union near_head) - 1) / sizeof(union near_head) * sizeof(union near_head);
    if (size > sizeof m->near || whole > room)
        return NULL;
    union near_head *head = (union near_head *)(void *)(m->near + m->near_used);
    head->size = size;
    m->near_used += whole;
    return head + 1;
}

static void *block_malloc(void *ctx, size_t size)
{
    void *near = near_malloc(ctx, size);
    return near ? near : far_realloc(ctx, NULL, size);
}

static void *block_realloc(void *ctx, void *ptr, size_t size)
{
    if (ptr && !is_near(ctx, ptr))
        return far_realloc(ctx, ptr, size);
    void *moved = block_malloc(ctx, size);
    if (ptr) {
        size_t had = ((union near_head *)ptr - 1)->size;
        memcpy(moved, ptr, had < size ? had : size);
    }
    return moved;
}

static void block_free(void *ctx, void *ptr)
{
    struct yajl_memory *m = ctx;
    if (!ptr || is_near(m, ptr))
        return;
    struct yajl_block *block = (struct yajl_block *)ptr - 1;
    if (block->next)
        block->next->previous = block->previous;
    if (block->previous)
        block->previous->next = block->next;
    else
        m->first = block->next;
    free(block);
}

void yajl_memory_init(struct yajl_memory *m)
{
    m->first = NULL;
    m->near_used = 0;
    m->funcs =
        (yajl_alloc_funcs){ .malloc = block_malloc, .realloc = block_realloc, .free = block_free, .ctx = m };
}

void yajl_memory_release(struct yajl_memory *m)
{
    for (struct yajl_block *block = m->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    m->first = NULL;
    m->near_used = 0;
}
