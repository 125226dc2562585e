/* serve_rig - the real program, spoken to as a host does: frames on a socketpair. */
#ifndef TEST_RUNNER_SERVE_RIG_H
#define TEST_RUNNER_SERVE_RIG_H

#include "runner_test.h"

#include "frame/frame.h"

#include "inference/open_inference.pb-c.h"
#include "pilotlight/internal/v1/runner.pb-c.h"
#include "pilotlight/internal/v1/worker.pb-c.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000 /* only a hang takes so long */

typedef Pilotlight__Internal__V1__WorkerInvokeResponse result_t;
typedef Pilotlight__Internal__V1__RunnerError failure_t;

struct host {
    int fd;
    pid_t pid;
    uint64_t next_id;
};

struct reply {
    struct frame_header header;
    uint8_t *payload;
};

/* What the tests share: an unpacked sample, its rows as numbers, and the reference predictions. */
enum { ROWS = 442, COLS = 10 };
static struct {
    char dir[64];
    char *rows, *predictions;
    size_t rows_len;
    float values[ROWS * COLS];
} sample;

static inline void spawn(int fds[3], const char *mode, pid_t *out_pid)
{
    *out_pid = fork();
    assert_true(*out_pid >= 0);
    if (*out_pid != 0)
        return;
    /* 'fds' become 2, 3 and 4; -1 = not given. */
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            fds[i] = fcntl(fds[i], F_DUPFD, 20);
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            dup2(fds[i], i + 2);
    setenv("OMP_NUM_THREADS", "1", 1);
    execl(RUNNER_PROGRAM, RUNNER_PROGRAM, mode, (char *)NULL);
    _exit(99);
}

static inline int wait_exit(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static inline struct host start(void)
{
    struct host h = { .next_id = 1000 };
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    spawn((int[3]){ -1, pair[1], -1 }, "serve", &h.pid);
    close(pair[1]);
    h.fd = pair[0];
    return h;
}

static inline int stop(struct host *h)
{
    close(h->fd);
    return wait_exit(h->pid);
}

static inline void send_frame(struct host *h, enum frame_kind kind, const uint8_t *payload, size_t n)
{
    struct frame_header header = { .length = (uint32_t)n, .kind = kind, .id = ++h->next_id };
    uint8_t bytes[FRAME_HEADER_SIZE];

    frame_encode(&header, bytes);
    assert_int_equal(send(h->fd, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
    for (size_t at = 0; at < n;) {
        ssize_t sent = send(h->fd, payload + at, n - at, MSG_NOSIGNAL);

        assert_true(sent > 0);
        at += (size_t)sent;
    }
}

static inline void receive_bytes(struct host *h, uint8_t *out, size_t n)
{
    struct pollfd p = { .fd = h->fd, .events = POLLIN };

    for (size_t at = 0; at < n;) {
        ssize_t got;

        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
        got = recv(h->fd, out + at, n - at, 0);
        if (got <= 0)
            fail_msg("the instance closed its end after %zu bytes", at);
        at += (size_t)got;
    }
}

static inline struct reply receive(struct host *h)
{
    uint8_t bytes[FRAME_HEADER_SIZE];
    struct reply r;

    receive_bytes(h, bytes, sizeof(bytes));
    assert_true(frame_decode(bytes, &r.header));
    assert_int_equal(r.header.id, h->next_id);
    r.payload = malloc(r.header.length + 1);
    assert_non_null(r.payload);
    receive_bytes(h, r.payload, r.header.length);
    return r;
}

static inline struct reply load(struct host *h, const char *dir, const char *key, const char *value)
{
    Pilotlight__Internal__V1__LoadRequest message = PILOTLIGHT__INTERNAL__V1__LOAD_REQUEST__INIT;
    Pilotlight__Internal__V1__LoadRequest__EnvironmentEntry
        entry = PILOTLIGHT__INTERNAL__V1__LOAD_REQUEST__ENVIRONMENT_ENTRY__INIT,
        *entries[] = { &entry };
    uint8_t bytes[1024];

    message.model_dir = (char *)dir;
    message.runtime = (char *)"xgboost";
    entry.key = (char *)key;
    entry.value = (char *)value;
    message.n_environment = key != NULL;
    message.environment = entries;
    send_frame(h, FRAME_LOAD, bytes, pilotlight__internal__v1__load_request__pack(&message, bytes));
    return receive(h);
}

static inline struct host start_loaded(const char *key, const char *value)
{
    struct host h = start();
    struct reply r = load(&h, sample.dir, key, value);

    assert_int_equal(r.header.kind, FRAME_LOADED);
    free(r.payload);
    return h;
}

static inline struct reply invoke(struct host *h, const char *content_type, const char *accept, const void *body,
                                  size_t n)
{
    Pilotlight__Internal__V1__WorkerInvokeRequest message = PILOTLIGHT__INTERNAL__V1__WORKER_INVOKE_REQUEST__INIT;
    uint8_t *bytes;
    size_t len;

    message.endpoint_name = (char *)"diabetes";
    message.content_type = (char *)content_type;
    message.accept = (char *)accept;
    message.body = (ProtobufCBinaryData){ .data = (uint8_t *)body, .len = n };
    message.instance_id = 1;
    message.request_id = h->next_id;
    message.timeout_ms = 60000;
    len = pilotlight__internal__v1__worker_invoke_request__get_packed_size(&message);
    bytes = malloc(len + 1);
    assert_non_null(bytes);
    pilotlight__internal__v1__worker_invoke_request__pack(&message, bytes);
    send_frame(h, FRAME_INVOKE, bytes, len);
    free(bytes);
    return receive(h);
}

static inline result_t *as_result(struct reply r)
{
    result_t *message;

    if (r.header.kind == FRAME_ERROR) {
        message = pilotlight__internal__v1__worker_invoke_response__unpack(NULL, r.header.length, r.payload);
        fail_msg("%.*s", message ? (int)message->body.len : 0, message ? (const char *)message->body.data : "");
    }
    assert_int_equal(r.header.kind, FRAME_RESULT);
    message = pilotlight__internal__v1__worker_invoke_response__unpack(NULL, r.header.length, r.payload);
    assert_non_null(message);
    free(r.payload);
    return message;
}

/* Unpacks the sample with the program itself. */
static inline void sample_open(void)
{
    int archive = open(SAMPLE "model.tar.gz", O_RDONLY | O_CLOEXEC), dir;
    pid_t pid;

    signal(SIGPIPE, SIG_IGN);
    strcpy(sample.dir, "/tmp/pilotlight-serve-XXXXXX");
    assert_non_null(mkdtemp(sample.dir));
    dir = open(sample.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(archive >= 0 && dir >= 0);
    spawn((int[3]){ -1, archive, dir }, "unpack", &pid);
    assert_int_equal(wait_exit(pid), 0);
    close(archive), close(dir);
}

static inline int sample_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static inline void sample_close(void)
{
    (void)nftw(sample.dir, sample_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
