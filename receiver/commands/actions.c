/* heald actions: the catalogue. */
#include <stdio.h>

#include "actions/catalogue.h"
#include "receiver/commands/commands.h"

static void print_param(const struct action_param *p)
{
    if (p->type == PARAM_INT)
        printf("    %s = %lld..%lld", p->name, (long long)p->min, (long long)p->max);
    else
        printf("    %s = %s", p->name, p->choices);
    if (p->default_text)
        printf(" (default %s)", p->default_text);
    printf("%s: %s\n", p->required ? " (required)" : "", p->help);
}

int command_actions(int argc, char **argv)
{
    static const char *const risks[] = { "read", "gentle", "disruptive", "dangerous" };
    size_t len = 0;
    (void)argv;
    if (argc > 1)
        return usage_error("actions", "it takes no arguments");
    const struct action_spec *specs = catalogue_specs(&len);
    for (size_t i = 0; i < len; i++) {
        printf("%s - %s\n    risk: %s; needs: %s\n", specs[i].name, specs[i].help, risks[specs[i].risk],
               specs[i].verbs);
        for (const struct action_param *p = specs[i].params; p->name; p++)
            print_param(p);
    }
    return EXIT_YES;
}
