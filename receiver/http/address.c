/* receiver/http/address.c */
#include "receiver/http/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/base/buf.h"

static enum err_code refuse(const char *text, struct err *e)
{
    return err_set(e, ERR_INVALID,
                   "address \"%s\" cannot be used; write an IP address and a port: \"127.0.0.1:9798\", "
                   "\"[::1]:9798\", or \"0.0.0.0:9798\" for all of IPv4",
                   text);
}

static bool port_parse(in_port_t *ret, const char *text)
{
    size_t len = strlen(text);
    if (len < 1 || len > 5 || strspn(text, "0123456789") != len)
        return false;
    unsigned long port = strtoul(text, NULL, 10);
    if (port > 65535)
        return false;
    *ret = htons((uint16_t)port);
    return true;
}

enum err_code address_parse(struct address *ret, const char *text, struct err *e)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2] = "";
    struct address a = { .len = 0 };
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a.at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a.at;
    size_t len = colon ? (size_t)(colon - text) : 0;
    in_port_t port;
    if (len == 0 || len >= sizeof host || !port_parse(&port, colon + 1))
        return refuse(text, e);
    snprintf(host, sizeof host, "%.*s", (int)len, text);
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        a.len = sizeof *v6;
        if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1)
            return refuse(text, e);
    } else {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
        a.len = sizeof *v4;
        if (inet_pton(AF_INET, strcmp(host, "localhost") ? host : "127.0.0.1", &v4->sin_addr) != 1)
            return refuse(text, e);
    }
    *ret = a;
    return ERR_OK;
}

/* The address' bytes in network order; an IPv4 address inside IPv6 comes out as IPv4. 0: neither. */
static int address_bytes(const struct sockaddr *peer, const unsigned char **ret)
{
    if (peer && peer->sa_family == AF_INET) {
        *ret = (const unsigned char *)&((const struct sockaddr_in *)peer)->sin_addr;
        return AF_INET;
    }
    if (!peer || peer->sa_family != AF_INET6)
        return 0;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)peer)->sin6_addr;
    *ret = v6->s6_addr + (IN6_IS_ADDR_V4MAPPED(v6) ? 12 : 0);
    return IN6_IS_ADDR_V4MAPPED(v6) ? AF_INET : AF_INET6;
}

bool address_is_loopback(const struct address *a)
{
    const unsigned char *bytes = NULL;
    int family = address_bytes((const struct sockaddr *)&a->at, &bytes);
    if (family == AF_INET)
        return bytes[0] == 127;
    return family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->at)->sin6_addr);
}

enum err_code address_range_parse(struct address_range *ret, const char *text, struct err *e)
{
    struct address_range r = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
    char host[INET6_ADDRSTRLEN] = "";
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    unsigned most = r.family == AF_INET ? 32 : 128;
    in_port_t bits = htons((uint16_t)most);
    bool ok = len > 0 && len < sizeof host && (!slash || port_parse(&bits, slash + 1));
    if (ok)
        snprintf(host, sizeof host, "%.*s", (int)len, text);
    r.bits = ntohs(bits);
    if (!ok || r.bits > most || inet_pton(r.family, host, r.bytes) != 1)
        return err_set(e, ERR_INVALID,
                       "\"%s\" is no address; write \"10.0.0.7\", or a network as \"10.0.0.0/8\"", text);
    *ret = r;
    return ERR_OK;
}

bool address_range_holds(const struct address_range *r, const struct sockaddr *peer)
{
    const unsigned char *bytes = NULL;
    if (address_bytes(peer, &bytes) != r->family || !bytes)
        return false;
    unsigned whole = r->bits / 8, rest = r->bits % 8;
    if (memcmp(bytes, r->bytes, whole) != 0)
        return false;
    return rest == 0 || ((bytes[whole] ^ r->bytes[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

const char *address_format(char ret[ADDRESS_TEXT_SIZE], const struct sockaddr *peer)
{
    const unsigned char *bytes = NULL;
    int family = address_bytes(peer, &bytes);
    if (family == 0 || !inet_ntop(family, bytes, ret, ADDRESS_TEXT_SIZE))
        text_copy(ret, ADDRESS_TEXT_SIZE, "?");
    return ret;
}
