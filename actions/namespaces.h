/* actions/namespaces.h - internal to observe(): is a namespace ignored (annotation heald.dev/ignore)? */
#ifndef ACTIONS_NAMESPACES_H
#define ACTIONS_NAMESPACES_H

#include "actions/observe.h"

/* From what was read within NAMESPACES_FRESH_MS before now_ms, else by a GET. Errors are those of kube_get.
 */
enum err_code namespaces_ignored(const struct observer *o, struct http *h, const char *namespace,
                                 int64_t now_ms, bool *ret, struct err *e);

#endif
