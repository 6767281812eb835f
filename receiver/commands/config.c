/* heald config: the settings in force, each with where it comes from. Secrets stand in files of their own:
 * only their names are shown. */
#include <getopt.h>
#include <libconfig.h>
#include <stdio.h>
#include <string.h>

#include "receiver/commands/commands.h"
#include "receiver/runtime/policy_file.h"
#include "receiver/runtime/settings.h"

static void print_value(const config_setting_t *s)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_INT:
        printf("%d", config_setting_get_int(s));
        break;
    case CONFIG_TYPE_INT64:
        printf("%lld", config_setting_get_int64(s));
        break;
    case CONFIG_TYPE_FLOAT:
        printf("%g", config_setting_get_float(s));
        break;
    case CONFIG_TYPE_BOOL:
        fputs(config_setting_get_bool(s) ? "true" : "false", stdout);
        break;
    case CONFIG_TYPE_STRING:
        printf("\"%s\"", config_setting_get_string(s));
        break;
    default:
        fputs(config_setting_is_group(s) ? "{ " : config_setting_is_array(s) ? "[ " : "( ", stdout);
        for (int i = 0; i < config_setting_length(s); i++) {
            const config_setting_t *m = config_setting_get_elem(s, (unsigned)i);
            if (i)
                fputs(config_setting_is_group(s) ? " " : ", ", stdout);
            if (config_setting_is_group(s))
                printf("%s = ", config_setting_name(m));
            print_value(m);
            if (config_setting_is_group(s))
                putchar(';');
        }
        fputs(config_setting_is_group(s) ? " }" : config_setting_is_array(s) ? " ]" : " )", stdout);
    }
}

static bool quoted(const struct config_key *k)
{
    return k->default_text[0] != '"' && k->type != CONFIG_INT && k->type != CONFIG_BOOL;
}

static void print_key(const struct config_key *k, const config_setting_t *group, const char *file, int depth)
{
    const config_setting_t *s = group ? config_setting_get_member(group, k->name) : NULL;
    if (k->type == CONFIG_LINE)
        return;
    if (k->type == CONFIG_GROUP && (s || !k->keys->required)) {
        printf("%*s%s = {\n", 2 * depth, "", k->name);
        for (const struct config_key *m = k->keys; m->name; m++)
            print_key(m, s, file, depth + 1);
        printf("%*s};\n", 2 * depth, "");
        return;
    }
    if (!s && !k->default_text)
        return;
    printf("%*s%s = ", 2 * depth, "", k->name);
    if (s)
        print_value(s);
    else
        printf(quoted(k) ? "\"%s\"" : "%s", k->default_text);
    if (s)
        printf(";  # %s:%d\n", file, (int)config_setting_source_line(s));
    else
        puts(";  # default");
}

static int print_all(const char *file, const char *text)
{
    config_t c;
    config_init(&c);
    bool good = config_read_string(&c, text) == CONFIG_TRUE;
    for (const struct config_key *k = settings_keys; good && k->name; k++)
        print_key(k, config_root_setting(&c), file, 0);
    config_destroy(&c);
    return good ? EXIT_YES : EXIT_NO;
}

int command_config(int argc, char **argv)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { NULL, 0, NULL, 0 } };
    const char *file = "heald.cfg";
    struct settings *s = NULL;
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) == 'c')
        file = optarg;
    if (c != -1 || optind != argc)
        return usage_error("config", "unknown option, or one without its value");
    if (settings_load(&s, file, &errors, &e) != ERR_OK ||
        file_read(&text, file, CONFIG_TEXT_MAX, &e) != ERR_OK) {
        fputs(buf_text(&errors), stderr);
        fprintf(stderr, "heald: config: %s\n", e.msg);
        return EXIT_NO;
    }
    settings_free(s);
    return print_all(file, buf_text(&text));
}
