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

static void write_metadata(struct json_writer *w, const struct json *metadata)
{
    jw_object(w);
    for (const struct json *m = json_first(metadata); m; m = json_next(m)) {
        if (strcmp(json_name(m), "labels") != 0) {
            if (!nothing(m)) {
                jw_key(w, json_name(m));
                jw_node(w, m);
            }
            continue;
        }
        jw_key(w, "labels");
        jw_object(w);
        for (const struct json *l = json_first(m); l; l = json_next(l))
            if (!generated_label(json_name(l)))
                jw_kstring(w, json_name(l), json_string(l, ""));
        jw_object_end(w);
    }
    jw_object_end(w);
}

static void canonical(struct buf *out, const char *text, size_t len)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    if (json_parse(&doc, text, len, NULL) == ERR_OK)
        json_write(out, json_root(doc), true);
}

void kube_template_hash(char ret[HASH_SIZE], const struct json *pod_template)
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
            write_metadata(w, m);
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
