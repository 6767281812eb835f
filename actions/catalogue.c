/* actions/catalogue.c */
#include "actions/catalogue.h"

#include <string.h>

#include "rules/model/observation.h"

#define WORKLOADS "deployments,statefulsets,daemonsets"

#define SPEC_RESTART                                                                                         \
    {                                                                                                        \
        .name = "restart",                                                                                   \
        .help =                                                                                              \
            "Replace all pods of the workload, as kubectl rollout restart does; with a Deployment's own "    \
            "strategy, so Recreate means a gap.",                                                            \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_RESTARTED_AT, .needs = 0,                                    \
        .verbs = "get namespaces; get,patch apps/" WORKLOADS,                                                \
    }
#define SPEC_ROLLBACK                                                                                        \
    {                                                                                                        \
        .name = "rollback",                                                                                  \
        .help = "Put the pod template back that was last proven well, from the workload's own history; a "   \
                "StatefulSet's stuck pod may have to be deleted too.",                                       \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_TEMPLATE_HASH, .needs = OBSERVE_HISTORY | OBSERVE_PODS,      \
        .verbs = "get namespaces; get,patch apps/" WORKLOADS                                                 \
                 "; get,list apps/replicasets,controllerrevisions; list pods",                               \
        .params = {                                                                                          \
            { .name = "to",                                                                                  \
              .type = PARAM_CHOICE,                                                                          \
              .choices = "last_stable",                                                                      \
              .default_text = "last_stable",                                                                 \
              .help = "Which template: last_stable is the newest one proven well." },                        \
        },                                                                                                   \
    }
#define SPEC_SCALE                                                                                           \
    {                                                                                                        \
        .name = "scale", .help = "Set the number of replicas of a Deployment or StatefulSet.",               \
        .risk = RISK_GENTLE, .proof = PROOF_REPLICAS, .needs = OBSERVE_HPA,                                  \
        .verbs = "get namespaces; get apps/deployments,statefulsets; list "                                  \
                 "autoscaling/horizontalpodautoscalers; patch "                                              \
                 "apps/deployments/scale,statefulsets/scale",                                                \
        .params = {                                                                                          \
            { .name = "replicas",                                                                            \
              .type = PARAM_INT,                                                                             \
              .required = true,                                                                              \
              .min = 1,                                                                                      \
              .max = 1000,                                                                                   \
              .help = "The new number; 0 is refused, since nothing would run that could be verified." },     \
        },                                                                                                   \
    }
#define SPEC_DELETE_POD                                                                                      \
    {                                                                                                        \
        .name = "delete_pod",                                                                                \
        .help = "Delete the one pod that the alert names, so that its controller makes another.",            \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_POD_GONE, .needs = OBSERVE_POD | OBSERVE_PDB,                \
        .verbs =                                                                                             \
            "get namespaces; get apps/" WORKLOADS "; get,delete pods; list policy/poddisruptionbudgets",     \
    }

static const struct action_spec specs[] = { SPEC_RESTART, SPEC_ROLLBACK, SPEC_SCALE, SPEC_DELETE_POD };

static const struct action actions[] = {
    { .spec = SPEC_RESTART, .run = action_restart },
    { .spec = SPEC_ROLLBACK, .run = action_rollback },
    { .spec = SPEC_SCALE, .run = action_scale },
    { .spec = SPEC_DELETE_POD, .run = action_delete_pod },
};

_Static_assert(sizeof specs / sizeof specs[0] == sizeof actions / sizeof actions[0],
               "one spec for each action");

const struct action *catalogue(size_t *ret_len)
{
    *ret_len = sizeof actions / sizeof actions[0];
    return actions;
}

const struct action_spec *catalogue_specs(size_t *ret_len)
{
    *ret_len = sizeof specs / sizeof specs[0];
    return specs;
}

const struct action *catalogue_find(const char *name)
{
    for (size_t k = 0; k < sizeof actions / sizeof actions[0]; k++)
        if (strcmp(actions[k].spec.name, name) == 0)
            return &actions[k];
    return NULL;
}
