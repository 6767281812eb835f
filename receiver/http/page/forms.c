/* Words by the page's forms: taken as those of the API are, then back to where they were said. */
#include <stdio.h>

#include "receiver/http/page/page.h"

static void carry(struct http_lane *lane, struct request *r)
{
    form_take(r);
    if (r->refusal.status)
        return;
    say_word(lane, r);
    snprintf(r->location, sizeof r->location, r->incident[0] ? "/incidents/%s" : "/", r->incident);
}

enum MHD_Result page_word(struct request *r)
{
    return lane_answer(r, LANE_WORDS, carry);
}
