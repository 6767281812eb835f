/* rules/base/utf8.h - one code point of UTF-8 (RFC 3629) at a time, for text from outside that is to be
 * shown. */
#ifndef RULES_BASE_UTF8_H
#define RULES_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_INVALID UINT32_MAX

/* Bytes of the character at text[0] and its code point in *ret; len >= 1. A byte that begins no valid
 * character (overlong forms, surrogates, above U+10FFFF, cut off by len) counts as one byte with *ret =
 * UTF8_INVALID. */
static inline size_t utf8_next(const char *text, size_t len, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    *ret = UTF8_INVALID;
    if (n == 0 || n > len)
        return 1;
    uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 1;
        c = (c << 6) | (p[i] & 0x3fu);
    }
    if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff))) || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
        return 1;
    *ret = c;
    return n;
}

/* Characters that may change how the text around them is shown: C0 and C1 controls, DEL, line and paragraph
 * separators, the marks that switch direction, the byte order mark. */
static inline bool utf8_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

#endif
