/* Parameters in the strings of a text. */
#include <stdlib.h>
#include <string.h>

#include "rules/policy/config_internal.h"

struct opened {
    struct config_text *text;
    const config_setting_t *setting;
};

const struct config_scope *config_set_scope(struct config_text *text, const struct config_scope *scope)
{
    const struct config_scope *before = text->scope;
    text->scope = scope;
    return before;
}

static void say_open(void *arg, const char *scope, const char *name, bool has_default)
{
    const struct opened *o = arg;
    const struct config_scope *s = o->text->scope;
    (void)has_default;
    if (strcmp(scope, "params") == 0 && s->open && !s->lookup(s->arg, name))
        s->open(s->arg, o->text, o->setting, name);
}

static const char *keep(struct config_text *text, struct buf *string)
{
    char **longer = reallocarray(text->kept, text->kept_len + 1, sizeof *longer);
    char *copy = longer ? buf_detach(string) : NULL;
    if (longer)
        text->kept = longer;
    if (!copy) {
        config_out_of_memory(text);
        return NULL;
    }
    return text->kept[text->kept_len++] = copy;
}

const char *config_get_string(struct config_text *text, const config_setting_t *setting, bool *ret_open)
{
    const char *written = config_setting_get_string(setting);
    const struct config_scope *s = text->scope;
    if (ret_open)
        *ret_open = false;
    if (!written || !s || !strstr(written, "${params."))
        return written;
    CLEANUP(buf_release) struct buf string = BUF_INIT;
    struct err e = ERR_INIT;
    bool open = false;
    enum err_code code = template_substitute(&string, written, s->lookup, s->arg, &open, &e);
    if (code != ERR_OK) {
        config_error(text, setting, "%s", e.msg);
        return written;
    }
    if (open)
        template_each(written, say_open, &(struct opened){ text, setting });
    if (ret_open)
        *ret_open = open || strstr(buf_text(&string), "${params.");
    return keep(text, &string);
}
