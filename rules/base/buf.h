/* rules/base/buf.h - a growing byte buffer, always terminated.
 *
 * Errors are sticky: after a failed allocation or the named maximum, `failed` is set, further additions do
 * nothing, and the caller checks once at the end with buf_ok(). One thread owns a buffer. */
#ifndef RULES_BASE_BUF_H
#define RULES_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/base/err.h"

struct buf {
    char *ptr;   /* NULL until something was added; else ptr[len] == '\0' */
    size_t len;  /* bytes used, without the terminator */
    size_t cap;  /* bytes allocated */
    size_t max;  /* 0 = no maximum but memory; else len never exceeds it */
    bool failed; /* out of memory, or max reached */
};
#define BUF_INIT ((struct buf){ .ptr = NULL })
#define BUF_INIT_MAX(m) ((struct buf){ .max = (m) })

void buf_add(struct buf *b, const void *bytes, size_t len) __attribute__((nonnull(1)));
void buf_adds(struct buf *b, const char *text) __attribute__((nonnull));
void buf_addc(struct buf *b, char c) __attribute__((nonnull));
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3), nonnull(1, 2)));

/* Make it `len` bytes longer; the caller fills them. NULL when failed. */
char *buf_extend(struct buf *b, size_t len) __attribute__((nonnull, warn_unused_result));

/* The text so far, "" when empty; valid until the next change. */
const char *buf_text(const struct buf *b) __attribute__((nonnull));
bool buf_ok(const struct buf *b) __attribute__((nonnull));

void buf_clear(struct buf *b) __attribute__((nonnull));   /* empty it, keep the memory */
void buf_release(struct buf *b) __attribute__((nonnull)); /* free the memory; b is as BUF_INIT, max kept */

/* Hand the memory to the caller, who frees it with free(); NULL when failed. An empty buffer yields "". */
char *buf_detach(struct buf *b) __attribute__((nonnull, warn_unused_result));

/* Copy `text` into a fixed array of `size` bytes, terminated, cut on a UTF-8 boundary. False when it was cut.
 */
bool text_copy(char *ret, size_t size, const char *text) __attribute__((nonnull));
/* The same for text from outside that is to be shown: what may change how the text around it is shown
 * (controls, line breaks, marks of direction) becomes a space, a byte that is no UTF-8 becomes '?'; white
 * space at both ends is left out. */
void text_clean(char *ret, size_t size, const char *text, size_t len) __attribute__((nonnull));

#endif
