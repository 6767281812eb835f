/* rules/policy/config.h - libconfig read by tables of keys: the one way in which policy.cfg and heald.cfg are
 * parsed.
 *
 * A section is a table of keys (name, type, range, default, unit, help, offset into a struct). Unknown keys
 * are errors with the nearest right word, missing required ones too; ALL errors of a text are collected, each
 * as file:line with the line itself, before anything is refused. Reference documents are printed from the
 * same tables, so a key without help does not build. Pure: the text comes as bytes. */
#ifndef RULES_POLICY_CONFIG_H
#define RULES_POLICY_CONFIG_H

#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/base/buf.h"
#include "rules/base/err.h"
#include "rules/policy/template.h"

#define CONFIG_TEXT_MAX (4u << 20) /* bytes of one file */
#define CONFIG_ERRORS_MAX 100u     /* more are counted, not listed; as many warnings */
#define CONFIG_INCLUDES_MAX 64u    /* files that one text includes */
#define CONFIG_INCLUDE_DEPTH_MAX 4u

enum config_type {
    CONFIG_STRING,   /* char *: owned by the struct, freed by its release function */
    CONFIG_BOOL,     /* bool */
    CONFIG_INT,      /* int64_t, min..max */
    CONFIG_DURATION, /* int64_t ms, min..max, written "15m"; "none" is INT64_MAX where the key allows it */
    CONFIG_SIZE,     /* int64_t bytes, written 256 or "256MiB" */
    CONFIG_PERCENT,  /* int64_t, min..max, written "25%" */
    CONFIG_CHOICE,   /* int: index into choices */
    CONFIG_STRINGS,  /* struct config_strings: array or list of strings */
    CONFIG_GROUP,    /* nested table, inline struct at offset */
    CONFIG_LIST,     /* list of groups: pointer + count, elements allocated (see struct config_list) */
    CONFIG_CUSTOM,   /* `parse` is called with the setting; `keys` is only for the reference */
    CONFIG_LINE, /* int, for config_error_at() and config_line_number(): the line on which the group stands;
                    not a key that can be written */
};

struct config_strings {
    char **list;
    size_t len;
};
void config_strings_release(struct config_strings *strings);
struct config_list { /* stands in the struct at the key's offset */
    void *items;     /* array of `len` elements of the key's item_size */
    size_t len;
};

struct config_text; /* one text being read: name, bytes, collected errors */

struct config_key {
    const char *name; /* NULL ends the table */
    enum config_type type;
    bool required;
    bool none;        /* "none" is allowed for durations and ints: no limit, INT64_MAX */
    int64_t min, max; /* range; of the bytes of a CONFIG_STRING, the elements of a CONFIG_STRINGS or
                         CONFIG_LIST: max 0 is no limit */
    const char
        *default_text;   /* as it would be written in the file (quotes may be left out); NULL: zero value */
    const char *choices; /* CONFIG_CHOICE: "observe|dry_run|act" */
    const struct config_key *keys; /* CONFIG_GROUP, CONFIG_LIST */
    size_t item_size;              /* CONFIG_LIST */
    size_t len_max;                /* CONFIG_LIST, CONFIG_STRINGS: most elements; 0: 10000 */
    size_t offset;
    enum template_place place; /* CONFIG_STRING: whether it is a template, and of what */
    /* CONFIG_CUSTOM: fill at `field`; report errors with config_error() */
    void (*parse)(struct config_text *text, const config_setting_t *setting, void *field, const void *arg);
    /* CONFIG_GROUP, and each element of a CONFIG_LIST: called after `keys` were read, for what a table cannot
     * say. Fields whose keys were wrong are zero. `target` is the group's struct. */
    void (*check)(struct config_text *text, const config_setting_t *group, void *target, const void *arg);
    const char *unit;    /* for the reference; of a CONFIG_CUSTOM: what is written, "array of matchers" */
    const char *example; /* a value, for the reference; NULL: one is made from type and unit */
    const char *help;    /* one sentence; never NULL */
};

/* One thing found in a text. */
struct config_problem {
    char *file;
    int line, column; /* from 1; 0: the whole file, or not known */
    bool warning;     /* right, and yet probably not meant */
    const char *name; /* stable: "unknown-key" */
    char *text;       /* for people, one line */
    char *excerpt;    /* the line, indented by 4, then a line with the caret; "" */
};
struct config_problems {
    struct config_problem *list; /* by file, line and order */
    size_t len;
};
void config_problems_release(struct config_problems *p);
/* One more, without an excerpt; `name` is a literal. False: no memory. */
bool config_problems_add(struct config_problems *p, const char *file, int line, bool warning,
                         const char *name, const char *text);
/* "policy.cfg:12:3: unknown key ..." and the excerpt; of a warning "policy.cfg:12:3: warning: ...". With the
 * name in brackets when `named`. */
void config_problem_write(struct buf *out, const struct config_problem *p, bool named);

/* Whether a path leads to below the folder that it is relative to: not absolute, without "..". */
bool config_is_inner_path(const char *file);
/* Who reads the files that a text includes: `file` is relative to the first text's folder. */
struct config_reader {
    enum err_code (*read)(void *arg, const char *file, struct buf *ret, struct err *e);
    void *arg;
};
/* A text and what is to be done with it; everything but name, bytes, len and keys may be NULL. */
struct config_source {
    const char *name, *bytes;
    size_t len;
    const struct config_key *keys;
    void (*check)(struct config_text *text, const config_setting_t *root, void *target, const void *arg);
    const struct config_reader *reader;
    struct config_problems *problems; /* all that is found is appended here */
    struct buf *errors;               /* the errors are appended here as text */
};

/* Parse `bytes` (name is for messages) by `keys` into *target, which starts zeroed. `arg` goes to custom
 * parsers. On any error everything found is appended to *ret_errors, one block each: policy.cfg:12: unknown
 * key "cooldwon"; did you mean "cooldown"? cooldwon = "15m"; and ERR_INVALID is returned; *target then holds
 * what was parsed so far, to be released by the caller. @include is refused without a reader. ERR_LIMIT:
 * longer than CONFIG_TEXT_MAX; ERR_NOMEM. ret_errors may be NULL: the first error is in *e too. */
enum err_code config_parse(const char *name, const char *bytes, size_t len, const struct config_key *keys,
                           void *target, const void *arg, struct buf *ret_errors, struct err *e);

enum err_code config_parse_source(const struct config_source *source, void *target, const void *arg,
                                  struct err *e);

/* The same; then `check` (may be NULL) looks at the whole, before anything is refused. */
enum err_code config_parse_checked(const char *name, const char *bytes, size_t len,
                                   const struct config_key *keys, void *target, const void *arg,
                                   void (*check)(struct config_text *text, const config_setting_t *root,
                                                 void *target, const void *arg),
                                   struct buf *ret_errors, struct err *e);

/* For custom parsers and cross checks: record an error at a setting's line. `setting` NULL: the whole file.
 */
void config_error(struct config_text *text, const config_setting_t *setting, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with a name of its own; config_error() has the name "invalid-value". `name` must be a literal. */
void config_problem(struct config_text *text, const config_setting_t *setting, const char *name,
                    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void config_problem_at(struct config_text *text, int line, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void config_warning_at(struct config_text *text, int line, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int config_line_number(int line); /* of what CONFIG_LINE and config_line() gave */
/* Parse a group by a table inside a custom parser. */
void config_parse_group(struct config_text *text, const config_setting_t *setting,
                        const struct config_key *keys, void *target, const void *arg);
/* One value by one key of a simple type, inside a custom parser. */
void config_parse_value(struct config_text *text, const struct config_key *key,
                        const config_setting_t *setting, void *field);
int config_line(const config_setting_t *setting);
/* Remember where an element stood, for checks after parsing: config_error_at records at that line (0: the
 * whole file). (Not config_error_line: that is a macro of libconfig's.) */
void config_error_at(struct config_text *text, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* For custom parsers: an allocation failed; config_parse() will say ERR_NOMEM. */
void config_out_of_memory(struct config_text *text);
/* For custom parsers: the string, checked to be UTF-8 without NUL; else the error is recorded and NULL
 * returned. */
const char *config_get_text(struct config_text *text, const config_setting_t *setting);

/* Parameters: while a scope is set, `${params.x}` is replaced in every string that is read. A string in which
 * one stays open (lookup gave NULL, and it has no default) is taken as it is where it is a text; anything
 * else is left at zero, and is read when the parameter is known. */
struct config_scope {
    const char *(*lookup)(void *arg, const char *name);
    void (*open)(void *arg, struct config_text *text, const config_setting_t *setting, const char *name);
    void *arg;
    const char *who; /* put behind errors that only this scope has: "rule \"r\" on line 5"; NULL */
};
/* Returns the one that was set before; NULL ends all. */
const struct config_scope *config_set_scope(struct config_text *text, const struct config_scope *scope);
/* The string of a setting with its parameters put in, or NULL when it is none. *ret_open (may be NULL): one
 * stayed open. It lives as long as `text`. */
const char *config_get_string(struct config_text *text, const config_setting_t *setting, bool *ret_open);

/* Free what a table put into a struct (strings, lists, groups). Custom fields are the caller's. */
void config_release(const struct config_key *keys, void *target);

/* Nearest of `words` (NULL-ended) by edit distance, NULL when none is near. */
const char *config_nearest(const char *word, const char *const *words);

/* Append a reference section in Markdown: one table row a key, nested tables as sections of their own. */
void config_reference(struct buf *out, const char *title, const struct config_key *keys, int level);

#endif
