/* test/kit/engine_digest.h - everything in an engine's state that follows from facts, as text: an engine that
 * was rebuilt by replay must give the same text as the one that lived through it. What is volatile (questions
 * out, deadlines) is left out. */
#ifndef TEST_KIT_ENGINE_DIGEST_H
#define TEST_KIT_ENGINE_DIGEST_H

#include "rules/engine/engine.h"

void engine_digest(const struct engine *g, struct buf *ret);

/* Is the engine sound in itself: counts, lists, heap? NULL, or what is wrong. */
const char *engine_unsound(const struct engine *g);

/* Another engine, made of the first one's snapshot through its facts' texts. NULL and *e: it cannot be had.
 */
struct engine *engine_by_snapshot(const struct engine *g, struct err *e);

#endif
