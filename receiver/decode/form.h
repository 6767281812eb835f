/* receiver/decode/form.h - the value of `payload` in an application/x-www-form-urlencoded body that comes in
 * pieces: how GitHub sends JSON when its webhook says so. Pure. */
#ifndef RECEIVER_DECODE_FORM_H
#define RECEIVER_DECODE_FORM_H

#include <stdint.h>

#include "rules/base/buf.h"

enum form_place { FORM_KEY, FORM_VALUE, FORM_OTHER };
struct form { /* starts zeroed */
    enum form_place place;
    size_t key_len; /* so far the key is as it should be; SIZE_MAX: it is not */
    uint8_t digits; /* of a %XX that is being read: 0 none, 1 and 2 wait for their digit */
    uint8_t byte;
};
/* The next bytes: what belongs to the value is appended to `out`. A "%" without two digits is ERR_INVALID. */
enum err_code form_feed(struct form *f, const char *bytes, size_t len, struct buf *out, struct err *e);

#endif
