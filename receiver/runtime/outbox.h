/* receiver/runtime/outbox.h - telling Grafana, in order per incident, retried with backoff for ever, never
 * blocking a repair.
 *
 * Durable because it holds nothing of its own: what is still to be told follows from the facts
 * (engine_untold), and after a restart the loop pushes it again. One thread. */
#ifndef RECEIVER_RUNTIME_OUTBOX_H
#define RECEIVER_RUNTIME_OUTBOX_H

#include "grafana/annotate.h"
#include "receiver/runtime/metrics.h"
#include "rules/base/err.h"
#include "rules/model/action.h"

#define OUTBOX_BACKOFF_MIN_MS 500
#define OUTBOX_BACKOFF_MAX_MS 60000
#define OUTBOX_WAITING_MAX 500u /* incidents that wait; one more is ERR_LIMIT */
#define OUTBOX_CALL_MS 5000     /* longest call to Grafana */

struct outbox_settings {
    const char *url, *token_file, *ca_file; /* token_file is re-read when it changes */
    const char *dashboard_uid; /* NULL: an organisation annotation, found on any dashboard by its tags */
};
struct outbox_message {           /* all copied by outbox_push */
    struct annotation annotation; /* annotation.incident is the key */
    int64_t revision;             /* a newer one replaces what still waits for the same incident */
    int64_t annotation_id;        /* 0: not known */
};
struct outbox;

/* `told` is called on the outbox's thread after each delivery, without a lock held: it may push. */
enum err_code outbox_new(struct outbox **ret, const struct outbox_settings *s, struct metrics *m,
                         void (*told)(void *ctx, const char *incident, int64_t revision,
                                      int64_t annotation_id),
                         void *ctx, struct err *e);
/* Never waits for Grafana. A revision not newer than the one waiting or under way for its incident is ERR_OK
 * and changes nothing. ERR_LIMIT  OUTBOX_WAITING_MAX incidents wait: push again what engine_untold names when
 * `told` has come ERR_NOMEM A message that Grafana refuses as such (400) is logged, counted and dropped: the
 * incident's next revision gets its own try. */
enum err_code outbox_push(struct outbox *o, const struct outbox_message *m, struct err *e);
size_t outbox_depth(struct outbox *o);
/* Try for at most wait_ms to deliver what waits, each once more, then stop the thread and free. A call under
 * way is waited for (OUTBOX_CALL_MS). NULL is fine. */
struct outbox *outbox_free(struct outbox *o, int64_t wait_ms);

#endif
