/* receiver/http/server.h - HTTP in: libmicrohttpd with epoll, one thread, suspended connections.
 *
 * Routes: POST /webhook/TYPE and /webhook/generic/NAME (intake); GET /health /-/healthy /ready /-/ready
 * /metrics (open); GET /status (read); POST /-/reload (admin), POST /api/v1/pause and /api/v1/resume (act).
 * Everything else 404, wrong method 405 with Allow; errors are RFC 9457 problem documents. */
#ifndef RECEIVER_HTTP_SERVER_H
#define RECEIVER_HTTP_SERVER_H

#include "receiver/runtime/loop.h"
#include "receiver/runtime/metrics.h"
#include "receiver/runtime/settings.h"

struct server;
/* Settings are borrowed for the server's life. Starts listening at once. */
enum err_code server_new(struct server **ret, const struct settings *s, struct loop *l, struct metrics *m,
                         struct err *e);
int server_port(const struct server *s);
/* Stop accepting new connections and new requests (SIGTERM, first step). */
void server_quiesce(struct server *s);
/* Answer what is suspended, close all, free. After this no slice's done callback of this server may come: the
 * loop is to be drained first. */
struct server *server_free(struct server *s);
/* Another source/operator set after a reload is not taken over while running: settings that need a restart
 * are named by loop_reload. */

#endif
