/* receiver/runtime/policy_file.h - policy.cfg from disk: read, hashed (SHA-256 of all its files), parsed with
 * the catalogue of actions. */
#ifndef RECEIVER_RUNTIME_POLICY_FILE_H
#define RECEIVER_RUNTIME_POLICY_FILE_H

#include "receiver/runtime/file_stamp.h"
#include "rules/policy/policy.h"

/* Append a whole file to *ret. ERR_NOT_FOUND, ERR_IO, ERR_LIMIT name the file. */
enum err_code file_read(struct buf *ret, const char *file, size_t max, struct err *e);
/* What heald.cfg has that a policy names, for policy_file_check(); NULL: not known. */
struct policy_names {
    const struct config_strings *groups, *receivers, *sources;
    int64_t settle_ms; /* as in struct policy_shell */
};
/* Load a policy with the files that it includes, which stand below its folder. All that is found is appended
 * to *ret_problems, warnings too; *ret stays untouched when an error is among them. */
enum err_code policy_file_check(struct policy **ret, const char *file, const struct policy_names *names,
                                struct config_problems *ret_problems, struct err *e);
/* The policy stands alone: sources and Prometheus are put in by the loop. ret_files (may be NULL) gets the
 * files that were read, or wanted, on failure too. */
enum err_code policy_file_load(struct policy **ret, const char *file, struct file_watch *ret_files,
                               struct buf *ret_errors, struct err *e);

#endif
