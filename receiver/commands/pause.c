/* heald pause, heald resume, heald reload: one POST each. */
#include <stdio.h>

#include "receiver/commands/client.h"
#include "receiver/commands/commands.h"

static int post(const char *command, const struct client_options *o, const char *path, const char *done)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    CLEANUP(json_freep) struct json_doc *doc = NULL;
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    if (json_writer_new(&w, NULL) != ERR_OK)
        return EXIT_NO;
    jw_object(w);
    if (o->reason)
        jw_kstring(w, "reason", o->reason);
    jw_object_end(w);
    const char *body = jw_text(w, NULL);
    if (!body)
        return usage_error(command, "--reason is not valid UTF-8");
    int status = client_send(command, o, "POST", path, body, &doc, &text);
    if (status == EXIT_YES)
        puts(o->json ? buf_text(&text) : done);
    return status;
}

int command_pause(int argc, char **argv)
{
    struct client_options o;
    int status = client_parse(argc, argv, true, &o);
    if (status == EXIT_YES && !o.reason)
        status =
            usage_error("pause", "say why with --reason: it is the first thing that the next person asks");
    return status
               ? status
               : post("pause", &o, "/api/v1/pause", "paused: heald changes nothing until \"heald resume\"");
}

int command_resume(int argc, char **argv)
{
    struct client_options o;
    int status = client_parse(argc, argv, true, &o);
    return status
               ? status
               : post("resume", &o, "/api/v1/resume", "resumed: heald acts again where its policy allows it");
}

int command_reload(int argc, char **argv)
{
    struct client_options o;
    int status = client_parse(argc, argv, false, &o);
    return status ? status : post("reload", &o, "/-/reload", "reloaded");
}
