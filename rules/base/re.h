/* rules/base/re.h - RE2 behind a C header: the regular expressions of Prometheus and Alertmanager (Go's
 * regexp is RE2's syntax), in linear time. Compiled patterns are immutable: any number of threads may match.
 */
#ifndef RULES_BASE_RE_H
#define RULES_BASE_RE_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RE_PATTERN_MAX 4096u     /* bytes of one pattern */
#define RE_MEMORY_MAX (1u << 20) /* bytes RE2 may use for one compiled pattern */

struct re;
/* ERR_INVALID names RE2's reason. The whole text must match (anchored at both ends), "." matches newlines, as
 * in Alertmanager. */
enum err_code re_new(struct re **ret, const char *pattern, struct err *e);
struct re *re_free(struct re *re);
bool re_matches(const struct re *re, const char *text, size_t len);
/* Is there a match anywhere in the text? */
bool re_found(const struct re *re, const char *text, size_t len);

#ifdef __cplusplus
}
#endif
#endif
