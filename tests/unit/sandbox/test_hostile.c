/* What a hostile program cannot do, each attempt a line of a table: "attempt" -> the errno it must get, or the signal
 * that must end it. Every attempt has a process of its own. */
#include "rig.h"

#include "base/sanitizer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TREES   (1u << SANDBOX_TREES)
#define PYTHON  (1u << SANDBOX_PYTHON)
#define UNPACK  (1u << SANDBOX_UNPACK)
#define COMPILE (1u << SANDBOX_COMPILE)
#define ALL     (TREES | PYTHON | UNPACK | COMPILE)
#define NONE    SANDBOX_FEATURE_COUNT

static const struct attempt {
    unsigned profiles;
    enum sandbox_feature needs; /* without it the host cannot keep the promise, and says so */
    const char *line;           /* %s: the secret file; %d: the test's own process id */
    const char *answer;         /* "EPERM|ENOENT": one of these */
    int killed_by;              /* instead of an answer */
} attempts[] = {
    /* files outside its model and runtime */
    { ALL, SANDBOX_ROOT_BIT, "read %s", "ENOENT", 0 },
    { ALL, SANDBOX_ROOT_BIT, "read /etc/passwd", "ENOENT", 0 },
    { ALL, SANDBOX_ROOT_BIT, "read /etc/shadow", "ENOENT", 0 },
    { ALL, SANDBOX_ROOT_BIT, "read /proc/self/environ", "ENOENT", 0 },
    { ALL, SANDBOX_ROOT_BIT, "read /proc/1/root/etc/passwd", "ENOENT", 0 },
    { ALL, SANDBOX_ROOT_BIT, "read /sys/kernel/notes", "ENOENT", 0 },
    { ALL, SANDBOX_ROOT_BIT, "read ../other/model", "ENOENT", 0 },
    { ALL, SANDBOX_ROOT_BIT, "read ../models/other/model", "ENOENT", 0 },
    { ALL, SANDBOX_ROOT_BIT, "read ../../../../../../etc/passwd", "ENOENT", 0 },
    { TREES | PYTHON | COMPILE, SANDBOX_ROOT_BIT, "read /models/other/model", "ENOENT", 0 },
    { TREES, SANDBOX_ROOT_BIT, "entries 0 /dev", "ENOENT", 0 },
    /* writing where nothing is to be written */
    { TREES, SANDBOX_SECCOMP_BIT, "write model", "EPERM", 0 },
    { TREES, SANDBOX_SECCOMP_BIT, "write /new", "EPERM", 0 },
    { TREES, SANDBOX_SECCOMP_BIT, "write /tmp/new", "EPERM", 0 },
    { TREES, SANDBOX_SECCOMP_BIT, "chmod model", "EPERM", 0 },
    { PYTHON, SANDBOX_ROOT_BIT, "write model", "EROFS", 0 },
    { PYTHON, SANDBOX_ROOT_BIT, "write new", "EROFS", 0 },
    { PYTHON, SANDBOX_ROOT_BIT, "chmod model", "EROFS", 0 },
    { PYTHON | UNPACK | COMPILE, SANDBOX_ROOT_BIT, "write /new", "EROFS", 0 },
    { PYTHON, SANDBOX_ROOT_BIT, "write /usr/new", "EROFS", 0 },
    { PYTHON, SANDBOX_ROOT_BIT, "write /dev/new", "EROFS", 0 },
    { COMPILE, SANDBOX_ROOT_BIT, "write model", "EROFS", 0 },
    /* what it writes to the host's disk stays in sight */
    { UNPACK | COMPILE, SANDBOX_ROOT_BIT, "write /out/new", "done", 0 },
    { UNPACK | COMPILE, SANDBOX_SECCOMP_BIT, "unlink /out/new", "EPERM", 0 },
    { UNPACK | COMPILE, SANDBOX_SECCOMP_BIT, "rename /out/new", "EPERM", 0 },
    { UNPACK | COMPILE, SANDBOX_SECCOMP_BIT, "nameless /out", "EPERM", 0 },
    /* the network, and other sockets */
    { ALL, SANDBOX_SECCOMP_BIT, "socket 1", "EPERM", 0 },
    { ALL, SANDBOX_SECCOMP_BIT, "socket 2", "EPERM", 0 },
    { ALL, SANDBOX_SECCOMP_BIT, "socket 10", "EPERM", 0 },
    { ALL, SANDBOX_SECCOMP_BIT, "socket 16", "EPERM", 0 },
    { ALL, SANDBOX_SECCOMP_BIT, "socket 17", "EPERM", 0 },
    { TREES | UNPACK | COMPILE, SANDBOX_SECCOMP_BIT, "socketpair 1", "EPERM", 0 },
    { PYTHON, SANDBOX_SECCOMP_BIT, "socketpair 2", "EPERM", 0 },
    /* other processes */
    { ALL, SANDBOX_PID_NS_BIT, "kill %d", "ESRCH", 0 },
    { ALL, SANDBOX_PID_NS_BIT, "others", "ESRCH", 0 },
    { ALL, SANDBOX_SECCOMP_BIT, "ptrace 1", NULL, SIGSYS },
    { ALL, SANDBOX_SECCOMP_BIT, "peek 1", NULL, SIGSYS },
    /* mounts and namespaces */
    { ALL, SANDBOX_SECCOMP_BIT, "mount /", NULL, SIGSYS },
    { ALL, SANDBOX_SECCOMP_BIT, "mount /tmp", NULL, SIGSYS },
    { ALL, SANDBOX_SECCOMP_BIT, "chroot /", NULL, SIGSYS },
    { ALL, SANDBOX_SECCOMP_BIT, "unshare 268435456", NULL, SIGSYS }, /* CLONE_NEWUSER */
    { ALL, SANDBOX_SECCOMP_BIT, "unshare 131072", NULL, SIGSYS },    /* CLONE_NEWNS   */
    /* more of itself */
    { ALL, SANDBOX_SECCOMP_BIT, "fork", "EPERM", 0 },
    { TREES | UNPACK | COMPILE, SANDBOX_SECCOMP_BIT, "threads 1", "EPERM", 0 },
    { PYTHON, SANDBOX_USER_NS_BIT, "threads 64", "EAGAIN", 0 },
    { ALL, SANDBOX_SECCOMP_BIT, "exec /bin/sh", "EPERM", 0 },
    { ALL, SANDBOX_SECCOMP_BIT, "exec model", "EPERM", 0 },
    /* more than its share */
    { ALL, NONE, "setrlimit", "EPERM", 0 },
    { PYTHON, SANDBOX_ROOT_BIT, "disk 600", "ENOSPC", 0 },
    { PYTHON, SANDBOX_ROOT_BIT, "file 600", "EFBIG", 0 },
    { ALL, SANDBOX_SECCOMP_BIT, "setuid 0", NULL, SIGSYS },
    { ALL, SANDBOX_SECCOMP_BIT, "shm", "EPERM", 0 },
    { ALL, NONE, "descriptors 5", "done", 0 },
    /* and its end is its own */
    { ALL, NONE, "abort", NULL, -1 },
};

/* System calls that are on no list: refused, or deadly. */
static const struct {
    long number;
    int killed_by;
} calls[] = {
    { SYS_bpf, SIGSYS },
    { SYS_io_uring_setup, SIGSYS },
    { SYS_keyctl, SIGSYS },
    { SYS_add_key, SIGSYS },
    { SYS_perf_event_open, SIGSYS },
    { SYS_userfaultfd, SIGSYS },
    { SYS_init_module, SIGSYS },
    { SYS_kexec_load, SIGSYS },
    { SYS_reboot, SIGSYS },
    { SYS_setns, SIGSYS },
    { SYS_pivot_root, SIGSYS },
    { SYS_move_mount, SIGSYS },
    { SYS_open_tree, SIGSYS },
    { SYS_open_by_handle_at, SIGSYS },
    { SYS_pidfd_getfd, SIGSYS },
    { SYS_capset, SIGSYS },
    { SYS_settimeofday, SIGSYS },
    { SYS_sethostname, SIGSYS },
    { SYS_personality, SIGSYS },
    { SYS_msgget, 0 },
    { SYS_semget, 0 },
    { SYS_mq_open, 0 },
    { SYS_inotify_init1, 0 },
    { SYS_fanotify_mark, 0 },
    { SYS_bind, 0 },
    { SYS_connect, 0 },
    { SYS_listen, 0 },
    { SYS_accept4, 0 },
    { SYS_vfork, 0 },
    { SYS_execveat, 0 },
    { SYS_wait4, 0 },
    { SYS_mknodat, 0 },
    { SYS_seccomp, 0 },
    { SYS_landlock_create_ruleset, 0 },
    { SYS_memfd_secret, 0 },
    { 9999, 0 },
};

static bool one_of(const char *answers, const char *answer)
{
    size_t n = strlen(answer);

    for (const char *at = answers; (at = strstr(at, answer)); at += n)
        if ((at == answers || at[-1] == '|') && (at[n] == '\0' || at[n] == '|'))
            return true;
    return false;
}

static void check_death(const char *line, int status, int signal)
{
    if (PL_SANITIZED && signal < 0 && WIFEXITED(status) && WEXITSTATUS(status) != 0)
        return; /* a sanitizer reports the crash and leaves */
    if (!WIFSIGNALED(status))
        fail_msg("'%s': exited with %d, expected death by signal %d", line, WEXITSTATUS(status), signal);
    if (signal > 0 && WTERMSIG(status) != signal)
        fail_msg("'%s': killed by %d, expected %d", line, WTERMSIG(status), signal);
}

static void attempt_one(struct rig *r, const char *line, const char *answers, int killed_by)
{
    struct inmate i;
    char answer[64];
    bool answered;

    rig_make(r, &(struct rig_wish){ 0 }, &i);
    answered = rig_say(&i, line, answer, sizeof(answer));
    if (killed_by != 0) {
        if (answered)
            fail_msg("'%s': answered %s", line, answer);
        check_death(line, rig_reap(&i), killed_by);
        return;
    }
    if (!answered) {
        int status = rig_reap(&i);
        fail_msg("'%s': no answer, status %d", line, status);
    }
    if (!one_of(answers, answer))
        fail_msg("'%s': %s, expected %s", line, answer, answers);
    assert_int_equal(rig_reap(&i), 0);
}

static void attempt_all(enum sandbox_profile profile)
{
    bool tool = profile == SANDBOX_UNPACK;
    struct rig r;
    char line[512];

    rig_start(&r, profile, tool ? "tool" : "serve");
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        const struct attempt *a = &attempts[i];

        if (!(a->profiles & (1u << profile)) || (a->needs != NONE && !rig_has(a->needs)))
            continue;
        if (strstr(a->line, "%s"))
            (void)snprintf(line, sizeof(line), "read %s", rig_host.secret);
        else if (strstr(a->line, "%d"))
            (void)snprintf(line, sizeof(line), "kill %d", (int)getpid());
        else
            (void)snprintf(line, sizeof(line), "%s", a->line);
        attempt_one(&r, line, a->answer, a->killed_by);
    }
    rig_stop(&r);
}

static void attempt_calls(enum sandbox_profile profile)
{
    struct rig r;
    char line[64];

    if (!rig_has(SANDBOX_SECCOMP_BIT))
        skip();
    rig_start(&r, profile, "serve");
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        (void)snprintf(line, sizeof(line), "syscall %ld", calls[i].number);
        attempt_one(&r, line, "EPERM", calls[i].killed_by);
    }
    rig_stop(&r);
}

static void trees(void **state)
{
    (void)state;
    attempt_all(SANDBOX_TREES);
}

static void python(void **state)
{
    (void)state;
    attempt_all(SANDBOX_PYTHON);
}

static void unpack(void **state)
{
    (void)state;
    attempt_all(SANDBOX_UNPACK);
}

static void compile(void **state)
{
    (void)state;
    attempt_all(SANDBOX_COMPILE);
}

static void system_calls(void **state)
{
    (void)state;
    attempt_calls(SANDBOX_TREES);
    attempt_calls(SANDBOX_PYTHON);
}

/* A sandbox in which nothing works proves nothing. */
static void allowed(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, SANDBOX_TREES, "serve");
    attempt_one(&r, "read model", "done", 0);
    attempt_one(&r, "entries 1 .", "done", 0);
    attempt_one(&r, "memory 16", "done", 0);
    rig_stop(&r);
    rig_start(&r, SANDBOX_PYTHON, "serve");
    attempt_one(&r, "read model", "done", 0);
    attempt_one(&r, "socketpair 1", "done", 0);
    attempt_one(&r, "threads 20", "done", 0);
    if (rig_has(SANDBOX_ROOT_BIT)) {
        attempt_one(&r, "read /opt/ml/model/model", "done", 0);
        attempt_one(&r, "read /dev/zero", "done", 0);
        attempt_one(&r, "write /tmp/new", "done", 0);
        attempt_one(&r, "disk 50", "done", 0);
    }
    rig_stop(&r);
    rig_start(&r, SANDBOX_COMPILE, "serve");
    attempt_one(&r, "read model", "done", 0);
    if (rig_has(SANDBOX_ROOT_BIT))
        attempt_one(&r, "write /out/compiled", "done", 0);
    rig_stop(&r);
    if (rig_has(SANDBOX_ROOT_BIT)) {
        char path[160];

        (void)snprintf(path, sizeof(path), "%s/compiled", rig_host.work);
        assert_int_equal(unlink(path), 0);
    }
}

/* ---- seen from outside ---- */

static void read_link(pid_t pid, const char *name, char out[64])
{
    char path[64];
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
    n = readlink(path, out, 63);
    assert_true(n > 0);
    out[n] = '\0';
}

static void own_namespaces(void **state)
{
    static const struct {
        enum sandbox_feature feature;
        const char *name;
    } kinds[] = {
        { SANDBOX_USER_NS_BIT, "user" }, { SANDBOX_PID_NS_BIT, "pid" }, { SANDBOX_MOUNT_NS_BIT, "mnt" },
        { SANDBOX_NET_NS_BIT, "net" },   { SANDBOX_IPC_NS_BIT, "ipc" }, { SANDBOX_UTS_NS_BIT, "uts" },
    };
    struct inmate one, other;
    struct rig r;
    char answer[64];

    (void)state;
    rig_start(&r, SANDBOX_TREES, "serve");
    rig_make(&r, &(struct rig_wish){ 0 }, &one);
    rig_make(&r, &(struct rig_wish){ 0 }, &other);
    assert_true(rig_say(&one, "read model", answer, sizeof(answer)));
    assert_true(rig_say(&other, "read model", answer, sizeof(answer)));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char a[64], b[64], ours[64];

        if (!rig_has(kinds[i].feature))
            continue;
        read_link(one.pid, kinds[i].name, a);
        read_link(other.pid, kinds[i].name, b);
        read_link(getpid(), kinds[i].name, ours);
        assert_string_not_equal(a, b);
        assert_string_not_equal(a, ours);
    }
    assert_int_equal(rig_reap(&one), 0);
    assert_int_equal(rig_reap(&other), 0);
    rig_stop(&r);
}

static void status_line(pid_t pid, const char *key, char out[64])
{
    char path[64], line[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    assert_non_null(f);
    out[0] = '\0';
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
            assert_int_equal(sscanf(line + strlen(key) + 1, "%63s", out), 1);
    (void)fclose(f);
}

static void expect_status(pid_t pid, const char *key, const char *value)
{
    char got[64];

    status_line(pid, key, got);
    if (strcmp(got, value) != 0)
        fail_msg("%s is %s, expected %s", key, got, value);
}

/* Of the instance, and of the zygote that made it. */
static void no_rights(void **state)
{
    struct inmate i;
    struct rig r;
    char answer[64], uid[16];

    (void)state;
    rig_start(&r, SANDBOX_PYTHON, "serve");
    rig_make(&r, &(struct rig_wish){ 0 }, &i);
    assert_true(rig_say(&i, "read model", answer, sizeof(answer)));
    for (int k = 0; k < 2; k++) {
        pid_t pid = k == 0 ? i.pid : r.zygote;

        expect_status(pid, "NoNewPrivs", "1");
        if (rig_has(SANDBOX_USER_NS_BIT)) {
            expect_status(pid, "CapEff", "0000000000000000");
            expect_status(pid, "CapPrm", "0000000000000000");
        }
        expect_status(pid, "CapInh", "0000000000000000");
        expect_status(pid, "CapAmb", "0000000000000000");
        if (rig_has(SANDBOX_OWN_UID_BIT)) {
            (void)snprintf(uid, sizeof(uid), "%d", SANDBOX_DEFAULT_UID);
            expect_status(pid, "Uid", uid);
            expect_status(pid, "Gid", uid);
        }
    }
    expect_status(i.pid, "CapEff", "0000000000000000");
    if (rig_has(SANDBOX_SECCOMP_BIT))
        expect_status(i.pid, "Seccomp", "2");
    assert_int_equal(rig_reap(&i), 0);
    rig_stop(&r);
}

/* The zygote is not needed by those that it made. */
static void outlive_the_zygote(void **state)
{
    struct inmate i;
    struct rig r;
    char answer[64];

    (void)state;
    rig_start(&r, SANDBOX_TREES, "serve");
    rig_make(&r, &(struct rig_wish){ 0 }, &i);
    assert_int_equal(kill(r.zygote, SIGKILL), 0);
    rig_stop(&r);
    assert_true(rig_say(&i, "read model", answer, sizeof(answer)));
    assert_string_equal(answer, "done");
    assert_int_equal(rig_reap(&i), 0);
}

/* A blank one leaves when its channel closes. */
static void blank_leaves(void **state)
{
    struct inmate i;
    struct rig r;

    (void)state;
    rig_start(&r, SANDBOX_TREES, "serve");
    rig_make(&r, &(struct rig_wish){ .unassigned = true }, &i);
    assert_int_equal(rig_reap(&i), 0);
    rig_stop(&r);
}

/* The worker dies: nothing that it had made lives on. */
static void die_with_the_worker(void **state)
{
    int report[2], pids[2];
    struct inmate i;
    char answer[64], byte;
    pid_t worker;

    (void)state;
    assert_int_equal(pipe(report), 0);
    worker = fork();
    assert_true(worker >= 0);
    if (worker == 0) {
        struct rig r;

        rig_start(&r, SANDBOX_TREES, "serve");
        rig_make(&r, &(struct rig_wish){ 0 }, &i);
        if (!rig_say(&i, "read model", answer, sizeof(answer)))
            _exit(1);
        /* Both keep the pipe open as long as they live: 'log' is theirs, 'report' is not. */
        pids[0] = r.zygote;
        pids[1] = i.pid;
        (void)!write(report[1], pids, sizeof(pids));
        for (;;)
            (void)pause();
    }
    (void)close(report[1]);
    assert_int_equal(read(report[0], pids, sizeof(pids)), (ssize_t)sizeof(pids));
    for (int k = 0; k < 2; k++)
        assert_int_equal(kill(pids[k], 0), 0);
    assert_int_equal(kill(worker, SIGKILL), 0);
    assert_int_equal(waitpid(worker, NULL, 0), worker);
    assert_int_equal(read(report[0], &byte, 1), 0);
    (void)close(report[0]);
    for (int k = 0; k < 2; k++)
        for (int tries = 0; kill(pids[k], 0) == 0; tries++) {
            assert_true(tries < RIG_PATIENCE_MS / 10);
            (void)usleep(10000);
        }
}

static int tests(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(allowed),
        cmocka_unit_test(trees),
        cmocka_unit_test(python),
        cmocka_unit_test(unpack),
        cmocka_unit_test(compile),
        cmocka_unit_test(system_calls),
        cmocka_unit_test(own_namespaces),
        cmocka_unit_test(no_rights),
        cmocka_unit_test(blank_leaves),
        cmocka_unit_test(outlive_the_zygote),
        cmocka_unit_test(die_with_the_worker),
    };

    return cmocka_run_group_tests(list, NULL, NULL);
}

int main(int argc, char **argv)
{
    return rig_main(argc, argv, HOSTILE_PROGRAM, tests);
}
