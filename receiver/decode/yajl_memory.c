/* receiver/decode/yajl_memory.c */
#include "receiver/decode/yajl_memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

struct yajl_block {
    alignas(max_align_t) struct yajl_block *next;
    struct yajl_block *previous;
};

static void *block_realloc(void *ctx, void *ptr, size_t size)
{
    struct yajl_memory *m = ctx;
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

static void *block_malloc(void *ctx, size_t size)
{
    return block_realloc(ctx, NULL, size);
}

static void block_free(void *ctx, void *ptr)
{
    struct yajl_memory *m = ctx;
    if (!ptr)
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
}
