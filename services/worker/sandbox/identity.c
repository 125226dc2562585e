/* User ids and capabilities. */
#include "enter.h"

#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The user id that files of ours have inside; any would do, and 0 would only look like more than it is. */
#define INNER_ID 1000

struct capabilities {
    struct __user_cap_data_struct word[2];
};

static int get_capabilities(struct capabilities *out)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

    return (int)syscall(SYS_capget, &header, out->word);
}

static int set_capabilities(const struct capabilities *c)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

    return (int)syscall(SYS_capset, &header, c->word);
}

bool identity_privileged(void)
{
    struct capabilities c = { 0 };

    return get_capabilities(&c) == 0 && (c.word[0].effective & (1u << CAP_SYS_ADMIN));
}

static int write_file(int dir, const char *path, const char *text)
{
    pl_cleanup(pl_close_p) int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* One id inside is one id outside: the only map that needs no rights outside. */
static int write_maps(struct enter *e, int proc_fd, uid_t inner_uid, gid_t inner_gid)
{
    char uids[48], gids[48];

    (void)snprintf(uids, sizeof(uids), "%u %u 1\n", (unsigned)inner_uid, (unsigned)e->outer_uid);
    (void)snprintf(gids, sizeof(gids), "%u %u 1\n", (unsigned)inner_gid, (unsigned)e->outer_gid);
    if (write_file(proc_fd, "self/setgroups", "deny") != 0 || write_file(proc_fd, "self/gid_map", gids) != 0 ||
        write_file(proc_fd, "self/uid_map", uids) != 0) {
        (void)snprintf(e->detail, sizeof(e->detail), "mapping user %u and group %u", (unsigned)e->outer_uid,
                       (unsigned)e->outer_gid);
        return -1;
    }
    return 0;
}

/* Without rights of our own: in a namespace of our own we have them all. */
int identity_zygote_namespace(struct enter *e)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();

    e->outer_uid = uid;
    e->outer_gid = gid;
    if (unshare(CLONE_NEWUSER) != 0)
        return -1;
    return write_maps(e, e->proc_fd, uid, gid);
}

/* Capabilities stay across the change, for the next step to give up. /proc/self must stay ours for identity_map(). */
int identity_take_uid(struct enter *e)
{
    uid_t id = e->plan->uid;

    if (setgroups(0, NULL) != 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setresgid(id, id, id) != 0 ||
        setresuid(id, id, id) != 0)
        return -1;
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

int identity_keep_clone_rights(struct enter *e)
{
    struct capabilities c = { 0 };

    if (e->privileged && !SANDBOX_HAS(e->plan->features, USER_NS)) {
        unsigned keep = (1u << CAP_SYS_ADMIN) | (1u << CAP_SYS_RESOURCE);

        if (e->profile->loopback)
            keep |= 1u << CAP_NET_ADMIN;
        if (get_capabilities(&c) != 0)
            return -1;
        keep &= c.word[0].permitted;
        c = (struct capabilities){ .word[0] = { .effective = keep, .permitted = keep } };
    }
    e->outer_uid = geteuid();
    e->outer_gid = getegid();
    return set_capabilities(&c);
}

int identity_map(struct enter *e)
{
    return write_maps(e, e->proc_fd, INNER_ID, INNER_ID);
}

int identity_keep_copy_rights(struct enter *e)
{
    const struct capabilities one = {
        .word[0] = { .effective = 1u << CAP_SYS_ADMIN, .permitted = 1u << CAP_SYS_ADMIN },
    };

    (void)e;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return -1;
    return set_capabilities(&one);
}

int identity_drop_all(struct enter *e)
{
    const struct capabilities none = { 0 };

    (void)e;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return -1;
    return set_capabilities(&none);
}
