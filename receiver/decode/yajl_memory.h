/* receiver/decode/yajl_memory.h - memory for a streaming yajl parser, which does not look whether it got any:
 * a failed allocation jumps out of yajl.
 *
 *     if (setjmp(m->no_memory) == 0) status = yajl_parse(...); else ... the parser is unusable;
 * yajl_memory_release() frees all it had
 *
 * One thread owns it. Do not call yajl_free() after a jump. */
#ifndef RECEIVER_DECODE_YAJL_MEMORY_H
#define RECEIVER_DECODE_YAJL_MEMORY_H

#include <setjmp.h>
#include <yajl/yajl_parse.h>

struct yajl_memory {
    struct yajl_block *first;
    jmp_buf no_memory;
    yajl_alloc_funcs funcs; /* for yajl_alloc() */
};
/* m must not move afterwards. */
void yajl_memory_init(struct yajl_memory *m);
void yajl_memory_release(struct yajl_memory *m);

#endif
