/* heald test: unit tests of policies. */
#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/commands/commands.h"
#include "receiver/rehearse/rehearse.h"
#include "receiver/runtime/policy_file.h"

struct tally {
    unsigned passed, failed;
    FILE *junit;
};

struct file { /* one file of tests */
    const char *name;
    char folder[4096];
    struct script script;
};

static void file_release(struct file *f)
{
    script_release(&f->script);
}

/* Policies stand beside the tests. */
static enum err_code load_policy(void *ctx, const char *name, struct policy **ret, struct buf *ret_errors,
                                 struct err *e)
{
    const struct file *f = ctx;
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return policy_file_load(ret, name[0] == '/' ? name : path, NULL, ret_errors, e);
}

static void print_xml(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc((unsigned char)*text < 0x20 && *text != '\n' && *text != '\t' ? '?' : *text, out);
        }
}

static void report(struct tally *t, const char *file, const char *name, const char *failure)
{
    t->passed += !failure;
    t->failed += failure != NULL;
    printf("%s %s: %s\n%s", failure ? "FAILED " : "ok     ", file, name, failure ? failure : "");
    if (!t->junit)
        return;
    fputs("  <testcase classname=\"", t->junit);
    print_xml(t->junit, file);
    fputs("\" name=\"", t->junit);
    print_xml(t->junit, name);
    fputs(failure ? "\"><failure>" : "\"/>\n", t->junit);
    if (failure) {
        print_xml(t->junit, failure);
        fputs("</failure></testcase>\n", t->junit);
    }
}

static void play(struct tally *t, struct file *f, const struct script_test *test)
{
    CLEANUP(played_release) struct played p = { .len = 0 };
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    CLEANUP(buf_release) struct buf failure = BUF_INIT;
    struct err e = ERR_INIT;
    if (rehearse(&p, &f->script, test, f->folder, load_policy, f, &errors, &e) != ERR_OK)
        buf_addf(&failure, "  %s\n%s", e.msg, buf_text(&errors));
    else if (!p.passed)
        buf_adds(&failure, buf_text(&p.difference));
    report(t, f->name, test->name, failure.len ? buf_text(&failure) : NULL);
}

static void run_file(struct tally *t, const char *name)
{
    CLEANUP(file_release) struct file f = { .name = name };
    CLEANUP(buf_release) struct buf text = BUF_INIT;
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct err e = ERR_INIT;
    char path[4096];
    snprintf(path, sizeof path, "%s", name);
    snprintf(f.folder, sizeof f.folder, "%s", dirname(path));
    enum err_code code = file_read(&text, name, CONFIG_TEXT_MAX, &e);
    if (!code)
        code = script_parse(&f.script, name, buf_text(&text), text.len, &errors, &e);
    if (code) {
        report(t, name, "the file can be read", errors.len ? buf_text(&errors) : e.msg);
        putchar('\n');
        return;
    }
    for (size_t i = 0; i < f.script.tests_len; i++)
        play(t, &f, &f.script.tests[i]);
}

int command_test(int argc, char **argv)
{
    static const struct option options[] = { { "junit", required_argument, NULL, 'j' },
                                             { NULL, 0, NULL, 0 } };
    const char *junit = NULL;
    struct tally t = { .passed = 0 };
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'j')
            return usage_error("test", "unknown option, or one without its value");
        junit = optarg;
    }
    if (optind == argc)
        return usage_error("test", "give at least one file of tests");
    t.junit = junit ? fopen(junit, "we") : NULL;
    if (junit && !t.junit) {
        fprintf(stderr, "heald: test: %s cannot be written\n", junit);
        return EXIT_NO;
    }
    if (t.junit)
        fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"heald test\">\n", t.junit);
    for (int i = optind; i < argc; i++)
        run_file(&t, argv[i]);
    if (t.junit) {
        fputs("</testsuite>\n", t.junit);
        fclose(t.junit);
    }
    printf("%u passed, %u failed, 0 skipped\n", t.passed, t.failed);
    return t.failed ? EXIT_NO : EXIT_YES;
}
