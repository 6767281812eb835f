/* heald man: the manual page, and heald completion: words for shells; both from the table of commands. */
#include <stdio.h>
#include <string.h>

#include "receiver/commands/commands.h"

/* roff: a line that begins with a point or a quote is a request, a backslash an escape. */
static void print_roff(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool begins = i == 0 || text[i - 1] == '\n';
        if (begins && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", stdout);
        if (text[i] == '\\')
            fputs("\\e", stdout);
        else if (text[i] == '-')
            fputs("\\-", stdout);
        else
            putchar(text[i]);
    }
}

int command_man(int argc, char **argv)
{
    if (argc != 1)
        return usage_error(argv[0], "it takes no options");
    printf(".TH HEALD 1 \"\" \"heald %s\" \"User Commands\"\n", HEALD_VERSION);
    fputs(".SH NAME\nheald \\- alerts in, repairs out, verified\n.SH SYNOPSIS\n.B heald\n.I "
          "COMMAND\n[OPTIONS]\n"
          ".SH COMMANDS\n",
          stdout);
    for (const struct command *c = commands; c->name; c++) {
        printf(".SS %s\n", c->name);
        print_roff(c->summary, strlen(c->summary));
        fputs(".\n.PP\n.nf\n", stdout);
        print_roff(c->usage, strlen(c->usage));
        fputs("\n", stdout);
        print_roff(c->details, strlen(c->details));
        fputs(".fi\n", stdout);
    }
    fputs(
        ".SH \"EXIT STATUS\"\n0 yes; 1 no (invalid, failed, not found, not healed); 2 usage; 3 unreachable.\n"
        ".SH ENVIRONMENT\n.TP\n.B HEALD_URL\nwhere heald listens\n.TP\n.B HEALD_TOKEN_FILE\nan operator's "
        "token\n.TP\n.B HEALD_CA_FILE\nthe certificate authority to trust\n.TP\n.B NOTIFY_SOCKET, "
        "WATCHDOG_USEC\n"
        "set by systemd\n",
        stdout);
    return EXIT_YES;
}

/* The next option that the details name: "--name"; NULL: no more. *ret_value: it takes one. */
static const char *next_option(const char *at, size_t *ret_len, bool *ret_value)
{
    while (at && *at) {
        const char *word = at + strspn(at, " ");
        const char *end = strchr(at, '\n');
        if (word - at == 2 && strncmp(word, "--", 2) == 0) {
            *ret_len = strcspn(word, " \n");
            *ret_value = word[*ret_len] == ' ' && word[*ret_len + 1] != ' ';
            return word;
        }
        at = end ? end + 1 : NULL;
    }
    return NULL;
}

static void print_words(const struct command *c, const char *before, const char *between)
{
    size_t len = 0;
    bool value = false;
    for (const char *o = next_option(c->details, &len, &value); o;
         o = next_option(strchr(o, '\n'), &len, &value))
        printf("%s%.*s%s", before, (int)len, o, between);
}

static void print_bash(void)
{
    fputs("_heald() {\n    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
          "    case $before in --*-file | --config | --policy | --journal | --file | --junit) "
          "COMPREPLY=($(compgen -f -- "
          "\"$word\")); return ;; esac\n"
          "    if [ \"$COMP_CWORD\" = 1 ]; then words='",
          stdout);
    for (const struct command *c = commands; c->name; c++)
        printf("%s%s", c == commands ? "" : " ", c->name);
    fputs("'; else case ${COMP_WORDS[1]} in\n", stdout);
    for (const struct command *c = commands; c->name; c++) {
        printf("    %s) words='", c->name);
        print_words(c, "", " ");
        fputs("' ;;\n", stdout);
    }
    fputs("    esac; fi\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\ncomplete -o default -F "
          "_heald heald\n",
          stdout);
}

/* In single quotes, as zsh and fish take them. */
static void print_quoted(const char *text)
{
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text == ':' ? ',' : *text);
}

static void print_zsh(void)
{
    fputs("#compdef heald\nlocal -a all\nall=(\n", stdout);
    for (const struct command *c = commands; c->name; c++) {
        printf("  '%s:", c->name);
        print_quoted(c->summary);
        fputs("'\n", stdout);
    }
    fputs(")\nif ((CURRENT == 2)); then _describe command all; return; fi\ncase $words[2] in\n", stdout);
    for (const struct command *c = commands; c->name; c++) {
        printf("  %s) compadd -- ", c->name);
        print_words(c, "", " ");
        fputs(";;\n", stdout);
    }
    fputs("esac\n_files\n", stdout);
}

static void print_fish(void)
{
    for (const struct command *c = commands; c->name; c++) {
        printf("complete -c heald -n __fish_use_subcommand -f -a %s -d '", c->name);
        print_quoted(c->summary);
        fputs("'\n", stdout);
        size_t len = 0;
        bool value = false;
        for (const char *o = next_option(c->details, &len, &value); o;
             o = next_option(strchr(o, '\n'), &len, &value))
            printf("complete -c heald -n '__fish_seen_subcommand_from %s' -l %.*s%s\n", c->name, (int)len - 2,
                   o + 2, value ? " -r" : "");
    }
}

int command_completion(int argc, char **argv)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };
    for (size_t i = 0; argc == 2 && i < sizeof shells / sizeof shells[0]; i++)
        if (strcmp(shells[i].shell, argv[1]) == 0) {
            shells[i].print();
            return EXIT_YES;
        }
    return usage_error(argv[0], "name one shell: bash, zsh or fish");
}
