/* receiver/commands/client.h - what the commands that talk to a running heald share: options, one request,
 * its answer. */
#ifndef RECEIVER_COMMANDS_CLIENT_H
#define RECEIVER_COMMANDS_CLIENT_H

#include <stdbool.h>

#include "rules/base/json.h"

struct client_options {
    const char *url, *token_file, *ca_file; /* from the options, else the environment, else the default */
    const char *reason;                     /* NULL: not given */
    bool json;
};

/* Parse the options that client commands share; `reason` is accepted only with takes_reason. EXIT_USAGE after
 * saying what is wrong, else EXIT_YES. */
int client_parse(int argc, char **argv, bool takes_reason, struct client_options *ret);

/* One request. EXIT_YES with the parsed answer of a 2xx (NULL when it has no body), its text in *ret_text;
 * otherwise it has said why. */
int client_send(const char *command, const struct client_options *o, const char *method, const char *path,
                const char *body, struct json_doc **ret_doc, struct buf *ret_text);

#endif
