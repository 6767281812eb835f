/* receiver/decode/yajl_memory.h - memory for a streaming yajl parser, which does not look whether it got any:
 * a failed allocation jumps out of yajl.
 * What a parser needs for common bodies comes from the struct itself, without malloc.
 *
 *     if (setjmp(m->no_memory) == 0) status = yajl_parse(...); else ... the parser is unusable;
 * yajl_memory_release() frees all it had
 *
 * One thread owns it. Do not call yajl_free() after a jump. */
#ifndef RECEIVER_DECODE_YAJL_MEMORY_H
#define RECEIVER_DECODE_YAJL_MEMORY_H

#include <setjmp.h>
#include <stdalign.h>
#include <stddef.h>
#include <yajl/yajl_parse.h>

#define YAJL_NEAR_BYTES 6144u /* yajl's own structs, and two of its buffers of 2 KiB */

struct yajl_memory {
    struct yajl_block *first; /* from malloc */
    jmp_buf no_memory;
    yajl_alloc_funcs funcs; /* for yajl_alloc() */
    size_t near_used;
    alignas(max_align_t) unsigned char near[YAJL_NEAR_BYTES];
};
/* m must not move afterwards. */
void yajl_memory_init(struct yajl_memory *m);
void yajl_memory_release(struct yajl_memory *m); /* as after yajl_memory_init() */

#endif
