#include "core/policy.h"

static struct policy_window fixed_idle(struct policy *p, int64_t now_us, unsigned level)
{
    (void)level;
    return (struct policy_window){ now_us, now_us + p->keep_alive_us };
}

const struct policy_ops policy_fixed = { .name = "fixed", .idle = fixed_idle };
