/* rules/base/json_text.c - what yajl lets pass: overlong UTF-8 and surrogates, U+0000, unpaired \u escapes,
 * and vertical tab and form feed as white space. */
#include <string.h>

#include "rules/base/json_internal.h"
#include "rules/base/utf8.h"

#define BLOCK 32u

/* Bytes of the UTF-8 sequence at s, 0 when it is not valid. */
static size_t utf8_sequence(const unsigned char *s, size_t left)
{
    uint32_t c;
    size_t len = utf8_next((const char *)s, left, &c);
    return c == UTF8_INVALID ? 0 : len;
}

/* A block that needs no second look. Without branches, so that compilers use vector instructions. */
static bool block_is_plain(const unsigned char *s)
{
    unsigned char odd = 0;
    for (size_t i = 0; i < BLOCK; i++)
        odd |= (unsigned char)((s[i] & 0x80) | (s[i] == '\\') | (s[i] == '\v') | (s[i] == '\f') |
                               (s[i] == '\0'));
    return odd == 0;
}

/* Value of four hexadecimal digits, -1 when they are not. */
static int hex4(const unsigned char *s, size_t left)
{
    if (left < 4)
        return -1;
    int value = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = s[i] >= '0' && s[i] <= '9'   ? s[i] - '0'
                    : s[i] >= 'a' && s[i] <= 'f' ? s[i] - 'a' + 10
                    : s[i] >= 'A' && s[i] <= 'F' ? s[i] - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool is_low_surrogate(int unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* Bytes of the escape at s, 0 with *ret_why when it must not be. Malformed ones are yajl's to refuse. */
static size_t escape_sequence(const unsigned char *s, size_t left, const char **ret_why)
{
    if (left < 2)
        return 1;
    int unit = s[1] == 'u' ? hex4(s + 2, left - 2) : -1;
    if (unit < 0)
        return 2;
    if (unit == 0) {
        *ret_why = "U+0000 in a string";
        return 0;
    }
    if (unit < 0xD800 || unit > 0xDFFF)
        return 6;
    if (!is_low_surrogate(unit) && left >= 12 && s[6] == '\\' && s[7] == 'u' &&
        is_low_surrogate(hex4(s + 8, 4)))
        return 12;
    *ret_why = "unpaired surrogate escape";
    return 0;
}

const char *json_scan(const unsigned char *text, size_t len, size_t *ret_at)
{
    size_t at = 0;
    while (at < len) {
        if (len - at >= BLOCK && block_is_plain(text + at)) {
            at += BLOCK;
            continue;
        }
        size_t stop = len - at > BLOCK ? at + BLOCK : len;
        while (at < stop) {
            const char *why = "invalid UTF-8";
            size_t step = 1;
            unsigned char c = text[at];
            if (c >= 0x80) {
                step = utf8_sequence(text + at, len - at);
            } else if (c == '\\') {
                step = escape_sequence(text + at, len - at, &why);
            } else if (c == '\v' || c == '\f') {
                why = "control character that is not white space";
                step = 0;
            }
            if (step == 0) {
                *ret_at = at;
                return why;
            }
            at += step;
        }
    }
    return NULL;
}

const char *json_check_text(const unsigned char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        if (len - at >= BLOCK && block_is_plain(text + at)) {
            at += BLOCK;
        } else if (text[at] >= 0x80) {
            size_t step = utf8_sequence(text + at, len - at);
            if (step == 0)
                return "invalid UTF-8";
            at += step;
        } else if (text[at] == '\0') {
            return "U+0000 in a string";
        } else {
            at++;
        }
    }
    return NULL;
}
