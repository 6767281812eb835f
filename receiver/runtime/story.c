/* receiver/runtime/story.c - see story.h */
#include "receiver/runtime/story.h"

#include <ctype.h>
#include <string.h>

#include "rules/base/timetext.h"

static const char *text(const struct json *j, const char *key)
{
    return json_string(json_get(j, key), "");
}

static void add_reason(struct buf *out, const struct json *body)
{
    const char *reason = text(body, "reason");
    if (reason[0])
        buf_addf(out, ": %s", reason);
}

static void add_time(struct buf *out, const char *before, int64_t ms)
{
    char time[TIME_TEXT_SIZE];
    if (ms > 0)
        buf_addf(out, "%s%s", before, time_format_seconds(time, ms));
}

static void tell_alert(struct buf *out, const struct json *body)
{
    const struct json *labels = json_get(body, "labels");
    buf_addf(out, "alert %s %s, from %s", text(labels, "alertname"), text(body, "status"),
             text(body, "source"));
    if (strcmp(text(body, "disposition"), "opened") != 0)
        buf_addf(out, " (%s)", text(body, "disposition"));
    add_reason(out, body);
}

static void tell_opened(struct buf *out, const struct json *body)
{
    const char *who = text(body, "who"), *plan = json_string(json_path(body, "plan.name"), "");
    buf_addf(out, "incident opened by rule %s", text(body, "rule"));
    if (plan[0])
        buf_addf(out, ", plan %s", plan);
    if (who[0])
        buf_addf(out, ", begun by hand by %s", who);
    add_reason(out, body);
}

static void tell_resolved(struct buf *out, const struct json *body)
{
    const struct json *evidence = json_get(body, "evidence");
    int64_t times = json_int(json_get(body, "times"), 0);
    buf_adds(out, "target is ");
    story_target(out, body);
    buf_addf(out, " in cluster %s", text(body, "cluster"));
    if (text(body, "environment")[0])
        buf_addf(out, ", environment %s", text(body, "environment"));
    buf_addf(out, ", mode %s", text(body, "mode"));
    if (text(evidence, "cause")[0])
        buf_addf(out, "; cause: %s", text(evidence, "cause"));
    if (json_int(json_get(body, "changed"), 0))
        buf_adds(out, "; its template had changed before");
    if (times > 1)
        buf_addf(out, "; time number %lld within 6h", (long long)times);
}

static void tell_refused(struct buf *out, const struct json *body)
{
    bool step = strcmp(text(body, "scope"), "step") == 0;
    buf_addf(out, "%s by guard %s", step ? "this step is refused" : "not now, refused", text(body, "guard"));
    add_reason(out, body);
    add_time(out, "; asked again at ", json_int(json_get(body, "again_ms"), 0));
}

static void tell_intent(struct buf *out, const struct json *body)
{
    buf_addf(out, "%s%s begins (%s, attempt %lld)", json_int(json_get(body, "undo"), 0) ? "undo of " : "",
             text(body, "action"), text(body, "step"), (long long)json_int(json_get(body, "attempt"), 0));
}

static void tell_written(struct buf *out, const struct json *body)
{
    const char *reason = text(body, "reason"), *state = text(body, "state");
    buf_addf(out, "%s: the write is %s", text(body, "action"), state);
    if (reason[0] && strcmp(reason, state) != 0)
        add_reason(out, body);
}

static void tell_verdict(struct buf *out, const struct json *body)
{
    const char *verdict = text(body, "verdict");
    buf_addf(out, "verdict of %s: %s", text(body, "action"),
             strcmp(verdict, "not_fixed") == 0 ? "not fixed" : verdict);
    if (json_int(json_get(body, "worse"), 0))
        buf_adds(out, ", and worse than before");
    add_reason(out, body);
}

static void tell_step(struct buf *out, const struct json *body)
{
    const char *event = text(body, "event");
    if (strcmp(event, "began") == 0)
        buf_addf(out, "step %s waits", text(body, "step"));
    else if (strcmp(event, "ranked") == 0)
        buf_addf(out, "step %s: what has worked best comes first (%s)", text(body, "step"),
                 text(body, "order"));
    else
        buf_addf(out, "step %s ended: %s", text(body, "step"), text(body, "result"));
    add_reason(out, body);
    add_time(out, "; until ", json_int(json_get(body, "until_ms"), 0));
}

static void tell_asked(struct buf *out, const struct json *body)
{
    int64_t wanted = json_int(json_get(body, "wanted"), 1);
    buf_adds(out, "a person is asked");
    if (text(body, "role")[0])
        buf_addf(out, " (%s)", text(body, "role"));
    if (wanted > 1)
        buf_addf(out, ", %lld must say yes", (long long)wanted);
    add_reason(out, body);
    add_time(out, "; no answer is no, at ", json_int(json_get(body, "until_ms"), 0));
}

static void tell_word(struct buf *out, const struct json *body)
{
    buf_addf(out, "%s says %s", text(body, "who"), text(body, "word"));
    add_reason(out, body);
}

static void tell_closed(struct buf *out, const struct json *body)
{
    buf_addf(out, "closed as %s", text(body, "outcome"));
    add_reason(out, body);
}

static void tell_ending(struct buf *out, const struct json *body)
{
    buf_addf(out, "ends as %s; cleanup and report are left", text(body, "outcome"));
    add_reason(out, body);
}

static void tell_notify(struct buf *out, const struct json *body)
{
    buf_addf(out, "%s is told: %s", text(body, "receiver"), text(body, "text"));
}

static void tell_merged(struct buf *out, const struct json *body)
{
    buf_addf(out, "merged into incident %s: the same rule and target", text(body, "into"));
}

static void tell_paused(struct buf *out, const struct json *body)
{
    const char *scope = text(body, "scope");
    buf_addf(out, "paused %s %s by %s", scope[0] ? scope : "everywhere", text(body, "name"),
             text(body, "who"));
    add_reason(out, body);
    add_time(out, "; until ", json_int(json_get(body, "until_ms"), 0));
}

static void tell_resumed(struct buf *out, const struct json *body)
{
    const char *scope = text(body, "scope");
    buf_addf(out, "resumed %s %s by %s", scope[0] ? scope : "everywhere", text(body, "name"),
             text(body, "who"));
    add_reason(out, body);
}

static void tell_proven(struct buf *out, const struct json *body)
{
    buf_adds(out, "proven well: ");
    story_target(out, body);
}

static void tell_policy(struct buf *out, const struct json *body)
{
    buf_addf(out, "policy %.12s is in force", text(body, "hash"));
}

static void tell_installed(struct buf *out, const struct json *body)
{
    buf_addf(out, "a new journal begins, paused (%s)", text(body, "id"));
}

static void tell_jumped(struct buf *out, const struct json *body)
{
    buf_addf(out, "the clock jumped by %lld s", (long long)json_int(json_get(body, "by_ms"), 0) / 1000);
}

void story_tell(struct buf *out, const char *kind, const struct json *body)
{
    static const struct {
        const char *kind;
        void (*tell)(struct buf *out, const struct json *body);
    } table[] = {
        { "alert", tell_alert },         { "incident_opened", tell_opened },
        { "resolved", tell_resolved },   { "refused", tell_refused },
        { "intent", tell_intent },       { "written", tell_written },
        { "verdict", tell_verdict },     { "step", tell_step },
        { "asked", tell_asked },         { "word", tell_word },
        { "closed", tell_closed },       { "ending", tell_ending },
        { "notify", tell_notify },       { "merged", tell_merged },
        { "paused", tell_paused },       { "resumed", tell_resumed },
        { "proven", tell_proven },       { "policy", tell_policy },
        { "installed", tell_installed }, { "time_jumped", tell_jumped },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].kind, kind) == 0)
            table[i].tell(out, body);
}

void story_target(struct buf *out, const struct json *incident)
{
    const char *kind = text(incident, "kind"), *namespace = text(incident, "namespace");
    if (!text(incident, "name")[0])
        return;
    for (; *kind; kind++)
        buf_addc(out, (char)tolower((unsigned char)*kind));
    buf_addf(out, " %s%s%s", namespace, namespace[0] ? "/" : "", text(incident, "name"));
}

const char *story_state(const struct json *incident)
{
    static const char *const words[][2] = {
        { "resolving", "finding out which object it is" },
        { "deciding", "deciding what to do" },
        { "waiting", "held back by a guard" },
        { "approval", "waits for a person" },
        { "delayed", "waits, as its plan says" },
        { "acting", "acting" },
        { "verifying", "verifying that it helped" },
        { "ending", "ending" },
        { "merged", "merged into another incident" },
    };
    static const char *const outcomes[][2] = { { "not_healed", "not healed" } };
    const char *state = text(incident, "state"), *outcome = text(incident, "outcome");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i][0], state) == 0)
            return words[i][1];
    return strcmp(outcome, outcomes[0][0]) == 0 ? outcomes[0][1] : outcome;
}
