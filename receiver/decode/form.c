/* receiver/decode/form.c */
#include "receiver/decode/form.h"

#include <string.h>

static const char wanted[] = "payload";

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void take_key(struct form *f, char c)
{
    if (c == '=') {
        f->place = f->key_len == sizeof wanted - 1 ? FORM_VALUE : FORM_OTHER;
        return;
    }
    bool same = f->key_len < sizeof wanted - 1 && wanted[f->key_len] == c;
    f->key_len = same ? f->key_len + 1 : SIZE_MAX;
}

static bool take_value(struct form *f, char c, struct buf *out)
{
    int digit = digit_of(c);
    if (f->digits && digit < 0)
        return false;
    if (f->digits) {
        f->byte = (uint8_t)(f->byte << 4 | digit);
        f->digits = (uint8_t)((f->digits + 1) % 3);
        if (!f->digits)
            buf_addc(out, (char)f->byte);
    } else if (c == '%') {
        f->digits = 1;
        f->byte = 0;
    } else {
        buf_addc(out, (char)(c == '+' ? ' ' : c));
    }
    return true;
}

enum err_code form_feed(struct form *f, const char *bytes, size_t len, struct buf *out, struct err *e)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '&' && !f->digits)
            *f = (struct form){ .place = FORM_KEY };
        else if (f->place == FORM_KEY)
            take_key(f, bytes[i]);
        else if (f->place == FORM_VALUE && !take_value(f, bytes[i], out))
            return err_set(e, ERR_INVALID, "\"%%\" without two hexadecimal digits in the form's payload");
    }
    return buf_ok(out) ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a form of %zu bytes", len);
}
