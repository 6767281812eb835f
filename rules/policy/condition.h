/* rules/policy/condition.h - what `when`, `wait = { until }` and verification ask: questions that must all be
 * answered with yes.
 *
 *     when = { changed = "template"; match = [ "severity=critical" ]; not = { during = "office-hours"; }; }
 *
 * The engine judges them on the incident (labels, annotations, attempt, earlier steps), on one fresh
 * observation (changed, cause, evidence, probes) and on the policy in force (windows). A question that cannot
 * be answered (a probe without data, a cause that is not known) makes its group unanswered: neither it nor
 * its `not` holds. No data proves nothing. */
#ifndef RULES_POLICY_CONDITION_H
#define RULES_POLICY_CONDITION_H

#include "rules/model/probe.h"
#include "rules/policy/config.h"
#include "rules/policy/matcher.h"

#define CONDITION_DEPTH_MAX 4u
#define CONDITION_ALTERNATIVES_MAX 8u

/* What changed since the target was last proven well, and before the trouble began. */
enum change_kind { CHANGED_WHATEVER /* not asked */, CHANGED_NOTHING, CHANGED_TEMPLATE };
#define CHANGE_WORDS "whatever|nothing|template"

/* How an earlier step of the plan ended. */
enum step_result {
    RESULT_NOT_RUN,
    RESULT_FIXED,
    RESULT_NOT_FIXED,
    RESULT_UNKNOWN,
    RESULT_REFUSED,
    RESULT_FAILED,
    RESULT_DONE
};
#define STEP_RESULT_WORDS "not_run|fixed|not_fixed|unknown|refused|failed|done"

/* `is` of a query. Every series must satisfy it; without a series only EMPTY holds. */
enum comparison {
    COMPARE_ANY,
    COMPARE_EMPTY,
    COMPARE_LT,
    COMPARE_LE,
    COMPARE_EQ,
    COMPARE_NE,
    COMPARE_GE,
    COMPARE_GT
};
#define COMPARISON_WORDS "any|empty|<|<=|==|!=|>=|>"

struct query {   /* promql = { query = "..."; is = "> 0.5"; } */
    char *query; /* a template; NULL: not asked */
    char *is;    /* as written; NULL: "any" */
    enum comparison comparison;
    double value;
};
/* "> 0.5", "== 0", "empty", "any". ERR_INVALID. */
enum err_code comparison_parse(struct query *ret, const char *is, struct err *e);
/* Does it hold for an answer with `series` series, their newest values from least to most? */
bool comparison_holds(const struct query *q, uint32_t series, double least, double most);
struct http_probe { /* http = { url = "https://..."; status = 200; body = "ok"; } */
    char *url;      /* a template; NULL: not asked */
    int64_t status; /* 0: any 2xx */
    char *body;     /* RE2 that the body must contain; NULL: not looked at */
};

struct conditions {
    int changed;                        /* enum change_kind */
    struct matchers match, annotations; /* of the alert */
    struct matchers evidence; /* names are the evidence's fields: reason, exit_code, container, node, ... */
    struct config_strings cause;       /* any of these */
    struct config_strings environment; /* any of these */
    char *during;                      /* a window that is open now; NULL: not asked */
    int64_t attempt; /* this is at least the nth incident of the rule for the target; 0: not asked */
    struct {
        char *name; /* NULL: not asked */
        int result; /* enum step_result */
    } step;
    struct query promql, loki;
    struct http_probe http;
    struct conditions *not_all; /* 0 or 1: must not hold */
    size_t not_all_len;
    struct conditions *any; /* alternatives: at least one must hold; none: not asked */
    size_t any_len;
    int line;
};

void conditions_release(struct conditions *c);
void query_release(struct query *q);
void http_probe_release(struct http_probe *p);
/* Nothing is asked: always holds. */
bool conditions_empty(const struct conditions *c);

#endif
