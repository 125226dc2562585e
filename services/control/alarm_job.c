#include "alarm_job.h"

#include "base/mem.h"
#include "base/time.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void alarm_job_init(struct alarm_job *j, const struct alarm_action_rules *rules, const char *action,
                    const struct alarm_action_event *e, int64_t timeout_ms)
{
    bool command = alarm_action_kind(action) == ALARM_ACTION_COMMAND;
    *j = (struct alarm_job){
        .action = pl_strdup(action),
        .program = command ? pl_strdup(alarm_action_program(rules, action)) : NULL,
        .alarm = pl_strdup(e->alarm),
        .state = pl_strdup(e->state),
        .previous_state = pl_strdup(e->previous_state),
        .reason = pl_strdup(e->reason),
        .json = pl_strdup(e->json),
        .timeout_ms = timeout_ms,
    };
}

void alarm_job_done(struct alarm_job *j)
{
    char *const texts[] = { j->action, j->program, j->alarm, j->state, j->previous_state, j->reason, j->json };
    for (size_t i = 0; i < PL_COUNT(texts); i++)
        free(texts[i]);
}

__attribute__((format(printf, 2, 3))) static void failed(struct alarm_job *j, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(j->detail, sizeof(j->detail), fmt, args);
    va_end(args);
}

/* ---- webhook ---- */

static size_t ignore_body(char *bytes, size_t size, size_t n, void *arg)
{
    (void)bytes, (void)arg;
    return size * n;
}

static void set_options(CURL *c, const struct alarm_job *j, struct curl_slist *headers, char error[CURL_ERROR_SIZE])
{
    (void)curl_easy_setopt(c, CURLOPT_URL, j->action);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https,http");
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)j->timeout_ms);
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, j->json);
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(j->json));
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, "pilotlight/" PL_VERSION);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore_body);
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
}

static void call_webhook(struct alarm_job *j)
{
    char error[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURL *c = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (!c || !headers) {
        failed(j, "out of memory");
    } else {
        set_options(c, j, headers, error);
        CURLcode rc = curl_easy_perform(c);
        (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
        if (rc != CURLE_OK)
            failed(j, "%s", *error ? error : curl_easy_strerror(rc));
        else if (status < 200 || status > 299)
            failed(j, "the server answered %ld", status);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(c);
}

/* ---- command ---- */

/* Standard input is an unlinked file: the program may read it when it likes, or not at all. */
static int json_file(const struct alarm_job *j)
{
    pl_cleanup(pl_close_p) int fd = memfd_create("alarm", MFD_CLOEXEC);
    size_t len = strlen(j->json);
    if (fd < 0 || write(fd, j->json, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
        return -1;
    return pl_take_fd(fd);
}

static int spawn(const struct alarm_job *j, int input, pid_t *out_pid)
{
    pl_cleanup(pl_free_p) char *name = pl_format("ALARM_NAME=%s", j->alarm);
    pl_cleanup(pl_free_p) char *state = pl_format("ALARM_STATE=%s", j->state);
    pl_cleanup(pl_free_p) char *before = pl_format("ALARM_PREVIOUS_STATE=%s", j->previous_state);
    pl_cleanup(pl_free_p) char *reason = pl_format("ALARM_REASON=%s", j->reason);
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *const argv[] = { j->program, NULL }, *const env[] = { name, state, before, reason, path, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    (void)sigemptyset(&none);
    (void)sigfillset(&defaults);
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    (void)posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int rc = posix_spawn(out_pid, j->program, &files, &attributes, argv, env);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attributes);
    return rc;
}

/* Waits for the end of the program, or makes one. */
static void await(struct alarm_job *j, pid_t pid)
{
    int status;
    pl_cleanup(pl_close_p) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = { .fd = fd, .events = POLLIN };
    int64_t deadline = pl_now_ms() + j->timeout_ms;
    int n = 0;
    do {
        int64_t left = deadline - pl_now_ms();
        n = fd < 0 || left <= 0 ? 0 : poll(&ended, 1, (int)left);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        (void)kill(-pid, SIGKILL); /* with what it started */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (n <= 0)
        failed(j, "it was killed after %lld ms", (long long)j->timeout_ms);
    else if (WIFSIGNALED(status))
        failed(j, "it died of signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        failed(j, "it ended with exit code %d", WEXITSTATUS(status));
}

static void run_command(struct alarm_job *j)
{
    pl_cleanup(pl_close_p) int input = json_file(j);
    pid_t pid;
    int rc = input < 0 ? errno : spawn(j, input, &pid);
    if (rc != 0)
        failed(j, "cannot start '%s': %s", j->program, strerror(rc));
    else
        await(j, pid);
}

void alarm_job_run(struct alarm_job *j)
{
    j->detail[0] = '\0';
    if (j->program)
        run_command(j);
    else
        call_webhook(j);
}
