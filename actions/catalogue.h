/* actions/catalogue.h - the one table of actions. */
#ifndef ACTIONS_CATALOGUE_H
#define ACTIONS_CATALOGUE_H

#include "actions/change.h"
#include "actions/kube/kube.h"
#include "rules/model/action.h"

/* What an action may use; nothing owned. */
struct action_context {
    struct cluster *cluster;
    struct http *http;
    int64_t (*now_ms)(void *ctx); /* engine time, for expiry: checked just before the first byte is sent */
    void *now_ctx;
};

/* Do the one write of the intent, with its preconditions. Never more than one write request; never decides.
 */
typedef void action_run(const struct action_context *c, const struct intent *i, struct act_report *ret);

struct action {
    struct action_spec spec; /* what the core knows */
    action_run *run;
    change_prepare *prepare; /* of a PROOF_CHANGE */
};

/* All actions; specs are also to be had as one array for policy_load(). */
const struct action *catalogue(size_t *ret_len);
const struct action_spec *catalogue_specs(size_t *ret_len);
const struct action *catalogue_find(const char *name); /* NULL: no such action */

action_run action_restart, action_rollback, action_scale, action_delete_pod, action_evict_pod, action_change,
    action_make_job;

#endif
