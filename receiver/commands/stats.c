/* heald stats: success and times to repair, with small bars. */
#include <stdio.h>
#include <string.h>

#include "receiver/commands/client.h"
#include "receiver/commands/commands.h"
#include "rules/base/timetext.h"

#define BAR 20

static int64_t number(const struct json *j, const char *key, int64_t none)
{
    return json_int(json_get(j, key), none);
}

static void print_took(const struct json *row, const char *key)
{
    char took[DURATION_TEXT_SIZE];
    int64_t seconds = number(row, key, -1);
    printf(" %9s", seconds < 0 ? "-" : duration_format(took, seconds * 1000));
}

static void print_row(const struct json *row)
{
    int64_t success = number(row, "success_percent", -1);
    printf("  %-28s %6lld ", json_string(json_get(row, "name"), "-"), (long long)number(row, "incidents", 0));
    for (int i = 0; i < BAR; i++)
        fputs(success < 0 ? " " : i < success * BAR / 100 ? "\u2588" : "\u2591", stdout);
    if (success < 0)
        printf("     -");
    else
        printf(" %4lld%%", (long long)success);
    print_took(row, "repair_seconds_median");
    print_took(row, "repair_seconds_p90");
    putchar('\n');
}

static void print_group(const struct json *root, const char *key, const char *title)
{
    const struct json *list = json_get(root, key);
    if (!json_len(list))
        return;
    printf("%s\n  %-28s %6s %-*s %5s %9s %9s\n", title, "", "all", BAR, "success", "", "median", "p90");
    for (const struct json *row = json_first(list); row; row = json_next(row))
        print_row(row);
}

static void print_actions(const struct json *list)
{
    if (json_len(list))
        printf("by action\n  %-28s %6s %6s %9s %7s %6s\n", "", "writes", "fixed", "not fixed", "unknown",
               "failed");
    for (const struct json *row = json_first(list); row; row = json_next(row))
        printf("  %-28s %6lld %6lld %9lld %7lld %6lld\n", json_string(json_get(row, "name"), ""),
               (long long)number(row, "writes", 0), (long long)number(row, "fixed", 0),
               (long long)number(row, "not_fixed", 0), (long long)number(row, "unknown", 0),
               (long long)number(row, "failed", 0));
}

static void print_guards(const struct json *list)
{
    if (json_len(list))
        puts("refusals by guard");
    for (const struct json *row = json_first(list); row; row = json_next(row))
        printf("  %-28s %6lld\n", json_string(json_get(row, "name"), ""),
               (long long)number(row, "refusals", 0));
}

int command_stats(int argc, char **argv)
{
    struct client_options o;
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(buf_release) struct buf path = BUF_INIT;
    CLEANUP(buf_release) struct buf body = BUF_INIT;
    int status = client_parse_word(argc, argv, NULL, "since", &o);
    if (status != EXIT_YES)
        return status;
    client_path(&path, "/api/v1/stats", "since", o.since, NULL);
    status = client_send("stats", &o, "GET", buf_text(&path), NULL, &doc, &body);
    if (status != EXIT_YES)
        return status;
    if (o.json || !doc) {
        fputs(buf_text(&body), stdout);
        return EXIT_YES;
    }
    const struct json *root = json_root(doc);
    if (!json_len(json_get(root, "all")))
        puts("there was no incident yet");
    print_group(root, "rules", "by rule");
    print_group(root, "causes", "by cause");
    print_group(root, "environments", "by environment");
    print_group(root, "weeks", "by week");
    print_actions(json_get(root, "actions"));
    print_guards(json_get(root, "guards"));
    return EXIT_YES;
}
