/* test/kit/catalogue.h - a small catalogue of actions for tests of the core, which knows no real ones. */
#ifndef TEST_KIT_CATALOGUE_H
#define TEST_KIT_CATALOGUE_H

#include "rules/model/action.h"

static const struct action_spec kit_actions[] = {
    { .name = "restart",
      .help = "Start all pods again, one after the other.",
      .risk = RISK_DISRUPTIVE,
      .proof = PROOF_RESTARTED_AT },
    { .name = "rollback",
      .help = "Put the pod template back.",
      .risk = RISK_DISRUPTIVE,
      .proof = PROOF_TEMPLATE_HASH,
      .params = { { .name = "to",
                    .type = PARAM_CHOICE,
                    .choices = "last_stable|previous",
                    .default_text = "last_stable",
                    .help = "Which template." } } },
    { .name = "scale",
      .help = "Set the number of replicas.",
      .risk = RISK_DISRUPTIVE,
      .proof = PROOF_REPLICAS,
      .params = { { .name = "replicas",
                    .type = PARAM_INT,
                    .required = true,
                    .min = 1,
                    .max = 1000,
                    .help = "How many." } } },
    { .name = "delete_pod",
      .help = "Delete the pod that the alert names.",
      .risk = RISK_GENTLE,
      .proof = PROOF_POD_GONE },
    { .name = "tune",
      .help = "Give a setting another value.",
      .risk = RISK_DISRUPTIVE,
      .proof = PROOF_CHANGE,
      .needs = 1 << 7, /* OBSERVE_CHANGE */
      .rolls = true,
      .undo = "the former value",
      .params = { { .name = "name",
                    .type = PARAM_TEXT,
                    .required = true,
                    .min = 1,
                    .max = 20,
                    .help = "Which." } } },
    { .name = "hold_back",
      .help = "Set a field of a Deployment beside the template.",
      .risk = RISK_GENTLE,
      .proof = PROOF_CHANGE,
      .needs = 1 << 7,
      .kinds = "Deployment" },
};
#define KIT_ACTIONS_LEN (sizeof kit_actions / sizeof kit_actions[0])

#endif
