/* aws_json - JSON bodies in and out. Input is limited in size by its reader, in depth and duplicates here; output never
 * has a number that is not finite. */
#ifndef GATEWAY_AWS_JSON_H
#define GATEWAY_AWS_JSON_H

#include "aws_call.h"

#define AWS_JSON_DEPTH 32

/* An object, the caller's reference, or NULL with a reason. An empty text is an empty object. */
json_t *aws_json_read(const char *text, size_t n, struct arena *a, const char **out_why);
/* Answers with 'body', which is consumed. */
void aws_send_json(struct aws_call *c, int status, json_t *body);

#endif
