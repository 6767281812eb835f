/* receiver/decode/escapes.h - find unpaired surrogate escapes (\ud800 without \udc00) in JSON text that comes
 * in pieces: yajl turns them into "?". Pure. */
#ifndef RECEIVER_DECODE_ESCAPES_H
#define RECEIVER_DECODE_ESCAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct escapes {  /* starts zeroed */
    uint8_t step; /* 0: text; 1: after the backslash; 2 to 5: the digits of \u */
    uint8_t want; /* a high surrogate waits for its other half: 1: the backslash must come next, 2: it is
                     being read */
    uint16_t unit;
};
/* False: unpaired, *ret_at is where in this piece that showed. The grammar is left to the parser. */
bool escapes_scan(struct escapes *s, const char *bytes, size_t len, size_t *ret_at);

#endif
