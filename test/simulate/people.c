/* test/simulate/people.c - operators: they approve, deny, cancel, retry, heal by hand, pause and resume; two
 * at once, sometimes; and not all of them may. */
#include <stdio.h>
#include <string.h>

#include "test/simulate/sim.h"

static const char *const persons[] = { "ann", "bob", "cyd", "dan" };

static void say_word(struct sim *s, struct input *in, int64_t who)
{
    snprintf(in->who, sizeof in->who, "%s", persons[who]);
    snprintf(in->text, sizeof in->text, "as they like");
    snprintf(s->groups, sizeof s->groups, who == 3 ? "dba" : "dba,sre");
    memcpy(in->groups, s->groups, sizeof in->groups);
    heald_input(s, *in);
}

static void about_incident(struct sim *s, struct chance *c)
{
    char ids[64][INCIDENT_ID_SIZE];
    struct incident_view v;
    struct input in = { .kind = INPUT_WORD };
    size_t n = engine_open(s->g, ids, 64);
    int64_t which = n ? chance_in(c, 0, (int64_t)n - 1) : 0, what = chance_in(c, 0, 99),
            who = chance_in(c, 0, 3);
    for (size_t k = 0; k < n && chance_one_in(c, 2);
         k++) /* who is asked answers first, and writes are cancelled */
        if (engine_incident(s->g, ids[k], &v) &&
            (strcmp(v.state, "approval") == 0 || strcmp(v.state, "acting") == 0 ||
             strcmp(v.state, "asking") == 0))
            which = (int64_t)k;
    if (!n || !engine_incident(s->g, ids[which], &v))
        return;
    memcpy(in.incident, ids[which], sizeof in.incident);
    bool asked = strcmp(v.state, "approval") == 0;
    in.word = asked ? (what < 75   ? WORD_APPROVE
                       : what < 90 ? WORD_DENY
                                   : WORD_CANCEL)
                    : (what < 40   ? WORD_RETRY
                       : what < 50 ? WORD_CANCEL
                                   : WORD_APPROVE);
    if (asked && chance_one_in(c, 2))
        snprintf(in.hash, sizeof in.hash, "%s", v.asked_hash);
    say_word(s, &in, who);
    if (asked && chance_one_in(c, 2)) { /* two at once */
        in.word = chance_one_in(c, 3) ? WORD_DENY : in.word;
        say_word(s, &in, chance_in(c, 0, 3));
        count_name(&s->stats->words, "two at once", 1);
    }
}

static void by_hand(struct sim *s, struct chance *c)
{
    struct input in = { .kind = INPUT_HEAL, .target = s->objects[chance_in(c, 0, OBJECTS - 1)].target };
    in.target.uid[0] = '\0';
    if (chance_one_in(c, 3))
        snprintf(in.plan, sizeof in.plan, "slow");
    else
        snprintf(in.name, sizeof in.name, "crash");
    say(s, "somebody heals %s by hand", in.target.name);
    say_word(s, &in, chance_in(c, 0, 3));
}

static void pause_a_part(struct sim *s, struct chance *c)
{
    static const struct {
        enum pause_scope scope;
        const char *name;
    } parts[] = { { PAUSE_NAMESPACE, "shop" },
                  { PAUSE_RULE, "crash" },
                  { PAUSE_ENVIRONMENT, "bank-red" },
                  { PAUSE_NAMESPACE, "bank" } };
    int64_t which = chance_in(c, 0, 3);
    struct input in = { .kind = INPUT_PAUSE, .scope = parts[which].scope };
    snprintf(in.name, sizeof in.name, "%s", parts[which].name);
    in.until_ms = heald_now(s) + chance_in(c, 1, 1800) * SECOND_MS;
    say(s, "somebody pauses %s for a while", in.name);
    say_word(s, &in, 0);
    if (chance_one_in(c, 4)) {
        in.kind = INPUT_RESUME;
        say_word(s, &in, 1);
    }
}

static void operators(struct sim *s, bool pause)
{
    struct chance c = { 0 };
    bool happens = !pause || mishap(s, MISHAP_PAUSE, &c);
    struct input in = { .kind = pause ? INPUT_PAUSE : INPUT_RESUME,
                        .who = "somebody",
                        .text = "as they like" };
    if (pause && !s->quiet_ms) {
        int64_t ends_ms = s->now_ms + chance_in(&c, 10, 3000) * SECOND_MS;
        event_add(s, ends_ms + chance_in(&c, 1, 300) * MINUTE_MS, EVENT_PAUSE, 0, NULL);
        if (happens)
            event_add(s, ends_ms, EVENT_RESUME, 0, NULL);
    }
    if (!s->up) {
        event_add(s, s->now_ms + MINUTE_MS, EVENT_RESUME, 0, NULL); /* they try again */
        return;
    }
    if (happens && !(pause && s->quiet_ms)) {
        say(s, "somebody %s heald", pause ? "pauses" : "resumes");
        heald_input(s, in);
    }
}

static void other_policy(struct sim *s)
{
    struct chance c;
    bool happens = mishap(s, MISHAP_POLICY, &c);
    if (s->quiet_ms)
        return;
    event_add(s, s->now_ms + chance_in(&c, 10, 240) * MINUTE_MS, EVENT_POLICY, 0, NULL);
    if (!happens)
        return;
    policy_draw(s, &c);
    struct input in = { .kind = INPUT_POLICY };
    memcpy(in.text, s->policy_hash, sizeof s->policy_hash);
    heald_input(s, in);
}

static void some_word(struct sim *s)
{
    struct chance c;
    bool happens = mishap(s, MISHAP_WORD, &c);
    int64_t next_ms = s->now_ms + chance_in(&c, 5, 240) * SECOND_MS, what = chance_in(&c, 0, 99);
    if (s->quiet_ms)
        return;
    event_add(s, next_ms, EVENT_WORD, 0, NULL);
    if (!happens || !s->up)
        return;
    if (what < 84)
        about_incident(s, &c);
    else if (what < 96)
        by_hand(s, &c);
    else
        pause_a_part(s, &c);
}

void people_event(struct sim *s, const struct event *e)
{
    if (e->kind == EVENT_WORD)
        some_word(s);
    else if (e->kind == EVENT_POLICY)
        other_policy(s);
    else
        operators(s, e->kind == EVENT_PAUSE);
}
