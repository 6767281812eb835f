/* receiver/http/api_sql.h - internal to the API: what an operator who is kept to namespaces may see, in SQL.
 */
#ifndef RECEIVER_HTTP_API_SQL_H
#define RECEIVER_HTTP_API_SQL_H

/* NOLINTBEGIN(bugprone-macro-parentheses): text */
#define SEEN_NAMESPACE(column)                                                                               \
    "(:namespaces IS NULL OR " column " IN (SELECT value FROM json_each(:namespaces)))"
/* NOLINTEND(bugprone-macro-parentheses) */
/* Facts: of incidents there, and none of the installation. */
#define FACT_SEEN                                                                                            \
    "(:namespaces IS NULL OR incident IN (SELECT id FROM incident WHERE namespace IN"                        \
    " (SELECT value FROM json_each(:namespaces))))"

#endif
