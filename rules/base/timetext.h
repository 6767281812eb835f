/* rules/base/timetext.h - times and durations as text. Pure: nothing here asks what time it is.
 * Times are int64 ms since 1970-01-01T00:00:00Z. */
#ifndef RULES_BASE_TIMETEXT_H
#define RULES_BASE_TIMETEXT_H

#include <stddef.h>
#include <stdint.h>

#include "rules/base/err.h"

#define TIME_TEXT_SIZE 32     /* room for "2026-08-20T09:15:00.123Z" */
#define DURATION_TEXT_SIZE 32 /* room for "365d23h59m59s999ms" */
#define DURATION_MS_MAX (366ll * 24 * 60 * 60 * 1000)

/* RFC 3339 as Go writes it (RFC3339Nano): 0 to 9 fraction digits, "Z" or a numeric offset. Finer than ms is
 * cut off. "0001-01-01T00:00:00Z" (Go's zero time) gives 0. Years 1970 to 9999, leap second 60 counts as 59.
 */
enum err_code time_parse(int64_t *ret_ms, const char *text, size_t len, struct err *e);

/* "2026-08-20T09:15:00.123Z"; time_format_seconds cuts to "2026-08-20T09:15:00Z", as Kubernetes' metav1.Time.
 */
const char *time_format(char ret[TIME_TEXT_SIZE], int64_t ms);
const char *time_format_seconds(char ret[TIME_TEXT_SIZE], int64_t ms);

/* Durations as Prometheus writes them: "1h30m", "90s", "500ms", "1d", "1w"; units in descending order, each
 * once; "0" is 0. */
enum err_code duration_parse(int64_t *ret_ms, const char *text, struct err *e);
const char *duration_format(char ret[DURATION_TEXT_SIZE], int64_t ms);

#endif
