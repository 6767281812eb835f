/* rules/engine/turn.h - internal to rules/engine: what one decision is made with, shared by decide's files.
 */
#ifndef RULES_ENGINE_TURN_H
#define RULES_ENGINE_TURN_H

#include <stdarg.h>

#include "rules/engine/probes.h"

struct turn {
    const struct engine *g;
    const struct policy *p;
    int64_t now_ms, wall_ms;
    const struct input *in;
    struct decision *d;
    size_t facts, effects; /* in *d before this input */
    bool nomem;
    struct explanation *explanation; /* not NULL: only asked what would be done; the first write is not
                                        judged, but explained */
    struct fact scratch; /* without memory facts are written here, and dropped with the whole decision */
};

/* A fact for the incident; never NULL, so that callers fill it in a straight line. */
struct fact *turn_fact(struct turn *t, enum fact_kind kind, const char *incident);
/* The last fact of this decision, when it is of that kind and incident; else NULL. */
const struct fact *turn_last(const struct turn *t, enum fact_kind kind, const char *incident);
/* Text into a fact: cut at the end of a character. */
void fact_say(char ret[FACT_TEXT_SIZE], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void turn_close(struct turn *t, const struct incident *i, enum outcome outcome, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* No alert of the incident fires any more, and nothing of it is on its way or being verified. */
void turn_close_quiet(struct turn *t, const struct incident *i);
/* What became of the incident's write. */
struct fact *turn_written(struct turn *t, const struct incident *i, enum write_state state,
                          const char *reason);

/* A note of what is volatile, to be filled; NULL: no memory (recorded). */
struct note *turn_note(struct turn *t, const struct incident *i);
/* Ask a worker to look at the incident's object, with at least these needs. */
void turn_ask(struct turn *t, const struct incident *i, const struct target *target, unsigned needs);
/* The same, and these questions with it. */
void turn_ask_probes(struct turn *t, const struct incident *i, const struct target *target, unsigned needs,
                     const struct probe_list *probes);
/* Ask beside it what the step at this place would change, where it sets fields. The last effect is that
 * question. */
void turn_ask_change(struct turn *t, const struct incident *i, const struct tree *tree, int at,
                     const struct target *target);
/* Name the target of an incident in the effect that is to find it: from, owner, and labels beside the
 * alert's. False: what its rule says cannot be filled in. */
bool target_name(const struct turn *t, const struct incident *i, struct effect *ret, struct err *e);
/* An incident for each object that the selector found beside its own. */
void target_open_others(struct turn *t, const struct incident *i);
/* Look again at `at_ms` and not before. */
void turn_look_at(struct turn *t, const struct incident *i, int64_t at_ms);
/* Ask for what this incident's state wants to know now. */
void turn_look_now(struct turn *t, const struct incident *i);

/* What deciding the next step of this incident needs to see. */
unsigned needs_to_decide(const struct turn *t, const struct incident *i);
/* By what its last write is judged; NULL: there is none. */
const struct verify *incident_verify(const struct incident *i);
unsigned needs_to_verify(const struct turn *t, const struct incident *i);

/* Who is to be told of what happens here: the receivers of the environment and of the incident's rule; NULL
 * env: the rule's. */
void turn_tell_all(struct turn *t, const struct incident *i, const struct environment *env, const char *text);
/* By the policy in force: the stricter of the environment's and the rule's. */
enum mode mode_now(const struct turn *t, const struct incident *i, const struct environment *env);

void decide_alert(struct turn *t);
void decide_word(struct turn *t); /* operators */
void decide_pauses_over(struct turn *t);
/* An id that no incident has yet. */
void incident_new_id(const struct turn *t, char ret[INCIDENT_ID_SIZE]);
/* A plan as the text of an incident's first fact; NULL: no memory (recorded). */
char *plan_text(struct turn *t, const struct plan *p);
/* On a fresh observation: which step is next, and may it? `target` and mode may be known only since this
 * turn. */
void decide_step(struct turn *t, const struct incident *i, const struct target *target,
                 const struct environment *env, enum mode mode);
void decide_proof(struct turn *t,
                  const struct incident *i); /* ACTING without a worker: did the write happen? */
void decide_verdict(struct turn *t, const struct incident *i); /* VERIFYING */
void decide_blind(struct turn *t, const struct incident *i);   /* the observation could not be made */

void found_written(struct turn *t, const struct incident *i); /* the intent's proof is there */
/* A guard's answer as a fact. */
struct fact *turn_refused(struct turn *t, const struct incident *i, const char *step, const struct refusal *r,
                          enum refusal_scope scope);

#endif
