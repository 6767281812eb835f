/* actions/history.c */
#include "actions/history.h"

#include <stdlib.h>
#include <string.h>

#include "actions/verify/status.h"

void history_release(struct history *h)
{
    free(h->entries);
    memset(h, 0, sizeof *h);
}

static bool is_deployment(const struct history *h)
{
    return strcmp(h->target.kind, "Deployment") == 0;
}

/* A list that had to begin again shows an object twice: the later look counts. */
static struct history_entry *known_entry(struct history *h, const char *uid)
{
    for (size_t k = 0; k < h->len; k++)
        if (strcmp(h->entries[k].uid, uid) == 0) {
            memset(&h->entries[k], 0, sizeof h->entries[k]);
            return &h->entries[k];
        }
    return NULL;
}

static struct history_entry *new_entry(struct history *h)
{
    if (h->len == h->cap) {
        size_t cap = h->cap ? 2 * h->cap : 16;
        struct history_entry *more = h->len < HISTORY_MAX ? realloc(h->entries, cap * sizeof *more) : NULL;
        if (!more) {
            h->failed = true;
            return NULL;
        }
        h->entries = more;
        h->cap = cap;
    }
    struct history_entry *entry = &h->entries[h->len++];
    memset(entry, 0, sizeof *entry);
    return entry;
}

static int64_t replicaset_number(const struct json *set)
{
    const char *text = status_annotation(set, "deployment.kubernetes.io/revision");
    char *end;
    long long n = strtoll(text, &end, 10);
    return *text != '\0' && *end == '\0' && n > 0 ? n : 0;
}

void history_add(struct history *h, const struct json *revision)
{
    if (strcmp(status_text(kube_controller_of(revision), "uid"), h->target.uid) != 0)
        return;
    const struct json *template =
        json_path(revision, is_deployment(h) ? "spec.template" : "data.spec.template");
    if (json_type(template) != JSON_OBJECT)
        return;
    const char *name = status_text(revision, "metadata.name"), *uid = status_text(revision, "metadata.uid");
    if (*uid == '\0' || strlen(uid) >= UID_SIZE || strlen(name) >= OBJECT_NAME_SIZE)
        return; /* Kubernetes gives no such ones */
    struct history_entry *entry = known_entry(h, uid);
    if (!entry)
        entry = new_entry(h);
    if (!entry)
        return;
    entry->revision.number =
        is_deployment(h) ? replicaset_number(revision) : json_int(json_get(revision, "revision"), 0);
    kube_template_hash(entry->revision.template_hash, template);
    text_copy(entry->revision.name, sizeof entry->revision.name, name);
    text_copy(entry->uid, sizeof entry->uid, uid);
    text_copy(entry->hash_label, sizeof entry->hash_label,
              status_label(revision, "controller-revision-hash"));
}

static bool add_item(void *ctx, const struct json *item)
{
    struct history *h = ctx;
    history_add(h, item);
    return !h->failed;
}

enum err_code history_read(const struct observer *o, struct http *h, const struct target *t,
                           const char *selector, struct history *ret, struct err *e)
{
    ret->target = *t;
    const char *kind = is_deployment(ret) ? "ReplicaSet" : "ControllerRevision";
    enum err_code code = kube_list(o->cluster, h, kind, t->namespace, selector, add_item, ret, NULL, e);
    if (code == ERR_OK && ret->failed)
        return err_set(
            e, ret->len >= HISTORY_MAX ? ERR_LIMIT : ERR_NOMEM,
            "%s \"%s\" has more than %u revisions, or memory is out; lower its revisionHistoryLimit", t->kind,
            t->name, HISTORY_MAX);
    return code;
}

static int newer_first(const void *a, const void *b)
{
    const struct revision *x = a, *y = b;
    return x->number < y->number ? 1 : x->number > y->number ? -1 : strcmp(y->name, x->name);
}

void history_newest(const struct history *h, struct observation *ret)
{
    struct revision *all = calloc(h->len ? h->len : 1, sizeof *all);
    ret->revisions_len = 0;
    if (!all)
        return;
    for (size_t k = 0; k < h->len; k++)
        all[k] = h->entries[k].revision;
    qsort(all, h->len, sizeof *all, newer_first);
    while (ret->revisions_len < h->len && ret->revisions_len < OBSERVATION_REVISIONS_MAX) {
        ret->revisions[ret->revisions_len] = all[ret->revisions_len];
        ret->revisions_len++;
    }
    free(all);
}

bool history_owns(const struct history *h, const struct json *pod)
{
    const char *uid = status_text(kube_controller_of(pod), "uid");
    if (*uid == '\0')
        return false;
    if (!is_deployment(h))
        return strcmp(uid, h->target.uid) == 0;
    for (size_t k = 0; k < h->len; k++)
        if (strcmp(h->entries[k].uid, uid) == 0)
            return true;
    return false;
}

bool history_present(const struct history *h, const struct json *workload, const char *template_hash,
                     const struct json *pod)
{
    const char *label = status_label(pod, "controller-revision-hash");
    const char *uid = status_text(kube_controller_of(pod), "uid");
    if (strcmp(h->target.kind, "StatefulSet") == 0) /* its pods carry the revision's whole name */
        return *label != '\0' && strcmp(label, status_text(workload, "status.updateRevision")) == 0;
    for (size_t k = 0; k < h->len; k++) {
        const struct history_entry *entry = &h->entries[k];
        if (strcmp(entry->revision.template_hash, template_hash) == 0 &&
            (is_deployment(h) ? strcmp(entry->uid, uid) == 0
                              : *label != '\0' && strcmp(entry->hash_label, label) == 0))
            return true;
    }
    return false;
}
