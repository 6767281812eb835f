/* heald pause, heald resume, heald reload: one POST each. */
#include <stdio.h>

#include "receiver/commands/client.h"
#include "receiver/commands/commands.h"

#define SCOPES "reason environment rule namespace"

/* What is paused or resumed, for people. */
static void say_scope(char *ret, size_t size, const struct client_options *o, const char *everything)
{
    const char *name = o->environment ? o->environment : o->rule ? o->rule : o->namespace;
    const char *kind = o->environment ? "environment" : o->rule ? "rule" : "namespace";
    if (name)
        snprintf(ret, size, "%s \"%s\"", kind, name);
    else
        snprintf(ret, size, "%s", everything);
}

static int post(const char *command, const struct client_options *o, const char *path, const char *done)
{
    CLEANUP(json_writer_freep) struct json_writer *w = NULL;
    if (json_writer_new(&w, NULL) != ERR_OK)
        return EXIT_NO;
    const char *body = client_body(w, "reason", o->reason, "environment", o->environment, "rule", o->rule,
                                   "namespace", o->namespace, "for", o->duration, NULL);
    return client_post(command, o, path, body, done);
}

int command_pause(int argc, char **argv)
{
    struct client_options o;
    char scope[160], done[256];
    int status = client_parse_word(argc, argv, NULL, SCOPES " for", &o);
    if (status == EXIT_YES && !o.reason)
        status =
            usage_error("pause", "say why with --reason: it is the first thing that the next person asks");
    if (status)
        return status;
    say_scope(scope, sizeof scope, &o, "heald");
    snprintf(done, sizeof done, "paused: %s changes nothing %s%s", scope,
             o.duration ? "for " : "until \"heald resume\"", o.duration ? o.duration : "");
    return post("pause", &o, "/api/v1/pause", done);
}

int command_resume(int argc, char **argv)
{
    struct client_options o;
    char scope[160], done[256];
    int status = client_parse_word(argc, argv, NULL, SCOPES, &o);
    if (status)
        return status;
    say_scope(scope, sizeof scope, &o, "heald");
    snprintf(done, sizeof done, "resumed: %s acts again where its policy allows it", scope);
    return post("resume", &o, "/api/v1/resume", done);
}

int command_reload(int argc, char **argv)
{
    struct client_options o;
    int status = client_parse(argc, argv, false, &o);
    return status ? status : post("reload", &o, "/-/reload", "reloaded");
}

int command_finalize_upgrade(int argc, char **argv)
{
    struct client_options o;
    int status = client_parse(argc, argv, false, &o);
    return status ? status
                  : post("finalize-upgrade", &o, "/-/finalize-upgrade",
                         "finalized: the journal is of this release now, the one before cannot read it");
}
