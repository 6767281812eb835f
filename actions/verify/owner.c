/* actions/verify/owner.c - who else manages an object; declared in rollout.h. */
#include <stdio.h>
#include <string.h>

#include "actions/kube/kube.h"
#include "actions/verify/rollout.h"
#include "actions/verify/status.h"

/* "<app>:<group>/<kind>:<namespace>/<name>": does it name this object? A copied one names another. */
static bool tracking_id_fits(const char *id, const struct json *object)
{
    char want[KIND_SIZE + NAMESPACE_SIZE + OBJECT_NAME_SIZE + 8];
    const char *kind = status_text(object, "kind");
    const char *colon = strchr(id, ':');
    if (!colon)
        return false;
    const char *slash = strchr(colon, '/');
    if (!slash)
        return false;
    snprintf(want, sizeof want, ":%s/%s", status_text(object, "metadata.namespace"),
             status_text(object, "metadata.name"));
    const char *place = strchr(slash, ':');
    if (!place || strcmp(place, want) != 0)
        return false;
    size_t kind_len = (size_t)(place - slash - 1);
    return *kind == '\0' || (strlen(kind) == kind_len && memcmp(slash + 1, kind, kind_len) == 0);
}

static bool argo_owner(char ret[OBSERVATION_TEXT_SIZE], const struct json *object)
{
    const char *id = status_annotation(object, "argocd.argoproj.io/tracking-id");
    if (*id != '\0' && tracking_id_fits(id, object)) {
        snprintf(ret, OBSERVATION_TEXT_SIZE, "Argo CD application \"%.*s\"", (int)strcspn(id, ":"), id);
        return true;
    }
    const char *instance = status_label(object, "argocd.argoproj.io/instance");
    if (*instance == '\0')
        instance = status_annotation(object, "argocd.argoproj.io/instance");
    if (*instance != '\0')
        snprintf(ret, OBSERVATION_TEXT_SIZE, "Argo CD application \"%.120s\"", instance);
    return *instance != '\0';
}

static bool named_owner(char ret[OBSERVATION_TEXT_SIZE], const char *what, const char *name)
{
    if (*name != '\0')
        snprintf(ret, OBSERVATION_TEXT_SIZE, "%s \"%.120s\"", what, name);
    return *name != '\0';
}

void rollout_owner(char ret[OBSERVATION_TEXT_SIZE], const struct json *object)
{
    ret[0] = '\0';
    const struct json *controller = kube_controller_of(object);
    if (controller) {
        snprintf(ret, OBSERVATION_TEXT_SIZE, "controller %.40s/%.120s", status_text(controller, "kind"),
                 status_text(controller, "name"));
        return;
    }
    if (argo_owner(ret, object))
        return;
    if (named_owner(ret, "Flux Kustomization", status_label(object, "kustomize.toolkit.fluxcd.io/name")))
        return;
    if (named_owner(ret, "Flux HelmRelease", status_label(object, "helm.toolkit.fluxcd.io/name")))
        return;
    if (strcmp(status_label(object, "app.kubernetes.io/managed-by"), "Helm") == 0)
        named_owner(ret, "Helm release", status_annotation(object, "meta.helm.sh/release-name"));
}
