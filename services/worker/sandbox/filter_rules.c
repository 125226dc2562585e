/* The lists behind filter.h. A call stands here because something of ours needs it: the comment says what. */
#include "filter.h"
#include "profile.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define ANY(name)                                                                                                      \
    {                                                                                                                  \
        name, FILTER_ANY, 0, 0, 0                                                                                      \
    }
#define EQUAL(name, arg, value)                                                                                        \
    {                                                                                                                  \
        name, FILTER_EQUAL, arg, 0, value                                                                              \
    }
#define MASKED(name, arg, mask, value)                                                                                 \
    {                                                                                                                  \
        name, FILTER_MASKED, arg, mask, value                                                                          \
    }

#define OPEN_WRITES (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY))

static const struct filter_rule base[] = {
    /* the channel and the log */
    ANY("read"),
    ANY("readv"),
    ANY("write"),
    ANY("writev"),
    ANY("recvfrom"),
    ANY("recvmsg"),
    ANY("sendto"),
    ANY("sendmsg"),
    ANY("poll"),
    ANY("ppoll"),
    ANY("close"),
    /* reading the model: every form of open, none that writes */
    MASKED("open", 1, OPEN_WRITES, O_RDONLY),
    MASKED("openat", 2, OPEN_WRITES, O_RDONLY),
    ANY("pread64"),
    ANY("preadv"),
    ANY("lseek"),
    ANY("fstat"),
    ANY("stat"),
    ANY("lstat"),
    ANY("newfstatat"),
    ANY("statx"),
    ANY("statfs"),
    ANY("fstatfs"),
    ANY("access"),
    ANY("faccessat"),
    ANY("faccessat2"),
    ANY("readlink"),
    ANY("readlinkat"),
    ANY("getdents64"),
    ANY("getcwd"),
    ANY("fchdir"),
    ANY("fadvise64"),
    ANY("readahead"),
    /* duplicating and marking descriptors */
    ANY("dup"),
    ANY("dup2"),
    ANY("dup3"),
    EQUAL("fcntl", 1, F_GETFD),
    EQUAL("fcntl", 1, F_SETFD),
    EQUAL("fcntl", 1, F_GETFL),
    EQUAL("fcntl", 1, F_SETFL),
    EQUAL("fcntl", 1, F_DUPFD_CLOEXEC),
    /* memory */
    ANY("brk"),
    ANY("mmap"),
    ANY("munmap"),
    ANY("mremap"),
    ANY("mprotect"),
    ANY("madvise"),
    ANY("msync"),
    ANY("mincore"),
    ANY("membarrier"),
    /* time, and waiting for it */
    ANY("clock_gettime"),
    ANY("clock_getres"),
    ANY("clock_nanosleep"),
    ANY("nanosleep"),
    ANY("gettimeofday"),
    ANY("time"),
    ANY("times"),
    /* what the C library and libgomp do on their own */
    ANY("futex"),
    ANY("restart_syscall"),
    ANY("rt_sigaction"),
    ANY("rt_sigprocmask"),
    ANY("rt_sigreturn"),
    ANY("sigaltstack"),
    ANY("rseq"),
    ANY("set_robust_list"),
    ANY("getrandom"),
    ANY("sched_yield"),
    ANY("sched_getaffinity"),
    ANY("getcpu"),
    ANY("sysinfo"),
    ANY("uname"),
    ANY("getpid"),
    ANY("getppid"),
    ANY("gettid"),
    ANY("getuid"),
    ANY("geteuid"),
    ANY("getgid"),
    ANY("getegid"),
    ANY("getrusage"),
    ANY("exit"),
    ANY("exit_group"),
    /* the name that `ps` shows */
    EQUAL("prctl", 0, PR_SET_NAME),
    EQUAL("prctl", 0, PR_GET_NAME),
    /* limits of this process only: they go down, never up */
    ANY("getrlimit"),
    ANY("setrlimit"),
    EQUAL("prlimit64", 0, 0),
};

/* A thread of this process; CLONE_THREAD leaves nothing else. */
static const struct filter_rule threads[] = {
    MASKED("clone", 0,
           CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET,
           CLONE_THREAD | CLONE_VM | CLONE_SIGHAND),
    ANY("set_tid_address"),
    ANY("futex_waitv"),
    ANY("rt_sigtimedwait"),
    ANY("rt_sigsuspend"),
    ANY("rt_sigpending"),
    ANY("pause"),
};

/* Nothing here takes a name away from a file: what has been written stays where it can be found and measured. */
static const struct filter_rule creates[] = {
    MASKED("open", 1, O_TMPFILE & ~O_DIRECTORY, 0),
    MASKED("openat", 2, O_TMPFILE & ~O_DIRECTORY, 0),
    ANY("pwrite64"),
    ANY("pwritev"),
    ANY("ftruncate"),
    ANY("fsync"),
    ANY("fdatasync"),
    ANY("mkdir"),
    ANY("mkdirat"),
    ANY("link"),
    ANY("linkat"),
    ANY("symlink"),
    ANY("symlinkat"),
    ANY("chmod"),
    ANY("fchmod"),
    ANY("fchmodat"),
    ANY("utimensat"),
    ANY("umask"),
    ANY("chdir"),
};

static const struct filter_rule writes[] = {
    ANY("open"),
    ANY("openat"),
    ANY("creat"),
    ANY("copy_file_range"),
    ANY("sendfile"),
    ANY("truncate"),
    ANY("fallocate"),
    ANY("sync_file_range"),
    ANY("rmdir"),
    ANY("unlink"),
    ANY("unlinkat"),
    ANY("rename"),
    ANY("renameat"),
    ANY("renameat2"),
    ANY("futimesat"),
    ANY("utimes"),
    ANY("flock"),
    ANY("fgetxattr"),
    ANY("flistxattr"),
    EQUAL("fcntl", 1, F_SETLK),
    EQUAL("fcntl", 1, F_SETLKW),
    EQUAL("fcntl", 1, F_GETLK),
    EQUAL("fcntl", 1, F_OFD_SETLK),
    EQUAL("fcntl", 1, F_DUPFD),
};

static const struct filter_rule events[] = {
    ANY("pipe"),
    ANY("pipe2"),
    ANY("eventfd2"),
    ANY("epoll_create1"),
    ANY("epoll_ctl"),
    ANY("epoll_wait"),
    ANY("epoll_pwait"),
    ANY("timerfd_create"),
    ANY("timerfd_settime"),
    ANY("timerfd_gettime"),
    ANY("select"),
    ANY("pselect6"),
    ANY("memfd_create"),
    ANY("getsockopt"),
    ANY("getsockname"),
    ANY("shutdown"),
    EQUAL("socketpair", 0, AF_UNIX),
    EQUAL("ioctl", 1, 0x5421 /* FIONBIO */),
    EQUAL("ioctl", 1, 0x5451 /* FIOCLEX */),
    EQUAL("ioctl", 1, 0x541b /* FIONREAD */),
    ANY("mlock"),
    ANY("munlock"),
    ANY("get_mempolicy"),
    ANY("getgroups"),
    ANY("getresuid"),
    ANY("getresgid"),
    ANY("getpgrp"),
};

/* Programs of the model's owner: what shells, C libraries and language runtimes ask for when they start. */
static const struct filter_rule programs[] = {
    MASKED("clone", 0,
           CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
           0),
    ANY("fork"),
    ANY("vfork"),
    ANY("execve"),
    ANY("execveat"),
    ANY("wait4"),
    ANY("waitid"),
    ANY("setpgid"),
    ANY("setsid"),
    ANY("arch_prctl"),
    ANY("capget"),
    ANY("alarm"),
    ANY("setitimer"),
    ANY("getitimer"),
    ANY("timer_create"),
    ANY("timer_settime"),
    ANY("timer_gettime"),
    ANY("timer_delete"),
    ANY("signalfd4"),
    ANY("setpriority"),
    ANY("splice"),
    ANY("sched_get_priority_max"),
    ANY("sched_get_priority_min"),
    EQUAL("prctl", 0, PR_SET_PDEATHSIG),
    EQUAL("prctl", 0, PR_GET_DUMPABLE),
    EQUAL("prctl", 0, PR_SET_NO_NEW_PRIVS),
    EQUAL("prctl", 0, PR_CAPBSET_READ),
};

/* All of these work on file descriptors, and those come from socket() and accept() alone. */
static const struct filter_rule sockets[] = {
    EQUAL("socket", 0, AF_UNIX),
    EQUAL("socket", 0, AF_INET),
    EQUAL("socket", 0, AF_INET6),
    ANY("bind"),
    ANY("listen"),
    ANY("accept"),
    ANY("accept4"),
    ANY("connect"),
    ANY("setsockopt"),
    ANY("getpeername"),
    ANY("sendmmsg"),
    ANY("recvmmsg"),
};

/* A process that has loaded a model and makes copies of itself (template.h). */
static const struct filter_rule copies[] = {
    EQUAL("clone", 0, FILTER_COPY_FLAGS),
    /* what a copy does until it takes the filter of an instance on top of this one */
    ANY("setsid"),
    ANY("close_range"),
    ANY("move_mount"),
    ANY("capset"),
    EQUAL("seccomp", 0, SECCOMP_SET_MODE_FILTER),
    EQUAL("prctl", 0, PR_SET_PDEATHSIG),
    EQUAL("prctl", 0, PR_CAP_AMBIENT),
    /* abort() and raise() of a copy, which is process 1 to itself. In the template that is the host's first process,
     * which is another user's. */
    EQUAL("kill", 0, 1),
    EQUAL("tgkill", 0, 1),
};

static const struct filter_rule alone[] = {
    ANY("tgkill"),         ANY("tkill"),
    ANY("kill"),           ANY("sched_setaffinity"),
    ANY("sched_getparam"), ANY("sched_getscheduler"),
    ANY("getpgid"),        ANY("getsid"),
    ANY("getpriority"),
};

static const struct filter_rule self[] = {
    EQUAL("sched_setaffinity", 0, 0), EQUAL("sched_getparam", 0, 0), EQUAL("sched_getscheduler", 0, 0),
    EQUAL("getpgid", 0, 0),           EQUAL("getsid", 0, 0),         EQUAL("getpriority", 1, 0),
};

#define GROUP(id, table)                                                                                               \
    {                                                                                                                  \
        id, table, sizeof(table) / sizeof((table)[0])                                                                  \
    }
const struct filter_rules filter_allowed[] = {
    GROUP(FILTER_BASE, base),       GROUP(FILTER_THREADS, threads), GROUP(FILTER_CREATE, creates),
    GROUP(FILTER_WRITE, writes),    GROUP(FILTER_EVENTS, events),   GROUP(FILTER_PROGRAMS, programs),
    GROUP(FILTER_SOCKETS, sockets), GROUP(FILTER_TEMPLATE, copies),
};
const unsigned filter_allowed_count = sizeof(filter_allowed) / sizeof(filter_allowed[0]);
const struct filter_rules filter_allowed_alone = GROUP(0, alone);
const struct filter_rules filter_allowed_self = GROUP(0, self);

/* Their arguments lie in memory, where a filter cannot look. */
const char *const filter_absent[] = { "clone3", "openat2", NULL };

const char *const filter_deadly[] = {
    /* other processes */
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    /* namespaces and mounts */
    "unshare",
    "setns",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "swapon",
    "swapoff",
    "quotactl",
    /* the kernel itself */
    "bpf",
    "perf_event_open",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "userfaultfd",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "iopl",
    "ioperm",
    "acct",
    "syslog",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "add_key",
    "request_key",
    "keyctl",
    "open_by_handle_at",
    "lookup_dcookie",
    "modify_ldt",
    "personality",
    "vhangup",
    "fanotify_init",
    /* another identity */
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
    NULL,
};

const char *const filter_deadly_but_template[] = { "move_mount", "capset", NULL };
