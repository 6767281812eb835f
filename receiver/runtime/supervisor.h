/* receiver/runtime/supervisor.h - what systemd is told (sd_notify(3)), without its library: one datagram to
 * the socket that NOTIFY_SOCKET names. Without one, nothing is said. Failing to say it never matters. */
#ifndef RECEIVER_RUNTIME_SUPERVISOR_H
#define RECEIVER_RUNTIME_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

void supervisor_ready(void);
void supervisor_reloading(void); /* then supervisor_ready() */
void supervisor_stopping(void);

/* The watchdog (WatchdogSec=): how long systemd waits for a sign of life, 0: it does not. */
int64_t supervisor_watchdog_ms(void);
void supervisor_alive(void);

#endif
