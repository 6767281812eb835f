/* actions/container.c - what actions on containers look for: the container, and quantities. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/change.h"

bool change_container(const struct change_ask *a, struct change_draft *d, char ret[CONTAINER_PATH_SIZE],
                      const struct json **ret_container)
{
    const char *wanted = change_text(a, "container");
    const struct json *list = json_path(a->object, "spec.template.spec.containers");
    char path[CONTAINER_PATH_SIZE + 8];
    int index = 0;
    if (*wanted == '\0' && json_len(list) != 1) {
        draft_refuse(d, "it has %zu containers: say which one by container = \"...\"", json_len(list));
        return false;
    }
    for (const struct json *c = json_first(list); c; c = json_next(c), index++) {
        if (*wanted != '\0' && strcmp(json_string(json_get(c, "name"), ""), wanted) != 0)
            continue;
        snprintf(ret, CONTAINER_PATH_SIZE, "/spec/template/spec/containers/%d", index);
        snprintf(path, sizeof path, "%s/name", ret);
        draft_test(d, path);
        *ret_container = c;
        return true;
    }
    draft_refuse(d, "it has no container \"%s\"", wanted);
    return false;
}

/* ---- quantities ---- */

static const struct {
    const char *suffix;
    int64_t milli;
} units[] = {
    { "m", 1 },
    { "", 1000 },
    { "k", 1000000 },
    { "M", 1000000000 },
    { "G", 1000000000000 },
    { "T", 1000000000000000 },
    { "Ki", 1024000 },
    { "Mi", 1048576000 },
    { "Gi", 1073741824000 },
    { "Ti", 1099511627776000 },
};

bool quantity_parse(const char *text, int64_t *ret_milli)
{
    const char *end = text + strspn(text, "0123456789."); /* no exponents, as heald writes none */
    if (!isdigit((unsigned char)*text))
        return false;
    double number = strtod(text, NULL);
    for (size_t k = 0; k < sizeof units / sizeof units[0]; k++) {
        if (strcmp(end, units[k].suffix) != 0)
            continue;
        double milli = number * (double)units[k].milli;
        if (milli > 9e18)
            return false;
        *ret_milli = (int64_t)(milli + 0.5);
        return true;
    }
    return false;
}

const char *quantity_format(char ret[QUANTITY_SIZE], int64_t milli, bool bytes)
{
    static const size_t binary[] = { 9, 8, 7, 6 };
    snprintf(ret, QUANTITY_SIZE, "%lldm", (long long)milli);
    if (milli % 1000 == 0)
        snprintf(ret, QUANTITY_SIZE, "%lld", (long long)(milli / 1000));
    for (size_t k = 0; bytes && k < sizeof binary / sizeof binary[0]; k++)
        if (milli > 0 && milli % units[binary[k]].milli == 0) {
            snprintf(ret, QUANTITY_SIZE, "%lld%s", (long long)(milli / units[binary[k]].milli),
                     units[binary[k]].suffix);
            break;
        }
    return ret;
}
