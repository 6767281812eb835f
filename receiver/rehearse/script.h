/* receiver/rehearse/script.h - a policy's unit tests, as they stand in a file: objects, what happens when,
 * and what is expected.
 *
 *     version = 1; policy = "../starter.cfg";
 *     tests = ( { name = "a crash after a deployment is rolled back";
 *       objects = ( { namespace = "shop"; name = "web"; template = "v1"; proven = true; } );
 *       events  = ( { at = "1m"; object = "shop/web"; deploys = "v2"; breaks = "CrashLoopBackOff"; mended_by
 * = [ "rollback" ]; }, { at = "3m"; fires = { alertname = "KubePodCrashLooping"; namespace = "shop"; pod =
 * "web-1"; }; quiet_with = "shop/web"; } ); expect  = ( { rule = "crash-looping"; }, { do = "rollback"; by =
 * "4m"; }, { outcome = "healed"; } ); } );
 */
#ifndef RECEIVER_REHEARSE_SCRIPT_H
#define RECEIVER_REHEARSE_SCRIPT_H

#include "rules/base/map.h"
#include "rules/policy/config.h"
#include "rules/policy/plan.h"

#define SCRIPT_TESTS_MAX 500u
#define SCRIPT_OBJECTS_MAX 200u
#define SCRIPT_EVENTS_MAX 1000u
#define SCRIPT_EXPECT_MAX 500u

struct script_object { /* one object as it is when the test begins */
    char *namespace, *name, *kind, *cluster, *template, *owner, *manifest;
    int64_t replicas;
    bool proven;                /* its template was well for long enough */
    bool ignored;               /* heald.dev/ignore */
    int64_t rollout_ms;         /* how long a new template takes to be rolled out */
    struct map labels;          /* what target.selector looks at */
    uint64_t template_sum;      /* of a manifest's template; 0: none was read */
    struct config_strings pods; /* names that alerts use; left out: every name that begins with "NAME-" */
    int line;
};

enum script_word { SAY_NOTHING, SAY_APPROVE, SAY_DENY, SAY_CANCEL, SAY_RETRY, SAY_PAUSE, SAY_RESUME };
#define SCRIPT_SAY_WORDS "nothing|approve|deny|cancel|retry|pause|resume"

struct script_event {
    int64_t at_ms;
    /* to an object, "namespace/name" */
    char *object, *deploys, *breaks, *cause;
    int64_t exit_code;
    char *manifest;                    /* the object becomes what this file says */
    int64_t available;                 /* with `breaks`: pods that stay available */
    struct config_strings mended_by;   /* actions after which it is well again; none: never by heald */
    struct config_strings worsened_by; /* actions after which no pod is available */
    bool mends;
    int64_t scales; /* -1: not */
    /* an alert */
    struct map fires, resolves, annotations;
    int64_t since_ms;          /* with `fires`: it began so long before */
    char *source, *quiet_with; /* the alert resolves by itself when this object is well again */
    /* a person */
    int say; /* enum script_word */
    char *who, *reason;
    struct config_strings groups;
    /* answers of other systems, from then on */
    char *query;                  /* PromQL, LogQL or URL, as it is asked */
    struct config_strings values; /* one for each series; none: no data */
    int64_t status;               /* of a URL */
    char *body;                   /* of a URL; NULL: every pattern is found in it */
    char *policy;                 /* another policy file from then on */
    int line;
};

struct script_expect { /* one thing that happens, in the order of the list; members that are left out are not
                          looked at */
    char *rule, *target, *mode; /* an incident of the rule; its target, "namespace/Kind/name"; its mode */
    char *action, *step,
        *with; /* a write: do = "scale"; with = "5" (replicas), or the template that a rollback leads to */
    char *verdict; /* "fixed", "not_fixed", "unknown" */
    char *refused; /* by this guard */
    char *asked;   /* for approval: the role, or "" */
    char *notify;  /* this receiver is told */
    char *outcome;
    char *says;              /* the reason contains this */
    int64_t after_ms, by_ms; /* since the test's begin; -1: not looked at */
    int line;
};

struct script_test {
    char *name;
    int64_t start_ms; /* wall time at its begin */
    int64_t until_ms; /* how long it is played */
    struct script_object *objects;
    size_t objects_len;
    struct script_event *events;
    size_t events_len;
    struct script_expect *expect;
    size_t expect_len;
    bool exactly; /* no other writes, refusals and outcomes than those expected; default: no other writes and
                     outcomes */
    int line;
};

struct script {
    int64_t version;
    char *policy;    /* relative to the script's folder */
    bool prometheus; /* one is configured: alerts are asked for there */
    struct script_test *tests;
    size_t tests_len;
};

extern const struct config_key script_keys[];
/* As config_parse(); *ret is to be released with script_release() whatever comes back. */
enum err_code script_parse(struct script *ret, const char *name, const char *bytes, size_t len,
                           struct buf *ret_errors, struct err *e);
void script_release(struct script *s);

#endif
