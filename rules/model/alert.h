/* rules/model/alert.h - one labelled signal, as it came from a source.
 * An alert is identified by its source and its whole label set; the fingerprint is only a hash of the labels
 * (Prometheus' common/model: FNV-1a, 64 bit). Another startsAt does not make another alert. */
#ifndef RULES_MODEL_ALERT_H
#define RULES_MODEL_ALERT_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/base/map.h"

#define SOURCE_NAME_SIZE 64

enum alert_status { ALERT_FIRING, ALERT_RESOLVED };

struct alert {
    char source[SOURCE_NAME_SIZE]; /* name of the authenticated source */
    enum alert_status status;
    struct map labels;
    struct map annotations;
    int64_t starts_ms; /* wall clock of the sender */
    int64_t ends_ms;   /* 0 while firing */
    /* It tells of one run of something (a pipeline, a deployment), not of a state that lasts. Firing: this
     * run went wrong, which is news once, also when it is told again after another one went well. Resolved: a
     * run went well; its labels are those that all runs share, and what runs of these labels opened that had
     * ended by ends_ms is over. */
    bool event;
};
#define ALERT_INIT ((struct alert){ .status = ALERT_FIRING })

void alert_release(struct alert *a);
/* *ret is overwritten, not released. */
enum err_code alert_copy(struct alert *ret, const struct alert *from, struct err *e);
/* Label value, or "" when absent. */
const char *alert_label(const struct alert *a, const char *name);
/* FNV-1a over name 0xFF value 0xFF of each label, sorted by name. Check values: test/unit/model_test.c. */
uint64_t alert_fingerprint(const struct map *labels);

#endif
