/* filter - the system calls that a profile may make, as a BPF program.
 *
 * Compiled by libseccomp once, in the zygote, before any instance exists; installing it afterwards is one system call.
 * What is not on the list fails with EPERM; what no honest program of ours ever calls (mount, ptrace, bpf, ...) ends
 * the process with SIGSYS, so that an attempt shows in the instance's death.
 *
 * Memory: a filter owns its program. */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

#include "base/err.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

/* With which a template makes a copy; the filter lets it pass with these and no others. The worker becomes its parent.
 */
#define FILTER_COPY_FLAGS                                                                                              \
    (CLONE_PARENT | CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

struct filter {
    struct sock_fprog program; /* len 0: none */
};

/* 'groups': enum filter_group. 'alone': the process has a pid namespace of its own, so that signals reach only itself.
 * PL_UNAVAILABLE: libseccomp or the kernel cannot. */
PL_MUST_CHECK enum pl_code filter_compile(struct filter *out, unsigned groups, bool alone, struct pl_err *err);
void filter_done(struct filter *f);
/* For this process, for good. 0, or -1 with errno. */
int filter_install(const struct filter *f);

/* ---- filter_rules.c ---- */

enum filter_test {
    FILTER_ANY,    /* whatever the arguments         */
    FILTER_EQUAL,  /* argument 'arg' == value        */
    FILTER_MASKED, /* (argument 'arg' & mask) == value */
};
struct filter_rule {
    const char *call; /* libseccomp's name; one that this libseccomp or machine does not know is skipped */
    enum filter_test test;
    unsigned arg;
    uint64_t mask, value;
};
struct filter_rules {
    unsigned group; /* enum filter_group */
    const struct filter_rule *rules;
    unsigned count;
};
extern const struct filter_rules filter_allowed[];
extern const unsigned filter_allowed_count;
/* Calls that name a process: any, where a pid namespace makes that harmless, else the caller itself. */
extern const struct filter_rules filter_allowed_alone, filter_allowed_self;
/* Fail with ENOSYS: the C library then takes the older call, which can be checked. */
extern const char *const filter_absent[];
/* End the process; the second, unless it makes copies of itself. */
extern const char *const filter_deadly[];
extern const char *const filter_deadly_but_template[];

#endif
