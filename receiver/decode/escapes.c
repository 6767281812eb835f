/* receiver/decode/escapes.c */
#include "receiver/decode/escapes.h"

#include <string.h>

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A whole \u escape has been read. */
static bool take_unit(struct escapes *s)
{
    bool high = s->unit >= 0xD800 && s->unit <= 0xDBFF, low = s->unit >= 0xDC00 && s->unit <= 0xDFFF;
    bool paired = s->want == 2;
    s->want = high ? 1 : 0;
    return paired ? low : !low;
}

/* One byte after a backslash; false: unpaired. */
static bool take_escape(struct escapes *s, char c)
{
    if (s->step == 1) {
        s->step = c == 'u' ? 2 : 0;
        s->unit = 0;
        return c == 'u' || s->want == 0;
    }
    int digit = hex_digit(c);
    if (digit < 0) {
        s->step = 0; /* not JSON: the parser will say so */
        return s->want == 0;
    }
    s->unit = (uint16_t)(s->unit << 4 | digit);
    if (++s->step < 6)
        return true;
    s->step = 0;
    return take_unit(s);
}

bool escapes_scan(struct escapes *s, const char *bytes, size_t len, size_t *ret_at)
{
    for (size_t i = 0; i < len; i++) {
        bool ok = true;
        if (s->step > 0) {
            ok = take_escape(s, bytes[i]);
        } else if (bytes[i] == '\\') {
            s->step = 1;
            s->want = s->want == 1 ? 2 : 0;
        } else if (s->want) {
            ok = false;
        } else {
            const char *next = memchr(bytes + i, '\\', len - i);
            i = next ? (size_t)(next - bytes) - 1 : len;
        }
        if (!ok) {
            *ret_at = i;
            return false;
        }
    }
    return true;
}
