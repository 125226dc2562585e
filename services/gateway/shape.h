/* shape - what a request's members may be, as constant tables, and the errors of AWS for what they are not.
 *
 * A table is one operation's input as the AWS service model has it: names, types, required, lengths, ranges, patterns,
 * enumerations. shape_check() walks the input along it; members that no table knows, and nulls, are taken out, as AWS
 * ignores them. All failures together make one ValidationException:
 *
 *     2 validation errors detected: Value null at 'modelName' failed to satisfy constraint: Member must not be null;
 * ...
 *
 * A *soft* limit is one that control decides (it is a setting there), so the gateway refuses nothing for it. It is only
 * remembered, and gives control's refusal AWS's words (shape_soft()).
 * Pure but for the answer. Tables are trees of fixed depth, and so is the walk. */
#ifndef GATEWAY_SHAPE_H
#define GATEWAY_SHAPE_H

#include "aws_call.h"

enum shape_type {
    SHAPE_STRING, /* min, max: length in characters; pattern; enumeration */
    SHAPE_INTEGER,
    SHAPE_NUMBER,
    SHAPE_BOOL,
    SHAPE_TIME,
    SHAPE_LIST, /* min, max: how many; element */
    SHAPE_MAP,  /* the same; key and element   */
    SHAPE_OBJECT,
    SHAPE_ANY, /* kept as it is */
};

struct shape_member;

struct shape {
    enum shape_type type;
    double min, max;                /* max 0 = no limit */
    bool soft;                      /* its limits are control's */
    bool soft_max;                  /* the upper one is         */
    const char *pattern;            /* as AWS prints it ... */
    bool (*matches)(const char *s); /* ... and checks it */
    const char *const *values;      /* NULL-terminated */
    const struct shape *element, *key;
    const struct shape_member *members; /* ends with a NULL name */
};

struct shape_member {
    const char *name;
    const struct shape *shape;
    bool required;
};

/* False: answered. */
bool shape_check(struct aws_call *c, const struct shape *s);
/* The failures of soft limits as one message, or NULL when there were none. */
const char *shape_soft(const struct aws_call *c);
/* "VpcConfig" -> "vpcConfig" */
char *shape_camel(struct arena *a, const char *name);

#endif
