#include "filter.h"

#include "profile.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPTIMIZE_TREE 2 /* SCMP_FLTATR_CTL_OPTIMIZE: a binary tree of system calls */

static void release_context(scmp_filter_ctx *context)
{
    if (*context)
        seccomp_release(*context);
}

static int add_rule(scmp_filter_ctx context, const struct filter_rule *r)
{
    int call = seccomp_syscall_resolve_name(r->call);

    if (call < 0)
        return 0;
    switch (r->test) {
    case FILTER_EQUAL:
        return seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 1, SCMP_CMP(r->arg, SCMP_CMP_EQ, r->value));
    case FILTER_MASKED:
        return seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 1,
                                SCMP_CMP(r->arg, SCMP_CMP_MASKED_EQ, r->mask, r->value));
    case FILTER_ANY:
        break;
    }
    return seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 0);
}

static int add_group(scmp_filter_ctx context, const struct filter_rules *g)
{
    int failed = 0;

    for (unsigned i = 0; i < g->count && failed == 0; i++)
        failed = add_rule(context, &g->rules[i]);
    return failed;
}

static int add_names(scmp_filter_ctx context, const char *const *names, uint32_t action)
{
    int failed = 0;

    for (; *names && failed == 0; names++) {
        int call = seccomp_syscall_resolve_name(*names);

        if (call >= 0)
            failed = seccomp_rule_add(context, action, call, 0);
    }
    return failed;
}

static int add_all(scmp_filter_ctx context, unsigned groups, bool alone)
{
    int failed = 0;

    for (unsigned i = 0; i < filter_allowed_count && failed == 0; i++)
        if (groups & filter_allowed[i].group)
            failed = add_group(context, &filter_allowed[i]);
    if (failed == 0)
        failed = add_group(context, alone ? &filter_allowed_alone : &filter_allowed_self);
    if (failed == 0)
        failed = add_names(context, filter_absent, SCMP_ACT_ERRNO(ENOSYS));
    if (failed == 0)
        failed = add_names(context, filter_deadly, SCMP_ACT_KILL_PROCESS);
    if (failed == 0 && !(groups & FILTER_TEMPLATE))
        failed = add_names(context, filter_deadly_but_template, SCMP_ACT_KILL_PROCESS);
    return failed;
}

/* The program as libseccomp writes it, through a file in memory. */
static bool export_program(scmp_filter_ctx context, struct filter *out)
{
    pl_cleanup(pl_close_p) int fd = memfd_create("filter", MFD_CLOEXEC);
    off_t size;

    if (fd < 0 || seccomp_export_bpf(context, fd) != 0)
        return false;
    size = lseek(fd, 0, SEEK_END);
    if (size <= 0 || (size_t)size % sizeof(struct sock_filter) != 0 ||
        (size_t)size / sizeof(struct sock_filter) > BPF_MAXINSNS)
        return false;
    out->program.filter = malloc((size_t)size);
    if (!out->program.filter || pread(fd, out->program.filter, (size_t)size, 0) != size) {
        filter_done(out);
        return false;
    }
    out->program.len = (unsigned short)((size_t)size / sizeof(struct sock_filter));
    return true;
}

enum pl_code filter_compile(struct filter *out, unsigned groups, bool alone, struct pl_err *err)
{
    pl_cleanup(release_context) scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));

    *out = (struct filter){ 0 };
    if (!context || seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_TREE) != 0 ||
        seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0 ||
        add_all(context, groups, alone) != 0 || !export_program(context, out))
        return pl_fail(err, PL_UNAVAILABLE, NULL, "libseccomp cannot compile the system call filter");
    return PL_OK;
}

void filter_done(struct filter *f)
{
    free(f->program.filter);
    *f = (struct filter){ 0 };
}

int filter_install(const struct filter *f)
{
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f->program);
}
