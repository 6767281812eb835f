/* test/unit/policy_broken_test.c - broken policies, each with the message that it must give in a comment on
 * its first line: what is said has to help. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receiver/runtime/policy_file.h"

#define BROKEN_LEAST 200
#define LINE_MAX_ 512

/* The comment on the first line, and how many lines the file has. */
static int first_line(const char *file, char ret[LINE_MAX_])
{
    FILE *f = fopen(file, "re");
    int lines = 0;
    char line[LINE_MAX_];
    cr_assert_not_null(f, "%s", file);
    cr_assert_not_null(fgets(line, sizeof line, f));
    cr_assert_eq(strncmp(line, "# ", 2), 0, "%s begins with the message that is expected", file);
    snprintf(ret, LINE_MAX_, "%.*s", (int)strcspn(line + 2, "\n"), line + 2);
    do
        lines++;
    while (fgets(line, sizeof line, f));
    fclose(f);
    return lines;
}

static void check(const char *file)
{
    char expected[LINE_MAX_];
    CLEANUP(buf_release) struct buf errors = BUF_INIT;
    struct policy *p = NULL;
    struct err e = ERR_INIT;
    int lines = first_line(file, expected);
    cr_assert_eq(policy_file_load(&p, file, NULL, &errors, &e), ERR_INVALID, "%s is refused", file);
    cr_assert_null(p);
    const char *said = strstr(buf_text(&errors), expected);
    cr_assert_not_null(said, "%s should say '%s':\n%s", file, expected, buf_text(&errors));
    while (said > buf_text(&errors) && said[-1] != '\n')
        said--;
    cr_assert_eq(strncmp(said, file, strlen(file)), 0, "%s: the message names the file:\n%s", file, said);
    int line = said[strlen(file)] == ':' ? atoi(said + strlen(file) + 1) : 0;
    cr_assert(line >= 0 && line <= lines, "%s: line %d of %d", file, line, lines);
}

Test(policy_broken, each_gives_an_error_that_helps, .timeout = 120)
{
    DIR *folder = opendir(TEST_DATA "/broken");
    int n = 0;
    cr_assert_not_null(folder);
    for (struct dirent *d; (d = readdir(folder));) {
        char file[1024];
        if (!strstr(d->d_name, ".cfg"))
            continue;
        snprintf(file, sizeof file, TEST_DATA "/broken/%s", d->d_name);
        check(file);
        n++;
    }
    closedir(folder);
    cr_assert_geq(n, BROKEN_LEAST, "only %d files", n);
}
