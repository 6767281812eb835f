#include "actions/kube/access.h"

#include <string.h>

#define REVIEW_PATH "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
#define WHO_PATH "/apis/authentication.k8s.io/v1/selfsubjectreviews"

/* Reviews are created, and yet only ask: what is not answered may be asked again. */
static enum err_code ask(struct cluster *c, struct http *h, const char *path, const struct json_writer *body,
                         struct kube_reply *ret, struct err *e)
{
    size_t len = 0;
    const char *text = jw_text(body, &len);
    if (!text)
        return err_set(e, ERR_INVALID, "a review for \"%s\" cannot be written", path);
    enum err_code code = kube_call(c, h,
                                   &(struct kube_call){ .verb = "create",
                                                        .path = path,
                                                        .content_type = "application/json",
                                                        .body = text,
                                                        .body_len = len },
                                   ret, e);
    if (code == ERR_UNKNOWN)
        code = err_wrap(e, ERR_UNAVAILABLE, "cluster \"%s\"", cluster_name(c));
    if (!code && !ret->doc)
        code = err_set(e, ERR_UNAVAILABLE, "create %s: the answer is no JSON object", path);
    return code;
}

static void review_head(struct json_writer *w, const char *version, const char *kind)
{
    jw_object(w);
    jw_kstring(w, "apiVersion", version);
    jw_kstring(w, "kind", kind);
}

enum err_code kube_who(struct cluster *c, struct http *h, char ret[KUBE_USER_SIZE], struct err *e)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    CLEANUP(kube_reply_release) struct kube_reply r = KUBE_REPLY_INIT;
    enum err_code code = json_writer_new(&w, e);
    if (code)
        return code;
    review_head(w, "authentication.k8s.io/v1", "SelfSubjectReview");
    jw_object_end(w);
    code = ask(c, h, WHO_PATH, w, &r, e);
    if (code == ERR_NOT_FOUND) {
        ret[0] = '\0';
        return ERR_OK;
    }
    if (!code)
        text_copy(ret, KUBE_USER_SIZE,
                  json_string(json_path(json_root(r.doc), "status.userInfo.username"), ""));
    return code;
}

enum err_code kube_may(struct cluster *c, struct http *h, const struct right *r, const char *namespace,
                       bool *ret, struct err *e)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    CLEANUP(kube_reply_release) struct kube_reply reply = KUBE_REPLY_INIT;
    enum err_code code = json_writer_new(&w, e);
    if (code)
        return code;
    review_head(w, "authorization.k8s.io/v1", "SelfSubjectAccessReview");
    jw_key(w, "spec");
    jw_object(w);
    jw_key(w, "resourceAttributes");
    jw_object(w);
    jw_kstring(w, "verb", r->verb);
    jw_kstring(w, "group", r->group);
    jw_kstring(w, "resource", r->resource);
    jw_kstring(w, "subresource", r->subresource);
    jw_kstring(w, "namespace", namespace);
    jw_object_end(w);
    jw_object_end(w);
    jw_object_end(w);
    code = ask(c, h, REVIEW_PATH, w, &reply, e);
    if (!code)
        *ret = json_bool(json_path(json_root(reply.doc), "status.allowed"), false);
    return code;
}

enum err_code kube_serves(struct cluster *c, struct http *h, const struct right *r, bool *ret, struct err *e)
{
    CLEANUP(kube_reply_release) struct kube_reply reply = KUBE_REPLY_INIT;
    CLEANUP(buf_release) struct buf name = BUF_INIT;
    const char *prefix = kube_group_path(r->group, r->resource);
    enum err_code code =
        *prefix ? kube_call(c, h, &(struct kube_call){ .verb = "get", .path = prefix }, &reply, e)
                : ERR_NOT_FOUND;
    if (code == ERR_NOT_FOUND) {
        *ret = false;
        return ERR_OK;
    }
    buf_addf(&name, "%s%s%s", r->resource, r->subresource[0] ? "/" : "", r->subresource);
    bool there = false;
    const struct json *all = reply.doc ? json_get(json_root(reply.doc), "resources") : NULL;
    for (const struct json *k = json_first(all); k && !there; k = json_next(k))
        there = strcmp(json_string(json_get(k, "name"), ""), buf_text(&name)) == 0;
    if (!code)
        *ret = there;
    return code;
}
