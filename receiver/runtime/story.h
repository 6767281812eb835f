/* receiver/runtime/story.h - a fact told in a sentence, for people: in the terminal and on the page. Pure. */
#ifndef RECEIVER_RUNTIME_STORY_H
#define RECEIVER_RUNTIME_STORY_H

#include "rules/base/json.h"

/* What a fact of this kind and body says. "" for a fact that tells people nothing (`told`, `seen`). */
void story_tell(struct buf *out, const char *kind, const struct json *body);
/* "deployment shop/web": the target of an incident as the API gives it; "" while it is not known. */
void story_target(struct buf *out, const struct json *incident);
/* What is going on with it, in a few words: "waits for approval", "healed". */
const char *story_state(const struct json *incident);

#endif
