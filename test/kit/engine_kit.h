/* test/kit/engine_kit.h - drives the core in tests: a policy from text, alerts, time, and one workload that
 * the test describes.
 *
 * Every fact that is decided goes through its text into a second engine; engine_kit_close() and
 * kit_replayed() hold that one to the same state. Nothing here decides anything: a test says what the cluster
 * shows, and looks at what the core makes of it. */
#ifndef TEST_KIT_ENGINE_KIT_H
#define TEST_KIT_ENGINE_KIT_H

#include <criterion/criterion.h>

#include "rules/engine/state.h"
#include "test/kit/engine_digest.h"

#define KIT_START_MS 1800000000000ll /* engine and wall time at which a kit begins */
#define KIT_FIELDS 8

/* Single quotes stand for double ones. KIT_POLICY(environment's keys, rule's keys, steps): one environment
 * "shop" for namespace shop in mode act, one rule "crash" for alertname Crash on the label `deployment`, one
 * plan. */
#define KIT_POLICY(environment, rule, steps)                                                                 \
    "version = 1; environments = ( { name = 'shop'; match = [ 'namespace=shop' ]; " environment " } );"      \
    "rules = ( { name = 'crash'; match = [ 'alertname=Crash' ]; target = { from = 'deployment'; };"          \
    " plan = 'mend'; " rule " } );"                                                                          \
    "plans = { mend = { steps = ( " steps " ); otherwise = ( { do = 'escalate'; notify = 'sre'; } ); }; };"
#define KIT_ACT "mode = 'act';"
#define KIT_RESTART "{ do = 'restart'; verify = { hold = '1m'; within = '20m'; }; }"
#define KIT_ROLLBACK "{ do = 'rollback'; verify = { hold = '1m'; within = '20m'; }; }"

struct engine_kit {
    struct engine *g, *shadow; /* shadow: fed by texts alone */
    struct policy *p;
    char source_name[SOURCE_NAME_SIZE];
    struct source source; /* "alertmanager"; a test may narrow it */
    const struct source *sources[1];
    int64_t now_ms, wall_ms;
    uint64_t random;
    struct decision d;              /* of the last turn */
    struct observation seen;        /* what the next answers show; filled by kit_workload() */
    struct probe asked[PROBES_MAX]; /* by the last question to a worker */
    size_t asked_len;
    uint64_t asked_change; /* of the last question: what would the action change? 0: not asked */
    struct probe_answer answers[PROBE_HTTP + 1]; /* what the next answers say to each kind of probe */
    struct json_writer *w;
    struct buf blob;
    /* Each fact's text, as the journal keeps it; NULL: nobody wants it. */
    void (*each)(void *ctx, const struct fact *f, const char *text, size_t len, const struct buf *blob);
    void *each_ctx;
    bool quick;       /* for benchmarks: not every turn is checked */
    char labels[256]; /* "alertname=Crash,namespace=shop,deployment=web" */
};

/* Installed, resumed, the policy in force. Ends the test when the policy is wrong. */
void engine_kit_open(struct engine_kit *k, const char *policy);
/* The same, and `each` gets every fact from the first one on. */
void engine_kit_open_with(struct engine_kit *k, const char *policy,
                          void (*each)(void *ctx, const struct fact *f, const char *text, size_t len,
                                       const struct buf *blob),
                          void *each_ctx);
void engine_kit_close(struct engine_kit *k);
void engine_kit_release(struct engine_kit *k); /* without a look at its shadow, spoiled on purpose */
/* Another policy from now on. */
void kit_policy(struct engine_kit *k, const char *policy);
/* The second engine has the same state, and both are sound. */
void kit_replayed(struct engine_kit *k);
/* As after a crash: what is volatile is lost, then INPUT_STARTED. */
void kit_restart(struct engine_kit *k);

/* One input; `random` and `wall_ms` are filled in. */
void kit_turn(struct engine_kit *k, struct input in);
/* Time passes; due timers run. k->d is what the timers decided. */
void kit_wait(struct engine_kit *k, int64_t ms);

/* An alert of the kit's source; the caller releases it. */
struct alert kit_make_alert(const struct engine_kit *k, const char *labels, enum alert_status status,
                            int64_t starts_ms);
/* An alert with k->labels, or others; starts_ms 0: now. */
void kit_alert(struct engine_kit *k, const char *labels, enum alert_status status, int64_t starts_ms);
void kit_fire(struct engine_kit *k);    /* began at KIT_START_MS */
void kit_resolve(struct engine_kit *k); /* the same */

/* k->seen: Deployment shop/web, uid u-web, template "bad" since before the trouble, under watch, not well,
 * three revisions (bad, good, old), a fault; the alert fires. */
void kit_workload(struct engine_kit *k);
/* The present template is well since `since_ms` (wall), rolled out, the alert inactive and evaluated now. */
void kit_well(struct engine_kit *k, int64_t since_ms);
/* "good" is proven: the watch says so, with the template's other facts. */
void kit_prove(struct engine_kit *k, const char *template_hash);
/* The object shows what the intent wanted. */
void kit_land(struct engine_kit *k, const struct intent *n);

/* Answer the question that is out for this incident (id NULL: the only one open) with k->seen, or with an
 * error. */
void kit_observe(struct engine_kit *k, const char *id);
void kit_blind(struct engine_kit *k, const char *id, enum err_code error, const char *text);
/* Answer the write that is out. */
void kit_acted(struct engine_kit *k, const char *id, enum act_result result);
/* Is a question (EFFECT_OBSERVE) out, and not a write? */
bool kit_asked(struct engine_kit *k, const char *id);

/* The alert fires, the target is seen: to where the first step is decided. Ends the test unless a write is
 * begun. */
const struct intent *kit_begin(struct engine_kit *k);
/* kit_begin(), and the write lands and is answered. */
void kit_write(struct engine_kit *k);

/* ---- looking ---- */
const struct incident *
kit_only(const struct engine_kit *k); /* the one open incident; ends the test when there is not one */
const struct incident *kit_incident(const struct engine_kit *k, const char *id);
size_t kit_count(const struct engine_kit *k, enum fact_kind kind); /* facts of the last turn */
const struct fact *kit_fact(const struct engine_kit *k,
                            enum fact_kind kind); /* the first one; ends the test without */
const struct effect *kit_effect(const struct engine_kit *k, enum effect_kind kind);
/* The last turn closed an incident so, with a reason that contains the text. */
void kit_closed(const struct engine_kit *k, enum outcome outcome, const char *reason);
/* The last turn refused a step so. */
void kit_refused(const struct engine_kit *k, const char *guard, enum refusal_scope scope, const char *reason);

#endif
