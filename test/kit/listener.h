/* test/kit/listener.h - a listener on a free port of loopback, over the loop's double, configured by a real
 * heald.cfg. */
#ifndef TEST_KIT_LISTENER_H
#define TEST_KIT_LISTENER_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

#include "receiver/http/server.h"
#include "test/kit/http_client.h"
#include "test/kit/loop_double.h"
#include "test/kit/tempdir.h"

struct listener {
    struct tempdir dir;
    struct settings *settings;
    struct loop *loop;
    struct metrics *metrics;
    struct server *server;
    int port;
};

static inline void listener_write(struct listener *w, const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", w->dir.path, name);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f, "%s", path);
    fputs(text, f);
    fclose(f);
}

/* Token files that configurations may name: am.token "am-secret", am.password "pass word", reader.token
 * "reader-secret", actor.token "actor-secret". */
static inline struct listener listener_folder(void)
{
    struct listener w = { .dir = tempdir_make() };
    listener_write(&w, "am.token", "am-secret\n");
    listener_write(&w, "am.password", "pass word\n");
    listener_write(&w, "reader.token", "reader-secret\n");
    listener_write(&w, "actor.token", "actor-secret");
    return w;
}

static inline void listener_start(struct listener *w, const char *config)
{
    struct buf text = BUF_INIT, errors = BUF_INIT;
    struct err e = ERR_INIT;
    char file[400];
    snprintf(file, sizeof file, "%s/heald.cfg", w->dir.path);
    buf_addf(&text, "listen = \"127.0.0.1:0\";\n%s", config);
    listener_write(w, "heald.cfg", buf_text(&text));
    cr_assert_eq(settings_load(&w->settings, file, &errors, &e), ERR_OK, "%s", buf_text(&errors));
    cr_assert_eq(settings_check(w->settings, &errors, &e), ERR_OK, "%s", buf_text(&errors));
    w->loop = double_new();
    w->metrics = metrics_new();
    cr_assert_eq(server_new(&w->server, w->settings, w->loop, w->metrics, &e), ERR_OK, "%s", e.msg);
    w->port = server_port(w->server);
    buf_release(&text);
    buf_release(&errors);
}

#define LISTENER_SOURCE                                                                                      \
    "sources = ( { name = \"am\"; token_file = \"am.token\"; force = { cluster = \"local\"; }; } );\n"
#define LISTENER_OPERATORS                                                                                   \
    "operators = ( { name = \"ann\"; token_file = \"reader.token\"; roles = [ \"read\" ]; },"                \
    " { name = \"oncall\"; token_file = \"actor.token\"; roles = [ \"read\", \"act\", \"admin\" ]; } );\n"

static inline struct listener listener_make(const char *config)
{
    struct listener w = listener_folder();
    listener_start(&w, config);
    return w;
}

static inline void listener_end(struct listener *w)
{
    if (w->loop)
        double_mode(w->loop, DOUBLE_COMMITS); /* drained, as serve does it: nothing stays suspended */
    for (int i = 0; w->loop && double_held(w->loop) && i < 1000; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    server_free(w->server);
    if (w->loop)
        double_free(w->loop);
    metrics_free(w->metrics);
    settings_free(w->settings);
    tempdir_end(&w->dir);
}

/* Wait until it holds; false after 20 s. */
#define EVENTUALLY(condition)                                                                                \
    __extension__({                                                                                          \
        bool held_ = false;                                                                                  \
        for (int i_ = 0; i_ < 4000 && !(held_ = (condition)); i_++)                                          \
            nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);                                       \
        held_;                                                                                               \
    })

#define ALERT_TEXT(name)                                                                                     \
    "{\"status\":\"firing\",\"labels\":{\"alertname\":\"" name "\"},\"startsAt\":\"2026-08-20T09:15:00Z\"}"
#define DELIVERY "{\"version\":\"4\",\"alerts\":[" ALERT_TEXT("X") "]}"
#define JSON_TYPE "Content-Type: application/json\r\n"
#define AS_SOURCE "Authorization: Bearer am-secret\r\n" JSON_TYPE
#define AS_READER "Authorization: Bearer reader-secret\r\n"
#define AS_ACTOR "Authorization: Bearer actor-secret\r\n"

/* Deliver on a kept-alive connection. */
static inline struct reply deliver(int fd, const char *extra, const char *body)
{
    return client_ask(fd, "POST", "/webhook/alertmanager", extra, body, strlen(body));
}

/* Status of one request on a connection of its own; the answer's problem must be one. */
static inline int ask_status(int port, const char *method, const char *path, const char *extra,
                             const char *body)
{
    int fd = client_connect(port);
    struct reply r = client_ask(fd, method, path, extra, body, body ? strlen(body) : 0);
    if (r.status >= 400 && strcmp(method, "HEAD") != 0) {
        cr_assert_str_eq(reply_header(&r, "Content-Type"), "application/problem+json");
        cr_assert_not_null(strstr(buf_text(&r.body), "\"status\":"), "%s", buf_text(&r.body));
    }
    reply_release(&r);
    close(fd);
    return r.status;
}

#endif
