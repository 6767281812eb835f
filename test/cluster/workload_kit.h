/* test/cluster/workload_kit.h - workloads on a real cluster, for tests: a namespace a test, made and looked
 * at through kubectl, so that what is tested is judged from outside.
 *
 * Environment: KUBECTL, KUBECONFIG (an administrator), HEALD_KUBECONFIG (heald's own user). Without them,
 * tests skip. */
#ifndef TEST_CLUSTER_WORKLOAD_KIT_H
#define TEST_CLUSTER_WORKLOAD_KIT_H

#include "actions/catalogue.h"
#include "actions/observe.h"

#define KIT_TEXT_SIZE 8192
#define KIT_PATIENCE_MS 180000 /* a deadline for what has to happen, never a measure */

struct world {
    char namespace[64];
    struct cluster *cluster; /* as heald's own user */
    struct http *http;
    struct map labels;
    struct observer observer;
    struct action_context context;
};

/* Make the namespace; with `may_write`, heald may write in it. Skips the test when there is no cluster. */
void world_open(struct world *w, bool may_write);
void world_close(struct world *w);

/* Run kubectl in the namespace and return its output, without the last newline; a failure ends the test. */
const char *world_kubectl(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same, but a failure returns NULL. */
const char *world_try_kubectl(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Apply a workload called "w" whose container runs /bin/busybox with these arguments: "'sleep','2147483647'".
 */
void world_apply(struct world *w, const char *kind, const char *arguments, int replicas);
#define SLEEP "\"sleep\",\"2147483647\""
#define SLEEP_LESS "\"sleep\",\"2147483646\""
#define CRASH "\"false\""
/* Wait until kubectl says that it is rolled out. */
void world_rolled_out(struct world *w, const char *kind);

/* Observe "w" named by its own label, and expect success. */
struct observation world_observe(struct world *w, const char *kind, unsigned needs);
enum err_code world_observe_labels(struct world *w, const char *from, const char *owner, unsigned needs,
                                   struct observation *ret, struct err *e);
/* An intent of that action on what was observed, expiring in a minute. */
struct intent world_intent(const struct observation *o, const char *action);
struct act_report world_act(struct world *w, const struct intent *i);

int64_t world_now_ms(void *ctx);
void world_sleep_ms(int64_t ms);

#endif
