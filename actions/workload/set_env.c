/* actions/workload/set_env.c - give an environment variable of a container another value: the workload rolls
 * out anew.
 *
 * Values stand in the journal, so what looks like a secret is refused, and so is what comes from elsewhere.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "actions/change.h"

static bool looks_secret(const char *name)
{
    static const char *const words[] = { "PASSWORD",   "PASSWD", "SECRET",      "TOKEN", "KEY",
                                         "CREDENTIAL", "AUTH",   "CERTIFICATE", "DSN",   "CONNECTION" };
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        if (strcasestr(name, words[k]))
            return true;
    return false;
}

/* Where there is no list yet, the list is what is added. */
static void add_variable(struct change_draft *d, const char *container, size_t have, const char *name,
                         const char *value)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    char path[CONTAINER_PATH_SIZE + 32];
    struct err e = ERR_INIT;
    enum err_code code = json_writer_new(&w, &e);
    if (code) {
        draft_unread(d, code, &e);
        return;
    }
    if (have == 0)
        jw_array(w);
    jw_object(w);
    jw_kstring(w, "name", name);
    jw_kstring(w, "value", value);
    jw_object_end(w);
    if (have == 0)
        jw_array_end(w);
    if (have == 0)
        snprintf(path, sizeof path, "%s/env", container);
    else
        snprintf(path, sizeof path, "%s/env/%zu", container, have);
    draft_set(d, path, jw_text(w, NULL));
    draft_say(d, "%s is to be \"%s\"; it was not set", name, value);
}

static void change_variable(struct change_draft *d, const char *container, size_t index,
                            const struct json *was, const char *name, const char *value)
{
    char path[CONTAINER_PATH_SIZE + 48];
    const char *old = json_string(json_get(was, "value"), "");
    if (json_get(was, "valueFrom")) {
        draft_refuse(d, "%s comes from a ConfigMap, a Secret or a field: change it there", name);
    } else if (strcmp(old, value) == 0) {
        draft_refuse(d, "%s has that value already", name);
    } else {
        snprintf(path, sizeof path, "%s/env/%zu/name", container, index);
        draft_test(d, path);
        snprintf(path, sizeof path, "%s/env/%zu/value", container, index);
        draft_set_text(d, path, value);
        draft_say(d, "%s from \"%s\" to \"%s\"", name, old, value);
    }
}

void prepare_set_env(const struct change_ask *a, struct change_draft *d)
{
    const char *name = change_text(a, "name"), *value = change_text(a, "value");
    char container[CONTAINER_PATH_SIZE];
    const struct json *c = NULL;
    size_t index = 0;
    if (looks_secret(name)) {
        draft_refuse(d, "%s looks like a secret by its name: heald neither reads nor writes those", name);
        return;
    }
    if (!change_container(a, d, container, &c))
        return;
    const struct json *list = json_get(c, "env"), *found = NULL;
    size_t at = 0;
    for (const struct json *v = json_first(list); v; v = json_next(v), index++)
        if (strcmp(json_string(json_get(v, "name"), ""), name) == 0) {
            found = v; /* the last of several is the one that counts */
            at = index;
        }
    if (found)
        change_variable(d, container, at, found, name, value);
    else
        add_variable(d, container, json_len(list), name, value);
}
