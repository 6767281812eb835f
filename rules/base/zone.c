#include "rules/base/zone.h"

#include <stdlib.h>
#include <string.h>

#define OFFSET_MAX_S (26 * 3600)

enum err_code zone_new(struct zone **ret, int32_t first_offset_s, const struct zone_change *changes,
                       size_t len, struct err *e)
{
    if (len > ZONE_CHANGES_MAX)
        return err_set(e, ERR_LIMIT, "a time zone of %zu changes; %u is the most", len, ZONE_CHANGES_MAX);
    for (size_t i = 0; i < len; i++)
        if (abs(changes[i].offset_s) > OFFSET_MAX_S || (i > 0 && changes[i].at_s <= changes[i - 1].at_s))
            return err_set(e, ERR_INVALID, "a time zone whose change %zu is out of order or out of range", i);
    if (abs(first_offset_s) > OFFSET_MAX_S)
        return err_set(e, ERR_INVALID, "a time zone with an offset of %d seconds", first_offset_s);
    struct zone *z = calloc(1, sizeof *z);
    if (!z || (len && !(z->changes = calloc(len, sizeof *z->changes)))) {
        free(z);
        return err_set(e, ERR_NOMEM, "no memory for a time zone");
    }
    z->first_offset_s = first_offset_s;
    z->len = len;
    if (len)
        memcpy(z->changes, changes, len * sizeof *changes);
    *ret = z;
    return ERR_OK;
}

struct zone *zone_free(struct zone *z)
{
    if (z)
        free(z->changes);
    free(z);
    return NULL;
}

/* How many changes are not later than at_s. */
static size_t passed(const struct zone *z, int64_t at_s)
{
    size_t low = 0, high = z ? z->len : 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (z->changes[mid].at_s <= at_s)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int32_t zone_offset_s(const struct zone *z, int64_t at_s)
{
    size_t n = passed(z, at_s);
    if (!z)
        return 0;
    return n ? z->changes[n - 1].offset_s : z->first_offset_s;
}

int64_t zone_next_change_s(const struct zone *z, int64_t at_s)
{
    size_t n = passed(z, at_s);
    return z && n < z->len ? z->changes[n].at_s : INT64_MAX;
}
