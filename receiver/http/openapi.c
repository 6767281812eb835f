/* The OpenAPI document (3.1), written from the table of routes and what docs.c says of each. */
#include <stdio.h>
#include <string.h>

#include "receiver/http/http_internal.h"

/* "name:type name:type ...": s text, i integer, b boolean, t time, o object, [schema] list of it, {schema}.
 */
static const struct {
    const char *name, *fields;
} schemas[] = {
    { "status",
      "version:s started:t now:t installation:s paused:b paused_by:s paused_reason:s policy:s "
      "policy_loaded:t "
      "policy_error:s facts:i open_incidents:i workloads_proven:i outbox:i pauses:[any] clusters:[any] "
      "open:[any] recent:[any]" },
    { "incident",
      "seq:i id:s rule:s state:s outcome:s reason:s guard:s step:s action:s cluster:s namespace:s kind:s "
      "name:s environment:s mode:s cause:s source:s plan:s who:s alerts:i writes:i refusals:i times:i "
      "former:s merged_into:s opened:t starts:t changed:t closed:t first_write:t asks:s asks_role:s "
      "asks_hash:s asks_until:t approvals:i approvals_wanted:i evidence:{any}" },
    { "incidents", "incidents:[incident] next:i" },
    { "alert", "at:t source:s status:s disposition:s starts:t ends:t labels:{any} annotations:{any}" },
    { "decision",
      "seq:i at:t kind:s step:s guard:s scope:s word:s who:s role:s hash:s action:s order:s merged_into:s "
      "again:t until:t outcome:s reason:s" },
    { "step", "step:s attempt:i write:i action:s undo:b at:t state:s reason:s written:t verdict:s "
              "verdict_reason:s judged:t" },
    { "fact", "seq:i at:t kind:s incident:s body:{any}" },
    { "incident_whole", "incident:{incident} alerts:[alert] decisions:[decision] steps:[step] "
                        "history:[fact] facts:i" },
    { "events", "events:[fact] next:i" },
    { "rules", "policy:s environments:[any] rules:[rule]" },
    { "rule",
      "name:s enabled:b mode:s team:s line:i plan:s plan_lines:[any] cooldown:s attempts:i attempts_per:s "
      "alert_age:s for:s runbook:s" },
    { "explanation", "alert:{any} refused:s rules:[any] targets:[any] plan:{any}" },
    { "counts",
      "name:s incidents:i healed:i cleared:i not_healed:i escalated:i refused:i observed:i unknown:i "
      "cancelled:i open:i success_percent:i repair_seconds_median:i repair_seconds_p90:i" },
    { "stats",
      "all:[counts] rules:[counts] causes:[counts] environments:[counts] weeks:[counts] actions:[any] "
      "guards:[any]" },
    { "done", "" },
    { "begun", "incident:s" },
    { "openapi", "openapi:s info:{any} paths:{any}" },
    { "any", "" },
    { "problem", "type:s title:s status:i detail:s" },
};

static void write_ref(struct json_writer *w, const char *schema, size_t len)
{
    char text[80];
    snprintf(text, sizeof text, "#/components/schemas/%.*s", (int)len, schema);
    jw_object(w);
    jw_kstring(w, "$ref", text);
    jw_object_end(w);
}

static void write_type(struct json_writer *w, const char *type, size_t len)
{
    static const char *const names[] = {
        ['s'] = "string", ['i'] = "integer", ['b'] = "boolean", ['t'] = "string"
    };
    if (type[0] == '{') {
        write_ref(w, type + 1, len - 2);
        return;
    }
    jw_object(w);
    if (type[0] == '[') {
        jw_kstring(w, "type", "array");
        jw_key(w, "items");
        write_ref(w, type + 1, len - 2);
    } else {
        jw_kstring(w, "type", names[(unsigned char)type[0]]);
        if (type[0] == 't')
            jw_kstring(w, "format", "date-time");
    }
    jw_object_end(w);
}

static void write_schema(struct json_writer *w, const char *fields)
{
    jw_object(w);
    if (fields[0]) {
        jw_kstring(w, "type", "object");
        jw_key(w, "properties");
        jw_object(w);
        for (const char *at = fields; *at;) {
            char name[40];
            size_t n = strcspn(at, ":"), len = strcspn(at + n + 1, " ");
            snprintf(name, sizeof name, "%.*s", (int)n, at);
            jw_key(w, name);
            write_type(w, at + n + 1, len);
            at += n + 1 + len;
            at += strspn(at, " ");
        }
        jw_object_end(w);
    }
    jw_object_end(w);
}

static void write_components(struct json_writer *w)
{
    jw_key(w, "components");
    jw_object(w);
    jw_key(w, "securitySchemes");
    jw_object(w);
    jw_key(w, "operator");
    jw_object(w);
    jw_kstring(w, "type", "http");
    jw_kstring(w, "scheme", "bearer");
    jw_object_end(w);
    jw_object_end(w);
    jw_key(w, "schemas");
    jw_object(w);
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        jw_key(w, schemas[i].name);
        write_schema(w, schemas[i].fields);
    }
    jw_object_end(w);
    jw_object_end(w);
}

/* ---- one route ---- */

static void write_choices(struct json_writer *w, const char *choices)
{
    jw_key(w, "enum");
    jw_array(w);
    for (const char *at = choices; *at;) {
        size_t len = strcspn(at, "|");
        jw_string_len(w, at, len);
        at += len + (at[len] == '|');
    }
    jw_array_end(w);
}

static void write_param_schema(struct json_writer *w, const struct doc_param *p)
{
    jw_object(w);
    if (p->type == DOC_LABELS) {
        jw_kstring(w, "type", "array");
        jw_kint(w, "minItems", 1);
        jw_kint(w, "maxItems", 8);
        jw_key(w, "items");
        jw_object(w);
        jw_kstring(w, "type", "string");
        jw_kstring(w, "pattern", "^[a-zA-Z_][a-zA-Z0-9_]{0,63}=[^\\u0000]*$");
        jw_kint(w, "maxLength", 100);
        jw_object_end(w);
    } else if (p->type == DOC_NUMBER) {
        jw_kstring(w, "type", "integer");
        jw_kint(w, "minimum", p->least);
        if (p->most < INT64_MAX)
            jw_kint(w, "maximum", p->most);
    } else {
        jw_kstring(w, "type", "string");
        if (p->type == DOC_MOMENT)
            jw_kstring(w, "format", "date-time");
        if (p->choices)
            write_choices(w, p->choices);
    }
    jw_object_end(w);
}

static void write_id(struct json_writer *w)
{
    jw_object(w);
    jw_kstring(w, "name", "id");
    jw_kstring(w, "in", "path");
    jw_kbool(w, "required", true);
    jw_kstring(w, "description", "The incident's id.");
    jw_key(w, "schema");
    jw_object(w);
    jw_kstring(w, "type", "string");
    jw_kstring(w, "pattern", "^[0-9a-z]{1,23}$");
    jw_object_end(w);
    jw_object_end(w);
}

static void write_key_header(struct json_writer *w)
{
    jw_object(w);
    jw_kstring(w, "name", "Idempotency-Key");
    jw_kstring(w, "in", "header");
    jw_kbool(w, "required", false);
    jw_kstring(w, "description",
               "The same key with the same body is answered as before, and nothing is done twice.");
    jw_key(w, "schema");
    jw_object(w);
    jw_kstring(w, "type", "string");
    jw_kint(w, "minLength", 1);
    jw_kint(w, "maxLength", 200);
    jw_object_end(w);
    jw_object_end(w);
}

static void write_params(struct json_writer *w, const struct route *route, const struct route_doc *doc)
{
    jw_key(w, "parameters");
    jw_array(w);
    if (strchr(route->path, '*'))
        write_id(w);
    if (strcmp(route->method, "POST") == 0)
        write_key_header(w);
    for (const struct doc_param *p = doc->query; p && p->name; p++) {
        jw_object(w);
        jw_kstring(w, "name", p->name);
        jw_kstring(w, "in", "query");
        jw_kbool(w, "required", p->required);
        jw_kstring(w, "description", p->help);
        jw_key(w, "schema");
        write_param_schema(w, p);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_body(struct json_writer *w, const struct doc_param *body)
{
    jw_key(w, "requestBody");
    jw_object(w);
    jw_key(w, "content");
    jw_object(w);
    jw_key(w, "application/json");
    jw_object(w);
    jw_key(w, "schema");
    jw_object(w);
    jw_kstring(w, "type", "object");
    jw_kbool(w, "additionalProperties", false);
    jw_key(w, "required");
    jw_array(w);
    for (const struct doc_param *p = body; p->name; p++)
        if (p->required)
            jw_string(w, p->name);
    jw_array_end(w);
    jw_key(w, "properties");
    jw_object(w);
    for (const struct doc_param *p = body; p->name; p++) {
        jw_key(w, p->name);
        jw_object(w);
        jw_kstring(w, "type", "string");
        jw_kstring(w, "description", p->help);
        jw_kint(w, "maxLength", strcmp(p->name, "reason") == 0 ? FACT_TEXT_SIZE / 4 - 1 : 9);
        jw_object_end(w);
    }
    jw_object_end(w);
    jw_object_end(w);
    jw_object_end(w);
    jw_object_end(w);
    jw_object_end(w);
}

static void write_answer(struct json_writer *w, const char *status, const char *what, const char *type,
                         const char *schema)
{
    jw_key(w, status);
    jw_object(w);
    jw_kstring(w, "description", what);
    if (type) {
        jw_key(w, "content");
        jw_object(w);
        jw_key(w, type);
        jw_object(w);
        if (schema) {
            jw_key(w, "schema");
            write_ref(w, schema, strlen(schema));
        }
        jw_object_end(w);
        jw_object_end(w);
    }
    jw_object_end(w);
}

static const char *meaning(const char *status)
{
    static const struct {
        const char *status, *what;
    } list[] = {
        { "400", "The request is not as this document says." },
        { "401", "An operator's token is needed." },
        { "403", "The operator may not do that." },
        { "404", "There is no such incident, rule or plan." },
        { "409", "It does not fit how things are now." },
        { "413", "The body is too large." },
        { "422", "The Idempotency-Key was used with another body." },
        { "503", "Not now: try again." },
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (strcmp(list[i].status, status) == 0)
            return list[i].what;
    return "";
}

static void write_problems(struct json_writer *w, const char *statuses)
{
    for (const char *at = statuses; *at;) {
        char status[4] = "";
        memcpy(status, at, 3);
        write_answer(w, status, meaning(status), "application/problem+json", "problem");
        at += 3;
        at += strspn(at, " ");
    }
}

static void write_answers(struct json_writer *w, const struct route *route, const struct route_doc *doc)
{
    bool post = strcmp(route->method, "POST") == 0, operators = route->scope == SCOPE_OPERATOR;
    const char *type = strcmp(route->path, "/metrics") == 0 ? NULL
                       : doc->answer                        ? "application/json"
                                                            : "text/plain";
    jw_key(w, "responses");
    jw_object(w);
    write_answer(w, "200", doc->summary, type, doc->answer);
    if (!post && doc->answer && strcmp(route->path, "/status") != 0)
        write_answer(w, "304", "It is as the If-None-Match of the request says.", NULL, NULL);
    write_problems(w, "400 413");
    if (operators)
        write_problems(w, "401 403 503");
    if (post)
        write_problems(w, "422");
    write_problems(w, doc->also);
    jw_object_end(w);
}

static void write_operation(struct json_writer *w, const struct route *route, const struct route_doc *doc)
{
    char method[8] = "";
    for (size_t i = 0; route->method[i] && i + 1 < sizeof method; i++)
        method[i] = (char)(route->method[i] | 0x20);
    jw_key(w, method);
    jw_object(w);
    jw_kstring(w, "summary", doc->summary);
    write_params(w, route, doc);
    if (doc->body)
        write_body(w, doc->body);
    write_answers(w, route, doc);
    if (route->scope == SCOPE_OPERATOR) {
        jw_key(w, "security");
        jw_array(w);
        jw_object(w);
        jw_key(w, "operator");
        jw_array(w);
        jw_array_end(w);
        jw_object_end(w);
        jw_array_end(w);
    }
    jw_object_end(w);
}

/* Each path has one method. */
void openapi_write(struct json_writer *w)
{
    jw_object(w);
    jw_kstring(w, "openapi", "3.1.0");
    jw_key(w, "info");
    jw_object(w);
    jw_kstring(w, "title", "heald");
    jw_kstring(w, "version", HEALD_VERSION);
    jw_object_end(w);
    jw_key(w, "paths");
    jw_object(w);
    for (const struct route *route = routes; route->path; route++) {
        const struct route_doc *doc = route_doc(route);
        CLEANUP(buf_release) struct buf path = BUF_INIT;
        size_t before = strcspn(route->path, "*");
        if (!doc || route->scope == SCOPE_PAGE)
            continue;
        buf_addf(&path, "%.*s%s%s", (int)before, route->path, route->path[before] ? "{id}" : "",
                 route->path[before] ? route->path + before + 1 : "");
        jw_key(w, buf_text(&path));
        jw_object(w);
        write_operation(w, route, doc);
        jw_object_end(w);
    }
    jw_object_end(w);
    write_components(w);
    jw_object_end(w);
}

static void carry(struct http_lane *lane, struct request *r)
{
    jw_reset(lane->writer);
    openapi_write(lane->writer);
    const char *text = jw_text(lane->writer, NULL);
    if (text)
        buf_addf(&r->result, "%s\n", text);
    else
        refuse(r, 503, "no memory for the answer");
}

enum MHD_Result api_openapi(struct request *r)
{
    return lane_answer(r, LANE_READS, carry);
}
