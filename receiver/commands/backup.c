/* heald backup, heald restore: a copy of the journal while heald runs, and back. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "receiver/commands/commands.h"
#include "receiver/journal/copy.h"
#include "receiver/runtime/replay.h"
#include "receiver/runtime/settings.h"

struct copy_options {
    const char *config, *journal, *file;
};

static bool parse(int argc, char **argv, struct copy_options *ret)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "journal", required_argument, NULL, 'j' },
                                             { NULL, 0, NULL, 0 } };
    *ret = (struct copy_options){ .config = "heald.cfg" };
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'c')
            ret->config = optarg;
        else if (c == 'j')
            ret->journal = optarg;
        else
            return false;
    }
    ret->file = optind + 1 == argc ? argv[optind] : NULL;
    return ret->file;
}

/* The journal that is meant; the settings, which own its name, are the caller's. */
static const char *journal_of(const struct copy_options *o, struct settings **ret)
{
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    if (o->journal)
        return o->journal;
    if (settings_load(ret, o->config, &errors, &e) == ERR_OK)
        return (*ret)->journal;
    fprintf(stderr, "%sheald: %s: %s; or name the journal with --journal\n", buf_text(&errors), o->config,
            e.msg);
    return NULL;
}

static int fail(const char *command, const struct err *e)
{
    fprintf(stderr, "heald: %s: %s\n", command, e->msg);
    return EXIT_NO;
}

int command_backup(int argc, char **argv)
{
    CLEANUP(settings_freep) struct settings *s = NULL;
    struct copy_options o;
    struct err e = ERR_INIT;
    if (!parse(argc, argv, &o))
        return usage_error("backup", "name the file that the copy is to be");
    const char *journal = journal_of(&o, &s);
    if (!journal)
        return EXIT_NO;
    if (journal_copy(journal, o.file, &e) != ERR_OK)
        return fail("backup", &e);
    printf("\"%s\" is a copy of journal \"%s\"\n", o.file, journal);
    return EXIT_YES;
}

struct checked {
    int64_t first, last, facts;
    struct replayed how;
    char passed_over[256];
};

static enum err_code count(void *ctx, const struct journal_row *row, struct err *e)
{
    (void)row;
    (void)e;
    struct checked *c = ctx;
    c->facts++;
    return ERR_OK;
}

static void passed_over(void *ctx, const char *why)
{
    struct checked *c = ctx;
    text_copy(c->passed_over, sizeof c->passed_over, why);
}

/* The chain over all that is there, and a state made of it as a start would. */
static enum err_code check(void *ctx, struct journal *j, struct err *e)
{
    struct checked *c = ctx;
    struct replay_hooks hooks = { .ctx = c, .skipped = passed_over };
    CLEANUP(engine_freep) struct engine *g = NULL;
    enum err_code code = journal_read(j, 1, count, c, e);
    if (!code)
        code = replay_journal(&g, j, &hooks, &c->how, e);
    c->first = journal_first_seq(j);
    c->last = journal_last_seq(j);
    if (!code && c->last == 0)
        code = err_set(e, ERR_INVALID, "it holds no facts");
    return code;
}

int command_restore(int argc, char **argv)
{
    CLEANUP(settings_freep) struct settings *s = NULL;
    struct checked c = { .facts = 0 };
    struct copy_options o;
    struct err e = ERR_INIT;
    if (!parse(argc, argv, &o))
        return usage_error("restore", "name the copy that is to be put back");
    const char *journal = journal_of(&o, &s);
    if (!journal)
        return EXIT_NO;
    if (journal_restore(o.file, journal, check, &c, &e) != ERR_OK)
        return fail("restore", &e);
    printf(
        "journal \"%s\" is \"%s\" again: facts %lld to %lld, the hash chain holds; what was there is "
        "\"%s.before-restore\"\nheald starts paused: what it did since the copy was made it does not know. "
        "Look, then \"heald resume\"\n",
        journal, o.file, (long long)c.first, (long long)c.last, journal);
    if (c.passed_over[0])
        printf("a snapshot of it was passed over: %s\n", c.passed_over);
    return EXIT_YES;
}
