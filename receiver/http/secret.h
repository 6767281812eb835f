/* receiver/http/secret.h - a credential in a file: compared in constant time, read again when the file
 * changes. Only its SHA-256 is kept in memory. */
#ifndef RECEIVER_HTTP_SECRET_H
#define RECEIVER_HTTP_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "receiver/runtime/file_stamp.h"
#include "rules/base/err.h"

#define SECRET_FILE_MAX 4096u
#define SECRET_DIGEST_SIZE 32u
#define SECRET_LOOK_MS 500 /* a withdrawn credential is let in for this time at the most */

struct secret {
    const char *file; /* borrowed; white space around its text does not count */
    const char *user; /* borrowed; NULL: bearer token, else basic authentication as this user with the file's
                         password */
    bool usable;      /* digest is of the file as it is now */
    bool known;       /* seen says how the file looked when it was read */
    struct file_stamp seen;
    int64_t look_ms; /* monotonic: not looked at again before */
    unsigned char digest[SECRET_DIGEST_SIZE];
};

/* Digest of what a client would send after "Bearer " or "Basic " for this file. Errors name the file:
 * ERR_NOT_FOUND, ERR_IO, ERR_INVALID (empty, not one line of visible characters), ERR_LIMIT (longer than
 * SECRET_FILE_MAX). */
enum err_code secret_read(unsigned char ret[SECRET_DIGEST_SIZE], const char *file, const char *user,
                          struct err *e);

/* The one line itself, for keys of signatures: it may hold spaces. *ret_len bytes, not terminated. The same
 * errors. */
enum err_code secret_key(char ret[SECRET_FILE_MAX], size_t *ret_len, const char *file, struct err *e);

/* Look whether the file is another than the one that was read (inode, size, times), and read it then. After
 * an error the secret matches nothing until the file is mended; the error is returned once for each state of
 * the file, ERR_OK otherwise. */
enum err_code secret_refresh(struct secret *s, struct err *e);

void secret_digest(unsigned char ret[SECRET_DIGEST_SIZE], const char *text, size_t len);
/* Takes the same time whatever the digests are. */
bool secret_matches(const struct secret *s, const unsigned char digest[SECRET_DIGEST_SIZE]);

#endif
