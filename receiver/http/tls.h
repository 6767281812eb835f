/* receiver/http/tls.h - the listener's certificate: read from files, and again when they change. TLS 1.2 and
 * later. */
#ifndef RECEIVER_HTTP_TLS_H
#define RECEIVER_HTTP_TLS_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>

#include "rules/base/err.h"

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"
#define TLS_CHAIN_MAX 8u
#define TLS_FILE_MAX (256u << 10)

struct tls;

/* Do both files hold what they should, and does the key fit the certificate? The message names the file. */
enum err_code tls_check(const char *certificate_file, const char *key_file, struct err *e);

/* File names are borrowed. */
enum err_code tls_new(struct tls **ret, const char *certificate_file, const char *key_file, struct err *e);
struct tls *tls_free(struct tls *t);

/* The pair in force, for one handshake; it stays valid for `keep_ms` after the next change. The listener's
 * thread. */
void tls_current(struct tls *t, gnutls_pcert_st **ret_chain, unsigned *ret_len, gnutls_privkey_t *ret_key);
/* Look at the files: ERR_OK with *ret_changed, or why the new pair cannot be used (said once for each state
 * of the files; the old pair stays in force). Pairs replaced more than keep_ms ago are freed. now_ms: any
 * clock that only goes forward. The listener's thread. */
enum err_code tls_refresh(struct tls *t, int64_t now_ms, int64_t keep_ms, bool *ret_changed, struct err *e);

#endif
