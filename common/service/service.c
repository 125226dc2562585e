/* One run: options -> config -> logs -> loop, signals -> metrics -> rpc -> admin port -> the service's modules -> the
 * loop turns until the service has drained -> everything back, in reverse. */
#include "private.h"

#include "admin/admin.h"
#include "base/descriptors.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "log/log.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "rpc/rpc.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const service_log_levels[] = { "debug", "info", "warn", "error", NULL };
const char *const service_log_formats[] = { "text", "json", NULL };

/* Beyond drain_timeout, for what a service does after its calls have ended: its instances, its last words to others. */
#define DRAIN_MARGIN_MS 30000

/* A connection is a descriptor, and whoever runs out of them is deaf for good. */
#define DESCRIPTORS_WANTED 65536
#define DESCRIPTORS_FEW    4096

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

struct service {
    const struct service_def *def;
    void *config; /* def->config_size bytes, a struct service_config first */
    struct loop *loop;
    struct rpc *rpc;
    struct metrics *metrics;
    struct admin *admin;
    void *state; /* the service's own */
    bool draining;
    bool failed;                 /* it drains because it cannot go on */
    _Atomic bool started;        /* for the HTTP thread: 'state' is there */
    _Atomic bool admin_draining; /* as 'draining', for the HTTP thread */
    struct loop_timer drain_timer;
};

struct loop *service_loop(struct service *s)
{
    return s->loop;
}

struct rpc *service_rpc(struct service *s)
{
    return s->rpc;
}

struct metrics *service_metrics(struct service *s)
{
    return s->metrics;
}

/* ---- the end ---- */

void service_drained(struct service *s)
{
    loop_timer_clear(s->loop, &s->drain_timer);
    loop_stop(s->loop);
}

/* Nothing can be undone in order while something hangs: so nothing is. */
static void drain_stuck(struct loop_timer *t)
{
    struct service *s = PL_CONTAINER(t, struct service, drain_timer);
    log_error("drain_stuck", LOG_MS("drain_timeout_ms", ((struct service_config *)s->config)->drain_ms));
    _exit(EXIT_FAILED);
}

static void drain(struct service *s)
{
    notify("STOPPING=1");
    s->draining = true;
    atomic_store(&s->admin_draining, true);
    s->drain_timer.fire = drain_stuck;
    loop_timer_set(s->loop, &s->drain_timer,
                   pl_now_ms() + ((struct service_config *)s->config)->drain_ms + DRAIN_MARGIN_MS);
    s->def->drain(s, s->state);
}

static void on_signal(void *arg, int signo)
{
    struct service *s = arg;
    if (s->draining) {
        log_warn("stopped_at_once", LOG_STR("signal", strsignal(signo)));
        _exit(EXIT_FAILED);
    }
    log_info("draining", LOG_STR("signal", strsignal(signo)));
    drain(s);
}

/* The next one that a supervisor starts can be reached. */
static void on_listener_lost(void *arg)
{
    struct service *s = arg;
    if (s->draining)
        return;
    log_error("draining", LOG_STR("why", "nobody can connect any more"));
    s->failed = true;
    drain(s);
}

static const char *ready(void *arg)
{
    struct service *s = arg;
    if (!atomic_load(&s->started))
        return "starting";
    if (atomic_load(&s->admin_draining))
        return "draining";
    return s->def->ready ? s->def->ready(s->state) : NULL;
}

/* ---- config ---- */

/* HOST:PORT or [IPV6]:PORT; whether there is such a host is seen when it is bound. */
static bool is_address(const char *text, bool any_host)
{
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : "";
    bool bracketed = colon && colon > text && *text == '[' && colon[-1] == ']';
    int64_t number;
    if (!colon || !pl_parse_i64(port, 0, 65535, &number) || *port == '-')
        return false;
    return bracketed ? colon - text > 2
                     : memchr(text, ':', (size_t)(colon - text)) == NULL && (colon > text || any_host);
}

/* NULL: it is no socket of this machine. */
static const char *socket_path(const char *address)
{
    static const char *const kinds[] = { "unix:", "unix-frames:" };
    for (size_t i = 0; i < PL_COUNT(kinds); i++)
        if (strncmp(address, kinds[i], strlen(kinds[i])) == 0)
            return address + strlen(kinds[i]);
    return NULL;
}

static enum pl_code check_addresses(const struct service_config *c, struct pl_err *err)
{
    if (c->listen.count == 0)
        return pl_fail(err, PL_INVALID, "listen", "listen is empty: at least one address is needed");
    for (size_t i = 0; i < c->listen.count; i++) {
        const char *address = c->listen.items[i];
        const char *path = socket_path(address);
        if (path ? !*path : !is_address(address, false))
            return pl_fail(
                err, PL_INVALID, "listen",
                "listen has '%.100s': it must be HOST:PORT, [IPV6]:PORT, unix:PATH or unix-frames:PATH, with "
                "a port of 0 to 65535",
                address);
    }
    if (*c->admin_listen && !is_address(c->admin_listen, true))
        return pl_fail(err, PL_INVALID, "admin_listen",
                       "admin_listen is '%.100s': it must be HOST:PORT or [IPV6]:PORT, with a port of 0 to 65535",
                       c->admin_listen);
    return PL_OK;
}

static enum pl_code check_base(const struct service_config *c, struct pl_err *err)
{
    if (check_addresses(c, err) != PL_OK)
        return err->code;
    if (!*c->tls_cert_file != !*c->tls_key_file)
        return pl_fail(err, PL_INVALID, *c->tls_cert_file ? "tls.key_file" : "tls.cert_file",
                       "tls.cert_file and tls.key_file must be given together");
    if (*c->tls_ca_file && !*c->tls_cert_file)
        return pl_fail(err, PL_INVALID, "tls.ca_file",
                       "tls.ca_file is given without tls.cert_file: client certificates are only asked for with TLS");
    return PL_OK;
}

static enum pl_code load_config(struct service *s, const char *path, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *prefix = options_env_prefix(s->def);
    if (config_load_file(s->def->rows, s->config, path, prefix, err) != PL_OK)
        return err->code;
    if (check_base(s->config, err) == PL_OK && (!s->def->check || s->def->check(s->config, err) == PL_OK))
        return PL_OK;
    config_done(s->def->rows, s->config);
    return path ? pl_err_prefix(err, "%s", path) : err->code;
}

static int print_config(struct service *s)
{
    pl_cleanup(pl_buf_done) struct pl_buf text = { 0 };
    config_print(s->def->rows, s->config, &text);
    return fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

/* ---- run ---- */

/* The admin port first: when it cannot be had, nothing that has begun to work must be undone. */
static enum pl_code start_parts(struct service *s, struct pl_err *err)
{
    struct service_config *c = s->config;
    if (*c->admin_listen && admin_start(&s->admin, c->admin_listen, s->metrics, ready, s, err) != PL_OK)
        return err->code;
    loop_enter(s->loop);
    enum pl_code code = s->def->start(s, s->config, &s->state, err);
    loop_leave(s->loop);
    if (code == PL_OK)
        atomic_store(&s->started, true);
    else
        admin_stop(s->admin);
    return code;
}

static int serve(struct service *s)
{
    struct service_config *c = s->config;
    struct pl_err err = { 0 };
    if (start_parts(s, &err) != PL_OK) {
        log_error("start_failed", LOG_CODE(&err), LOG_STR("field", err.field), LOG_ERR(&err));
        return EXIT_FAILED;
    }
    log_info("started", LOG_STR("version", PL_VERSION), LOG_STR("listen", c->listen.items[0]),
             LOG_STR("admin_listen", c->admin_listen), LOG_INT("pid", getpid()));
    notify("READY=1");
    loop_run(s->loop);
    /* The admin port looks at the service's state: it goes first. */
    admin_stop(s->admin);
    loop_enter(s->loop);
    s->def->stop(s->state);
    loop_leave(s->loop);
    return s->failed ? EXIT_FAILED : EXIT_OK;
}

static int run(struct service *s)
{
    struct service_config *c = s->config;
    log_setup(s->def->name, (enum log_format)c->log_format, (enum log_level)c->log_level);
    signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error of write() */
    uint64_t descriptors = pl_descriptors_raise(DESCRIPTORS_WANTED);
    if (descriptors < DESCRIPTORS_FEW)
        log_warn("few_descriptors", LOG_UINT("limit", descriptors), LOG_UINT("wanted", DESCRIPTORS_WANTED));
    s->loop = loop_new(s->def->job_threads);
    loop_signal(s->loop, SIGTERM, on_signal, s);
    loop_signal(s->loop, SIGINT, on_signal, s);
    s->metrics = metrics_new();
    metrics_add_process(s->metrics);
    s->rpc = rpc_new(s->loop, s->metrics);
    rpc_on_listener_lost(s->rpc, on_listener_lost, s);
    int code = serve(s);
    rpc_free(s->rpc);
    loop_free(s->loop);
    metrics_free(s->metrics);
    if (code == EXIT_OK)
        log_info("stopped");
    return code;
}

static int usage_error(const struct service_def *def, const struct pl_err *err)
{
    fprintf(stderr, "pilotlight-%s: %s\n", def->name, err->message);
    return EXIT_USAGE;
}

int service_main(int argc, char **argv, const struct service_def *def)
{
    struct options options;
    struct pl_err err = { 0 };
    if (options_parse(&options, argc, argv, &err) != PL_OK)
        return usage_error(def, &err);
    if (options.mode == OPTIONS_HELP) {
        options_help(def);
        return EXIT_OK;
    }
    if (options.mode == OPTIONS_VERSION) {
        printf("pilotlight-%s %s\n", def->name, PL_VERSION);
        return EXIT_OK;
    }
    pl_cleanup(pl_free_p) void *config = pl_new0(1, def->config_size);
    struct service s = { .def = def, .config = config };
    if (load_config(&s, options.config, &err) != PL_OK)
        return usage_error(def, &err);
    int code = EXIT_OK;
    if (options.mode == OPTIONS_RUN)
        code = run(&s);
    else if (options.mode == OPTIONS_PRINT)
        code = print_config(&s);
    else
        printf("pilotlight-%s: the configuration is right\n", def->name);
    config_done(def->rows, config);
    return code;
}
