/* actions/job/cronjob.c - let a CronJob start no more jobs, and start them again.
 *
 * Whose suspension it is says an annotation: heald resumes what heald suspended, and what a person suspended
 * only where the plan says so. */
#include <string.h>

#include "actions/change.h"

#define SUSPENDED_BY "heald.dev/suspended"

void prepare_suspend_cronjob(const struct change_ask *a, struct change_draft *d)
{
    if (json_bool(json_path(a->object, "spec.suspend"), false))
        draft_refuse(d, "it is suspended already");
    draft_set(d, "/spec/suspend", "true");
    draft_annotate(d, SUSPENDED_BY, "true");
    draft_say(d, "it starts no more jobs; those that run go on");
}

void prepare_resume_cronjob(const struct change_ask *a, struct change_draft *d)
{
    bool own = json_get(json_path(a->object, "metadata.annotations"), SUSPENDED_BY) != NULL;
    if (!json_bool(json_path(a->object, "spec.suspend"), false))
        draft_refuse(d, "it is not suspended");
    else if (!own && strcmp(change_text(a, "whose"), "heald") == 0)
        draft_refuse(d, "somebody else suspended it; whose = \"anybody\" would let it start jobs again");
    draft_set(d, "/spec/suspend", "false"); /* the server writes the default itself */
    if (own)
        draft_annotate(d, SUSPENDED_BY, NULL);
    draft_say(d, "it starts jobs again");
}
