/* test/kit/loop_double.h - a stand-in for receiver/runtime/loop.h, for tests of the listener: it commits at
 * once, on demand, or fails, and remembers what it was given. Link it before the library `receiver`, whose
 * own loop is then left out. */
#ifndef TEST_KIT_LOOP_DOUBLE_H
#define TEST_KIT_LOOP_DOUBLE_H

#include "receiver/runtime/loop.h"

enum double_mode {
    DOUBLE_COMMITS,   /* every slice at once, on a thread of its own as the loop does */
    DOUBLE_HOLDS,     /* slices and operators wait for double_release() */
    DOUBLE_FAILS,     /* commits fail */
    DOUBLE_REFUSES,   /* loop_submit() says ERR_UNAVAILABLE */
    DOUBLE_KNOWS,     /* loop_repeats() says yes */
    DOUBLE_NOT_READY, /* loop_ready() says ERR_UNAVAILABLE */
};

struct loop *double_new(void);
struct loop *double_free(struct loop *l); /* after the server */
void double_mode(struct loop *l, enum double_mode mode);
void double_release(struct loop *l);                        /* commit what is held; stays in DOUBLE_HOLDS */
void double_policy(struct loop *l, const struct policy *p); /* what loop_look() shows; borrowed */

size_t double_slices(struct loop *l);    /* given, committed or not */
size_t double_held(struct loop *l);      /* waiting now */
size_t double_committed(struct loop *l); /* alerts */
/* A label of the committed alert number `index`; "" when absent. The caller frees it. */
char *double_label(struct loop *l, size_t index, const char *name);
size_t double_pauses(struct loop *l);
size_t double_reloads(struct loop *l);
/* "who: reason" of the last pause or resume. The caller frees it. */
char *double_word(struct loop *l);

#endif
