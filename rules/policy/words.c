/* Words of the language: "a|b|c", actions and their parameters. */
#include <stdlib.h>
#include <string.h>

#include "rules/policy/policy_internal.h"

const struct action_spec *action_find(const struct action_spec *actions, size_t len, const char *name)
{
    for (size_t i = 0; i < len; i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    return NULL;
}

int64_t choice_index(const char *choices, const char *word)
{
    int64_t index = 0;
    size_t len = strlen(word);
    for (const char *p = choices; *p; index++) {
        size_t here = strcspn(p, "|");
        if (here == len && memcmp(p, word, len) == 0)
            return index;
        p += here;
        p += *p == '|';
    }
    return -1;
}

void choice_write(struct json_writer *w, const char *choices, int64_t index)
{
    const char *p = choices;
    for (int64_t i = 0; i < index; i++) {
        p += strcspn(p, "|");
        p += *p == '|';
    }
    jw_string_len(w, p, strcspn(p, "|"));
}

int64_t param_default(const struct action_param *param)
{
    if (!param->default_text || param->type == PARAM_TEXT)
        return 0;
    if (param->type == PARAM_INT)
        return strtoll(param->default_text, NULL, 10);
    int64_t index = choice_index(param->choices, param->default_text);
    return index < 0 ? 0 : index;
}
