#include "rules/model/alert.h"

#include <string.h>

void alert_release(struct alert *a)
{
    map_release(&a->labels);
    map_release(&a->annotations);
    *a = ALERT_INIT;
}

enum err_code alert_copy(struct alert *ret, const struct alert *from, struct err *e)
{
    struct alert copy = ALERT_INIT;
    enum err_code code = map_copy(&copy.labels, &from->labels, e);
    if (code == ERR_OK)
        code = map_copy(&copy.annotations, &from->annotations, e);
    if (code != ERR_OK) {
        alert_release(&copy);
        return code;
    }
    memcpy(copy.source, from->source, sizeof copy.source);
    copy.status = from->status;
    copy.starts_ms = from->starts_ms;
    copy.ends_ms = from->ends_ms;
    copy.event = from->event;
    *ret = copy;
    return ERR_OK;
}

const char *alert_label(const struct alert *a, const char *name)
{
    const char *value = map_get(&a->labels, name);
    return value ? value : "";
}

/* FNV-1a, 64 bit: http://www.isthe.com/chongo/tech/comp/fnv/ */
#define FNV_OFFSET 14695981039346656037u
#define FNV_PRIME 1099511628211u

static uint64_t fnv_add(uint64_t hash, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        hash = (hash ^ *p) * FNV_PRIME;
    return (hash ^ 0xFFu) * FNV_PRIME; /* cannot occur in UTF-8, so it separates */
}

uint64_t alert_fingerprint(const struct map *labels)
{
    uint64_t hash = FNV_OFFSET;
    for (size_t i = 0; i < labels->len; i++) {
        hash = fnv_add(hash, map_name_at(labels, i));
        hash = fnv_add(hash, map_value_at(labels, i));
    }
    return hash;
}
