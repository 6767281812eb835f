/* The identity of a pod template: SHA-256 of its canonical JSON without what controllers add. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#include "actions/kube/kube.h"

static bool generated_label(const char *name)
{
    return strcmp(name, "pod-template-hash") == 0 || strcmp(name, "controller-revision-hash") == 0 ||
           strcmp(name, "controller.kubernetes.io/hash") == 0;
}

/* null and {} and absent mean the same to the API server: creationTimestamp: null, annotations: {}. */
static bool nothing(const struct json *j)
{
    return json_type(j) == JSON_NULL || (json_type(j) == JSON_OBJECT && json_len(j) == 0);
}

static bool restarted_at(const char *name)
{
    return strcmp(name, "kubectl.kubernetes.io/restartedAt") == 0;
}

/* Labels or annotations without some; nothing at all when none is left of annotations. */
static void write_without(struct json_writer *w, const struct json *map, bool (*left_out)(const char *name),
                          bool always)
{
    bool any = always;
    for (const struct json *l = json_first(map); l; l = json_next(l))
        any |= !left_out(json_name(l));
    if (!any)
        return;
    jw_key(w, json_name(map));
    jw_object(w);
    for (const struct json *l = json_first(map); l; l = json_next(l))
        if (!left_out(json_name(l)))
            jw_kstring(w, json_name(l), json_string(l, ""));
    jw_object_end(w);
}

static void write_metadata(struct json_writer *w, const struct json *metadata, bool plain)
{
    jw_object(w);
    for (const struct json *m = json_first(metadata); m; m = json_next(m)) {
        if (strcmp(json_name(m), "labels") == 0) {
            write_without(w, m, generated_label, true);
        } else if (plain && strcmp(json_name(m), "annotations") == 0) {
            write_without(w, m, restarted_at, false);
        } else if (!nothing(m)) {
            jw_key(w, json_name(m));
            jw_node(w, m);
        }
    }
    jw_object_end(w);
}

static void canonical(struct buf *out, const char *text, size_t len)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    if (json_parse(&doc, text, len, NULL) == ERR_OK)
        json_write(out, json_root(doc), true);
}

static void hash(char ret[HASH_SIZE], const struct json *pod_template, bool without_restart)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    unsigned char digest[32];
    size_t len = 0;
    ret[0] = '\0';
    if (json_writer_new(&w, NULL) != ERR_OK)
        return;
    jw_object(w);
    for (const struct json *m = json_first(pod_template); m; m = json_next(m)) {
        if (strcmp(json_name(m), "$patch") == 0)
            continue;
        jw_key(w, json_name(m));
        if (strcmp(json_name(m), "metadata") == 0)
            write_metadata(w, m, without_restart);
        else
            jw_node(w, m);
    }
    jw_object_end(w);
    const char *plain = jw_text(w, &len);
    if (plain)
        canonical(&text, plain, len);
    if (!buf_ok(&text) || !text.len ||
        gnutls_hash_fast(GNUTLS_DIG_SHA256, buf_text(&text), text.len, digest) < 0)
        return;
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

void kube_template_hash(char ret[HASH_SIZE], const struct json *pod_template)
{
    hash(ret, pod_template, false);
}

void kube_template_plain_hash(char ret[HASH_SIZE], const struct json *pod_template)
{
    hash(ret, pod_template, true);
}
