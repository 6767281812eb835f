/* heald: finds the command and runs it. */
#include <stdio.h>
#include <string.h>

#include "receiver/commands/commands.h"

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    const struct command *c = command_find(name);
    if (c)
        return c->run(argc > 1 ? argc - 1 : argc, argc > 1 ? argv + 1 : argv);
    return command_help(2, (char *[]){ argv[0], argv[1], NULL });
}
