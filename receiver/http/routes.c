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
    metrics_set(r->server->metrics, METRIC_IN_FLIGHT, NULL, NULL, (double)atomic_load(&r->server->in_flight));
    const char *type = metrics_render(r->server->metrics, accept, &out);
    return answer_text(r, 200, type, buf_text(&out), out.len);
}

/* What the listener knows, as one more member of the object. */
static void add_sources(const struct server *s, struct buf *out)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    if (out->len < 2 || out->ptr[out->len - 1] != '}' || json_writer_new(&w, NULL) != ERR_OK)
        return;
    sources_write(w, s->sources, s->settings->sources_len);
    const char *text = jw_text(w, NULL);
    if (!text)
        return;
    out->ptr[--out->len] = '\0';
    buf_addf(out, "%s\"sources\":%s}", out->len > 1 ? "," : "", text);
}

static enum MHD_Result answer_status(struct request *r)
{
    CLEANUP(buf_release) struct buf out = BUF_INIT;
    if (r->operator&& r->operator->namespaces.len)
        return answer_problem(r, 403, "the status tells of all namespaces; ask /api/v1/incidents for yours");
    loop_status(r->server->loop, &out);
    add_sources(r->server, &out);
    buf_addc(&out, '\n');
    return answer_text(r, 200, "application/json", buf_text(&out), out.len);
}

const struct route routes[] = {
    { "POST", "/webhook/alertmanager", SCOPE_INTAKE, 0, intake_answer },
    { "POST", "/webhook/grafana", SCOPE_INTAKE, 0, intake_answer },
    { "POST", "/webhook/github", SCOPE_INTAKE, 0, intake_answer },
    { "POST", "/webhook/gitlab", SCOPE_INTAKE, 0, intake_answer },
    { "POST", "/webhook/jenkins", SCOPE_INTAKE, 0, intake_answer },
    { "POST", "/webhook/azure", SCOPE_INTAKE, 0, intake_answer },
    { "POST", "/webhook/circleci", SCOPE_INTAKE, 0, intake_answer },
    { "POST", "/webhook/argocd", SCOPE_INTAKE, 0, intake_answer },
    { "POST", "/webhook/cloudevents", SCOPE_INTAKE, 0, intake_answer },
    { "POST", "/webhook/generic/*", SCOPE_INTAKE, 0, intake_answer },
    { "GET", "/health", SCOPE_OPEN, 0, answer_health },
    { "GET", "/-/healthy", SCOPE_OPEN, 0, answer_health },
    { "GET", "/ready", SCOPE_OPEN, 0, answer_ready },
    { "GET", "/-/ready", SCOPE_OPEN, 0, answer_ready },
    { "GET", "/metrics", SCOPE_OPEN, 0, answer_metrics },
    { "GET", "/status", SCOPE_OPERATOR, ROLE_READ, answer_status },
    { "POST", "/api/v1/pause", SCOPE_OPERATOR, ROLE_ACT, operator_answer },
    { "POST", "/api/v1/resume", SCOPE_OPERATOR, ROLE_ACT, operator_answer },
    { "POST", "/api/v1/heal", SCOPE_OPERATOR, ROLE_ACT, operator_answer },
    { "POST", "/api/v1/incidents/*/approve", SCOPE_OPERATOR, ROLE_APPROVE, operator_answer },
    { "POST", "/api/v1/incidents/*/deny", SCOPE_OPERATOR, ROLE_APPROVE, operator_answer },
    { "POST", "/api/v1/incidents/*/cancel", SCOPE_OPERATOR, ROLE_ACT, operator_answer },
    { "POST", "/api/v1/incidents/*/retry", SCOPE_OPERATOR, ROLE_ACT, operator_answer },
    { "POST", "/-/reload", SCOPE_OPERATOR, ROLE_ADMIN, operator_answer },
    { "POST", "/-/finalize-upgrade", SCOPE_OPERATOR, ROLE_ADMIN, operator_answer },
    { "GET", "/events", SCOPE_OPERATOR, ROLE_READ, api_events },
    { "GET", "/api/v1/incidents", SCOPE_OPERATOR, ROLE_READ, api_incidents },
    { "GET", "/api/v1/incidents/*", SCOPE_OPERATOR, ROLE_READ, api_incident },
    { "GET", "/api/v1/rules", SCOPE_OPERATOR, ROLE_READ, api_rules },
    { "GET", "/api/v1/explain", SCOPE_OPERATOR, ROLE_READ, api_explain },
    { "GET", "/api/v1/stats", SCOPE_OPERATOR, ROLE_READ, api_stats },
    { "GET", "/api/v1/openapi.json", SCOPE_OPERATOR, ROLE_READ, api_openapi },
    { "GET", "/", SCOPE_PAGE, ROLE_READ, page_home },
    { "GET", "/incidents", SCOPE_PAGE, ROLE_READ, page_incidents },
    { "GET", "/incidents/*", SCOPE_PAGE, ROLE_READ, page_incident },
    { "GET", "/policy", SCOPE_PAGE, ROLE_READ, page_policy },
    { "GET", "/explain", SCOPE_PAGE, ROLE_READ, page_explain },
    { "POST", "/pause", SCOPE_PAGE, ROLE_ACT, page_word },
    { "POST", "/resume", SCOPE_PAGE, ROLE_ACT, page_word },
    { "POST", "/incidents/*/approve", SCOPE_PAGE, ROLE_APPROVE, page_word },
    { "POST", "/incidents/*/deny", SCOPE_PAGE, ROLE_APPROVE, page_word },
    { "POST", "/incidents/*/cancel", SCOPE_PAGE, ROLE_ACT, page_word },
    { "POST", "/incidents/*/retry", SCOPE_PAGE, ROLE_ACT, page_word },
    { "POST", "/logout", SCOPE_PAGE, ROLE_READ, page_log_out },
    { "GET", "/login", SCOPE_OPEN, 0, page_login },
    { "POST", "/login", SCOPE_OPEN, 0, page_log_in },
    { "GET", "/assets/page.css", SCOPE_OPEN, 0, page_css },
    { "GET", "/assets/page.js", SCOPE_OPEN, 0, page_js },
    { "GET", "/assets/heald.svg", SCOPE_OPEN, 0, page_icon },
    { NULL, NULL, SCOPE_OPEN, 0, NULL },
};

#define ID_LETTERS "0123456789abcdefghijklmnopqrstuvwxyz"
#define NAME_LETTERS ID_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-" /* of a source */

/* Is it this path? What stands for the "*" is copied: `letters`, and fewer than `size`. */
static bool path_fits(const char *pattern, const char *path, const char *letters, char *ret_id, size_t size)
{
    size_t before = strcspn(pattern, "*"), len;
    if (!pattern[before])
        return strcmp(pattern, path) == 0;
    if (strncmp(pattern, path, before) != 0)
        return false;
    path += before;
    len = strspn(path, letters);
    if (len == 0 || len >= size || strcmp(path + len, pattern + before + 1) != 0)
        return false;
    memcpy(ret_id, path, len);
    ret_id[len] = '\0';
    return true;
}

/* The last part of "/webhook/github" says what the source speaks. */
static enum source_kind kind_of(const struct route *route)
{
    const char *word = route->path + strlen("/webhook/");
    size_t len = strcspn(word, "/");
    enum source_kind kind = SOURCE_ALERTMANAGER;
    while (kind + 1 < SOURCE_KIND_END_ &&
           (strlen(source_kind_name(kind)) != len || memcmp(source_kind_name(kind), word, len) != 0))
        kind++;
    return kind;
}

void route_find(struct request *r, const char *method, const char *path)
{
    if (strcmp(method, "HEAD") == 0)
        method = "GET"; /* libmicrohttpd leaves the body out */
    for (size_t i = 0; routes[i].path; i++)
        if (routes[i].scope == SCOPE_INTAKE
                ? path_fits(routes[i].path, path, NAME_LETTERS, r->source_name, sizeof r->source_name)
                : path_fits(routes[i].path, path, ID_LETTERS, r->incident, sizeof r->incident)) {
            r->route = &routes[i];
            if (r->route->scope == SCOPE_INTAKE)
                r->kind = kind_of(r->route);
            if (strcmp(routes[i].method, method) == 0)
                return;
        }
    if (r->route)
        refuse(r, 405, "%s", strcmp(r->route->method, "GET") == 0 ? "GET, HEAD" : r->route->method);
    else
        refuse(r, 404, "there is nothing at this path");
}
