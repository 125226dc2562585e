/* STS and IAM, as far as the SageMaker Python SDK asks: who am I, and what is my role? */
#include "aws_error.h"
#include "gateway.h"
#include "services.h"

#include <ctype.h>
#include <string.h>

static char *role_arn(struct aws_call *c, const char *name)
{
    return arena_format(c->arena, "arn:aws:iam::%s:role/%s", c->account, name);
}

static void get_caller_identity(struct aws_call *c)
{
    const char *session = c->signed_by_key ? c->claim.access_key : "anonymous";
    const char *role = c->gateway->config->role;
    aws_reply(c, json_pack("{s:s, s:s, s:s}", "Arn",
                           arena_format(c->arena, "arn:aws:sts::%s:assumed-role/%s/%s", c->account, role, session),
                           "UserId", arena_format(c->arena, "AROAPILOTLIGHT:%s", session), "Account", c->account));
}

static bool is_role_name(const char *s)
{
    size_t n = strlen(s);
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("+=,.@_-", *s))
            return false;
    return n >= 1 && n <= 64;
}

/* Roles decide nothing here, so every name has one: code that looks up the ARN of its own role works. */
static void get_role(struct aws_call *c)
{
    const char *name = aws_text(c->input, "RoleName");
    if (!name || !is_role_name(name)) {
        aws_fail(c, AWS_VALIDATION, "RoleName must have 1 to 64 letters, digits or + = , . @ _ -");
        return;
    }
    json_t *role =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:i}", "Path", "/", "RoleName", name, "RoleId", "AROAPILOTLIGHT", "Arn",
                  role_arn(c, name), "CreateDate", aws_time(c, 0), "MaxSessionDuration", 3600);
    aws_reply(c, json_pack("{s:o}", "Role", role));
}

static const struct aws_operation sts_operations[] = { { "GetCallerIdentity", get_caller_identity }, { 0 } };
static const struct aws_operation iam_operations[] = { { "GetRole", get_role }, { 0 } };

const struct aws_service sts_service = {
    .name = "sts",
    .signing_name = "sts",
    .query_version = "2011-06-15",
    .xmlns = "https://sts.amazonaws.com/doc/2011-06-15/",
    .operations = sts_operations,
};

const struct aws_service iam_service = {
    .name = "iam",
    .signing_name = "iam",
    .query_version = "2010-05-08",
    .xmlns = "https://iam.amazonaws.com/doc/2010-05-08/",
    .operations = iam_operations,
};
