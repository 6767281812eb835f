/* actions/workload/set_image.c - give one container back the image of a template that was proven well; the
 * rest of the template stays.
 *
 * Only an image by digest: what a tag names may have moved since it ran well. */
#include <stdio.h>
#include <string.h>

#include "actions/change.h"

struct search {
    const struct change_ask *a;
    const char *container;
    size_t best; /* place among the proven hashes; the newest is 0 */
    struct buf image;
};

static const struct json *container_named(const struct json *template, const char *name)
{
    const struct json *list = json_path(template, "spec.containers");
    for (const struct json *c = json_first(list); c; c = json_next(c))
        if (strcmp(json_string(json_get(c, "name"), ""), name) == 0)
            return c;
    return NULL;
}

static bool take(void *ctx, const struct json *revision)
{
    struct search *s = ctx;
    char hash[HASH_SIZE];
    const struct json *template = json_path(revision, "spec.template"); /* a ReplicaSet's */
    size_t place = 0;
    if (json_type(template) != JSON_OBJECT)
        template = json_path(revision, "data.spec.template");
    if (strcmp(json_string(json_get(kube_controller_of(revision), "uid"), ""), s->a->target->uid) != 0)
        return true;
    kube_template_hash(hash, template);
    for (const struct json *p = json_first(s->a->proven); p; p = json_next(p), place++)
        if (strcmp(json_string(p, ""), hash) == 0 && place < s->best) {
            s->best = place;
            buf_clear(&s->image);
            buf_adds(&s->image, json_string(json_get(container_named(template, s->container), "image"), ""));
        }
    return true;
}

static enum err_code find_image(struct search *s, struct err *e)
{
    CLEANUP(buf_release) struct buf selector = BUF_INIT;
    const struct change_ask *a = s->a;
    const char *kind = strcmp(a->target->kind, "Deployment") == 0 ? "ReplicaSet" : "ControllerRevision";
    enum err_code code = kube_selector(&selector, json_path(a->object, "spec.selector"), e);
    if (!code)
        code =
            kube_list(a->cluster, a->http, kind, a->target->namespace, buf_text(&selector), take, s, NULL, e);
    if (!code && !buf_ok(&s->image))
        code = err_set(e, ERR_NOMEM, "no memory for an image's name");
    return code;
}

static void decide(struct change_draft *d, const struct search *s, const char *path, const char *now)
{
    const char *image = buf_text(&s->image);
    if (s->best == SIZE_MAX)
        draft_refuse(d, "no template that was proven well is left in the workload's revision history");
    else if (*image == '\0')
        draft_refuse(d, "the template that was proven well has no container \"%s\"", s->container);
    else if (strcmp(image, now) == 0)
        draft_refuse(d, "container \"%s\" has the image that was proven well", s->container);
    else if (!strstr(image, "@sha256:"))
        draft_refuse(d, "the image that was proven well is \"%s\": what its tag names may have moved since",
                     image);
    draft_set_text(d, path, image);
    draft_say(d, "image of container \"%s\" from %s to %s", s->container, now, image);
}

void prepare_set_image(const struct change_ask *a, struct change_draft *d)
{
    char container[CONTAINER_PATH_SIZE], path[CONTAINER_PATH_SIZE + 8];
    const struct json *c = NULL;
    struct err e = ERR_INIT;
    if (!change_container(a, d, container, &c))
        return;
    struct search s = {
        .a = a, .container = json_string(json_get(c, "name"), ""), .best = SIZE_MAX, .image = BUF_INIT
    };
    snprintf(path, sizeof path, "%s/image", container);
    enum err_code code = find_image(&s, &e);
    if (code == ERR_REFUSED)
        draft_refuse(d, "the workload's revisions cannot be read: %s", e.msg);
    else if (code)
        draft_unread(d, code, &e);
    else
        decide(d, &s, path, json_string(json_get(c, "image"), ""));
    buf_release(&s.image);
}
