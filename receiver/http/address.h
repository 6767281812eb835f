/* receiver/http/address.h - addresses as heald.cfg writes them: where to listen, and who may connect. Numbers
 * only: names would be looked up somewhere. */
#ifndef RECEIVER_HTTP_ADDRESS_H
#define RECEIVER_HTTP_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "rules/base/err.h"

struct address {
    struct sockaddr_storage at; /* AF_INET or AF_INET6 */
    socklen_t len;
};
/* "127.0.0.1:9798", "[::1]:9798", "localhost:9798" (127.0.0.1); port 0: any free one. ERR_INVALID says how to
 * write it. */
enum err_code address_parse(struct address *ret, const char *text, struct err *e);
bool address_is_loopback(const struct address *a);

struct address_range { /* "10.0.0.7", "10.0.0.0/8", "fd00::/8" */
    int family;
    unsigned char bytes[16];
    unsigned bits;
};
enum err_code address_range_parse(struct address_range *ret, const char *text, struct err *e);
/* An IPv4 address inside IPv6 (::ffff:10.0.0.7) counts as IPv4. */
bool address_range_holds(const struct address_range *r, const struct sockaddr *peer);

/* "10.0.0.7" or "fd00::7", for logs; "?" for anything else. */
#define ADDRESS_TEXT_SIZE 64
const char *address_format(char ret[ADDRESS_TEXT_SIZE], const struct sockaddr *peer);

#endif
