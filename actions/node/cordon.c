/* actions/node/cordon.c - keep new pods off a node, and let them on it again.
 *
 * Whose cordon it is says an annotation, set and taken away together with the field: heald lets pods on again
 * only where heald kept them off. */
#include "actions/node/census.h"

void prepare_cordon(const struct change_ask *a, struct change_draft *d)
{
    if (json_bool(json_path(a->object, "spec.unschedulable"), false))
        draft_refuse(d, "it is cordoned already");
    else if (census_allows(a, d, change_int(a, "left"))) {
        draft_set(d, "/spec/unschedulable", "true");
        draft_annotate(d, CORDONED_BY, "true");
        draft_say(d, "no new pods on it");
    }
}

void prepare_uncordon(const struct change_ask *a, struct change_draft *d)
{
    bool own = json_get(json_path(a->object, "metadata.annotations"), CORDONED_BY) != NULL;
    if (!json_bool(json_path(a->object, "spec.unschedulable"), false))
        draft_refuse(d, "it is not cordoned");
    else if (!own)
        draft_refuse(d, "somebody else cordoned it");
    draft_set(d, "/spec/unschedulable", NULL);
    if (own)
        draft_annotate(d, CORDONED_BY, NULL);
    draft_say(d, "new pods on it again");
}
