#include "actions/verify/governors.h"

#include <stdio.h>
#include <string.h>

#include "actions/verify/status.h"

static void say(char ret[OBSERVATION_TEXT_SIZE], const char *text)
{
    text_clean(ret, OBSERVATION_TEXT_SIZE, text, strlen(text));
}

void governors_no_hpa(struct observation *ret)
{
    ret->hpa_known = true;
    ret->hpa = false;
    ret->hpa_least = ret->hpa_most = 0;
    say(ret->hpa_text, "no HorizontalPodAutoscaler scales it");
}

void governors_add_hpa(struct observation *ret, const struct json *hpa)
{
    char text[OBJECT_NAME_SIZE + 80];
    const struct json *scales = json_path(hpa, "spec.scaleTargetRef");
    const char *version = status_text(scales, "apiVersion");
    bool same = strcmp(status_text(scales, "kind"), ret->target.kind) == 0 &&
                strcmp(status_text(scales, "name"), ret->target.name) == 0 &&
                (*version == '\0' || strncmp(version, "apps/", 5) == 0);
    if (!same)
        return;
    ret->hpa = true;
    ret->hpa_least = status_number(hpa, "spec.minReplicas", 1);
    ret->hpa_most = status_number(hpa, "spec.maxReplicas", 0);
    snprintf(text, sizeof text, "HorizontalPodAutoscaler \"%.100s\" scales it between %d and %d",
             status_text(hpa, "metadata.name"), (int)ret->hpa_least, (int)ret->hpa_most);
    say(ret->hpa_text, text);
}

void governors_no_pdb(struct observation *ret)
{
    ret->pdb_known = true;
    ret->pdb = false;
    ret->pdb_allowed = 0;
    say(ret->pdb_text, "no PodDisruptionBudget selects its pods");
}

static bool selects(const struct json *selector, const struct json *labels)
{
    bool empty = json_type(selector) == JSON_OBJECT && json_len(json_get(selector, "matchLabels")) == 0 &&
                 json_len(json_get(selector, "matchExpressions")) == 0;
    return empty || status_selects(selector, labels);
}

void governors_add_pdb(struct observation *ret, const struct json *pdb, const struct json *pod_labels)
{
    char text[OBJECT_NAME_SIZE + 160];
    if (!selects(json_path(pdb, "spec.selector"), pod_labels))
        return;
    bool current = json_int(json_path(pdb, "metadata.generation"), 0) <=
                   json_int(json_path(pdb, "status.observedGeneration"), 0);
    int32_t allowed = current ? status_number(pdb, "status.disruptionsAllowed", 0) : 0;
    if (ret->pdb && allowed >= ret->pdb_allowed)
        return;
    ret->pdb = true;
    ret->pdb_allowed = allowed;
    snprintf(
        text, sizeof text,
        "PodDisruptionBudget \"%.100s\" allows %d disruptions now: %d pods are healthy, %d must be%s",
        status_text(pdb, "metadata.name"), (int)allowed, (int)status_number(pdb, "status.currentHealthy", 0),
        (int)status_number(pdb, "status.desiredHealthy", 0), current ? "" : "; its numbers are not current");
    say(ret->pdb_text, text);
}
