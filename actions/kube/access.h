/* actions/kube/access.h - what the API server says of heald itself: who it is, and what it may do. */
#ifndef ACTIONS_KUBE_ACCESS_H
#define ACTIONS_KUBE_ACCESS_H

#include "actions/kube/kube.h"
#include "actions/rights.h"

/* The name of the user that the credentials stand for; "" from a server that does not tell (before 1.28). */
#define KUBE_USER_SIZE 256
enum err_code kube_who(struct cluster *c, struct http *h, char ret[KUBE_USER_SIZE], struct err *e);

/* May this user do it in the namespace ("": in all of them)? A SelfSubjectAccessReview, which every user may
 * ask for; it counts all authorizers, not RBAC alone. */
enum err_code kube_may(struct cluster *c, struct http *h, const struct right *r, const char *namespace,
                       bool *ret, struct err *e);

/* Does the cluster serve that resource, in the version that heald speaks? */
enum err_code kube_serves(struct cluster *c, struct http *h, const struct right *r, bool *ret, struct err *e);

#endif
