/* policy - one question: how long does an instance that has nothing to do stay, and when does one come ahead of need?
 *
 * An endpoint's instances are taken most recently used first, so its concurrency has *levels*: the first instance is
 * busy whenever one request is there, the second whenever two are, and so on. When the number of busy instances goes
 * from k to k - 1, level k becomes idle, and the policy says in which window of time an instance should be warm for it:
 *
 *     from <= now     keep the instance that became idle, until 'until'
 *     from >  now     let it go now, and start one at 'from' (unless a request came first); it stays until 'until'
 *
 * Provisioned concurrency is not the policy's business: it is kept warm whatever is answered here.
 * Reads nothing but its arguments: no clock, no log.  Memory: one per variant, embedded; a policy that learns allocates
 * in 'init' and frees in 'done'. */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct policy;

struct policy_window {
    int64_t from_us, until_us;
};

struct policy_ops {
    const char *name;
    void (*done)(struct policy *p); /* NULL: nothing to free */
    /* Level 'level' became busy; 'cold' when the request had to wait for a start. NULL: does not care. */
    void (*busy)(struct policy *p, int64_t now_us, unsigned level, bool cold);
    /* Level 'level' became idle. */
    struct policy_window (*idle)(struct policy *p, int64_t now_us, unsigned level);
};

struct policy {
    const struct policy_ops *ops;
    int64_t keep_alive_us;
    void *learned;
};

/* The same time after every request: from now, until keep_alive_us later. */
extern const struct policy_ops policy_fixed;

#endif
