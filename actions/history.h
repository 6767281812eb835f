/* actions/history.h - internal to observe(): the revisions of a workload, and which pods are of the present
 * one. */
#ifndef ACTIONS_HISTORY_H
#define ACTIONS_HISTORY_H

#include "actions/observe.h"

#define HISTORY_MAX                                                                                          \
    256u /* revisions of one workload that are looked at; Kubernetes keeps 10 unless told otherwise */

struct history_entry {
    struct revision revision;
    char uid[UID_SIZE];
    char hash_label[80]; /* label controller-revision-hash of a DaemonSet's revision, which its pods have too
                          */
};

struct history {
    struct target target; /* with uid: whose revisions these are */
    struct history_entry *entries;
    size_t len, cap;
    bool failed; /* out of memory */
};
#define HISTORY_INIT ((struct history){ .len = 0 })
void history_release(struct history *h);

/* List ReplicaSets or ControllerRevisions; only those controlled by the target are kept. ERR_LIMIT beyond
 * HISTORY_MAX. */
enum err_code history_read(const struct observer *o, struct http *h, const struct target *t,
                           const char *selector, struct history *ret, struct err *e);
/* Take one revision object; ignored when another controls it. Pure. */
void history_add(struct history *h, const struct json *revision);
/* The newest by number into the observation. */
void history_newest(const struct history *h, struct observation *ret);

/* Is the pod controlled by the target? A Deployment's pod by one of the ReplicaSets in `h`. */
bool history_owns(const struct history *h, const struct json *pod);
/* Is it of the present template? By the revision that has template_hash (a StatefulSet's by its own
 * .status.updateRevision in `workload`). */
bool history_present(const struct history *h, const struct json *workload, const char *template_hash,
                     const struct json *pod);

#endif
