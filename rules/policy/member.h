/* rules/policy/member.h - internal to rules/policy: a struct as a JSON object, and back, by a table of its
 * members.
 *
 * What is zero is left out, unless the table says `always`. Unknown names, words and numbers out of range are
 * ERR_VERSION when read: a newer release wrote them. */
#ifndef RULES_POLICY_MEMBER_H
#define RULES_POLICY_MEMBER_H

#include "rules/base/json.h"
#include "rules/policy/condition.h"

enum member_type {
    MEMBER_TEXT,     /* char *, owned */
    MEMBER_BOOL,     /* bool */
    MEMBER_FLAG,     /* int, 0 or 1; true or false in the text */
    MEMBER_INT,      /* int64_t, 0..max */
    MEMBER_CHOICE,   /* int: index into choices */
    MEMBER_WORDS,    /* struct config_strings */
    MEMBER_MATCHERS, /* struct matchers */
    MEMBER_GROUP,    /* a struct */
    MEMBER_GROUPS,   /* a pointer to structs of `size` bytes, and a size_t behind it */
};

struct member {
    const char *name; /* NULL ends a table */
    enum member_type type;
    size_t offset;
    bool always;         /* written even when zero, and required when read */
    int64_t max;         /* INT: 0 is no limit. GROUPS: most elements */
    const char *choices; /* "a|b|c" */
    const struct member *members;
    size_t size;
    enum err_code (*read)(void *group, struct err *e); /* GROUP: looks at what was read; NULL */
};

/* The members into an object that the caller has opened. */
void members_write(struct json_writer *w, const struct member *members, const void *from);
/* Members of `object` that are not in the table: `also` names those that the caller reads himself, "a|b". On
 * failure *ret still holds what members_release() frees. */
enum err_code members_read(const struct member *members, const char *also, const struct json *object,
                           void *ret, struct err *e);
void members_release(const struct member *members, void *from);
bool members_empty(const struct member *members, const void *from); /* all are zero */

/* MEMBER_GROUP.read of a struct query: its comparison. */
enum err_code query_members_read(void *group, struct err *e);
extern const struct member conditions_members[], query_members[], http_probe_members[];

#endif
