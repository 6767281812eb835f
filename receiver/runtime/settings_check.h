/* receiver/runtime/settings_check.h - internal to settings: what a table cannot say of a key. */
#ifndef RECEIVER_RUNTIME_SETTINGS_CHECK_H
#define RECEIVER_RUNTIME_SETTINGS_CHECK_H

#include "rules/policy/config.h"

void settings_parse_roles(struct config_text *text, const config_setting_t *setting, void *field,
                          const void *arg);
void settings_parse_tls(struct config_text *text, const config_setting_t *setting, void *field,
                        const void *arg);
void settings_parse_paths(struct config_text *text, const config_setting_t *setting, void *field,
                          const void *arg);
void settings_check_source(struct config_text *text, const config_setting_t *group, void *target,
                           const void *arg);
void settings_check_operator(struct config_text *text, const config_setting_t *group, void *target,
                             const void *arg);
void settings_check_cluster(struct config_text *text, const config_setting_t *group, void *target,
                            const void *arg);
void settings_check_endpoint(struct config_text *text, const config_setting_t *group, void *target,
                             const void *arg);

#endif
