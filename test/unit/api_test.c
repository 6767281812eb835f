/* test/unit/api_test.c - what operators can read, over real sockets from a real journal. */
#include <criterion/criterion.h>

#include "receiver/http/http_internal.h"
#include "rules/base/json.h"
#include "test/kit/listener.h"

#define OPERATORS                                                                                            \
    "operators = ( { name = \"ann\"; token_file = \"reader.token\"; roles = [ \"read\", \"act\", "           \
    "\"approve\" ]; },"                                                                                      \
    " { name = \"team\"; token_file = \"actor.token\"; roles = [ \"read\", \"act\", \"approve\" ];"          \
    " namespaces = [ \"shop\" ]; } );\n"
#define AS_ANN AS_READER
#define AS_TEAM AS_ACTOR

struct world {
    struct listener w;
    struct journal *journal;
};

static void say(struct world *x, const char *kind, const char *incident, const char *text)
{
    struct err e = ERR_INIT;
    int64_t last = journal_last_seq(x->journal);
    struct journal_row row = { .seq = last + 1,
                               .at_ms = 1790000000000 + last * 1000,
                               .kind = kind,
                               .incident = incident,
                               .text = text,
                               .len = strlen(text) };
    cr_assert_eq(journal_append(x->journal, 1, last, &row, 1, &e), APPEND_OK, "%s", e.msg);
}

static void incident(struct world *x, const char *id, const char *rule, const char *namespace,
                     const char *outcome)
{
    char text[400];
    say(x, "alert", id,
        "{\"v\":1,\"source\":\"am\",\"starts_ms\":1790000000000,\"disposition\":\"opened\",\"status\":"
        "\"firing\","
        "\"labels\":{\"alertname\":\"X\"},\"annotations\":{}}");
    snprintf(text, sizeof text, "{\"v\":1,\"rule\":\"%s\",\"source\":\"am\",\"plan\":{\"name\":\"p\"}}",
             rule);
    say(x, "incident_opened", id, text);
    snprintf(text, sizeof text,
             "{\"v\":1,\"cluster\":\"c\",\"namespace\":\"%s\",\"kind\":\"Deployment\",\"name\":\"web\","
             "\"environment\":\"prod\",\"mode\":\"act\",\"evidence\":{\"cause\":\"crash\"}}",
             namespace);
    say(x, "resolved", id, text);
    say(x, "refused", id,
        "{\"v\":1,\"step\":\"steps.0\",\"guard\":\"cooldown\",\"reason\":\"3 min "
        "left\",\"scope\":\"later\"}");
    if (strcmp(outcome, "open") == 0)
        return;
    snprintf(text, sizeof text, "{\"v\":1,\"outcome\":\"%s\",\"reason\":\"so\"}", outcome);
    say(x, "closed", id, text);
}

static struct world make(void)
{
    struct world x = { .w = listener_folder() };
    struct err e = ERR_INIT;
    char file[400];
    snprintf(file, sizeof file, "%s/journal.db", x.w.dir.path);
    cr_assert_eq(journal_open(&x.journal, file, NULL, &e), ERR_OK, "%s", e.msg);
    incident(&x, "0a", "crash", "shop", "healed");
    incident(&x, "0b", "crash", "bank", "not_healed");
    incident(&x, "0c", "memory", "shop", "open");
    listener_start(&x.w, LISTENER_SOURCE OPERATORS);
    return x;
}

static void end(struct world *x)
{
    listener_end(&x->w);
    journal_close(x->journal);
}

static struct reply ask(struct world *x, const char *path, const char *extra)
{
    int fd = client_connect(x->w.port);
    struct reply r = client_ask(fd, "GET", path, extra, NULL, 0);
    close(fd);
    return r;
}

static struct json_doc *get(struct world *x, const char *path, const char *extra)
{
    struct json_doc *doc = NULL;
    struct err e = ERR_INIT;
    CLEANUP(reply_release) struct reply r = ask(x, path, extra);
    cr_assert_eq(r.status, 200, "%s: %d %s", path, r.status, buf_text(&r.body));
    cr_assert_eq(json_parse(&doc, buf_text(&r.body), r.body.len, &e), ERR_OK, "%s: %s", path, e.msg);
    return doc;
}

/* The ids of a list, one after the other. */
static void expect_ids(struct world *x, const char *path, const char *extra, const char *wanted)
{
    CLEANUP(json_freep) struct json_doc *doc = get(x, path, extra);
    CLEANUP(buf_release) struct buf ids = BUF_INIT;
    for (const struct json *i = json_first(json_get(json_root(doc), "incidents")); i; i = json_next(i))
        buf_addf(&ids, "%s ", json_string(json_get(i, "id"), "?"));
    cr_assert_str_eq(buf_text(&ids), wanted, "%s", path);
}

Test(api, incidents_are_listed_newest_first_by_filter)
{
    struct world x = make();
    expect_ids(&x, "/api/v1/incidents", AS_ANN, "0c 0b 0a ");
    expect_ids(&x, "/api/v1/incidents?rule=crash", AS_ANN, "0b 0a ");
    expect_ids(&x, "/api/v1/incidents?outcome=open", AS_ANN, "0c ");
    expect_ids(&x, "/api/v1/incidents?namespace=bank&rule=crash", AS_ANN, "0b ");
    expect_ids(&x, "/api/v1/incidents?rule=nothing", AS_ANN, "");
    expect_ids(&x, "/api/v1/incidents?state=waiting&cause=crash&kind=Deployment&name=web", AS_ANN, "0c ");
    expect_ids(&x, "/api/v1/incidents?since=2000-01-01T00:00:00Z&until=2001-01-01T00:00:00Z", AS_ANN, "");
    end(&x);
}

Test(api, a_cursor_goes_through_all_and_ends)
{
    struct world x = make();
    char path[100] = "/api/v1/incidents?limit=1";
    CLEANUP(buf_release) struct buf ids = BUF_INIT;
    int64_t next = 1;
    for (int i = 0; next && i < 9; i++) {
        CLEANUP(json_freep) struct json_doc *doc = get(&x, path, AS_ANN);
        const struct json *one = json_first(json_get(json_root(doc), "incidents"));
        buf_adds(&ids, one ? json_string(json_get(one, "id"), "?") : ".");
        next = json_int(json_get(json_root(doc), "next"), 0);
        snprintf(path, sizeof path, "/api/v1/incidents?limit=1&cursor=%lld", (long long)next);
    }
    cr_assert_str_eq(buf_text(&ids), "0c0b0a.");
    end(&x);
}

Test(api, what_a_query_may_not_say_is_refused)
{
    struct world x = make();
    static const char *const queries[] = {
        "/api/v1/incidents?what=1",
        "/api/v1/incidents?limit=0",
        "/api/v1/incidents?limit=501",
        "/api/v1/incidents?limit=1x",
        "/api/v1/incidents?outcome=well",
        "/api/v1/incidents?since=yesterday",
        "/api/v1/incidents?rule=a&rule=b",
        "/api/v1/incidents?rule=%ff",
        "/api/v1/incidents?cursor=-1",
        "/api/v1/explain",
        "/api/v1/explain?label=alertname",
        "/api/v1/explain?label=%3Dx",
        "/api/v1/explain?label=a%3Db&source=nobody",
        "/api/v1/stats?since=",
        "/status?x=1",
    };
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        cr_assert_eq(ask_status(x.w.port, "GET", queries[i], AS_ANN, NULL), 400, "%s", queries[i]);
    end(&x);
}

Test(api, one_incident_is_told_whole)
{
    struct world x = make();
    CLEANUP(json_freep) struct json_doc *doc = get(&x, "/api/v1/incidents/0a", AS_ANN);
    const struct json *root = json_root(doc);
    cr_assert_str_eq(json_string(json_path(root, "incident.outcome"), ""), "healed");
    cr_assert_str_eq(json_string(json_path(root, "incident.evidence.cause"), ""), "crash");
    cr_assert_eq(json_len(json_get(root, "alerts")), 1);
    cr_assert_str_eq(json_string(json_path(json_first(json_get(root, "alerts")), "labels.alertname"), ""),
                     "X");
    cr_assert_str_eq(json_string(json_get(json_first(json_get(root, "decisions")), "reason"), ""),
                     "3 min left");
    cr_assert_eq(json_len(json_get(root, "history")), 5);
    cr_assert_eq(json_int(json_get(root, "facts"), 0), 5);
    cr_assert_eq(ask_status(x.w.port, "GET", "/api/v1/incidents/0zzz", AS_ANN, NULL), 404);
    end(&x);
}

Test(api, an_unchanged_answer_is_not_sent_again)
{
    struct world x = make();
    char extra[300];
    CLEANUP(reply_release) struct reply first = ask(&x, "/api/v1/incidents", AS_ANN);
    snprintf(extra, sizeof extra, "%sIf-None-Match: %s\r\n", AS_ANN, reply_header(&first, "ETag"));
    CLEANUP(reply_release) struct reply same = ask(&x, "/api/v1/incidents", extra);
    cr_assert_eq(same.status, 304);
    say(&x, "closed", "0c", "{\"v\":1,\"outcome\":\"healed\",\"reason\":\"so\"}");
    CLEANUP(reply_release) struct reply other = ask(&x, "/api/v1/incidents", extra);
    cr_assert_eq(other.status, 200);
    end(&x);
}

Test(api, a_team_sees_its_namespaces_alone)
{
    struct world x = make();
    expect_ids(&x, "/api/v1/incidents", AS_TEAM, "0c 0a ");
    cr_assert_eq(ask_status(x.w.port, "GET", "/api/v1/incidents/0b", AS_TEAM, NULL), 404);
    cr_assert_eq(ask_status(x.w.port, "GET", "/api/v1/incidents/0a", AS_TEAM, NULL), 200);
    cr_assert_eq(ask_status(x.w.port, "GET", "/status", AS_TEAM, NULL), 403);
    CLEANUP(json_freep) struct json_doc *events = get(&x, "/events?limit=100", AS_TEAM);
    for (const struct json *f = json_first(json_get(json_root(events), "events")); f; f = json_next(f))
        cr_assert_str_neq(json_string(json_get(f, "incident"), ""), "0b");
    CLEANUP(json_freep) struct json_doc *stats = get(&x, "/api/v1/stats", AS_TEAM);
    cr_assert_eq(json_int(json_get(json_first(json_get(json_root(stats), "all")), "incidents"), 0), 2);
    end(&x);
}

Test(api, a_team_speaks_for_its_namespaces_alone)
{
    struct world x = make();
    static const char why[] = "{\"reason\":\"so\"}", there[] = "{\"reason\":\"so\",\"namespace\":\"bank\"}",
                      here[] = "{\"reason\":\"so\",\"namespace\":\"shop\"}";
    cr_assert_eq(ask_status(x.w.port, "POST", "/api/v1/incidents/0b/cancel", AS_TEAM, why), 404);
    cr_assert_eq(ask_status(x.w.port, "POST", "/api/v1/incidents/0c/cancel", AS_TEAM, why), 200);
    cr_assert_eq(ask_status(x.w.port, "POST", "/api/v1/pause", AS_TEAM, why), 403);
    cr_assert_eq(ask_status(x.w.port, "POST", "/api/v1/pause", AS_TEAM, there), 403);
    cr_assert_eq(ask_status(x.w.port, "POST", "/api/v1/pause", AS_TEAM, here), 200);
    cr_assert_eq(ask_status(x.w.port, "POST", "/api/v1/heal", AS_TEAM,
                            "{\"plan\":\"p\",\"namespace\":\"bank\",\"kind\":\"Deployment\",\"name\":\"x\"}"),
                 403);
    end(&x);
}

Test(api, stats_count_outcomes_and_refusals)
{
    struct world x = make();
    CLEANUP(json_freep) struct json_doc *doc = get(&x, "/api/v1/stats", AS_ANN);
    const struct json *root = json_root(doc), *crash = json_first(json_get(root, "rules"));
    cr_assert_str_eq(json_string(json_get(crash, "name"), ""), "crash");
    cr_assert_eq(json_int(json_get(crash, "incidents"), 0), 2);
    cr_assert_eq(json_int(json_get(crash, "healed"), 0), 1);
    cr_assert_eq(json_int(json_get(crash, "success_percent"), 0), 50);
    cr_assert_eq(json_int(json_get(json_first(json_get(root, "guards")), "refusals"), 0), 3);
    end(&x);
}

Test(api, the_same_key_is_answered_again_and_nothing_is_done_twice)
{
    struct world x = make();
    static const char key[] = AS_ANN "Idempotency-Key: k1\r\n", body[] = "{\"reason\":\"so\"}";
    cr_assert_eq(ask_status(x.w.port, "POST", "/api/v1/pause", key, body), 200);
    cr_assert_eq(ask_status(x.w.port, "POST", "/api/v1/pause", key, body), 200);
    cr_assert_eq(double_pauses(x.w.loop), 1);
    cr_assert_eq(ask_status(x.w.port, "POST", "/api/v1/pause", key, "{\"reason\":\"other\"}"), 422);
    cr_assert_eq(ask_status(x.w.port, "POST", "/api/v1/pause", AS_ANN "Idempotency-Key: k2\r\n", body), 200);
    cr_assert_eq(double_pauses(x.w.loop), 2);
    cr_assert_eq(ask_status(x.w.port, "POST", "/api/v1/pause", AS_ANN "Idempotency-Key: \r\n", body), 400);
    end(&x);
}

Test(api, every_route_of_operators_is_documented)
{
    struct json_writer *w = NULL;
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    cr_assert_eq(json_writer_new(&w, NULL), ERR_OK);
    openapi_write(w);
    const char *text = jw_text(w, NULL);
    cr_assert_eq(json_parse(&doc, text, strlen(text), NULL), ERR_OK);
    for (const struct route *r = routes; r->path; r++)
        if (r->scope == SCOPE_OPERATOR && (strncmp(r->path, "/api/", 5) == 0 || r->role == ROLE_ADMIN))
            cr_assert_not_null(route_doc(r), "%s %s", r->method, r->path);
    cr_assert_not_null(json_get(json_get(json_root(doc), "paths"), "/api/v1/incidents/{id}/approve"));
    json_writer_free(w);
}

/* ---- events as they happen ---- */

/* Until `wanted` has come. */
static bool hear(int fd, struct buf *heard, const char *wanted)
{
    char block[4096];
    while (!strstr(buf_text(heard), wanted)) {
        ssize_t n = recv(fd, block, sizeof block, 0);
        if (n <= 0)
            return false;
        buf_add(heard, block, (size_t)n);
    }
    return true;
}

static int listen_to(struct world *x, const char *path, const char *extra)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    int fd = client_connect(x->w.port);
    buf_addf(&text, "GET %s HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n%s\r\n", path, extra);
    cr_assert(client_send_bytes(fd, text.ptr, text.len));
    return fd;
}

Test(api, events_are_told_as_they_are_committed, .timeout = 60)
{
    struct world x = make();
    CLEANUP(buf_release) struct buf heard = BUF_INIT;
    int fd = listen_to(&x, "/events?kind=closed", AS_ANN "Last-Event-ID: 14\r\n");
    cr_assert(hear(fd, &heard, "retry:"));
    say(&x, "refused", "0c", "{\"v\":1,\"reason\":\"unwanted\"}");
    say(&x, "closed", "0c", "{\"v\":1,\"outcome\":\"healed\",\"reason\":\"so it is\"}");
    cr_assert(hear(fd, &heard, "so it is"), "%s", buf_text(&heard));
    cr_assert_null(strstr(buf_text(&heard), "unwanted"));
    cr_assert_not_null(strstr(buf_text(&heard), "id: 16\n"));
    close(fd);
    end(&x);
}

Test(api, a_listener_goes_on_where_it_left_off, .timeout = 60)
{
    struct world x = make();
    CLEANUP(buf_release) struct buf heard = BUF_INIT;
    int fd = listen_to(&x, "/events", AS_ANN "Last-Event-ID: 4\r\n");
    cr_assert(hear(fd, &heard, "id: 14\n"), "%s", buf_text(&heard));
    cr_assert_not_null(strstr(buf_text(&heard), "id: 5\n"));
    cr_assert_null(strstr(buf_text(&heard), "id: 4\n"));
    close(fd);
    end(&x);
}

Test(api, too_many_listeners_are_refused_and_all_end_with_heald, .timeout = 60)
{
    struct world x = make();
    int fds[32];
    for (size_t i = 0; i < 32; i++) {
        CLEANUP(buf_release) struct buf heard = BUF_INIT;
        fds[i] = listen_to(&x, "/events", AS_ANN);
        cr_assert(hear(fds[i], &heard, "retry:"));
    }
    cr_assert_eq(ask_status(x.w.port, "GET", "/events", AS_ANN "Accept: text/event-stream\r\n", NULL), 503);
    end(&x); /* must not hang */
    for (size_t i = 0; i < 32; i++)
        close(fds[i]);
}
