/* actions/workload/set_resources.c - give a container more memory or CPU, by a factor and up to a ceiling:
 * the workload rolls out anew.
 *
 * Request and limit that are equal stay equal, so that the pods keep their class of service. */
#include <stdio.h>
#include <string.h>

#include "actions/change.h"

#define MEBIBYTE_MILLI 1048576000

struct raise {
    const char *resource;       /* "memory" */
    int64_t limit, request, to; /* in thousandths; request 0: none */
};

/* Memory in whole MiB, CPU in whole thousandths. */
static int64_t rounded_up(int64_t milli, bool bytes)
{
    int64_t unit = bytes ? MEBIBYTE_MILLI : 1;
    return (milli + unit - 1) / unit * unit;
}

static bool decide(const struct change_ask *a, struct change_draft *d, const struct json *c,
                   struct raise *ret)
{
    const char *resource = change_text(a, "resource"), *most = change_text(a, "ceiling");
    const char *limit = json_string(json_get(json_path(c, "resources.limits"), resource), "");
    const char *request = json_string(json_get(json_path(c, "resources.requests"), resource), "");
    int64_t ceiling = 0;
    *ret = (struct raise){ .resource = resource };
    if (!quantity_parse(most, &ceiling)) {
        draft_refuse(d, "the ceiling \"%s\" is no quantity; write \"2Gi\" or \"1500m\"", most);
    } else if (*limit == '\0') {
        draft_refuse(d, "container \"%s\" has no %s limit that could be raised",
                     json_string(json_get(c, "name"), ""), resource);
    } else if (!quantity_parse(limit, &ret->limit) || (*request && !quantity_parse(request, &ret->request))) {
        draft_refuse(d, "its %s \"%s\" cannot be reckoned with", resource, limit);
    } else if (ret->limit >= ceiling) {
        draft_refuse(d, "its %s limit is %s already, and the ceiling is %s", resource, limit, most);
    } else {
        int64_t percent = change_int(a, "factor_percent");
        int64_t to = ret->limit / 100 * percent + ret->limit % 100 * percent / 100;
        ret->to = rounded_up(to, strcmp(resource, "memory") == 0);
        ret->to = ret->to < ceiling ? ret->to : ceiling;
        return true;
    }
    return false;
}

void prepare_set_resources(const struct change_ask *a, struct change_draft *d)
{
    char container[CONTAINER_PATH_SIZE], path[CONTAINER_PATH_SIZE + 64];
    char from[QUANTITY_SIZE], to[QUANTITY_SIZE];
    const struct json *c = NULL;
    struct raise r;
    if (!change_container(a, d, container, &c) || !decide(a, d, c, &r))
        return;
    bool bytes = strcmp(r.resource, "memory") == 0;
    quantity_format(from, r.limit, bytes);
    quantity_format(to, r.to, bytes);
    snprintf(path, sizeof path, "%s/resources/limits/%s", container, r.resource);
    draft_set_text(d, path, to);
    if (r.request == r.limit) {
        snprintf(path, sizeof path, "%s/resources/requests/%s", container, r.resource);
        draft_set_text(d, path, to);
    }
    draft_say(d, "%s limit of container \"%s\" from %s to %s%s", r.resource,
              json_string(json_get(c, "name"), ""), from, to,
              r.request == r.limit ? ", its request too" : "");
}
