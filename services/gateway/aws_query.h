/* aws_query - form bodies of the query protocol, as the JSON they would be.
 *
 *     Dimensions.member.1.Name=EndpointName&Dimensions.member.1.Value=x   {"Dimensions": [{"Name": ..., "Value": ...}]}
 *     Map.entry.1.key=a&Map.entry.1.value=b                               {"Map": {"a": "b"}}
 *
 * so that a handler reads one 'input' whatever its client spoke. All values are texts. List positions may come in any
 * order and must be 1, 2, 3, ... without a gap, as AWS's own servers want it.
 * Pure. Limits: AWS_QUERY_PARAMETERS parameters, AWS_QUERY_DEPTH parts of a name. */
#ifndef GATEWAY_AWS_QUERY_H
#define GATEWAY_AWS_QUERY_H

#include "arena.h"

#include <jansson.h>

#define AWS_QUERY_PARAMETERS 10000
#define AWS_QUERY_DEPTH      12

/* An object, the caller's reference, or NULL with a reason. Action and Version are members like others. */
json_t *aws_query_read(const char *form, size_t n, struct arena *a, const char **out_why);

#endif
