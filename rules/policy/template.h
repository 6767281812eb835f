/* rules/policy/template.h - texts with `${...}` in them, filled in from an alert, its target and its
 * evidence.
 *
 *     "${labels.app}-web"   "${annotations.class:-none}"   "${target.name|lower|cut 20}"
 * "${evidence.pod|hash}"
 *
 * A reference is SCOPE.NAME, then `:-` and a default, then filters, each behind a bar: `lower`, `cut N`
 * (bytes), `hash` (10 hex digits). `$${` stands for `${`. Texts are checked when a policy is loaded and
 * filled in when they are used. A value is encoded by where it stands, so that it can never be more than one
 * path segment, one value of a query, one label value, one string of PromQL or LogQL: what cannot be encoded
 * is refused. */
#ifndef RULES_POLICY_TEMPLATE_H
#define RULES_POLICY_TEMPLATE_H

#include "rules/base/map.h"
#include "rules/model/cause.h"
#include "rules/model/target.h"

#define TEMPLATE_FILTERS_MAX 4u
#define TEMPLATE_VALUE_MAX 1024u /* bytes of one value, before it is encoded */

enum template_place {
    PLACE_UNCHECKED, /* not a template, and not looked at */
    PLACE_NONE,      /* not a template: `${` may not stand there */
    PLACE_TEXT,      /* for people: control characters become spaces */
    PLACE_NAME,      /* the name of a Kubernetes object: the whole must be a DNS name */
    PLACE_SELECTOR,  /* a label selector: a value must be a label value */
    PLACE_QUERY, /* PromQL, LogQL: in a string it is quoted, behind =~, !~ and |~ as a regular expression too;
                    elsewhere only a number or a duration may stand */
    PLACE_URL,   /* a path segment or a value of the query; never scheme or host */
    PLACE_PARAM, /* a parameter's value: filled in where the parameter is used */
};

struct template_values { /* any may be NULL */
    const struct map *labels, *annotations;
    const struct target *target;
    const struct evidence *evidence;
};

/* ERR_INVALID: what is wrong with the text, and what would be right. */
enum err_code template_check(const char *text, enum template_place place, struct err *e);
/* Append the filled in text. ERR_NOT_FOUND: a value is missing that has no default, with the names that there
 * are. ERR_INVALID: a value cannot stand there. ERR_LIMIT, ERR_NOMEM. On failure *ret may have grown. */
enum err_code template_render(struct buf *ret, const char *text, enum template_place place,
                              const struct template_values *v, struct err *e);
/* Call `each` with every reference ("labels", "app", whether it has a default). */
void template_each(const char *text,
                   void (*each)(void *arg, const char *scope, const char *name, bool has_default), void *arg);
/* Append the text with `${params.x}` replaced by lookup(arg, "x"), a text that may hold references itself;
 * NULL: the default of the reference takes its place, or without one the reference stays and *ret_open is
 * set. */
enum err_code template_substitute(struct buf *ret, const char *text,
                                  const char *(*lookup)(void *arg, const char *name), void *arg,
                                  bool *ret_open, struct err *e);

#endif
