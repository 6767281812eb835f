/* receiver/runtime/log.h - structured log lines to standard error: logfmt, or JSON by setting. Thread-safe;
 * one write(2) a line.
 *
 *     log_info("incident opened", "incident", id, "rule", rule, NULL);
 *     ts=2026-08-20T09:15:00.123Z level=info msg="incident opened" incident=06f3k9q2 rule=crash-looping
 *
 * Messages: lower case, no full stop. Only main, the loop, workers, the outbox, the watch hook and the
 * listener log; everybody else returns errors. The level is the one global (STYLE: the log level and the
 * signal flag are the exceptions). */
#ifndef RECEIVER_RUNTIME_LOG_H
#define RECEIVER_RUNTIME_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

void log_setup(enum log_level level, enum log_format format, int fd);
enum log_level log_threshold(void);
/* Key, value, key, value, ..., NULL; a NULL or "" value leaves its key out. Values are quoted where needed,
 * invalid UTF-8 and control characters are escaped, a value is cut at 1 KiB. Safe with any text from outside.
 */
void log_line(enum log_level level, const char *msg, ...) __attribute__((sentinel));
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#endif
