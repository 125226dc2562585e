/* The program inside: does one thing after the other that it must not be able to do, as it is told on its channel, and
 * says how it went: "done" or the errno's name. */
#include "sandbox/probe.h"
#include "sandbox/zygote.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHANNEL 3
#define MIB     (1u << 20)

/* Each returns < 0 with errno when it was refused. 'what' is the rest of the line. */

static int read_path(const char *what)
{
    char text[64];
    int fd = open(what, O_RDONLY);

    return fd < 0 ? -1 : (int)read(fd, text, sizeof(text));
}

static int write_path(const char *what)
{
    int fd = open(what, O_WRONLY | O_CREAT, 0600);

    return fd < 0 ? -1 : (int)write(fd, "x", 1);
}

static int change_mode(const char *what)
{
    return chmod(what, 0777);
}

/* Three ways to have written what nobody can find. */
static int take_name_away(const char *what)
{
    return unlink(what);
}

static int give_other_name(const char *what)
{
    return rename(what, "/out/other");
}

static int write_nameless(const char *what)
{
    return open(what, O_WRONLY | O_TMPFILE, 0600);
}

static int make_socket(const char *what)
{
    return socket(atoi(what), SOCK_STREAM, 0);
}

static int make_pair(const char *what)
{
    int fds[2];

    return socketpair(atoi(what), SOCK_STREAM, 0, fds);
}

static int signal_process(const char *what)
{
    return kill(atoi(what), SIGKILL);
}

static int find_others(const char *what)
{
    (void)what;
    for (pid_t pid = 2; pid < 40000; pid++)
        if (kill(pid, 0) == 0 || errno == EPERM)
            return 0;
    errno = ESRCH;
    return -1;
}

static int mount_something(const char *what)
{
    return mount("none", what, "tmpfs", 0, NULL);
}

static int leave_namespace(const char *what)
{
    return unshare(atoi(what));
}

static int change_root(const char *what)
{
    return chroot(what);
}

static int trace(const char *what)
{
    return (int)ptrace(PTRACE_ATTACH, atoi(what), NULL, NULL);
}

static int read_memory(const char *what)
{
    char byte;
    struct iovec here = { &byte, 1 }, there = { &byte, 1 };

    return (int)process_vm_readv(atoi(what), &here, 1, &there, 1, 0);
}

static int make_process(const char *what)
{
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

    (void)what;
    if (pid == 0)
        _exit(0);
    return pid;
}

static void *idle(void *arg)
{
    for (;;)
        (void)pause();
    return arg;
}

/* As many as it can get, up to the number in 'what'. */
static int make_threads(const char *what)
{
    for (int i = 0; i < atoi(what); i++) {
        pthread_attr_t small;
        pthread_t thread;
        int error;

        (void)pthread_attr_init(&small);
        (void)pthread_attr_setstacksize(&small, 64 << 10);
        error = pthread_create(&thread, &small, idle, NULL);
        if (error != 0) {
            errno = error;
            return -1;
        }
    }
    return 0;
}

static int run_program(const char *what)
{
    char *const argv[] = { (char *)"program", NULL };

    return execve(what, argv, argv + 1);
}

static int take_memory(const char *what)
{
    size_t size = (size_t)atoi(what) * MIB;
    char *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (room == MAP_FAILED)
        return -1;
    for (size_t i = 0; i < size; i += 4096)
        room[i] = 1;
    return 0;
}

/* Files of at most 100 MB each, 'what' MB in all. */
static int fill_disk(const char *what)
{
    static char block[MIB];
    int fd = -1;

    for (int i = 0; i < atoi(what); i++) {
        if (i % 100 == 0) {
            char path[32];

            (void)snprintf(path, sizeof(path), "/tmp/%d", i);
            fd = open(path, O_WRONLY | O_CREAT, 0600);
        }
        if (fd < 0 || write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
            return -1;
    }
    return 0;
}

/* "MB", or "MB FOLDER" */
static int one_large_file(const char *what)
{
    const char *folder = strchr(what, ' ');
    char path[256];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/large", folder ? folder + 1 : "/tmp");
    fd = open(path, O_WRONLY | O_CREAT, 0600);

    (void)signal(SIGXFSZ, SIG_IGN);
    return fd < 0 ? -1 : ftruncate(fd, (off_t)atoi(what) * MIB);
}

static int raise_limit(const char *what)
{
    const struct rlimit more = { .rlim_cur = 1 << 20, .rlim_max = 1 << 20 };

    (void)what;
    return setrlimit(RLIMIT_NOFILE, &more);
}

static int another_user(const char *what)
{
    return setuid((uid_t)atoi(what));
}

static int shared_memory(const char *what)
{
    (void)what;
    return shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
}

/* By number, without arguments that mean anything. */
static int system_call(const char *what)
{
    return (int)syscall(atol(what), 0, 0, 0, 0, 0, 0);
}

static int count_descriptors(const char *what)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    errno = ENOENT;
    return count <= atoi(what) ? 0 : -1;
}

/* Names in a folder, more than 'what' says by "N PATH". */
static int count_entries(const char *what)
{
    const char *path = strchr(what, ' ') + 1;
    DIR *dir = opendir(path);
    int count = 0;

    if (!dir)
        return -1;
    for (struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] != '.';
    (void)closedir(dir);
    errno = E2BIG;
    return count == atoi(what) ? 0 : -1;
}

static int crash(const char *what)
{
    (void)what;
    abort();
}

static const struct {
    const char *name;
    int (*attempt)(const char *what);
} attempts[] = {
    { "read", read_path },
    { "write", write_path },
    { "chmod", change_mode },
    { "socket", make_socket },
    { "socketpair", make_pair },
    { "kill", signal_process },
    { "others", find_others },
    { "mount", mount_something },
    { "unshare", leave_namespace },
    { "chroot", change_root },
    { "ptrace", trace },
    { "peek", read_memory },
    { "fork", make_process },
    { "threads", make_threads },
    { "exec", run_program },
    { "memory", take_memory },
    { "disk", fill_disk },
    { "file", one_large_file },
    { "unlink", take_name_away },
    { "rename", give_other_name },
    { "nameless", write_nameless },
    { "setrlimit", raise_limit },
    { "setuid", another_user },
    { "shm", shared_memory },
    { "syscall", system_call },
    { "descriptors", count_descriptors },
    { "entries", count_entries },
    { "abort", crash },
};

static void answer(char *line)
{
    char *what = strchr(line, ' ');
    char text[64];

    if (what)
        *what++ = '\0';
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        int got;

        if (strcmp(line, attempts[i].name) != 0)
            continue;
        got = attempts[i].attempt(what ? what : "");
        (void)snprintf(text, sizeof(text), "%s\n", got >= 0 ? "done" : strerrorname_np(errno));
        if (write(CHANNEL, text, strlen(text)) < 0)
            _exit(1);
        return;
    }
    _exit(98);
}

/* One line at a time; at the end of them it leaves. */
static void serve(void)
{
    char line[512];
    size_t len = 0;

    for (;;) {
        ssize_t n = read(CHANNEL, line + len, 1);

        if (n <= 0 || len == sizeof(line) - 1)
            _exit(0);
        if (line[len] != '\n') {
            len++;
            continue;
        }
        line[len] = '\0';
        answer(line);
        len = 0;
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || strcmp(argv[1], "zygote") != 0)
        return 2;
    (void)sandbox_zygote_serve();
    if (strcmp(argv[2], "probe") == 0)
        return sandbox_trial_main(0, NULL);
    if (strcmp(argv[2], "tool") != 0)
        (void)sandbox_zygote_assigned();
    serve();
    return 0;
}
