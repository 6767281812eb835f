/* test/kit/fault.h - make a chosen allocation fail.
 *
 * The library `testkit` wraps malloc, calloc, realloc, strdup and strndup of everything that is linked
 * statically into a test
 * (-Wl,--wrap), not those inside shared libraries. Counters are per thread: what other threads allocate
 * changes nothing here. */
#ifndef TEST_KIT_FAULT_H
#define TEST_KIT_FAULT_H

#include <stdbool.h>

/* The n-th allocation from now on fails, once; the next is 1. 0 switches off. */
void fault_malloc_at(unsigned n);

/* As fault_malloc_at, counting only calls of calloc or realloc. */
void fault_calloc_at(unsigned n);
void fault_realloc_at(unsigned n);

/* Did the fault happen? Switches off, and counts from there. The idiom, which makes every allocation fail in
 * turn:
 *
 *     unsigned n = 0;
 *     do {
 *         fault_malloc_at(++n);
 *         enum err_code code = thing_new(&thing, NULL);
 *         ... when it failed: code is ERR_NOMEM and nothing has changed
 *     } while (fault_hit());
 *     cr_assert_gt(n, 1u, "something was allocated");
 */
bool fault_hit(void);

#endif
