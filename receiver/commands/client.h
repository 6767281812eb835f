/* receiver/commands/client.h - what the commands that talk to a running heald share: options, one request,
 * its answer. */
#ifndef RECEIVER_COMMANDS_CLIENT_H
#define RECEIVER_COMMANDS_CLIENT_H

#include <stdbool.h>

#include "rules/base/json.h"

struct client_options {
    const char *url, *token_file, *ca_file; /* from the options, else the environment, else the default */
    const char *reason;                     /* NULL: not given */
    const char *environment, *rule, *namespace, *cluster, *plan, *hash, *duration; /* NULL: not given */
    const char *outcome, *state, *limit, *since;                                   /* NULL: not given */
    const char *word; /* what stands there without an option; NULL */
    bool json;
};

/* Parse the options that client commands share; `reason` is accepted only with takes_reason. EXIT_USAGE after
 * saying what is wrong, else EXIT_YES. */
int client_parse(int argc, char **argv, bool takes_reason, struct client_options *ret);

/* The same for commands with a word (an incident's id, a target) when `word` is its name, and with these
 * options besides, "reason rule": reason environment rule namespace cluster plan hash for
 * outcome state limit since. */
int client_parse_word(int argc, char **argv, const char *word, const char *options,
                      struct client_options *ret);

/* A body of the texts that are not NULL: key, value, key, value, ..., NULL; NULL: not valid UTF-8, or no
 * memory. Valid as long as the writer. */
const char *client_body(struct json_writer *w, const char *key, ...) __attribute__((sentinel));

/* Where heald is when no option says it. */
void client_defaults(struct client_options *ret);
bool client_is_id(const char *text); /* of an incident */
/* A path with the query's members that are not NULL: key, value, key, value, ..., NULL. */
void client_path(struct buf *out, const char *path, const char *key, ...) __attribute__((sentinel));

/* POST it and say `done`, or the answer as it came. The exit status. */
int client_post(const char *command, const struct client_options *o, const char *path, const char *body,
                const char *done);

/* One request. EXIT_YES with the parsed answer of a 2xx (NULL when it has no body), its text in *ret_text;
 * otherwise it has said why. */
int client_send(const char *command, const struct client_options *o, const char *method, const char *path,
                const char *body, struct json_doc **ret_doc, struct buf *ret_text);

#endif
