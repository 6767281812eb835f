/* rules/base/err.h - one error value for the daemon: a code to branch on, a text to show. */
#ifndef RULES_BASE_ERR_H
#define RULES_BASE_ERR_H

#ifdef __cplusplus
extern "C" {
#endif

enum err_code {
    ERR_OK = 0,
    ERR_NOMEM,       /* allocation failed */
    ERR_INVALID,     /* caller, configuration or input is wrong; retrying cannot help */
    ERR_LIMIT,       /* a named maximum was reached */
    ERR_NOT_FOUND,   /* what was asked for does not exist */
    ERR_REFUSED,     /* authentication, authorisation or a rule says no; retrying cannot help */
    ERR_CONFLICT,    /* somebody else changed it first: read again and decide again */
    ERR_UNAVAILABLE, /* the other side is away or overloaded and did not process it; retrying may help */
    ERR_UNKNOWN,     /* sent, but whether it took effect is not known: ask before repeating */
    ERR_FULL,        /* disk or journal is full */
    ERR_VERSION,     /* written by a newer release than this one */
    ERR_IO,          /* system call, file or socket failed; retrying may help */
    ERR_MAX_,
};

/* Caller-owned, usually on the stack; nothing in it needs freeing. Start from ERR_INIT. */
struct err {
    enum err_code code;
    char msg[512]; /* always terminated; over-long text is cut at the end */
};
#define ERR_INIT ((struct err){ .code = ERR_OK })

/* Record code and text. `e` may be NULL. Returns `code`, so callers write `return err_set(...)`. */
enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "context: " before the text e holds. `e` may be NULL. Returns `code`. */
enum err_code err_wrap(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A word for logs and metrics: "invalid", "conflict", ... */
const char *err_code_name(enum err_code code);

/* Run fn(&var) when var leaves scope. TAKE(p) yields p and leaves NULL, so CLEANUP does nothing. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define TAKE(p)                                                                                              \
    __extension__({                                                                                          \
        __typeof__(p) taken_ = (p);                                                                          \
        (p) = NULL;                                                                                          \
        taken_;                                                                                              \
    })

#ifdef __cplusplus
}
#endif
#endif
