/* rules/base/buf.c */
#include "rules/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/utf8.h"

#define BUF_FIRST_SIZE 64u

/* Make room for `more` bytes and the terminator. */
static bool buf_grow(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    size_t most = b->max && b->max < SIZE_MAX / 4 ? b->max : SIZE_MAX / 4;
    if (more > most || b->len > most - more) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap < BUF_FIRST_SIZE / 2 ? BUF_FIRST_SIZE : b->cap * 2;
    if (cap > most + 1)
        cap = most + 1;
    if (cap < need)
        cap = need;
    char *ptr = realloc(b->ptr, cap);
    if (!ptr) {
        b->failed = true;
        return false;
    }
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (!buf_grow(b, len))
        return;
    if (len)
        memcpy(b->ptr + b->len, bytes, len);
    b->len += len;
    b->ptr[b->len] = '\0';
}

char *buf_extend(struct buf *b, size_t len)
{
    if (!buf_grow(b, len))
        return NULL;
    char *at = b->ptr + b->len;
    b->len += len;
    b->ptr[b->len] = '\0';
    return at;
}

void buf_adds(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    if (b->failed)
        return;
    va_list args;
    va_start(args, fmt);
    size_t room = b->cap - b->len; /* 0 while there is no memory */
    int wanted = vsnprintf(b->ptr ? b->ptr + b->len : NULL, room, fmt, args);
    va_end(args);
    size_t len = wanted < 0 ? 0 : (size_t)wanted;
    if (wanted >= 0 && len >= room && buf_grow(b, len)) {
        va_start(args, fmt);
        vsnprintf(b->ptr + b->len, len + 1, fmt, args);
        va_end(args);
    } else if (wanted < 0) {
        b->failed = true;
    }
    if (!b->failed)
        b->len += len;
    if (b->ptr)
        b->ptr[b->len] = '\0';
}

const char *buf_text(const struct buf *b)
{
    return b->ptr ? b->ptr : "";
}

bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->ptr)
        b->ptr[0] = '\0';
}

void buf_release(struct buf *b)
{
    free(b->ptr);
    *b = BUF_INIT_MAX(b->max);
}

char *buf_detach(struct buf *b)
{
    if (!buf_grow(b, 0)) /* an empty one gets its terminator */
        return NULL;
    b->ptr[b->len] = '\0';
    char *ptr = b->ptr;
    *b = BUF_INIT_MAX(b->max);
    return ptr;
}

bool text_copy(char *ret, size_t size, const char *text)
{
    assert(size > 0);
    size_t len = strnlen(text, size);
    bool whole = len < size;
    if (!whole) {
        len = size - 1;
        /* text[len] is the first byte left out: a continuation byte means the cut is inside a character */
        for (size_t back = 0; back < 3 && len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80; back++)
            len--;
    }
    memmove(ret, text, len);
    ret[len] = '\0';
    return whole;
}

void text_clean(char *ret, size_t size, const char *text, size_t len)
{
    size_t used = 0, n;
    uint32_t c;
    for (size_t i = 0; i < len; i += n) {
        n = utf8_next(text + i, len - i, &c);
        bool space = c == ' ' || utf8_control(c);
        size_t need = c == UTF8_INVALID || space ? 1 : n;
        if (space && used == 0)
            continue;
        if (used + need >= size)
            break;
        if (need == n && !space && c != UTF8_INVALID)
            memcpy(ret + used, text + i, n);
        else
            ret[used] = space ? ' ' : '?';
        used += need;
    }
    while (used > 0 && ret[used - 1] == ' ')
        used--;
    ret[used] = '\0';
}
