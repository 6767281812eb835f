/* receiver/http/page/page.h - the operator page: HTML from the same objects as the API.
 *
 * html.c text and small parts | layout.c what is around every page, login, refusals | home.c what is going on
 * | incident.c the list, and one as a timeline | policy.c rules, budgets, explain box | forms.c words by
 * forms */
#ifndef RECEIVER_HTTP_PAGE_PAGE_H
#define RECEIVER_HTTP_PAGE_PAGE_H

#include "receiver/http/http_internal.h"
#include "receiver/runtime/story.h"

/* html.c: `out` is the page. Everything that is not a literal of the code goes through h_text(). */
void h_text(struct buf *out, const char *text);
void h_textf(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A time of the API ("2026-08-20T09:15:00.000Z") as an element; with `ago` the page says how long ago. */
void h_time(struct buf *out, const char *time, bool ago);
/* <dt>name</dt><dd>value</dd>, nothing when the value is "". */
void h_fact(struct buf *out, const char *name, const char *value);
/* A link to an incident, with its id as text. */
void h_incident(struct buf *out, const char *id);
/* A bar, `part` of `whole`, with its words for those who do not see it. */
void h_bar(struct buf *out, int64_t part, int64_t whole, const char *label);
/* The state or outcome, in its colour. */
void h_state(struct buf *out, const struct json *incident);
const char *j_text(const struct json *object, const char *key); /* "" when it is not there */
int64_t j_number(const struct json *object, const char *key, int64_t none);

/* layout.c */
void page_begin(struct buf *out, const struct request *r, const char *title, const char *here);
void page_end(struct buf *out);
bool page_may(const struct request *r, unsigned role);
/* The hidden field that proves that a form is the session's. */
void page_csrf(struct buf *out, const struct request *r);
/* Approve and deny, or what the operator lacks for it. */
void page_answer_form(struct buf *out, const struct request *r, const struct json *incident);

/* policy.c: the section of budgets and brakes. */
void page_budgets(struct http_lane *lane, struct request *r, struct buf *out);

/* For carries: run `write` within one look, and give its JSON; NULL: refused. To be freed by json_free(). */
struct json_doc *page_look(struct http_lane *lane, struct request *r,
                           enum err_code (*write)(struct http_lane *lane, const struct request *r,
                                                  struct err *e));
void page_done(struct request *r); /* r->result is the page */

#endif
