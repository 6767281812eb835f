/* receiver/journal/lock.c */
#include "receiver/journal/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* "process 123", or "another process" when it did not leave its id. */
static void name_holder(int fd, char *ret, size_t size)
{
    char text[24] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0)
        snprintf(ret, size, "process %ld", pid);
    else
        snprintf(ret, size, "another process");
}

static enum err_code leave_pid(int fd, const char *path, struct err *e)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return err_set(e, errno == ENOSPC ? ERR_FULL : ERR_IO, "cannot write \"%s\": %s", path,
                       strerror(errno));
    return ERR_OK;
}

enum err_code lock_take(int *ret_fd, const char *file, struct err *e)
{
    char path[PATH_MAX + 8], holder[40];
    snprintf(path, sizeof path, "%s.lock", file);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set(e, ERR_IO,
                       "cannot open \"%s\": %s; heald must be able to write to the journal's folder", path,
                       strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int why = errno;
        name_holder(fd, holder, sizeof holder);
        close(fd);
        if (why != EWOULDBLOCK)
            return err_set(e, ERR_IO, "cannot lock \"%s\": %s", path, strerror(why));
        return err_set(
            e, ERR_CONFLICT,
            "journal \"%s\" is in use by %s; stop it first, or give this one another file by --journal", file,
            holder);
    }
    enum err_code code = leave_pid(fd, path, e);
    if (code != ERR_OK) {
        close(fd);
        return code;
    }
    *ret_fd = fd;
    return ERR_OK;
}
