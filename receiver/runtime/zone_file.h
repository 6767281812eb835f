/* receiver/runtime/zone_file.h - time zones from the files of the time zone database (TZif, RFC 9636). */
#ifndef RECEIVER_RUNTIME_ZONE_FILE_H
#define RECEIVER_RUNTIME_ZONE_FILE_H

#include "rules/base/zone.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define ZONE_FILE_MAX (256u << 10)
#define ZONE_LAST_YEAR 2100 /* the rule at the end of a file is followed until then */

/* The table of a file's bytes. ERR_INVALID: not a TZif file of version 2 or later, damaged, or with a rule
 * that cannot be read. */
enum err_code zone_parse(struct zone **ret, const unsigned char *bytes, size_t len, struct err *e);
/* A zone by name from ZONE_FOLDER. ERR_NOT_FOUND: no such zone, or a name that is none. The shape is that of
 * policy_shell.zone; arg is not used. */
enum err_code zone_file_load(void *arg, const char *name, struct zone **ret, struct err *e);

#endif
