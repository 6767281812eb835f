/* rules/base/err.c */
#include "rules/base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "rules/base/buf.h"

/* Some bytes more than a message, so that text_copy() sees where a cut would split a character. */
#define ERR_WORK_SIZE (sizeof((struct err *)0)->msg + 8)

enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (!e)
        return code;
    char text[ERR_WORK_SIZE]; /* the arguments may point into e->msg */
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    text_copy(e->msg, sizeof e->msg, text);
    e->code = code;
    return code;
}

enum err_code err_wrap(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (!e)
        return code;
    char context[ERR_WORK_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(context, sizeof context, fmt, args);
    va_end(args);
    char joined[2 * ERR_WORK_SIZE];
    snprintf(joined, sizeof joined, "%s%s%s", context, e->msg[0] ? ": " : "", e->msg);
    text_copy(e->msg, sizeof e->msg, joined);
    e->code = code;
    return code;
}

const char *err_code_name(enum err_code code)
{
    static const char *const names[] = {
        [ERR_OK] = "ok",
        [ERR_NOMEM] = "no_memory",
        [ERR_INVALID] = "invalid",
        [ERR_LIMIT] = "limit",
        [ERR_NOT_FOUND] = "not_found",
        [ERR_REFUSED] = "refused",
        [ERR_CONFLICT] = "conflict",
        [ERR_UNAVAILABLE] = "unavailable",
        [ERR_UNKNOWN] = "unknown",
        [ERR_FULL] = "full",
        [ERR_VERSION] = "version",
        [ERR_IO] = "io",
    };
    _Static_assert(sizeof names / sizeof names[0] == ERR_MAX_, "every code has a name");
    return (unsigned)code < ERR_MAX_ ? names[code] : "no_such_code";
}
