#include "http_app.h"

#include "base/mem.h"
#include "base/time.h"
#include "refuse.h"
#include "request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_PROGRAM "serve"
#define PING_MS         2000 /* reference aws-contract, GET /ping */
#define PING_FIRST_MS   2    /* until the next attempt; doubles */
#define PING_LAST_MS    100
#define MARGIN_MS       250  /* before the host gives up: so that our reason is heard, not its */
#define FAILED_STOP_MS  1000 /* for a program that never was of use */
#define BLOCK_BYTES     ((size_t)64 << 10)
#define SMALL_BODY      ((size_t)32 << 10) /* goes in one piece with its head: a simple server reads once */

struct http_app {
    int stop_grace_ms;
    struct http_program program;
    char path[PATH_MAX];
    struct sockaddr_un local;
    struct sockaddr_in port;
    int fd;    /* the connection; -1 */
    bool used; /* it has carried an exchange: the program may close it at any time */
    struct http_answer answer;
    char block[BLOCK_BYTES];
};

/* ---- the program's file ---- */

static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* A name inside its folder: no "..". An absolute one has been checked by the host. */
static bool plain(const char *name)
{
    for (const char *s = name; (s = strstr(s, "..")); s += 2)
        if ((s == name || s[-1] == '/') && (s[2] == '/' || s[2] == '\0'))
            return false;
    return true;
}

static enum pl_code find_program(struct http_app *app, const struct http_app_spec *spec, struct pl_err *err)
{
    const char *name = spec->program[0] ? spec->program : DEFAULT_PROGRAM;
    const char *const folders[] = { spec->code_dir, spec->model_dir, spec->model_dir };
    const char *const below[] = { "", "/code", "" };

    if (!plain(name))
        return refuse(err, STATUS_FAILED, "SAGEMAKER_PROGRAM '%.200s' leads out of its folder", name);
    if (name[0] == '/') {
        (void)snprintf(app->path, sizeof(app->path), "%s", name);
        return PL_OK;
    }
    for (size_t i = 0; i < PL_COUNT(folders); i++) {
        (void)snprintf(app->path, sizeof(app->path), "%s%s/%s", folders[i], below[i], name);
        if (folders[i][0] && is_file(app->path))
            return PL_OK;
    }
    return refuse(err, STATUS_FAILED,
                  "there is no program '%.200s' in the artifact: SAGEMAKER_PROGRAM names it (default '" DEFAULT_PROGRAM
                  "'), in code/ or at the top",
                  name);
}

/* ---- the connection ---- */

static void hang_up(struct http_app *app)
{
    pl_close_p(&app->fd);
    app->used = false;
}

/* A program that listens and does not accept would hold us up for ever once its queue is full: -1 and ETIMEDOUT. */
static int dial_one(const struct sockaddr *to, socklen_t n, int64_t until_ms)
{
    pl_cleanup(pl_close_p) int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int64_t left_ms = until_ms - pl_now_ms();

    if (until_ms != INT64_MAX) {
        if (left_ms < 1)
            left_ms = 1;
        /* Of connect(); all else is sent without waiting. */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO,
                         &(struct timeval){ .tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000 },
                         sizeof(struct timeval));
    }
    if (fd < 0 || connect(fd, to, n) != 0) {
        int why = errno == EAGAIN || errno == EINPROGRESS ? ETIMEDOUT : errno;

        pl_close_p(&fd);
        errno = why;
        return -1;
    }
    return pl_take_fd(fd);
}

/* The unix socket when somebody is there, else the port. */
static bool dial(struct http_app *app, int64_t until_ms)
{
    hang_up(app);
    app->fd = dial_one((const struct sockaddr *)&app->local, sizeof(app->local), until_ms);
    if (app->fd < 0 && errno != ETIMEDOUT)
        app->fd = dial_one((const struct sockaddr *)&app->port, sizeof(app->port), until_ms);
    return app->fd >= 0;
}

static enum pl_code not_connected(const struct http_app *app, struct pl_err *err)
{
    return refuse(err, STATUS_FAILED, "cannot connect to the program '%.200s': %s", http_app_name(app),
                  errno == ETIMEDOUT ? "it listens, but does not accept" : strerror(errno));
}

static enum pl_code program_ended(struct http_app *app, struct pl_err *err)
{
    char how[96];

    http_program_how(&app->program, how, sizeof(how));
    return refuse(err, STATUS_FAILED, "the program '%.200s' %s", http_app_name(app), how);
}

static enum pl_code waited_enough(struct pl_err *err)
{
    return refuse(err, STATUS_FAILED, "it did not answer in time");
}

/* All of it. A program that does not read and answers early is heard all the same: then the rest is not sent. */
static enum pl_code send_all(struct http_app *app, const char *bytes, size_t n, int64_t until_ms, struct pl_err *err)
{
    while (n > 0) {
        ssize_t sent = send(app->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent >= 0) {
            bytes += sent;
            n -= (size_t)sent;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return PL_OK; /* what it has said, or that it said nothing, is found when reading */
        } else if (errno == EAGAIN) {
            switch (http_program_wait(&app->program, app->fd, POLLOUT, until_ms)) {
            case HTTP_WAIT_READY:
                break;
            case HTTP_WAIT_TIME:
                return waited_enough(err);
            case HTTP_WAIT_GONE:
                return program_ended(app, err);
            }
        } else if (errno != EINTR) {
            return refuse(err, STATUS_FAILED, "cannot write to the program: %s", strerror(errno));
        }
    }
    return PL_OK;
}

static enum pl_code no_answer(struct http_app *app, struct pl_err *err)
{
    /* The connection of a program that has just ended closes first. */
    if (http_program_wait(&app->program, -1, 0, pl_now_ms() + 50) == HTTP_WAIT_GONE)
        return program_ended(app, err);
    return refuse(err, STATUS_FAILED, "the program '%.200s' failed: %s", http_app_name(app), app->answer.wrong);
}

static enum pl_code receive(struct http_app *app, int64_t until_ms, struct pl_err *err)
{
    enum http_progress p = HTTP_MORE;
    bool gone = false; /* what it had said before is still to be read */

    while (p == HTTP_MORE) {
        ssize_t n = recv(app->fd, app->block, sizeof(app->block), MSG_DONTWAIT);

        if (n > 0) {
            p = http_answer_take(&app->answer, app->block, (size_t)n);
        } else if (n == 0 || errno == ECONNRESET) {
            p = http_answer_end(&app->answer);
        } else if (errno == EAGAIN) {
            switch (http_program_wait(&app->program, app->fd, POLLIN, until_ms)) {
            case HTTP_WAIT_READY:
                break;
            case HTTP_WAIT_TIME:
                return waited_enough(err);
            case HTTP_WAIT_GONE:
                if (gone)
                    return program_ended(app, err);
                gone = true;
            }
        } else if (errno != EINTR) {
            return refuse(err, STATUS_FAILED, "cannot read from the program: %s", strerror(errno));
        }
    }
    return p == HTTP_DONE ? PL_OK : no_answer(app, err);
}

/* One exchange on the connection there is, or on a new one when the old one turns out to be closed. */
static enum pl_code exchange(struct http_app *app, const struct pl_buf *head, const char *body, size_t body_len,
                             struct pl_buf *out, int64_t until_ms, struct pl_err *err)
{
    size_t before = out->len;
    enum pl_code code;

    for (;;) {
        bool again = app->fd >= 0 && app->used;

        if (app->fd < 0 && !dial(app, until_ms))
            return not_connected(app, err);
        http_answer_init(&app->answer, out);
        code = send_all(app, head->data, head->len, until_ms, err);
        if (code == PL_OK && body_len > 0)
            code = send_all(app, body, body_len, until_ms, err);
        if (code == PL_OK)
            code = receive(app, until_ms, err);
        app->used = true;
        if (code != PL_OK || !app->answer.keep_alive)
            hang_up(app);
        if (code == PL_OK || !again || app->answer.spoke || app->program.pid == 0)
            return code;
        out->len = before;
        out->failed = false;
    }
}

/* ---- readiness ---- */

static enum pl_code ping(struct http_app *app, int64_t until_ms, struct pl_err *err)
{
    static const char text[] = "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";
    struct pl_buf head = { .data = (char *)text, .len = sizeof(text) - 1 };
    pl_cleanup(pl_buf_done) struct pl_buf body = PL_BUF_INIT(64 << 10);

    if (exchange(app, &head, NULL, 0, &body, until_ms, err) != PL_OK)
        return err->code;
    if (app->answer.status == 200)
        return PL_OK;
    return refuse(err, STATUS_FAILED, "it answered with the status %d", app->answer.status);
}

static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

/* An attempt that is given up says nothing about the next one: a program may be slow only at first. */
static enum pl_code wait_until_ready(struct http_app *app, int start_timeout_ms, struct pl_err *err)
{
    int64_t until_ms = start_timeout_ms > 0 ? pl_now_ms() + start_timeout_ms - MARGIN_MS : INT64_MAX;
    int64_t pause_ms = PING_FIRST_MS;
    struct pl_err last;

    while (ping(app, sooner(pl_now_ms() + PING_MS, until_ms), &last) != PL_OK) {
        hang_up(app);
        if (app->program.pid == 0 || http_program_wait(&app->program, -1, 0, pl_now_ms() + pause_ms) == HTTP_WAIT_GONE)
            return program_ended(app, err);
        if (pl_now_ms() >= until_ms)
            return refuse(err, STATUS_FAILED,
                          "the program '%.200s' did not answer GET /ping with 200 within start_timeout_ms %d: %.400s",
                          http_app_name(app), start_timeout_ms, last.message);
        pause_ms = sooner(pause_ms * 2, PING_LAST_MS);
    }
    return PL_OK;
}

/* ---- one request ---- */

static bool printable(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] > 0x7e)
            return false;
    return true;
}

/* The caller's texts become headers: nothing in them may end a line. */
static enum pl_code add_header(struct pl_buf *head, const char *name, const char *value, size_t n, struct pl_err *err)
{
    if (n > HTTP_TEXT_MAX || !printable(value, n))
        return refuse(err, STATUS_BAD_REQUEST, "%s is not printable ASCII of at most %d characters", name,
                      HTTP_TEXT_MAX);
    if (n > 0)
        (void)pl_buf_addf(head, "%s: %.*s\r\n", name, (int)n, value);
    return PL_OK;
}

static enum pl_code write_head(struct pl_buf *head, const struct request *r, struct pl_err *err)
{
    (void)pl_buf_addf(head, "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n", r->body_len);
    if (add_header(head, "Content-Type", r->content_type, r->content_type_len, err) != PL_OK ||
        add_header(head, "Accept", r->accept, r->accept_len, err) != PL_OK ||
        add_header(head, "X-Amzn-SageMaker-Custom-Attributes", r->custom_attributes, r->custom_attributes_len, err) !=
            PL_OK ||
        add_header(head, "X-Amzn-SageMaker-Inference-Id", r->inference_id, r->inference_id_len, err) != PL_OK)
        return err->code;
    (void)pl_buf_adds(head, "Connection: keep-alive\r\n\r\n");
    return PL_OK;
}

enum pl_code http_app_invoke(struct http_app *app, const struct request *request, struct pl_buf *body,
                             struct pl_err *err)
{
    pl_cleanup(pl_buf_done) struct pl_buf head = PL_BUF_INIT((16 << 10) + SMALL_BODY);
    size_t apart = request->body_len;

    if (write_head(&head, request, err) != PL_OK)
        return err->code;
    if (apart <= SMALL_BODY && pl_buf_add(&head, request->body, apart))
        apart = 0;
    return exchange(app, &head, request->body, apart, body, INT64_MAX, err);
}

const struct http_answer *http_app_answer(const struct http_app *app)
{
    return &app->answer;
}

/* ---- life ---- */

const char *http_app_name(const struct http_app *app)
{
    const char *slash = strrchr(app->path, '/');

    return slash ? slash + 1 : app->path;
}

bool http_app_alive(const struct http_app *app)
{
    return app->program.pid != 0;
}

bool http_app_idle(struct http_app *app, const int *fds, unsigned count, struct pl_err *err)
{
    if (http_program_wait_any(&app->program, fds, count) == HTTP_WAIT_READY)
        return true;
    (void)program_ended(app, err);
    return false;
}

static void shut(struct http_app *app, int64_t grace_ms)
{
    hang_up(app);
    http_program_stop(&app->program, grace_ms);
    free(app);
}

enum pl_code http_app_open(struct http_app **out, const struct http_app_spec *spec, struct pl_err *err)
{
    struct http_app *app = PL_NEW(struct http_app);
    const char *dir = spec->code_dir[0] ? spec->code_dir : spec->model_dir;

    app->fd = -1;
    app->stop_grace_ms = spec->stop_grace_ms;
    app->local.sun_family = AF_UNIX;
    (void)snprintf(app->local.sun_path, sizeof(app->local.sun_path), "%s", spec->socket_path);
    app->port.sin_family = AF_INET;
    app->port.sin_port = htons((uint16_t)spec->port);
    app->port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (find_program(app, spec, err) == PL_OK &&
        http_program_start(&app->program, app->path, dir, spec->env, err) == PL_OK &&
        wait_until_ready(app, spec->start_timeout_ms, err) == PL_OK) {
        *out = app;
        return PL_OK;
    }
    shut(app, FAILED_STOP_MS);
    return err->code;
}

void http_app_close(struct http_app *app)
{
    if (app)
        shut(app, app->stop_grace_ms);
}
