/* heald incidents, heald incident: the list, and one told as a story. */
#include <stdio.h>
#include <string.h>

#include "receiver/commands/client.h"
#include "receiver/commands/commands.h"
#include "receiver/runtime/story.h"

static const char *text(const struct json *j, const char *key)
{
    return json_string(json_get(j, key), "");
}

static void print_row(const struct json *i)
{
    CLEANUP(buf_release) struct buf target = BUF_INIT;
    story_target(&target, i);
    printf("%-20s %.16s  %-26s %-32s %s\n", text(i, "id"), text(i, "opened"), story_state(i),
           buf_text(&target), text(i, "rule"));
    if (text(i, "reason")[0])
        printf("%38s%s%s%s\n", "", text(i, "guard"), text(i, "guard")[0] ? ": " : "", text(i, "reason"));
}

int command_incidents(int argc, char **argv)
{
    struct client_options o;
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    CLEANUP(buf_release) struct buf body = BUF_INIT;
    int status = client_parse_word(argc, argv, NULL,
                                   "outcome state rule environment namespace cluster limit since", &o);
    if (status != EXIT_YES)
        return status;
    client_path(&path, "/api/v1/incidents", "outcome", o.outcome, "state", o.state, "rule", o.rule,
                "environment", o.environment, "namespace", o.namespace, "cluster", o.cluster, "limit",
                o.limit, "since", o.since, NULL);
    status = client_send("incidents", &o, "GET", buf_text(&path), NULL, &doc, &body);
    if (status != EXIT_YES)
        return status;
    const struct json *list = json_get(json_root(doc), "incidents");
    if (o.json || !doc) {
        fputs(buf_text(&body), stdout);
        return EXIT_YES;
    }
    if (!json_len(list))
        puts("there is none");
    for (const struct json *i = json_first(list); i; i = json_next(i))
        print_row(i);
    if (json_get(json_root(doc), "next"))
        puts("there are more: --limit shows up to 500 at once");
    return EXIT_YES;
}

/* ---- one ---- */

static void print_map(const char *before, const struct json *m)
{
    for (const struct json *x = json_first(m); x; x = json_next(x))
        printf("%s%s=\"%s\"", x == json_first(m) ? before : " ", json_name(x), json_string(x, ""));
    if (json_len(m))
        putchar('\n');
}

static void print_head(const struct json *i)
{
    CLEANUP(buf_release) struct buf target = BUF_INIT;
    story_target(&target, i);
    printf("incident %s: %s\n", text(i, "id"), story_state(i));
    if (target.len)
        printf("  %s in cluster %s, environment %s, mode %s\n", buf_text(&target), text(i, "cluster"),
               text(i, "environment")[0] ? text(i, "environment") : "none", text(i, "mode"));
    printf("  rule %s, plan %s; %lld alerts, %lld writes, %lld refusals\n", text(i, "rule"), text(i, "plan"),
           (long long)json_int(json_get(i, "alerts"), 0), (long long)json_int(json_get(i, "writes"), 0),
           (long long)json_int(json_get(i, "refusals"), 0));
    if (text(i, "reason")[0])
        printf("  %s\n", text(i, "reason"));
    if (text(i, "asks")[0])
        printf(
            "\nit waits for a yes until %s: %s\n  heald approve %s --hash %s\n  heald deny %s --reason ...\n",
            text(i, "asks_until"), text(i, "asks"), text(i, "id"), text(i, "asks_hash"), text(i, "id"));
}

static void print_evidence(const struct json *e)
{
    if (!json_len(e))
        return;
    puts("\nwhat was seen first");
    for (const struct json *m = json_first(e); m; m = json_next(m)) {
        if (json_type(m) == JSON_NUMBER)
            printf("  %s: %lld\n", json_name(m), (long long)json_int(m, 0));
        else if (json_string(m, "")[0])
            printf("  %s: %s\n", json_name(m), json_string(m, ""));
    }
}

static void print_story(const struct json *history)
{
    puts("\nwhat happened");
    for (const struct json *f = json_first(history); f; f = json_next(f)) {
        CLEANUP(buf_release) struct buf line = BUF_INIT;
        story_tell(&line, text(f, "kind"), json_get(f, "body"));
        if (!line.len)
            continue;
        printf("  %.19s  %s\n", text(f, "at"), buf_text(&line));
        if (strcmp(text(f, "kind"), "alert") == 0)
            print_map("                         ", json_path(f, "body.labels"));
    }
}

int command_incident(int argc, char **argv)
{
    struct client_options o;
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    CLEANUP(buf_release) struct buf body = BUF_INIT;
    int status = client_parse_word(argc, argv, "incident by its id", "", &o);
    if (status == EXIT_YES && !client_is_id(o.word))
        status = usage_error(argv[0], "an incident's id has small letters and digits only");
    if (status != EXIT_YES)
        return status;
    buf_addf(&path, "/api/v1/incidents/%s", o.word);
    status = client_send("incident", &o, "GET", buf_text(&path), NULL, &doc, &body);
    if (status != EXIT_YES)
        return status;
    if (o.json || !doc) {
        fputs(buf_text(&body), stdout);
        return EXIT_YES;
    }
    const struct json *root = json_root(doc);
    print_head(json_get(root, "incident"));
    print_evidence(json_path(root, "incident.evidence"));
    print_story(json_get(root, "history"));
    return EXIT_YES;
}
