/* receiver/http/secret.c */
#include "receiver/http/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rules/base/buf.h"

static enum err_code read_file(const char *file, char ret[SECRET_FILE_MAX + 1], size_t *ret_len,
                               struct err *e)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", file, strerror(errno));
    size_t len = 0;
    ssize_t got = 0;
    while (len <= SECRET_FILE_MAX && (got = read(fd, ret + len, SECRET_FILE_MAX + 1 - len)) > 0)
        len += (size_t)got;
    int why = errno;
    close(fd);
    if (got < 0)
        return err_set(e, ERR_IO, "%s: %s", file, strerror(why));
    if (len > SECRET_FILE_MAX)
        return err_set(e, ERR_LIMIT, "%s: longer than %u bytes; a credential is one line", file,
                       SECRET_FILE_MAX);
    *ret_len = len;
    return ERR_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "user:password" in base64: what follows "Basic " */
static enum err_code basic_digest(unsigned char ret[SECRET_DIGEST_SIZE], const char *user,
                                  const char *password, size_t len, struct err *e)
{
    struct buf pair = BUF_INIT;
    gnutls_datum_t encoded = { .data = NULL };
    buf_addf(&pair, "%s:", user);
    buf_add(&pair, password, len);
    gnutls_datum_t plain = { .data = (unsigned char *)pair.ptr, .size = (unsigned)pair.len };
    bool ok = buf_ok(&pair) && gnutls_base64_encode2(&plain, &encoded) == 0;
    if (ok)
        secret_digest(ret, (const char *)encoded.data, encoded.size);
    if (pair.ptr)
        gnutls_memset(pair.ptr, 0, pair.cap);
    gnutls_free(encoded.data);
    buf_release(&pair);
    return ok ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a password");
}

/* The file's one line, in `text`. */
static enum err_code read_line(const char *file, bool spaces, char text[SECRET_FILE_MAX + 1], char **ret_at,
                               size_t *ret_len, struct err *e)
{
    size_t len = 0;
    enum err_code code = read_file(file, text, &len, e);
    char *at = text;
    for (; !code && len > 0 && is_blank(*at); len--)
        at++;
    while (!code && len > 0 && is_blank(at[len - 1]))
        len--;
    if (!code && len == 0)
        code = err_set(e, ERR_INVALID, "%s: empty; write the credential into it", file);
    for (size_t i = 0; !code && i < len; i++)
        if ((unsigned char)at[i] < ' ' || at[i] == 0x7f || (!spaces && at[i] == ' '))
            code = err_set(e, ERR_INVALID, "%s: a credential is one line of visible characters", file);
    *ret_at = at;
    *ret_len = len;
    return code;
}

enum err_code secret_read(unsigned char ret[SECRET_DIGEST_SIZE], const char *file, const char *user,
                          struct err *e)
{
    char text[SECRET_FILE_MAX + 1], *at;
    size_t len = 0;
    enum err_code code = read_line(file, user != NULL, text, &at, &len, e);
    if (!code && user)
        code = basic_digest(ret, user, at, len, e);
    else if (!code)
        secret_digest(ret, at, len);
    gnutls_memset(text, 0, sizeof text);
    return code;
}

enum err_code secret_key(char ret[SECRET_FILE_MAX], size_t *ret_len, const char *file, struct err *e)
{
    char text[SECRET_FILE_MAX + 1], *at;
    size_t len = 0;
    enum err_code code = read_line(file, true, text, &at, &len, e);
    if (!code) {
        memcpy(ret, at, len);
        *ret_len = len;
    }
    gnutls_memset(text, 0, sizeof text);
    return code;
}

enum err_code secret_refresh(struct secret *s, struct err *e)
{
    struct file_stamp now = file_stamp(s->file);
    if (s->known && file_stamp_same(&s->seen, &now))
        return ERR_OK;
    s->seen = now;
    s->known = true;
    s->usable = false;
    unsigned char digest[SECRET_DIGEST_SIZE];
    enum err_code code = secret_read(digest, s->file, s->user, e);
    if (!code) {
        memcpy(s->digest, digest, sizeof digest);
        s->usable = true;
    }
    return code;
}

void secret_digest(unsigned char ret[SECRET_DIGEST_SIZE], const char *text, size_t len)
{
    gnutls_hash_fast(GNUTLS_DIG_SHA256, text, len, ret);
}

bool secret_matches(const struct secret *s, const unsigned char digest[SECRET_DIGEST_SIZE])
{
    bool equal = gnutls_memcmp(s->digest, digest, SECRET_DIGEST_SIZE) == 0;
    return equal & s->usable;
}
