/* heald status: what is going on, for people or as JSON. */
#include <stdio.h>

#include "receiver/commands/client.h"
#include "receiver/commands/commands.h"

static const char *text(const struct json *j, const char *key)
{
    return json_string(json_get(j, key), "");
}

static void print_incident(const struct json *i)
{
    const char *outcome = json_string(json_get(i, "outcome"), text(i, "state"));
    printf("  %s  %-10s %s  (rule %s)%s%s\n", text(i, "id"), outcome, text(i, "target"), text(i, "rule"),
           text(i, "reason")[0] ? "\n      " : "", text(i, "reason"));
}

static void print_list(const struct json *root, const char *key, const char *title)
{
    const struct json *list = json_get(root, key);
    if (json_len(list))
        printf("%s\n", title);
    for (const struct json *i = json_first(list); i; i = json_next(i))
        print_incident(i);
}

static void print_status(const struct json *s)
{
    printf("heald %s, since %s, policy %.12s\n", text(s, "version"), text(s, "started"), text(s, "policy"));
    if (json_bool(json_get(s, "paused"), false))
        printf("PAUSED by %s: %s; \"heald resume\" lets it act\n", text(s, "paused_by"),
               text(s, "paused_reason"));
    if (text(s, "policy_error")[0])
        printf("POLICY FILE REFUSED, the one before stays in force: %s\n", text(s, "policy_error"));
    for (const struct json *c = json_first(json_get(s, "clusters")); c; c = json_next(c))
        printf("cluster %s: %s, %lld workloads, %lld pods\n", text(c, "name"),
               json_bool(json_get(c, "synced"), false) ? "watched" : "NOT WATCHED",
               (long long)json_int(json_get(c, "workloads"), 0), (long long)json_int(json_get(c, "pods"), 0));
    printf("%lld workloads proven well, %lld facts, %lld annotations to deliver\n",
           (long long)json_int(json_get(s, "workloads_proven"), 0),
           (long long)json_int(json_get(s, "facts"), 0), (long long)json_int(json_get(s, "outbox"), 0));
    print_list(s, "open", "open incidents:");
    print_list(s, "recent", "closed lately:");
}

int command_status(int argc, char **argv)
{
    struct client_options o;
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(buf_release) struct buf body = BUF_INIT;
    int status = client_parse(argc, argv, false, &o);
    if (status == EXIT_YES)
        status = client_send("status", &o, "GET", "/status", NULL, &doc, &body);
    if (status != EXIT_YES)
        return status;
    if (o.json || !doc)
        puts(buf_text(&body));
    else
        print_status(json_root(doc));
    return EXIT_YES;
}
