/* actions/node/taint.c - put a taint on a node, and take it away.
 *
 * The list is written as a whole, and tested as a whole. Only NoSchedule and PreferNoSchedule: NoExecute
 * would take pods away past their budgets, which is what a drain is for. Kubernetes' own taints are its own.
 */
#include <stdio.h>
#include <string.h>

#include "actions/node/census.h"

static bool is(const struct json *taint, const char *key, const char *effect)
{
    return strcmp(json_string(json_get(taint, "key"), ""), key) == 0 &&
           strcmp(json_string(json_get(taint, "effect"), ""), effect) == 0;
}

static const struct json *find(const struct json *taints, const char *key, const char *effect)
{
    for (const struct json *t = json_first(taints); t; t = json_next(t))
        if (is(t, key, effect))
            return t;
    return NULL;
}

static bool may_touch(struct change_draft *d, const char *key)
{
    if (!strstr(key, "kubernetes.io/") && strncmp(key, "karpenter.sh/", 13) != 0)
        return true;
    draft_refuse(d, "the taint \"%s\" belongs to Kubernetes or an autoscaler", key);
    return false;
}

/* The list without that taint, and with another one when `value` is given. */
static void write_list(const struct change_ask *a, struct change_draft *d, const char *value)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    const struct json *taints = json_path(a->object, "spec.taints");
    const char *key = change_text(a, "key"), *effect = change_text(a, "effect");
    struct err e = ERR_INIT;
    enum err_code code = json_writer_new(&w, &e);
    size_t left = 0;
    if (code) {
        draft_unread(d, code, &e);
        return;
    }
    jw_array(w);
    for (const struct json *t = json_first(taints); t; t = json_next(t))
        if (!is(t, key, effect)) {
            jw_node(w, t);
            left++;
        }
    if (value) {
        jw_object(w);
        jw_kstring(w, "key", key);
        if (*value != '\0')
            jw_kstring(w, "value", value);
        jw_kstring(w, "effect", effect);
        jw_object_end(w);
        left++;
    }
    jw_array_end(w);
    draft_set(d, "/spec/taints", left ? jw_text(w, NULL) : NULL); /* an empty list is left out */
}

void prepare_taint(const struct change_ask *a, struct change_draft *d)
{
    const char *key = change_text(a, "key"), *effect = change_text(a, "effect"),
               *value = change_text(a, "value");
    const struct json *there = find(json_path(a->object, "spec.taints"), key, effect);
    if (!may_touch(d, key))
        return;
    if (there && strcmp(json_string(json_get(there, "value"), ""), value) == 0) {
        draft_refuse(d, "it has that taint already");
        return;
    }
    if (strcmp(effect, "NoSchedule") == 0 && !census_allows(a, d, change_int(a, "left")))
        return;
    write_list(a, d, value);
    draft_say(d, "taint %s%s%s:%s on it", key, *value ? "=" : "", value, effect);
}

void prepare_untaint(const struct change_ask *a, struct change_draft *d)
{
    const char *key = change_text(a, "key"), *effect = change_text(a, "effect");
    if (!may_touch(d, key))
        return;
    if (!find(json_path(a->object, "spec.taints"), key, effect)) {
        draft_refuse(d, "it has no taint %s:%s", key, effect);
        return;
    }
    write_list(a, d, NULL);
    draft_say(d, "taint %s:%s off it", key, effect);
}
