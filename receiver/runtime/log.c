/* receiver/runtime/log.c */
#include "receiver/runtime/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rules/base/timetext.h"
#include "rules/base/utf8.h"

#define LINE_MAX_BYTES 8192u
#define VALUE_MAX_BYTES 1024u
#define TAIL_BYTES 32u /* room kept for what ends a cut line */

static _Atomic int log_level_now = LOG_INFO;
static _Atomic int log_format_now = LOG_LOGFMT;
static _Atomic int log_fd = STDERR_FILENO;

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
    bool full; /* something did not fit */
    bool json;
};

void log_setup(enum log_level level, enum log_format format, int fd)
{
    log_level_now = (int)level;
    log_format_now = (int)format;
    log_fd = fd;
}

enum log_level log_threshold(void)
{
    return (enum log_level)log_level_now;
}

static void add(struct line *l, const char *bytes, size_t len)
{
    if (l->full || len > sizeof l->text - TAIL_BYTES - l->len) {
        l->full = true;
        return;
    }
    memcpy(l->text + l->len, bytes, len);
    l->len += len;
}

static void adds(struct line *l, const char *text)
{
    add(l, text, strlen(text));
}

/* One character, escaped as JSON escapes it; logfmt readers know the same escapes. */
static void add_escaped(struct line *l, const char *bytes, size_t len, uint32_t c)
{
    char escape[16];
    switch (c) {
    case UTF8_INVALID:
        adds(l, "\\ufffd");
        return;
    case '"':
        adds(l, "\\\"");
        return;
    case '\\':
        adds(l, "\\\\");
        return;
    case '\n':
        adds(l, "\\n");
        return;
    case '\t':
        adds(l, "\\t");
        return;
    case '\r':
        adds(l, "\\r");
        return;
    default:
        break;
    }
    if (!utf8_control(c)) {
        add(l, bytes, len);
        return;
    }
    snprintf(escape, sizeof escape, "\\u%04x", c);
    adds(l, escape);
}

static bool needs_quotes(const char *value)
{
    for (size_t i = 0, left = strlen(value); left > 0;) {
        uint32_t c;
        size_t n = utf8_next(value + i, left, &c);
        if (c == UTF8_INVALID || c == ' ' || c == '"' || c == '=' || c == '\\' || utf8_control(c))
            return true;
        i += n;
        left -= n;
    }
    return false;
}

static void add_value(struct line *l, const char *value)
{
    bool quotes = l->json || needs_quotes(value);
    size_t left = strlen(value), at = 0;
    if (quotes)
        adds(l, "\"");
    while (left > 0) {
        uint32_t c;
        size_t n = utf8_next(value + at, left, &c);
        if (at + n > VALUE_MAX_BYTES) {
            adds(l, "...");
            break;
        }
        if (quotes)
            add_escaped(l, value + at, n, c);
        else
            add(l, value + at, n);
        at += n;
        left -= n;
    }
    if (quotes)
        adds(l, "\"");
}

/* Whole or not at all, so that a cut line is still well formed. */
static void add_pair(struct line *l, const char *key, const char *value)
{
    size_t before = l->len;
    if (l->full)
        return;
    if (l->json)
        adds(l, before ? ",\"" : "{\"");
    else if (before)
        adds(l, " ");
    adds(l, key);
    adds(l, l->json ? "\":" : "=");
    add_value(l, value);
    if (l->full)
        l->len = before;
}

static void end_line(struct line *l)
{
    const char *tail = l->json ? (l->full ? ",\"log\":\"cut\"}\n" : "}\n") : (l->full ? " log=cut\n" : "\n");
    memcpy(l->text + l->len, tail, strlen(tail)); /* within TAIL_BYTES */
    l->len += strlen(tail);
}

static void write_line(const struct line *l)
{
    for (size_t done = 0; done < l->len;) {
        ssize_t n = write(log_fd, l->text + done, l->len - done);
        if (n < 0 && errno != EINTR)
            return; /* nowhere left to say so */
        if (n > 0)
            done += (size_t)n;
    }
}

void log_line(enum log_level level, const char *msg, ...)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    if ((int)level < log_level_now)
        return;
    int saved_errno = errno;
    struct timespec t;
    char at[TIME_TEXT_SIZE];
    struct line l; /* text is not cleared: 8 KiB */
    l.len = 0;
    l.full = false;
    l.json = log_format_now == LOG_JSON;
    clock_gettime(CLOCK_REALTIME, &t);
    add_pair(&l, "ts", time_format(at, (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000));
    add_pair(&l, "level", names[level]);
    add_pair(&l, "msg", msg);

    va_list args;
    va_start(args, msg);
    for (const char *key = va_arg(args, const char *); key; key = va_arg(args, const char *)) {
        const char *value = va_arg(args, const char *);
        if (value && *value)
            add_pair(&l, key, value);
    }
    va_end(args);
    end_line(&l);
    write_line(&l);
    errno = saved_errno;
}
