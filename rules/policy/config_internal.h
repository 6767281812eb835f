/* rules/policy/config_internal.h - what the files of config share. */
#ifndef RULES_POLICY_CONFIG_INTERNAL_H
#define RULES_POLICY_CONFIG_INTERNAL_H

#include "rules/policy/config.h"

#define CONFIG_DEPTH_MAX 64u   /* brackets inside brackets */
#define CONFIG_EXCERPT_MAX 160 /* bytes of the source line shown with an error */

/* A line of a text and the files that it includes: the number of the file stands in the upper bits. */
#define CONFIG_LINE_BITS 24
#define CONFIG_LINE_OF(line) ((line) & ((1 << CONFIG_LINE_BITS) - 1))
#define CONFIG_FILE_OF(line) ((line) >> CONFIG_LINE_BITS)

struct finding {
    int line;     /* with the file; 0: the whole text */
    int column;   /* in characters from 1; 0: not known */
    size_t order; /* in which it was found */
    bool warning;
    const char *name; /* "unknown-key" */
    char *text;
};
/* Where each value of the text begins, in their order: what libconfig does not say. */
struct place {
    int line, column;
};
struct config_file {
    char *name;
    char *bytes;
    size_t len;
};

struct config_text {
    const char *name, *bytes; /* of the first file */
    size_t len;
    struct config_file *included; /* file number 1 and up */
    size_t included_len;
    const struct config_reader *reader; /* of included files; NULL: they are refused */
    struct place *places;
    size_t places_len;
    bool places_lost;  /* for want of memory */
    size_t errors_len; /* of findings that are no warnings */
    struct finding *findings;
    size_t findings_len;
    size_t unlisted; /* found beyond CONFIG_ERRORS_MAX */
    bool out_of_memory;
    const struct config_scope *scope; /* of parameters; NULL */
    char **kept;                      /* strings with parameters put in */
    size_t kept_len;
    bool in_default; /* a default is being read: an error would be our bug */
};

/* config_error.c */
bool config_failed(const struct config_text *text);
/* Sort the findings, append them to *ret_problems and the errors to *ret_errors (both may be NULL), and put
 * the first error into *e. ERR_OK when there is none. */
enum err_code config_report(struct config_text *text, struct config_problems *ret_problems,
                            struct buf *ret_errors, struct err *e);
/* Record at a place of the text: what the scanner finds. */
void config_error_place(struct config_text *text, int line, int column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void config_problem_place(struct config_text *text, struct place place, const char *name, const char *fmt,
                          ...) __attribute__((format(printf, 4, 5)));
const char *config_file_name(const struct config_text *text, int line);
void config_text_release(struct config_text *text);
/* The start of line number `line` (from 1) and its length without the line end; NULL when there is no such
 * line. */
const char *config_find_line(const char *bytes, size_t len, int line, size_t *ret_len);
/* Split "a|b|c" into its words: *p goes behind the next one, whose length is returned; 0 at the end. */
size_t config_next_choice(const char **p, const char **ret_word);
/* "; did you mean "x"?" for the nearest of "a|b|c", or what is allowed. */
void config_suggest_choice(struct buf *out, const char *word, const char *choices);

/* config_syntax.c: look for what libconfig would report badly, or take silently, and write a text for
 * libconfig into `copy`: the same settings on the same lines, without comments and with small mistakes
 * mended, so that the settings can be checked in the same pass. False when the mistakes leave nothing to
 * read. */
bool config_scan(struct config_text *text, struct buf *copy);

/* config_names.c: the names that are set in the groups that are open at one place of a text. */
#define CONFIG_NAMES_MAX 4096u /* of one group; of those behind, libconfig says which line is wrong */
struct config_name {
    const char *at;
    size_t len;
    struct place place;
};
struct config_names {
    struct config_name *list;
    size_t len, cap;
};
/* Remember a name. Where it was set before in the group that began with the name number `from`; NULL: it is
 * new, or there was no memory. */
const struct config_name *config_names_add(struct config_names *n, size_t from,
                                           const struct config_name *name);
void config_names_release(struct config_names *n);

/* config_value.c: the default for a key that is absent. */
bool config_is_text(enum config_type type); /* written in quotes */
/* The default of a key as libconfig reads it: with quotes. */
void config_default_text(struct buf *out, const struct config_key *key);

#endif
