/* heald monitor: what happens, line by line, as it happens. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "receiver/commands/client.h"
#include "receiver/commands/commands.h"
#include "receiver/runtime/story.h"
#include "rules/base/timetext.h"

#define LOOK_MS 1000
#define FIRST_SHOWN 10 /* facts from before */
#define LOOK_SHOWN 500 /* facts of one look: what comes faster is left out, and said so */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void print_fact(const struct json *f)
{
    CLEANUP(buf_release) struct buf line = BUF_INIT;
    const char *incident = json_string(json_get(f, "incident"), "");
    story_tell(&line, json_string(json_get(f, "kind"), ""), json_get(f, "body"));
    if (line.len)
        printf("%.19s  %-18s %s\n", json_string(json_get(f, "at"), ""), incident, buf_text(&line));
}

/* The list is newest first. */
static void print_from_end(const struct json *f, int64_t after)
{
    if (!f || json_int(json_get(f, "seq"), 0) <= after)
        return;
    const struct json *newest_first[LOOK_SHOWN];
    size_t len = 0;
    for (; f && len < LOOK_SHOWN && json_int(json_get(f, "seq"), 0) > after; f = json_next(f))
        newest_first[len++] = f;
    if (len == LOOK_SHOWN)
        printf("... more than %d facts a second: some are left out\n", LOOK_SHOWN);
    while (len > 0)
        print_fact(newest_first[--len]);
    fflush(stdout);
}

static int look(const struct client_options *o, int64_t *after)
{
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    CLEANUP(buf_release) struct buf body = BUF_INIT;
    buf_addf(&path, "/events?limit=%d", *after ? LOOK_SHOWN : FIRST_SHOWN);
    int status = client_send("monitor", o, "GET", buf_text(&path), NULL, &doc, &body);
    const struct json *list = json_get(json_root(doc), "events"), *newest = json_first(list);
    if (status != EXIT_YES || !newest)
        return status;
    if (o->json && json_int(json_get(newest, "seq"), 0) > *after)
        fputs(buf_text(&body), stdout);
    else if (!o->json)
        print_from_end(newest, *after);
    *after = json_int(json_get(newest, "seq"), *after);
    return EXIT_YES;
}

int command_monitor(int argc, char **argv)
{
    struct client_options o;
    struct err e = ERR_INIT;
    int64_t for_ms = 0, after = 0;
    int status = client_parse_word(argc, argv, NULL, "for", &o);
    if (status == EXIT_YES && o.duration && duration_parse(&for_ms, o.duration, &e) != ERR_OK)
        return usage_error("monitor", "--for takes a time like 10m");
    int64_t until = now_ms() + for_ms;
    while (status == EXIT_YES) {
        status = look(&o, &after);
        if (o.duration && now_ms() >= until)
            break;
        nanosleep(&(struct timespec){ .tv_sec = LOOK_MS / 1000 }, NULL);
    }
    return status;
}
