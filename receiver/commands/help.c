/* heald help, heald --version, usage errors. */
#include <stdio.h>
#include <string.h>

#include "receiver/commands/commands.h"
#include "rules/policy/config.h"

int usage_error(const char *name, const char *what)
{
    fprintf(stderr, "heald: %s: %s; see \"heald help %s\"\n", name, what, name);
    return EXIT_USAGE;
}

static int unknown(const char *name)
{
    const char *names[32] = { NULL };
    size_t n = 0;
    for (const struct command *c = commands; c->name && n < 31; c++)
        names[n++] = c->name;
    const char *near = config_nearest(name, names);
    if (near)
        fprintf(stderr, "heald: unknown command \"%s\"; did you mean \"%s\"?\n", name, near);
    else
        fprintf(stderr, "heald: unknown command \"%s\"; \"heald help\" lists them\n", name);
    return EXIT_USAGE;
}

int command_help(int argc, char **argv)
{
    if (argc > 1) {
        const struct command *c = command_find(argv[1]);
        if (!c)
            return unknown(argv[1]);
        printf("%s - %s\n\n  %s\n%s%s", c->name, c->summary, c->usage, c->details[0] ? "\n" : "", c->details);
        return EXIT_YES;
    }
    printf("heald %s - alerts in, repairs out, verified\n\n", HEALD_VERSION);
    for (const struct command *c = commands; c->name; c++)
        printf("  %-9s %s\n", c->name, c->summary);
    printf("\nheald help COMMAND tells the options of one.\n");
    return EXIT_YES;
}

int command_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("heald %s\n", HEALD_VERSION);
    return EXIT_YES;
}
