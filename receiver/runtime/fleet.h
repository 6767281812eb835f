/* receiver/runtime/fleet.h - the clusters heald looks after, with their watches, and the systems that are
 * asked. Made once at start; any thread may use it. */
#ifndef RECEIVER_RUNTIME_FLEET_H
#define RECEIVER_RUNTIME_FLEET_H

#include "actions/observe.h"
#include "receiver/runtime/clock.h"
#include "receiver/runtime/metrics.h"
#include "receiver/runtime/settings.h"

struct member { /* one cluster */
    struct cluster *cluster;
    struct watch *watch;
};
struct fleet {
    struct member *members;
    size_t len;
    struct remote *prometheus, *loki, *alertmanager; /* NULL: not configured */
    struct remote **probe_hosts;
    size_t probe_hosts_len;
    struct namespaces *namespaces; /* what is known of them, for all workers */
    struct clock *clock;           /* borrowed */
    struct metrics *metrics;       /* borrowed */
};

/* `hooks` go to every watch; watches are not started yet. */
enum err_code fleet_new(struct fleet **ret, const struct settings *s, struct clock *clock, struct metrics *m,
                        const struct watch_hooks *hooks, struct err *e);
enum err_code fleet_start(struct fleet *f, struct err *e);
struct fleet *fleet_free(struct fleet *f);

/* The cluster that a target or an alert's labels mean: by name, else by the label `cluster`, else the only
 * one. ERR_REFUSED: the name is not one of ours; ERR_INVALID: none was said, and there are several. */
enum err_code fleet_member(const struct fleet *f, const char *name, const struct map *labels,
                           struct member **ret, struct err *e);

#endif
