/* rules/engine/probes.h - internal to rules/engine: what conditions and verification ask of other systems:
 * questions filled in for one incident, and the answers that came back with a look at its target.
 *
 * An answer is known by its question (probe_key), so that nothing hangs on which look it came with. */
#ifndef RULES_ENGINE_PROBES_H
#define RULES_ENGINE_PROBES_H

#include "rules/engine/guards.h"

struct probe_list {
    struct probe list[PROBES_MAX];
    size_t len;
};
struct probing { /* for whom texts are filled in */
    const struct incident *i;
    const struct target *target;     /* may be known only since this turn; NULL: not yet */
    const struct evidence *evidence; /* NULL: not known */
};
/* The evidence is that of the incident's first look, else of the observation (may be NULL). */
struct probing probing_for(const struct incident *i, const struct target *target,
                           const struct observation *o);

/* Add what these ask, each question once. What cannot be filled in, or is one too many, is not asked: it
 * stays without an answer. */
void probes_of_conditions(struct probe_list *l, const struct probing *p, const struct conditions *c);
void probes_of_verify(struct probe_list *l, const struct probing *p, const struct verify *v);
void probes_of_brakes(struct probe_list *l, const struct probing *p, const struct environment *env);
/* Does the observation hold an answer, be it "no data", to every one of them? */
bool probes_answered(const struct probe_list *l, const struct observation *o);

/* Is it as the question wants it? Not asked for at all: yes. No data: unanswered. *ret_why says what is
 * otherwise. */
enum condition_answer probe_ask_query(const struct probing *p, const struct observation *o,
                                      enum probe_kind kind, const struct query *q,
                                      char ret_why[FACT_TEXT_SIZE]);
enum condition_answer probe_ask_http(const struct probing *p, const struct observation *o,
                                     const struct http_probe *h, char ret_why[FACT_TEXT_SIZE]);

#endif
