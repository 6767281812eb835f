/* rules/engine/walk.h - internal to rules/engine: the walk over an incident's plan on one observation, shared
 * by the files that take its kinds of step. */
#ifndef RULES_ENGINE_WALK_H
#define RULES_ENGINE_WALK_H

#include "rules/engine/turn.h"

struct walker {
    struct turn *t;
    const struct incident *i;
    struct tree tree;
    struct progress progress; /* the incident's, and what this walk records */
    int at;                   /* the node that is taken */
    char path[STEP_PATH_SIZE];
    struct guard_input in;
    struct probe_list met; /* questions to other systems on the way */
};

enum walked { WALK_ON /* behind this node */, WALK_OVER /* for this input */ };

/* Of the node that is taken: it ended so (a fact). */
void walk_end(struct walker *w, enum step_result result, const char *reason);
/* The same, for this walk only. */
void walk_record(struct walker *w, enum step_result result);
/* What was written below this PARALLEL is judged now; its other branches are not begun. */
void walk_judge_now(struct walker *w, int joint, const char *why);
/* A guard says not now. */
void walk_later(struct walker *w, const struct refusal *r);
/* The policy lets heald only look (by now): the incident ends with what it would have done. */
void walk_only_looked(struct walker *w, const char *what, const char *why);
/* Why it has come so far: the last refusal or result. */
void walk_reason(const struct walker *w, char ret[FACT_TEXT_SIZE]);
/* Was asked what the conditions want to know? When not, it is asked, with what was met before it on the way.
 */
bool walk_probed(struct walker *w, const struct conditions *c);
/* The node's text, filled in. */
void walk_text(struct walker *w, char ret[FACT_NOTIFY_SIZE]);
/* A person is told, by the plan's step (which has ended with that), or beside it. */
void walk_notify(struct walker *w, const char *receiver, const char *text);
void walk_tell(struct walker *w, const char *receiver, const char *text);

/* A person's yes to a change: asked for once, and anew when what it was asked for has changed. */
struct wish {
    const char *guard, *role, *notify; /* role NULL: whoever may approve; notify NULL: nobody is told */
    int64_t approvals, expires_ms;
    const char *what;   /* for people */
    const char *change; /* exactly what is to be done */
};
enum wish_answer { WISH_OPEN, WISH_YES, WISH_NO };
enum wish_answer walk_wish(struct walker *w, const struct wish *wish, char ret_why[FACT_TEXT_SIZE]);

/* In which order the branches of the node are tried, and why. */
void branches_rank(const struct walker *w, uint8_t ret[POLICY_BRANCHES_MAX], char ret_why[FACT_TEXT_SIZE]);

/* A condition has no answer, because a system gives none: is it to be asked again, for a while? */
bool walk_ask_again(struct walker *w, const char *why);

enum walked walk_take_notify(struct walker *w);
enum walked walk_take_wait(struct walker *w);
enum walked walk_take_gate(struct walker *w);
enum walked walk_take_choose(struct walker *w);

#endif
