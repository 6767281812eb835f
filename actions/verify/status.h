/* actions/verify/status.h - small things that reading Kubernetes objects needs again and again. Pure. */
#ifndef ACTIONS_VERIFY_STATUS_H
#define ACTIONS_VERIFY_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/base/json.h"

/* The condition of that type in .status.conditions, or NULL. */
const struct json *status_condition(const struct json *object, const char *type);
/* Whether a condition (may be NULL) has that status: "True", "False", "Unknown". */
bool status_is(const struct json *condition, const char *status);
/* A metav1.Time in ms; 0 when absent or no time. The API cuts times to whole seconds. */
int64_t status_time(const struct json *time);
/* .status or .spec numbers: absent, negative or out of range gives the fallback. */
int32_t status_number(const struct json *object, const char *path, int32_t fallback);
/* A string at a path; "" when absent. */
const char *status_text(const struct json *object, const char *path);
/* A label or annotation; "" when absent. */
const char *status_label(const struct json *object, const char *name);
const char *status_annotation(const struct json *object, const char *name);
/* Is heald told to keep away: annotation heald.dev/ignore with any value but "" and "false"? */
bool status_ignored(const struct json *object);
/* Does a LabelSelector match the labels of a child? An empty or absent selector matches nothing; an unknown
 * operator neither. */
bool status_selects(const struct json *selector, const struct json *labels);

#endif
