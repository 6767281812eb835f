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
        .changes = "spec.template.metadata.annotations.{kubectl.kubernetes.io/restartedAt}",                 \
        .example = "{ do = \"restart\"; verify = { hold = \"1m\"; within = \"20m\"; }; }",                   \
    }
#define SPEC_ROLLBACK                                                                                        \
    {                                                                                                        \
        .name = "rollback",                                                                                  \
        .help = "Put the pod template back that was last proven well, from the workload's own history; a "   \
                "StatefulSet's stuck pod may have to be deleted too.",                                       \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_TEMPLATE_HASH, .needs = OBSERVE_HISTORY | OBSERVE_PODS,      \
        .verbs = "get namespaces; get,patch apps/" WORKLOADS                                                 \
                 "; get,list apps/replicasets,controllerrevisions; list pods",                               \
        .changes = "spec.template", .undo = "the template that stood there before",                          \
        .example = "{ do = \"rollback\"; to = \"last_stable\"; }",                                           \
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
        .kinds = "Deployment|StatefulSet", .undo = "the former number",                                      \
        .example = "{ do = \"scale\"; replicas = 4; }",                                                      \
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
        .example = "{ do = \"delete_pod\"; }",                                                               \
    }

#define SPEC_EVICT_POD                                                                                       \
    {                                                                                                        \
        .name = "evict_pod",                                                                                 \
        .help = "Take away the one pod that the alert names through the eviction API, which asks the "       \
                "PodDisruptionBudgets; its controller makes another.",                                       \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_POD_GONE, .needs = OBSERVE_POD | OBSERVE_PDB,                \
        .verbs = "get namespaces; get apps/" WORKLOADS "; get pods; create pods/eviction; list "             \
                 "policy/poddisruptionbudgets",                                                              \
        .example = "{ do = \"evict_pod\"; }",                                                                \
    }
#define CONTAINER_PARAM                                                                                      \
    {                                                                                                        \
        .name = "container", .type = PARAM_TEXT, .max = 63,                                                  \
        .help = "Which container; may be left out where there is only one.",                                 \
    }
#define SPEC_PAUSE_ROLLOUT                                                                                   \
    {                                                                                                        \
        .name = "pause_rollout",                                                                             \
        .help = "Hold a Deployment's rollout where it is: the old pods that still run go on.",               \
        .risk = RISK_GENTLE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .kinds = "Deployment",          \
        .verbs = "get namespaces; get,patch apps/deployments", .changes = "spec.paused",                     \
        .undo = "the rollout goes on",                                                                       \
        .example = "{ do = \"pause_rollout\"; verify = { rollout = \"ignore\"; }; }",                        \
    }
#define SPEC_RESUME_ROLLOUT                                                                                  \
    {                                                                                                        \
        .name = "resume_rollout", .help = "Let a Deployment's paused rollout go on.",                        \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .kinds = "Deployment",      \
        .verbs = "get namespaces; get,patch apps/deployments", .changes = "spec.paused",                     \
        .undo = "the rollout is paused again", .example = "{ do = \"resume_rollout\"; }",                    \
        .params = {                                                                                          \
            { .name = "whose",                                                                               \
              .type = PARAM_CHOICE,                                                                          \
              .choices = "heald|anybody",                                                                    \
              .default_text = "heald",                                                                       \
              .help = "Whose pause is ended: only heald's own, or also a person's." },                       \
        },                                                                                                   \
    }
#define SPEC_SET_RESOURCES                                                                                   \
    {                                                                                                        \
        .name = "set_resources",                                                                             \
        .help = "Raise a container's limit of memory or CPU in the pod template, by a factor and up to a "   \
                "ceiling; a request that equals the limit goes with it.",                                    \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .rolls = true,              \
        .verbs = "get namespaces; get,patch apps/" WORKLOADS,                                                \
        .changes = "spec.template.spec.containers[].resources", .undo = "the former limit and request",      \
        .example = "{ do = \"set_resources\"; factor_percent = 150; ceiling = \"2Gi\"; }",                   \
        .params = {                                                                                          \
            CONTAINER_PARAM,                                                                                 \
            { .name = "resource",                                                                            \
              .type = PARAM_CHOICE,                                                                          \
              .choices = "memory|cpu",                                                                       \
              .default_text = "memory",                                                                      \
              .help = "Of what there is to be more." },                                                      \
            { .name = "factor_percent",                                                                      \
              .type = PARAM_INT,                                                                             \
              .min = 101,                                                                                    \
              .max = 400,                                                                                    \
              .default_text = "150",                                                                         \
              .help = "The new limit in percent of the present one." },                                      \
            { .name = "ceiling",                                                                             \
              .type = PARAM_TEXT,                                                                            \
              .required = true,                                                                              \
              .min = 1,                                                                                      \
              .max = 20,                                                                                     \
              .help = "The limit is never made larger than this: \"2Gi\", \"1500m\"." },                     \
        },                                                                                                   \
    }
#define SPEC_SET_ENV                                                                                         \
    {                                                                                                        \
        .name = "set_env",                                                                                   \
        .help = "Give an environment variable of a container another value; what looks like a secret by "    \
                "its name, or comes from a ConfigMap or Secret, is refused.",                                \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .rolls = true,              \
        .verbs = "get namespaces; get,patch apps/" WORKLOADS,                                                \
        .changes = "spec.template.spec.containers[].env", .undo = "the former value",                        \
        .example = "{ do = \"set_env\"; name = \"CACHE\"; value = \"off\"; }",                               \
        .params = {                                                                                          \
            CONTAINER_PARAM,                                                                                 \
            { .name = "name",                                                                                \
              .type = PARAM_TEXT,                                                                            \
              .required = true,                                                                              \
              .min = 1,                                                                                      \
              .max = 100,                                                                                    \
              .help = "The variable." },                                                                     \
            { .name = "value", .type = PARAM_TEXT, .required = true, .max = 200, .help = "Its new value." }, \
        },                                                                                                   \
    }
#define SPEC_SET_HPA                                                                                         \
    {                                                                                                        \
        .name = "set_hpa",                                                                                   \
        .help = "Set the least and the most replicas of the HorizontalPodAutoscaler that scales the "        \
                "workload; a most below what runs now is refused.",                                          \
        .risk = RISK_GENTLE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE,                                 \
        .kinds = "Deployment|StatefulSet",                                                                   \
        .verbs = "get namespaces; get apps/deployments,statefulsets; get,list,patch "                        \
                 "autoscaling/horizontalpodautoscalers",                                                     \
        .changes = "spec.minReplicas,spec.maxReplicas", .undo = "the former bounds",                         \
        .example = "{ do = \"set_hpa\"; max = 20; }",                                                        \
        .params = {                                                                                          \
            { .name = "min",                                                                                 \
              .type = PARAM_INT,                                                                             \
              .min = 0,                                                                                      \
              .max = 1000,                                                                                   \
              .default_text = "0",                                                                           \
              .help = "The least; 0 leaves it as it is." },                                                  \
            { .name = "max",                                                                                 \
              .type = PARAM_INT,                                                                             \
              .min = 0,                                                                                      \
              .max = 1000,                                                                                   \
              .default_text = "0",                                                                           \
              .help = "The most; 0 leaves it as it is." },                                                   \
        },                                                                                                   \
    }
#define LEFT_PARAM                                                                                           \
    {                                                                                                        \
        .name = "left", .type = PARAM_INT, .min = 0, .max = 1000, .default_text = "1",                       \
        .help = "At least this many other nodes must stay ready and take pods.",                             \
    }
#define SPEC_SET_IMAGE                                                                                       \
    {                                                                                                        \
        .name = "set_image",                                                                                 \
        .help = "Give a container back the image of the template that was last proven well, and leave the "  \
                "rest of the template; only an image by digest.",                                            \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .rolls = true,              \
        .changes = "spec.template.spec.containers[].image",                                                  \
        .verbs = "get namespaces; get,patch apps/" WORKLOADS "; list apps/replicasets,controllerrevisions",  \
        .undo = "the former image", .example = "{ do = \"set_image\"; container = \"app\"; }",               \
        .params = { CONTAINER_PARAM },                                                                       \
    }
#define SPEC_PATCH                                                                                           \
    {                                                                                                        \
        .name = "patch",                                                                                     \
        .help = "Set one field of the workload to a number, a text, true or false, at a path that the "      \
                "environment's `patch` lists. Owner references, finalizers, selectors, ServiceAccounts, "    \
                "security contexts, volumes, commands, images and variables are never patched.",             \
        .risk = RISK_DANGEROUS, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .rolls = true,               \
        .listed = "path", .changes = "", .verbs = "get namespaces; get,patch apps/" WORKLOADS,               \
        .undo = "the former value",                                                                          \
        .example = "{ do = \"patch\"; path = \"/spec/minReadySeconds\"; value = \"10\"; }",                  \
        .params = {                                                                                          \
            { .name = "path",                                                                                \
              .type = PARAM_TEXT,                                                                            \
              .required = true,                                                                              \
              .min = 7,                                                                                      \
              .max = 200,                                                                                    \
              .help = "The field, as a JSON pointer below /spec." },                                         \
            { .name = "value",                                                                               \
              .type = PARAM_TEXT,                                                                            \
              .required = true,                                                                              \
              .min = 1,                                                                                      \
              .max = 200,                                                                                    \
              .help = "Its new value, as JSON." },                                                           \
        },                                                                                                   \
    }
#define SPEC_CORDON                                                                                          \
    {                                                                                                        \
        .name = "cordon",                                                                                    \
        .help = "Keep new pods off the node. Refused while an autoscaler or an upgrade is at work on it, "   \
                "while the nodes' versions differ, and while more than 10% of the nodes are not ready.",     \
        .risk = RISK_GENTLE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .kinds = "Node",                \
        .changes = "spec.unschedulable", .verbs = "get,list,patch nodes", .undo = "new pods on it again",    \
        .example = "{ do = \"cordon\"; left = 2; verify = { rollout = \"ignore\"; }; }",                     \
        .params = { LEFT_PARAM },                                                                            \
    }
#define SPEC_UNCORDON                                                                                        \
    {                                                                                                        \
        .name = "uncordon",                                                                                  \
        .help = "Let new pods on a node again that heald cordoned; never one that somebody else cordoned.",  \
        .risk = RISK_GENTLE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .kinds = "Node",                \
        .changes = "spec.unschedulable", .verbs = "get,patch nodes", .undo = "no new pods on it",            \
        .example = "{ do = \"uncordon\"; verify = { rollout = \"ignore\"; }; }",                             \
    }
#define TAINT_PARAMS                                                                                         \
    { .name = "key",                                                                                         \
      .type = PARAM_TEXT,                                                                                    \
      .required = true,                                                                                      \
      .min = 1,                                                                                              \
      .max = 100,                                                                                            \
      .help = "The taint; not one of Kubernetes or of an autoscaler." },                                     \
    {                                                                                                        \
        .name = "effect", .type = PARAM_CHOICE, .choices = "NoSchedule|PreferNoSchedule",                    \
        .default_text = "NoSchedule", .help = "What it does to new pods that do not tolerate it."            \
    }
#define SPEC_TAINT                                                                                           \
    {                                                                                                        \
        .name = "taint",                                                                                     \
        .help = "Put a taint on the node that keeps off new pods which do not tolerate it; refused where "   \
                "`cordon` would be.",                                                                        \
        .risk = RISK_GENTLE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .kinds = "Node",                \
        .changes = "spec.taints", .verbs = "get,list,patch nodes", .undo = "the former taints",              \
        .example =                                                                                           \
            "{ do = \"taint\"; key = \"example.com/slow-disk\"; verify = { rollout = \"ignore\"; }; }",      \
        .params = {                                                                                          \
            TAINT_PARAMS,                                                                                    \
            { .name = "value", .type = PARAM_TEXT, .max = 63, .help = "Its value, if it has one." },         \
            LEFT_PARAM,                                                                                      \
        },                                                                                                   \
    }
#define SPEC_UNTAINT                                                                                         \
    {                                                                                                        \
        .name = "untaint", .help = "Take that taint off the node.", .risk = RISK_GENTLE,                     \
        .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .kinds = "Node", .changes = "spec.taints",           \
        .verbs = "get,patch nodes", .undo = "the former taints",                                             \
        .example =                                                                                           \
            "{ do = \"untaint\"; key = \"example.com/slow-disk\"; verify = { rollout = \"ignore\"; }; }",    \
        .params = { TAINT_PARAMS },                                                                          \
    }
#define WHOSE_PARAM(help_text)                                                                               \
    {                                                                                                        \
        .name = "whose", .type = PARAM_CHOICE, .choices = "heald|anybody", .default_text = "heald",          \
        .help = help_text,                                                                                   \
    }
#define SPEC_SUSPEND_CRONJOB                                                                                 \
    {                                                                                                        \
        .name = "suspend_cronjob", .help = "Let a CronJob start no more jobs; those that run go on.",        \
        .risk = RISK_GENTLE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .kinds = "CronJob",             \
        .changes = "spec.suspend", .verbs = "get namespaces; get,patch batch/cronjobs",                      \
        .undo = "it starts jobs again",                                                                      \
        .example = "{ do = \"suspend_cronjob\"; verify = { rollout = \"ignore\"; }; }",                      \
    }
#define SPEC_RESUME_CRONJOB                                                                                  \
    {                                                                                                        \
        .name = "resume_cronjob", .help = "Let a suspended CronJob start jobs again.", .risk = RISK_GENTLE,  \
        .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .kinds = "CronJob", .changes = "spec.suspend",       \
        .verbs = "get namespaces; get,patch batch/cronjobs", .undo = "it is suspended again",                \
        .example = "{ do = \"resume_cronjob\"; verify = { rollout = \"ignore\"; }; }",                       \
        .params = { WHOSE_PARAM("Whose suspension is ended: only heald's own, or also a person's.") },       \
    }
#define SPEC_RUN_CRONJOB_NOW                                                                                 \
    {                                                                                                        \
        .name = "run_cronjob_now",                                                                           \
        .help = "Start a run of a CronJob now; not while it is suspended, nor beside another run where its " \
                "concurrencyPolicy does not allow that.",                                                    \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .kinds = "CronJob",         \
        .verbs = "get namespaces; get batch/cronjobs; get,create batch/jobs",                                \
        .example = "{ do = \"run_cronjob_now\"; verify = { rollout = \"ignore\"; }; }",                      \
    }
#define SPEC_RERUN_JOB                                                                                       \
    {                                                                                                        \
        .name = "rerun_job",                                                                                 \
        .help = "Make a failed Job once more, under a new name; not when a later run of its CronJob went "   \
                "well, nor beside another run where that is not allowed.",                                   \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE, .kinds = "Job",             \
        .verbs = "get namespaces; get batch/cronjobs; get,create batch/jobs",                                \
        .example = "{ do = \"rerun_job\"; verify = { rollout = \"ignore\"; }; }",                            \
    }
#define SPEC_EXPAND_PVC                                                                                      \
    {                                                                                                        \
        .name = "expand_pvc",                                                                                \
        .help = "Ask for a larger volume, by a factor and up to a ceiling, where its storage class allows "  \
                "it; it never gets smaller again.",                                                          \
        .risk = RISK_DISRUPTIVE, .proof = PROOF_CHANGE, .needs = OBSERVE_CHANGE,                             \
        .kinds = "PersistentVolumeClaim", .changes = "spec.resources.requests.storage",                      \
        .verbs = "get namespaces; get,patch persistentvolumeclaims; get storage.k8s.io/storageclasses",      \
        .example = "{ do = \"expand_pvc\"; factor_percent = 150; ceiling = \"200Gi\"; verify = { rollout = " \
                   "\"ignore\"; }; }",                                                                       \
        .params = {                                                                                          \
            { .name = "factor_percent",                                                                      \
              .type = PARAM_INT,                                                                             \
              .min = 101,                                                                                    \
              .max = 400,                                                                                    \
              .default_text = "150",                                                                         \
              .help = "The new size in percent of the present one." },                                       \
            { .name = "ceiling",                                                                             \
              .type = PARAM_TEXT,                                                                            \
              .required = true,                                                                              \
              .min = 1,                                                                                      \
              .max = 20,                                                                                     \
              .help = "It never asks for more than this: \"200Gi\"." },                                      \
        },                                                                                                   \
    }

static const struct action_spec specs[] = { SPEC_RESTART,         SPEC_ROLLBACK,        SPEC_SCALE,
                                            SPEC_DELETE_POD,      SPEC_EVICT_POD,       SPEC_PAUSE_ROLLOUT,
                                            SPEC_RESUME_ROLLOUT,  SPEC_SET_RESOURCES,   SPEC_SET_ENV,
                                            SPEC_SET_HPA,         SPEC_SET_IMAGE,       SPEC_PATCH,
                                            SPEC_CORDON,          SPEC_UNCORDON,        SPEC_TAINT,
                                            SPEC_UNTAINT,         SPEC_SUSPEND_CRONJOB, SPEC_RESUME_CRONJOB,
                                            SPEC_RUN_CRONJOB_NOW, SPEC_RERUN_JOB,       SPEC_EXPAND_PVC };

static const struct action actions[] = {
    { .spec = SPEC_RESTART, .run = action_restart },
    { .spec = SPEC_ROLLBACK, .run = action_rollback },
    { .spec = SPEC_SCALE, .run = action_scale },
    { .spec = SPEC_DELETE_POD, .run = action_delete_pod },
    { .spec = SPEC_EVICT_POD, .run = action_evict_pod },
    { .spec = SPEC_PAUSE_ROLLOUT, .run = action_change, .prepare = prepare_pause_rollout },
    { .spec = SPEC_RESUME_ROLLOUT, .run = action_change, .prepare = prepare_resume_rollout },
    { .spec = SPEC_SET_RESOURCES, .run = action_change, .prepare = prepare_set_resources },
    { .spec = SPEC_SET_ENV, .run = action_change, .prepare = prepare_set_env },
    { .spec = SPEC_SET_HPA, .run = action_change, .prepare = prepare_set_hpa },
    { .spec = SPEC_SET_IMAGE, .run = action_change, .prepare = prepare_set_image },
    { .spec = SPEC_PATCH, .run = action_change, .prepare = prepare_patch },
    { .spec = SPEC_CORDON, .run = action_change, .prepare = prepare_cordon },
    { .spec = SPEC_UNCORDON, .run = action_change, .prepare = prepare_uncordon },
    { .spec = SPEC_TAINT, .run = action_change, .prepare = prepare_taint },
    { .spec = SPEC_UNTAINT, .run = action_change, .prepare = prepare_untaint },
    { .spec = SPEC_SUSPEND_CRONJOB, .run = action_change, .prepare = prepare_suspend_cronjob },
    { .spec = SPEC_RESUME_CRONJOB, .run = action_change, .prepare = prepare_resume_cronjob },
    { .spec = SPEC_RUN_CRONJOB_NOW, .run = action_make_job, .prepare = prepare_run_cronjob_now },
    { .spec = SPEC_RERUN_JOB, .run = action_make_job, .prepare = prepare_rerun_job },
    { .spec = SPEC_EXPAND_PVC, .run = action_change, .prepare = prepare_expand_pvc },
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
