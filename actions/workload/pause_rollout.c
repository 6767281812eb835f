/* actions/workload/pause_rollout.c - hold a Deployment's rollout where it is, and let it go on.
 *
 * Whose pause it is says an annotation, set and taken away together with the field: heald lets go on what
 * heald held, and what a person held only where the plan says so. */
#include <string.h>

#include "actions/change.h"

#define PAUSED_BY "heald.dev/paused"

void prepare_pause_rollout(const struct change_ask *a, struct change_draft *d)
{
    const struct json *status = json_get(a->object, "status");
    int64_t desired = json_int(json_path(a->object, "spec.replicas"), 1);
    bool current = json_int(json_get(status, "observedGeneration"), 0) ==
                   json_int(json_path(a->object, "metadata.generation"), -1);
    bool complete = current && json_int(json_get(status, "updatedReplicas"), 0) == desired &&
                    json_int(json_get(status, "replicas"), 0) == desired &&
                    json_int(json_get(status, "availableReplicas"), 0) == desired;
    if (json_bool(json_path(a->object, "spec.paused"), false))
        draft_refuse(d, "its rollout is paused already");
    else if (complete)
        draft_refuse(d, "no rollout is under way: there is nothing to pause");
    draft_set(d, "/spec/paused", "true");
    draft_annotate(d, PAUSED_BY, "true");
    draft_say(d, "the rollout is held");
}

void prepare_resume_rollout(const struct change_ask *a, struct change_draft *d)
{
    const struct json *annotations = json_path(a->object, "metadata.annotations");
    bool own = json_get(annotations, PAUSED_BY) != NULL;
    if (!json_bool(json_path(a->object, "spec.paused"), false))
        draft_refuse(d, "its rollout is not paused");
    else if (!own && strcmp(change_text(a, "whose"), "heald") == 0)
        draft_refuse(d, "somebody else paused its rollout; whose = \"anybody\" would let it go on");
    draft_set(d, "/spec/paused", NULL);
    if (own)
        draft_annotate(d, PAUSED_BY, NULL);
    draft_say(d, "the rollout goes on");
}
