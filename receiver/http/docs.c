/* What each route takes and gives: its query is checked against this, and the OpenAPI document is written
 * from it. */
#include <string.h>

#include "receiver/http/http_internal.h"

#define OUTCOMES "open|healed|cleared|not_healed|escalated|refused|cancelled|observed|unknown|merged"
#define STATES "resolving|deciding|waiting|approval|delayed|acting|verifying|ending|closed|merged"
#define WORD(param_name, text)                                                                               \
    {                                                                                                        \
        .name = (param_name), .type = DOC_WORD, .help = (text)                                               \
    }
#define CHOICE(param_name, words, text)                                                                      \
    {                                                                                                        \
        .name = (param_name), .type = DOC_WORD, .choices = (words), .help = (text)                           \
    }
#define MOMENT(param_name, text)                                                                             \
    {                                                                                                        \
        .name = (param_name), .type = DOC_MOMENT, .help = (text)                                             \
    }
#define NUMBER(param_name, from, to, text)                                                                   \
    {                                                                                                        \
        .name = (param_name), .type = DOC_NUMBER, .least = (from), .most = (to), .help = (text)              \
    }
#define END                                                                                                  \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }

static const struct doc_param incidents_query[] = {
    CHOICE("outcome", OUTCOMES, "Only of this outcome."),
    CHOICE("state", STATES, "Only in this state; `approval` waits for a person."),
    WORD("rule", "Only of this rule."),
    WORD("environment", "Only in this environment."),
    WORD("cluster", "Only in this cluster."),
    WORD("namespace", "Only in this namespace."),
    WORD("kind", "Only of targets of this kind."),
    WORD("name", "Only of targets of this name."),
    WORD("cause", "Only with this cause at the first look."),
    MOMENT("since", "Only opened then or later."),
    MOMENT("until", "Only opened before."),
    NUMBER("limit", 1, 500, "At most so many; 50 when left out."),
    NUMBER("cursor", 1, INT64_MAX, "Go on behind the answer before: its `next`."),
    END,
};
static const struct doc_param events_query[] = {
    WORD("kind", "Only facts of this kind, as `refused`."),
    WORD("incident", "Only of this incident."),
    NUMBER("limit", 1, 500, "At most so many; 50 when left out."),
    NUMBER("cursor", 1, INT64_MAX, "Go on behind the answer before: its `next`."),
    END,
};
static const struct doc_param explain_query[] = {
    { .name = "label",
      .type = DOC_LABELS,
      .required = true,
      .help = "A label of the alert, NAME=VALUE; as often as "
              "it has labels." },
    WORD("source", "The source that it comes from; left out: the first of heald.cfg."),
    END,
};
static const struct doc_param stats_query[] = {
    MOMENT("since", "Only incidents opened then or later; left out: all."),
    END,
};

#define REASON(is_required)                                                                                  \
    {                                                                                                        \
        .name = "reason", .type = DOC_WORD, .required = (is_required), .help = "Why, for the journal."       \
    }
static const struct doc_param pause_body[] = {
    REASON(true),
    WORD("environment", "Only this environment of the policy."),
    WORD("rule", "Only this rule."),
    WORD("namespace", "Only this namespace, in every cluster."),
    WORD("for", "Resume by itself after that, as `2h`."),
    END,
};
static const struct doc_param resume_body[] = {
    REASON(false),
    WORD("environment", "Only this environment of the policy."),
    WORD("rule", "Only this rule."),
    WORD("namespace", "Only this namespace, in every cluster."),
    END,
};
static const struct doc_param heal_body[] = {
    REASON(false),
    WORD("rule", "With the plan and limits of this rule; name either a rule or a plan."),
    WORD("plan", "With this plan."),
    WORD("cluster", "The target's; left out: the only one."),
    WORD("namespace", "The target's."),
    WORD("kind", "The target's, as `Deployment`."),
    WORD("name", "The target's."),
    END,
};
static const struct doc_param approve_body[] = {
    REASON(false),
    WORD("hash", "Only if exactly this is asked for still; it stands beside the question."),
    END,
};
static const struct doc_param deny_body[] = {
    REASON(true),
    WORD("hash", "Only if exactly this is asked for still."),
    END,
};
static const struct doc_param cancel_body[] = { REASON(true), END };
static const struct doc_param retry_body[] = { REASON(false), END };

/* The page's forms send fields that are left empty. */
static const struct doc_param page_incidents_query[] = {
    CHOICE("outcome", "|" OUTCOMES, "Only of this outcome."),
    WORD("rule", "Only of this rule."),
    WORD("namespace", "Only in this namespace."),
    NUMBER("cursor", 1, INT64_MAX, "Go on behind the page before."),
    END,
};
static const struct doc_param page_explain_query[] = {
    WORD("labels", "Labels of an alert, as people write them."), END
};

static const struct route_doc docs[] = {
    { "GET", "/incidents", "Incidents, as a page.", page_incidents_query, NULL, NULL, "" },
    { "GET", "/explain", "What would happen, as a page.", page_explain_query, NULL, NULL, "" },
    { "GET", "/status", "What is going on: pauses, policy, clusters, open incidents.", NULL, NULL, "status",
      "" },
    { "GET", "/events",
      "What happened, newest first; live as server-sent events with `Accept: text/event-stream`.",
      events_query, NULL, "events", "" },
    { "GET", "/api/v1/incidents", "Incidents, newest first.", incidents_query, NULL, "incidents", "" },
    { "GET", "/api/v1/incidents/*",
      "One incident whole: alerts, evidence, decisions with their reasons, steps, history, outcome.", NULL,
      NULL, "incident_whole", "404" },
    { "GET", "/api/v1/rules", "The rules of the policy in force.", NULL, NULL, "rules", "" },
    { "GET", "/api/v1/explain", "What the policy makes of an alert with these labels, and why.",
      explain_query, NULL, "explanation", "" },
    { "GET", "/api/v1/stats", "Success and times to repair by rule, action, cause and environment.",
      stats_query, NULL, "stats", "" },
    { "GET", "/api/v1/openapi.json", "This document.", NULL, NULL, "openapi", "" },
    { "POST", "/api/v1/pause", "Kill switch: nothing is changed any more until resumed.", NULL, pause_body,
      "done", "409" },
    { "POST", "/api/v1/resume", "Let heald act again.", NULL, resume_body, "done", "404 409" },
    { "POST", "/api/v1/heal", "Begin a plan for a target by hand, under the same guards.", NULL, heal_body,
      "begun", "404 409" },
    { "POST", "/api/v1/incidents/*/approve", "Say yes to what an incident asks for.", NULL, approve_body,
      "begun", "404 409" },
    { "POST", "/api/v1/incidents/*/deny", "Say no to what an incident asks for.", NULL, deny_body, "begun",
      "404 409" },
    { "POST", "/api/v1/incidents/*/cancel", "End an incident: no further step is begun.", NULL, cancel_body,
      "begun", "404 409" },
    { "POST", "/api/v1/incidents/*/retry",
      "Ask the guards of an incident at once again; begin a closed one anew.", NULL, retry_body, "begun",
      "404 409" },
    { "POST", "/-/reload", "Load the policy again; an invalid one leaves the running one in force.", NULL,
      NULL, "done", "409" },
    { "POST", "/-/finalize-upgrade", "From now on write what only this release can read.", NULL, NULL, "done",
      "409" },
    { "GET", "/health", "The process lives.", NULL, NULL, NULL, "" },
    { "GET", "/-/healthy", "The process lives.", NULL, NULL, NULL, "" },
    { "GET", "/ready", "It can accept deliveries.", NULL, NULL, NULL, "503" },
    { "GET", "/-/ready", "It can accept deliveries.", NULL, NULL, NULL, "503" },
    { "GET", "/metrics", "Prometheus text or OpenMetrics.", NULL, NULL, NULL, "" },
};

const struct route_doc *route_doc(const struct route *route)
{
    for (size_t i = 0; i < sizeof docs / sizeof docs[0]; i++)
        if (strcmp(docs[i].path, route->path) == 0 && strcmp(docs[i].method, route->method) == 0)
            return &docs[i];
    return NULL;
}
