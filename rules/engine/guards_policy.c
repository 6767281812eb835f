/* Guards that ask who said what: the policy in force, operators, the source, Alertmanager. */
#include "rules/engine/guards_internal.h"

#include <stdio.h>
#include <string.h>

enum guard_answer guard_kill_switch(const struct guard_input *in, struct refusal *r)
{
    const char *environment = in->environment ? in->environment->name : "";
    const struct pause *p = pause_of(in->g, in->i, in->target, environment);
    if (!p || in->mode != MODE_ACT)
        return GUARD_PASS;
    if (p->scope == PAUSE_EVERYWHERE)
        return guard_refuse(r, GUARD_LATER, p->until_ms,
                            "heald is paused by %s: %s; resume with \"heald resume\"", p->who, p->reason);
    return guard_refuse(
        r, GUARD_LATER, p->until_ms, "%s \"%s\" is paused by %s: %s; resume with \"heald resume --%s %s\"",
        pause_scope_name(p->scope), p->name, p->who, p->reason, pause_scope_name(p->scope), p->name);
}

enum guard_answer guard_rule(const struct guard_input *in, struct refusal *r)
{
    if (in->rule && (in->i->rule[0] || in->i->by_hand))
        return GUARD_PASS;
    return guard_refuse(r, GUARD_NEVER, 0, "rule \"%s\" is not in the policy any more", in->i->rule);
}

enum guard_answer guard_ignore(const struct guard_input *in, struct refusal *r)
{
    CLEANUP(map_release) struct map labels = MAP_INIT;
    if (map_set(&labels, "cluster", in->target->cluster, NULL) != ERR_OK ||
        map_set(&labels, "namespace", in->target->namespace, NULL) != ERR_OK ||
        map_set(&labels, "kind", in->target->kind, NULL) != ERR_OK ||
        map_set(&labels, "name", in->target->name, NULL) != ERR_OK) {
        *in->nomem = true;
        return guard_refuse(r, GUARD_LATER, in->now_ms, "no memory to look at the ignore patterns");
    }
    int pattern = policy_ignored(in->p, &labels);
    if (pattern >= 0)
        return guard_refuse(r, GUARD_NEVER, 0, "ignore pattern %d of the policy covers the target",
                            pattern + 1);
    if (in->o->ignored)
        return guard_refuse(r, GUARD_NEVER, 0, "the object or its namespace says heald.dev/ignore: \"true\"");
    return GUARD_PASS;
}

enum guard_answer guard_source(const struct guard_input *in, struct refusal *r)
{
    const struct source *s = policy_source(in->p, in->i->source);
    char why[FACT_TEXT_SIZE];
    if (in->i->by_hand)
        return GUARD_PASS;
    if (!s)
        return guard_refuse(r, GUARD_NEVER, 0, "source \"%s\" is not configured any more", in->i->source);
    if (!source_may(s, in->target, why, sizeof why))
        return guard_refuse(r, GUARD_NEVER, 0, "%s", why);
    return GUARD_PASS;
}

enum guard_answer guard_silenced(const struct guard_input *in, struct refusal *r)
{
    const struct observation *o = in->o;
    if (!o->alertmanager || o->silenced != ALERTMANAGER_SILENCED || in->i->ending)
        return GUARD_PASS;
    return guard_refuse(r, GUARD_LATER, in->now_ms + LATER_POLL_MS,
                        "the alert is silenced at Alertmanager: %s", o->silenced_text);
}
