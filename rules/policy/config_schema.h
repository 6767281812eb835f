/* rules/policy/config_schema.h - a language described for editors, from the tables of keys that parse it. */
#ifndef RULES_POLICY_CONFIG_SCHEMA_H
#define RULES_POLICY_CONFIG_SCHEMA_H

#include "rules/base/json.h"
#include "rules/policy/config.h"

/* {"title":...,"keys":[{"name","type","required","default","least","most","words","keys","help"}]}: what is
 * absent does not hold. */
void config_schema_write(struct json_writer *w, const char *title, const struct config_key *keys);
/* A syntax file for vim: every key and every word that a key may have. */
void config_vim(struct buf *out, const char *name, const struct config_key *keys);

#endif
