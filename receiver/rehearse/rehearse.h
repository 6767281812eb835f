/* receiver/rehearse/rehearse.h - play a policy's unit tests: the real core on simulated time, against a
 * simulated cluster (stage.h). No thread, no socket; a week takes milliseconds. */
#ifndef RECEIVER_REHEARSE_REHEARSE_H
#define RECEIVER_REHEARSE_REHEARSE_H

#include "receiver/rehearse/script.h"
#include "rules/policy/policy.h"

#define REHEARSE_HAPPENED_MAX                                                                                \
    5000 /* things that heald does in one test; more is an error: nothing goes on for ever */

enum happening {
    HAPPENED_RULE,
    HAPPENED_TARGET,
    HAPPENED_DO,
    HAPPENED_VERDICT,
    HAPPENED_REFUSED,
    HAPPENED_ASKED,
    HAPPENED_NOTIFY,
    HAPPENED_OUTCOME
};

struct happened { /* one thing that heald did */
    enum happening kind;
    int64_t at_ms;  /* since the test's begin */
    char what[128]; /* rule, target, action, verdict, guard, role, receiver, outcome */
    char step[STEP_PATH_SIZE];
    char with[HASH_SIZE]; /* DO: replicas or template. TARGET: mode */
    char reason[256];
    bool matched; /* by an expectation */
};

/* How a policy file is read: the tests' policies stand beside them. ERR_INVALID with everything in
 * *ret_errors. */
typedef enum err_code rehearse_policy(void *ctx, const char *file, struct policy **ret,
                                      struct buf *ret_errors, struct err *e);

struct played {
    struct happened *list; /* heap */
    size_t len;
    bool passed;
    struct buf difference; /* lines like a diff; "" when passed */
};
void played_release(struct played *p);

/* Play one test. ERR_INVALID: the test or a policy is wrong, as *e and *ret_errors say. `folder` is the
 * script's. */
enum err_code rehearse(struct played *ret, const struct script *s, const struct script_test *t,
                       const char *folder, rehearse_policy *load, void *ctx, struct buf *ret_errors,
                       struct err *e);

/* expect.c: mark what was expected, and write the difference. */
void expect_compare(struct played *p, const struct script_test *t);

#endif
