/* receiver/runtime/settings_internal.h - what the files of settings share. */
#ifndef RECEIVER_RUNTIME_SETTINGS_INTERNAL_H
#define RECEIVER_RUNTIME_SETTINGS_INTERNAL_H

#include "receiver/runtime/settings.h"

struct settings_context { /* `arg` of the tables */
    struct settings *settings;
    const char *folder; /* of heald.cfg with a slash at the end; "" for the current one */
};

extern const struct config_key settings_tls_keys[]; /* what `tls = { }` holds */
/* The whole, after all keys were read: paths, and the source that is there without being written. */
void settings_complete(struct config_text *text, const config_setting_t *root, void *target, const void *arg);
/* Put the folder before a relative path. */
void settings_resolve(struct config_text *text, char **path, const struct settings_context *c);

#endif
