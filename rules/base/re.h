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

/* What "." matches: any character but a newline, as in Alertmanager, or all, for texts of many lines. */
enum re_dot { RE_DOT_LINE, RE_DOT_ALL };

struct re;
/* ERR_INVALID names RE2's reason. The whole text must match (anchored at both ends). \C, one byte, which Go
 * lacks, is refused. */
enum err_code re_new(struct re **ret, const char *pattern, enum re_dot dot, struct err *e);
struct re *re_free(struct re *re);
bool re_matches(const struct re *re, const char *text, size_t len);
/* Is there a match anywhere in the text? */
bool re_found(const struct re *re, const char *text, size_t len);

/* Many patterns asked at once, in one pass over the text; the meaning of each is that of re_new() with
 * RE_DOT_ALL, which matches all that RE_DOT_LINE does. */
#define RE_SET_MEMORY_MAX (64ll << 20)
struct re_set;
enum err_code re_set_new(struct re_set **ret, struct err *e);
struct re_set *re_set_free(struct re_set *set);
/* Patterns are numbered 0, 1, 2, ... ERR_INVALID. */
enum err_code re_set_add(struct re_set *set, const char *pattern, struct err *e);
/* After the last one. ERR_LIMIT: too much memory for all of them. */
enum err_code re_set_compile(struct re_set *set, struct err *e);
/* Call `each` with the number of every pattern that matches, in any order. False: it cannot be said this way,
 * ask each pattern. */
bool re_set_match(const struct re_set *set, const char *text, size_t len,
                  void (*each)(void *arg, size_t number), void *arg);

#ifdef __cplusplus
}
#endif
#endif
