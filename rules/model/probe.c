#include "rules/model/probe.h"

static uint64_t add(uint64_t h, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        h = (h ^ *p) * 1099511628211u;
    return (h ^ 0xff) * 1099511628211u; /* no byte of UTF-8 */
}

/* 64-bit FNV-1a. */
uint64_t probe_key(const struct probe *p)
{
    uint64_t h = (14695981039346656037u ^ (uint64_t)p->kind) * 1099511628211u;
    return add(add(h, p->text), p->body);
}
