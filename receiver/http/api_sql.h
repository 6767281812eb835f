/* receiver/http/api_sql.h - internal to the API: what an operator who is kept to namespaces may see, in SQL.
 */
#ifndef RECEIVER_HTTP_API_SQL_H
#define RECEIVER_HTTP_API_SQL_H

#define VISIBLE_NAMESPACE(column)                                                                            \
    "(:namespaces IS NULL OR " column " IN (SELECT value FROM json_each(:namespaces)))" /* NOLINT */

/* Facts: of incidents there, and none of the installation. */
#define VISIBLE_FACT                                                                                         \
    "(:namespaces IS NULL OR incident IN (SELECT id FROM incident WHERE namespace IN"                        \
    " (SELECT value FROM json_each(:namespaces))))"

#endif
