/* Paths and what answers them. */
#include <string.h>

#include "receiver/http/http_internal.h"

static enum MHD_Result answer_health(struct request *r)
{
    return answer_text(r, 200, "text/plain; charset=utf-8", "ok\n", 3);
}

static enum MHD_Result answer_ready(struct request *r)
{
    struct err e = ERR_INIT;
    if (loop_ready(r->server->loop, &e) != ERR_OK)
        return answer_problem(r, 503, e.msg);
    return answer_text(r, 200, "text/plain; charset=utf-8", "ready\n", 6);
}

static enum MHD_Result answer_metrics(struct request *r)
{
    CLEANUP(buf_release) struct buf out = BUF_INIT;
    const char *accept = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Accept");
    const char *type = metrics_render(r->server->metrics, accept, &out);
    return answer_text(r, 200, type, buf_text(&out), out.len);
}

static enum MHD_Result answer_status(struct request *r)
{
    CLEANUP(buf_release) struct buf out = BUF_INIT;
    loop_status(r->server->loop, &out);
    buf_addc(&out, '\n');
    return answer_text(r, 200, "application/json", buf_text(&out), out.len);
}

static const struct route routes[] = {
    { "POST", "/webhook/alertmanager", SCOPE_INTAKE, 0, intake_answer },
    { "GET", "/health", SCOPE_OPEN, 0, answer_health },
    { "GET", "/-/healthy", SCOPE_OPEN, 0, answer_health },
    { "GET", "/ready", SCOPE_OPEN, 0, answer_ready },
    { "GET", "/-/ready", SCOPE_OPEN, 0, answer_ready },
    { "GET", "/metrics", SCOPE_OPEN, 0, answer_metrics },
    { "GET", "/status", SCOPE_OPERATOR, ROLE_READ, answer_status },
    { "POST", "/api/v1/pause", SCOPE_OPERATOR, ROLE_ACT, operator_answer },
    { "POST", "/api/v1/resume", SCOPE_OPERATOR, ROLE_ACT, operator_answer },
    { "POST", "/-/reload", SCOPE_OPERATOR, ROLE_ADMIN, operator_answer },
};

void route_find(struct request *r, const char *method, const char *path)
{
    if (strcmp(method, "HEAD") == 0)
        method = "GET"; /* libmicrohttpd leaves the body out */
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(routes[i].path, path) == 0) {
            r->route = &routes[i];
            if (strcmp(routes[i].method, method) != 0)
                refuse(r, 405, "%s", strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method);
            return;
        }
    refuse(r, 404, "there is nothing at this path");
}
