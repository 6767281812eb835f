/* heald approve, deny, cancel, retry: a person's word on an incident. */
#include <stdio.h>

#include "receiver/commands/client.h"
#include "receiver/commands/commands.h"

static int say(int argc, char **argv, bool answer, bool why, const char *done)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    struct client_options o;
    char path[96];
    int status = client_parse_word(argc, argv, "incident by its id", answer ? "reason hash" : "reason", &o);
    if (status == EXIT_YES && !client_is_id(o.word))
        status = usage_error(argv[0], "an incident's id has small letters and digits only");
    if (status == EXIT_YES && why && !o.reason)
        status =
            usage_error(argv[0], "say why with --reason: it is the first thing that the next person asks");
    if (status)
        return status;
    if (json_writer_new(&w, NULL) != ERR_OK)
        return EXIT_NO;
    snprintf(path, sizeof path, "/api/v1/incidents/%s/%s", o.word, argv[0]);
    return client_post(argv[0], &o, path, client_body(w, "reason", o.reason, "hash", o.hash, NULL), done);
}

int command_approve(int argc, char **argv)
{
    return say(argc, argv, true, false, "approved: every guard is judged again before anything is done");
}

int command_deny(int argc, char **argv)
{
    return say(argc, argv, true, true, "denied");
}

int command_cancel(int argc, char **argv)
{
    return say(argc, argv, false, true, "cancelled: no further step is begun");
}

int command_retry(int argc, char **argv)
{
    return say(argc, argv, false, false, "asked again");
}
