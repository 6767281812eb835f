/* actions/verify/changed.c - who changed an object last, as it says itself; declared in rollout.h. */
#include <string.h>

#include "actions/verify/rollout.h"
#include "actions/verify/status.h"

#define OWN_MANAGER "heald"

/* A change of what is wanted, not of a status or by heald itself. */
static bool counts(const struct json *entry)
{
    return *status_text(entry, "subresource") == '\0' && json_get(json_get(entry, "fieldsV1"), "f:spec") &&
           strcmp(status_text(entry, "manager"), OWN_MANAGER) != 0;
}

void rollout_changed_by(char *ret, size_t size, const struct json *object)
{
    const char *by = status_annotation(object, "heald.dev/changed-by");
    int64_t newest_ms = -1;
    for (const struct json *m = json_first(json_path(object, "metadata.managedFields"));
         m && *status_annotation(object, "heald.dev/changed-by") == '\0'; m = json_next(m)) {
        int64_t at_ms = status_time(json_get(m, "time"));
        if (!counts(m) || at_ms <= newest_ms)
            continue;
        newest_ms = at_ms;
        by = status_text(m, "manager");
    }
    text_clean(ret, size, by, strlen(by));
}
