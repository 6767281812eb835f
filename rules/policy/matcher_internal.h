/* rules/policy/matcher_internal.h - what reading and writing of matchers share. */
#ifndef RULES_POLICY_MATCHER_INTERNAL_H
#define RULES_POLICY_MATCHER_INTERNAL_H

#include "rules/policy/matcher.h"

extern const char *const matcher_ops[]; /* by enum matcher_op */

/* Does the character at p (or the text's end) not belong to a label name without quotes? */
bool matcher_ends_name(const char *p);

#endif
