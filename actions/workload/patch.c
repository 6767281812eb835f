/* actions/workload/patch.c - set one field, at a path that the environment's `patch` lists; that list is
 * empty unless somebody writes it.
 *
 * Some fields are nobody's to list: who an object belongs to, what it selects, as whom and with what rights
 * its pods run, what they run, and what they mount. */
#include <stdio.h>
#include <string.h>

#include "actions/change.h"

/* Of a path, as whole words between slashes. */
static const char *const never[] = {
    "ownerReferences",
    "finalizers",
    "selector",
    "serviceAccountName",
    "serviceAccount",
    "securityContext",
    "volumes",
    "volumeMounts",
    "volumeDevices",
    "command",
    "args",
    "image",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostUsers",
    "hostPath",
    "nodeName",
    "runtimeClassName",
    "imagePullSecrets",
    "env",
    "envFrom",
    "lifecycle",
    "ephemeralContainers",
    "exec",
    "uid",
    "resourceVersion",
    "managedFields",
    "namespace",
    "name",
    "deletionTimestamp",
    "automountServiceAccountToken",
};

static const char *forbidden(const char *path)
{
    for (size_t k = 0; k < sizeof never / sizeof never[0]; k++) {
        size_t len = strlen(never[k]);
        for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/'))
            if (strncmp(p + 1, never[k], len) == 0 && (p[1 + len] == '/' || p[1 + len] == '\0'))
                return never[k];
    }
    return NULL;
}

/* One field with a plain value: what stands below it cannot hide another field. */
static bool plain(struct change_draft *d, const char *value)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    if (json_parse(&doc, value, strlen(value), &e) != ERR_OK) {
        draft_refuse(d, "the value %s is no JSON: write 3, true or \\\"text\\\"", value);
        return false;
    }
    enum json_type type = json_type(json_root(doc));
    if (type == JSON_NUMBER || type == JSON_BOOL || type == JSON_STRING)
        return true;
    draft_refuse(d, "the value %s is not one number, text, true or false", value);
    return false;
}

static bool has_parent(const struct change_ask *a, const char *path)
{
    char parent[256];
    snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
    return json_type(json_pointer(a->object, parent)) == JSON_OBJECT;
}

void prepare_patch(const struct change_ask *a, struct change_draft *d)
{
    const char *path = change_text(a, "path"), *value = change_text(a, "value");
    const char *word = forbidden(path);
    const struct json *now = json_pointer(a->object, path);
    if (strncmp(path, "/spec/", 6) != 0 || strchr(path, '~'))
        draft_refuse(d, "the path \"%s\" is not below /spec", path);
    else if (word)
        draft_refuse(d, "\"%s\" in the path \"%s\" is never patched", word, path);
    else if (!plain(d, value))
        return;
    else if (!has_parent(a, path))
        draft_refuse(d, "the object has nothing above \"%s\"", path);
    else if (json_type(now) == JSON_OBJECT || json_type(now) == JSON_ARRAY)
        draft_refuse(d, "at \"%s\" stands more than one value", path);
    else {
        CLEANUP(buf_release) struct buf before = BUF_INIT;
        if (now)
            json_write(&before, now, false);
        if (now && strcmp(buf_text(&before), value) == 0)
            draft_refuse(d, "\"%s\" is %s already", path, value);
        draft_set(d, path, value);
        draft_say(d, "%s from %s to %s", path, now ? buf_text(&before) : "absent", value);
    }
}
