/* actions/bounds.h - what holds heald itself: RBAC and a ValidatingAdmissionPolicy, as YAML.
 *
 * RBAC cannot bound the verbs that healing needs: "patch deployments" alone lets one mount the host. The
 * policy of admission therefore refuses, for heald's user and whatever its roles say, every write but those
 * that the loaded policy's actions make: other resources, other fields than `changes` of the catalogue, and
 * in pod templates also what an action that may change them never should: new access to the host, privilege,
 * other volumes than harmless ones, other references to Secrets, other image repositories, another
 * ServiceAccount. Pure: nothing is asked. */
#ifndef ACTIONS_BOUNDS_H
#define ACTIONS_BOUNDS_H

#include "actions/rights.h"

#define BOUNDS_PATHS_MAX 64u /* fields of one resource */
#define BOUNDS_DEPTH_MAX 10u

struct bounds {
    const char *name;              /* of all objects: NAME-look, NAME-act, NAME-bounds */
    const char *user;              /* "heald", "system:serviceaccount:NAMESPACE:NAME" */
    const char *cluster;           /* as the policy calls it */
    const char *const *namespaces; /* that heald watches */
    size_t namespaces_len;         /* 0: all */
    const char *const *act_in;     /* where it may write at all; len 0: in all of those that it watches */
    size_t act_in_len;
    const struct policy *policy;
    const struct rights *rights; /* of that policy */
};

/* ClusterRoles and their bindings: reading where it watches, writing where an environment may act. */
enum err_code bounds_roles(struct buf *ret, const struct bounds *b, struct err *e);
/* The ValidatingAdmissionPolicy and its binding. ERR_INVALID: a `changes` of the catalogue is not of its
 * form.
 */
enum err_code bounds_admission(struct buf *ret, const struct bounds *b, struct err *e);

/* CEL: `object` and `oldObject` are equal but for these paths, as `changes` of the catalogue writes them. */
enum err_code bounds_equal_but(struct buf *ret, const char *const *paths, size_t len, struct err *e);

#endif
