/* actions/kube/cluster_internal.h - internal to actions/kube: counting requests, texts of the server. */
#ifndef ACTIONS_KUBE_CLUSTER_INTERNAL_H
#define ACTIONS_KUBE_CLUSTER_INTERNAL_H

#include "actions/kube/kube.h"

void cluster_observe(struct cluster *c, const char *verb, long code); /* code 0: no answer */
const char *cluster_token_file(const struct cluster *c);              /* "" when there is none */

/* The API server stores U+0000 in annotations and the like; the JSON reader refuses it, and one such pod
 * would blind heald to all of its neighbours. Replace the escape \u0000 by \ufffd, in place. */
void kube_mend_text(char *text, size_t len);

#endif
