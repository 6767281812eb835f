/* actions/rights.h - what Kubernetes' authorisation (RBAC) must allow heald, as the catalogue and a loaded
 * policy say it.
 *
 * The catalogue writes rights as text: "get,patch apps/deployments,statefulsets; create pods/eviction": parts
 * divided by "; ", each with verbs, a space, and resources; a group in front of the first resource goes for
 * all of the part, a subresource stands behind its resource. Pure. */
#ifndef ACTIONS_RIGHTS_H
#define ACTIONS_RIGHTS_H

#include "rules/policy/policy.h"

#define RIGHTS_MAX 256u /* of one policy */
#define RIGHT_WORD_SIZE 64

struct right {
    char verb[16];
    char group[RIGHT_WORD_SIZE];       /* "" is the core group */
    char resource[RIGHT_WORD_SIZE];    /* "deployments" */
    char subresource[RIGHT_WORD_SIZE]; /* "scale"; "" */
    const char *why;                   /* the action that needs it; "" is looking, which all of them need */
};
struct rights {
    struct right list[RIGHTS_MAX];
    size_t len;
};

/* What watching and looking at any target takes. */
#define RIGHTS_OF_LOOKING                                                                                    \
    "get namespaces; get,list,watch pods; get,list,watch "                                                   \
    "apps/deployments,statefulsets,daemonsets,replicasets; list apps/controllerrevisions"

/* Add the rights of a text of the catalogue; what is there already is left out. `why` must live as long.
 * ERR_INVALID: not of that form; ERR_LIMIT. */
enum err_code rights_add(struct rights *r, const char *text, const char *why, struct err *e);
/* Which actions of p->actions the enabled rules' plans name, called plans included; `written` only where a
 * rule may act, too. */
#define ACTIONS_MAX 128u
struct used_actions {
    bool used[ACTIONS_MAX], written[ACTIONS_MAX];
};
void policy_used_actions(const struct policy *p, struct used_actions *ret);
/* All that the enabled rules' plans may need, called plans included; what a rule that only observes or dries
 * out would write is left out. */
enum err_code rights_of_policy(struct rights *ret, const struct policy *p, struct err *e);

bool right_equal(const struct right *a, const struct right *b); /* `why` is not looked at */
bool right_reads(const struct right *r);                        /* get, list, watch */
bool right_has_namespace(const struct right *r);                /* false: nodes and the like */
/* "patch deployments.apps/scale", as people grant it. */
#define RIGHT_TEXT_SIZE (16 + 3 * RIGHT_WORD_SIZE)
const char *right_format(char ret[RIGHT_TEXT_SIZE], const struct right *r);

/* What the policy may do in a namespace, whatever the object's kind and name: matchers on other labels than
 * cluster and namespace are taken as fulfilled. */
bool policy_may_look(const struct policy *p, const char *cluster, const char *namespace); /* not ignored */
bool policy_may_act(const struct policy *p, const char *cluster, const char *namespace);

#endif
