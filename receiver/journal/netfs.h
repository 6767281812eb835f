/* receiver/journal/netfs.h - file systems on which locks, shared memory or fsync cannot be trusted. */
#ifndef RECEIVER_JOURNAL_NETFS_H
#define RECEIVER_JOURNAL_NETFS_H

#include <stdint.h>

#include "rules/base/err.h"

/* The name of a network file system by its f_type (statfs(2)); NULL: not known as one. */
const char *netfs_name(uint32_t f_type);

/* ERR_INVALID when `folder` lies on one, naming `file` and the remedy; ERR_IO when it cannot be asked. */
enum err_code netfs_refuse(const char *folder, const char *file, struct err *e);

#endif
