/* rules/base/mutant.c - in builds with MUTANTS alone. */
#include "rules/base/mutant.h"

#include <string.h>

enum mutant mutant_chosen = MUTANT_NONE;

#define MUTANT_NAME(name, help) #name,
static const char *const names[] = { "none", MUTANTS(MUTANT_NAME) };

bool mutant_skips(const char *guard)
{
    const char *name = names[mutant_chosen];
    return strncmp(name, "skip_", 5) == 0 && strcmp(name + 5, guard) == 0;
}
