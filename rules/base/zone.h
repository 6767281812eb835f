/* rules/base/zone.h - a time zone as a table: from when on which offset holds. Pure: who has the files makes
 * the table (receiver/runtime/zone_file.h). */
#ifndef RULES_BASE_ZONE_H
#define RULES_BASE_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "rules/base/err.h"

#define ZONE_CHANGES_MAX 4096u

struct zone_change {
    int64_t at_s;     /* seconds since 1970 in UTC */
    int32_t offset_s; /* what local time is ahead of UTC from then on */
};
struct zone {
    int32_t first_offset_s;      /* before the first change */
    struct zone_change *changes; /* ascending */
    size_t len;
};

/* A zone of its own, `changes` copied. ERR_INVALID: not ascending, or an offset of more than 26 hours;
 * ERR_LIMIT. */
enum err_code zone_new(struct zone **ret, int32_t first_offset_s, const struct zone_change *changes,
                       size_t len, struct err *e);
struct zone *zone_free(struct zone *z);
/* z may be NULL: UTC. */
int32_t zone_offset_s(const struct zone *z, int64_t at_s);
/* The next change behind at_s, or INT64_MAX. */
int64_t zone_next_change_s(const struct zone *z, int64_t at_s);

#endif
