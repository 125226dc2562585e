#include "up_state.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/time.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PORTS_WAIT_MS 3000
#define LOG_END_BYTES 4096

/* ---- folders ---- */

/* With its parents. */
static enum pl_code make_dir(const char *path, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *copy = pl_strdup(path);
    for (char *c = copy + 1; *c; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        (void)mkdir(copy, 0700); /* the last one tells whether it worked */
        *c = '/';
    }
    if (mkdir(copy, 0700) != 0 && errno != EEXIST)
        return pl_fail(err, PL_PRECONDITION, NULL, "cannot make the folder %s: %s", path, strerror(errno));
    return PL_OK;
}

/* A folder in a place that others may write to must be ours alone. */
static enum pl_code check_private(const char *path, struct pl_err *err)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return pl_fail(err, PL_PRECONDITION, NULL, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
        return pl_fail(err, PL_DENIED, NULL, "%s is not a folder of this user alone (mode 0700); remove it", path);
    return PL_OK;
}

static enum pl_code make_dirs(const struct up_layout *l, struct pl_err *err)
{
    static const char *const folders[] = { "config", "log", "control", "router", "worker", "gateway" };
    if (make_dir(l->state, err) != PL_OK || make_dir(l->run_dir, err) != PL_OK)
        return err->code;
    if (l->short_run_dir && check_private(l->run_dir, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < PL_COUNT(folders); i++) {
        pl_cleanup(pl_free_p) char *path = pl_format("%s/%s", l->state, folders[i]);
        if (make_dir(path, err) != PL_OK)
            return err->code;
    }
    return PL_OK;
}

enum pl_code up_state_lock(const struct up_layout *l, int *out_lock, struct pl_err *err)
{
    if (make_dirs(l, err) != PL_OK)
        return err->code;
    pl_cleanup(pl_close_p) int fd = open(l->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return pl_fail(err, PL_PRECONDITION, NULL, "cannot open %s: %s", l->lock_path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        char pid[24] = "";
        ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
        pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
        return pl_fail(
            err, PL_PRECONDITION, NULL,
            "another `pilotlight up` (pid %s) uses the state folder %s; stop it, or take another with --state",
            *pid ? pid : "unknown", l->state);
    }
    pl_cleanup(pl_free_p) char *pid = pl_format("%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
        return pl_fail(err, PL_PRECONDITION, NULL, "cannot write %s: %s", l->lock_path, strerror(errno));
    *out_lock = pl_take_fd(fd);
    return PL_OK;
}

/* ---- configs and logs ---- */

static enum pl_code write_config(const struct up_service *s, struct pl_err *err)
{
    int fd = open(s->config_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *f = fd < 0 || fchmod(fd, 0600) != 0 ? NULL : fdopen(fd, "w");
    if (!f) {
        (void)pl_fail(err, PL_PRECONDITION, NULL, "cannot write %s: %s", s->config_path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return err->code;
    }
    fprintf(f, "# Written by `pilotlight up` at each start; change settings with its --set.\n");
    output_yaml(s->config, f);
    bool failed = ferror(f);
    if (fclose(f) != 0 || failed)
        return pl_fail(err, PL_PRECONDITION, NULL, "cannot write %s: %s", s->config_path, strerror(errno));
    return PL_OK;
}

/* x.log.4 -> x.log.5, ..., x.log.1 -> x.log.2. */
static void shift_logs(const char *path)
{
    for (int i = UP_LOGS_KEPT - 1; i >= 1; i--) {
        pl_cleanup(pl_free_p) char *from = pl_format("%s.%d", path, i);
        pl_cleanup(pl_free_p) char *to = pl_format("%s.%d", path, i + 1);
        (void)rename(from, to);
    }
}

enum pl_code up_state_write(const struct up_layout *l, struct pl_err *err)
{
    for (int id = 0; id < UP_SERVICE_COUNT; id++) {
        const struct up_service *s = &l->services[id];
        if (write_config(s, err) != PL_OK)
            return err->code;
        struct stat st;
        if (stat(s->log_path, &st) != 0 || st.st_size == 0)
            continue;
        pl_cleanup(pl_free_p) char *first = pl_format("%s.1", s->log_path);
        shift_logs(s->log_path);
        (void)rename(s->log_path, first);
    }
    return PL_OK;
}

void up_state_trim_log(const struct up_service *s)
{
    pl_cleanup(pl_close_p) int from = open(s->log_path, O_RDWR | O_CLOEXEC);
    struct stat st;
    if (from < 0 || fstat(from, &st) != 0 || st.st_size <= UP_LOG_MAX)
        return;
    pl_cleanup(pl_free_p) char *first = pl_format("%s.1", s->log_path);
    shift_logs(s->log_path);
    pl_cleanup(pl_close_p) int to = open(first, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    off_t at = 0;
    while (to >= 0 && at < st.st_size && sendfile(to, from, &at, (size_t)(st.st_size - at)) > 0)
        continue;
    (void)!ftruncate(from, 0); /* its writer appends: it goes on at the new end */
}

void up_state_print_log_end(const struct up_service *s, FILE *out)
{
    pl_cleanup(pl_close_p) int fd = open(s->log_path, O_RDONLY | O_CLOEXEC);
    char text[LOG_END_BYTES + 1];
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    ssize_t n = size <= 0 ? 0 : pread(fd, text, LOG_END_BYTES, size > LOG_END_BYTES ? size - LOG_END_BYTES : 0);
    if (n <= 0)
        return;
    text[n] = '\0';
    fprintf(out, "the end of %s:\n%s%s", s->log_path, text, text[n - 1] == '\n' ? "" : "\n");
}

/* ---- ports ---- */

/* 0 when it can be bound, else errno. */
static int try_port(const char *host, int port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found;
    char service[16], bare[256];
    size_t n = strlen(host);
    bool bracketed = n > 2 && host[0] == '[' && host[n - 1] == ']';
    snprintf(service, sizeof(service), "%d", port);
    snprintf(bare, sizeof(bare), "%.*s", (int)(bracketed ? n - 2 : n), host + bracketed);
    if (getaddrinfo(bare, service, &hints, &found) != 0)
        return EADDRNOTAVAIL;
    pl_cleanup(pl_close_p) int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1, failed = 0;
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1) != 0)
        failed = errno;
    freeaddrinfo(found);
    return failed;
}

static enum pl_code check_port(const struct up_options *o, const char *service, const char *what, int port,
                               struct pl_err *err)
{
    int failed = try_port(o->listen, port);
    if (failed == 0)
        return PL_OK;
    if (failed != EADDRINUSE)
        return pl_fail(err, PL_INVALID, "listen", "cannot listen on %s port %d (%s of %s): %s", o->listen, port, what,
                       service, strerror(failed));
    return pl_fail(err, PL_UNAVAILABLE, "port",
                   "port %d on %s, for %s of %s, is in use by another program; stop that one (`ss -ltnp 'sport = :%d'` "
                   "shows it) or "
                   "choose another base with --port: N to N+3 and N+10 to N+13 must be free",
                   port, o->listen, what, service, port);
}

static enum pl_code check_ports(const struct up_layout *l, const struct up_options *o, struct pl_err *err)
{
    for (int id = 0; id < UP_SERVICE_COUNT; id++) {
        const struct up_service *s = &l->services[id];
        if (check_port(o, s->name, id == UP_GATEWAY ? "HTTP" : "gRPC", s->port, err) != PL_OK ||
            check_port(o, s->name, "admin HTTP", s->admin_port, err) != PL_OK)
            return err->code;
    }
    return PL_OK;
}

enum pl_code up_state_check_ports(const struct up_layout *l, const struct up_options *o, struct pl_err *err)
{
    int64_t until_ms = pl_now_ms() + PORTS_WAIT_MS;
    while (check_ports(l, o, err) != PL_OK) {
        if (err->code != PL_UNAVAILABLE || pl_now_ms() >= until_ms)
            return err->code;
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    }
    return PL_OK;
}
