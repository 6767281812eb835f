/* receiver/commands/commands.h - heald's commands: the table that main, help and the reference document read.
 * Exit status: 0 yes, 1 no (invalid, failed, not found), 2 usage, 3 unreachable. Errors go to standard error
 * as "heald: WHERE: WHAT; WHAT TO DO". */
#ifndef RECEIVER_COMMANDS_COMMANDS_H
#define RECEIVER_COMMANDS_COMMANDS_H

#include "rules/base/buf.h"

enum { EXIT_YES = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
    const char *summary;               /* one line */
    const char *usage;                 /* "heald check [--config FILE] ..." */
    const char *details;               /* options, one a line */
};
extern const struct command commands[]; /* ended by a NULL name */
const struct command *command_find(const char *name);

int command_serve(int argc, char **argv);
int command_check(int argc, char **argv);
int command_test(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_status(int argc, char **argv);
int command_incidents(int argc, char **argv);
int command_incident(int argc, char **argv);
int command_monitor(int argc, char **argv);
int command_stats(int argc, char **argv);
int command_config(int argc, char **argv);
int command_pause(int argc, char **argv);
int command_resume(int argc, char **argv);
int command_approve(int argc, char **argv);
int command_deny(int argc, char **argv);
int command_cancel(int argc, char **argv);
int command_retry(int argc, char **argv);
int command_heal(int argc, char **argv);
int command_reload(int argc, char **argv);
int command_backup(int argc, char **argv);
int command_restore(int argc, char **argv);
int command_finalize_upgrade(int argc, char **argv);
int command_actions(int argc, char **argv);
int command_man(int argc, char **argv);
int command_completion(int argc, char **argv);
int command_rbac(int argc, char **argv);
int command_help(int argc, char **argv);
int command_version(int argc, char **argv);

/* "heald: NAME: WHAT; see "heald help NAME"", and EXIT_USAGE. */
int usage_error(const char *name, const char *what);

#endif
