/* actions/storage/expand_pvc.c - ask for a larger volume, by a factor and up to a ceiling. It never gets
 * smaller again. */
#include <string.h>

#include "actions/change.h"

#define MEBIBYTE_MILLI 1048576000

static bool is_resizing(const struct json *claim)
{
    const struct json *list = json_path(claim, "status.conditions");
    for (const struct json *c = json_first(list); c; c = json_next(c))
        if (strstr(json_string(json_get(c, "type"), ""), "Resiz"))
            return true;
    return false;
}

static bool class_allows(const struct change_ask *a, struct change_draft *d)
{
    CLEANUP(json_freep) struct json_doc *class = NULL;
    const char *name = json_string(json_path(a->object, "spec.storageClassName"), "");
    struct err e = ERR_INIT;
    if (*name == '\0') {
        draft_refuse(d, "it has no storage class that could make it larger");
        return false;
    }
    enum err_code code = kube_get(a->cluster, a->http, "StorageClass", NULL, name, &class, &e);
    if (code == ERR_NOT_FOUND || code == ERR_REFUSED)
        draft_refuse(d, "its storage class \"%s\" cannot be read: %s", name, e.msg);
    else if (code)
        draft_unread(d, code, &e);
    else if (!json_bool(json_get(json_root(class), "allowVolumeExpansion"), false))
        draft_refuse(d, "its storage class \"%s\" does not allow volumes to grow", name);
    else
        return true;
    return false;
}

void prepare_expand_pvc(const struct change_ask *a, struct change_draft *d)
{
    const char *most = change_text(a, "ceiling");
    const char *asked = json_string(json_path(a->object, "spec.resources.requests.storage"), "");
    const char *has = json_string(json_path(a->object, "status.capacity.storage"), "");
    int64_t ceiling = 0, request = 0, capacity = 0, percent = change_int(a, "factor_percent");
    char from[QUANTITY_SIZE], to[QUANTITY_SIZE];
    if (!quantity_parse(most, &ceiling)) {
        draft_refuse(d, "the ceiling \"%s\" is no quantity; write \"100Gi\"", most);
    } else if (strcmp(json_string(json_path(a->object, "status.phase"), ""), "Bound") != 0) {
        draft_refuse(d, "it is not bound to a volume");
    } else if (!quantity_parse(asked, &request) || !quantity_parse(has, &capacity)) {
        draft_refuse(d, "its size \"%s\" cannot be reckoned with", asked);
    } else if (request > capacity || is_resizing(a->object)) {
        draft_refuse(d, "it is being made larger already: %s asked for, %s there", asked, has);
    } else if (request >= ceiling) {
        draft_refuse(d, "it asks for %s already, and the ceiling is %s", asked, most);
    } else if (class_allows(a, d)) {
        int64_t grown = request / 100 * percent + request % 100 * percent / 100;
        grown = (grown + MEBIBYTE_MILLI - 1) / MEBIBYTE_MILLI * MEBIBYTE_MILLI;
        draft_set_text(d, "/spec/resources/requests/storage",
                       quantity_format(to, grown < ceiling ? grown : ceiling, true));
        draft_say(d, "from %s to %s", quantity_format(from, request, true), to);
    }
}
