/* pilotlight-runner: the program inside an instance. Untrusted bytes (artifacts, models, payloads) are parsed here and
 * nowhere else.
 *
 * Modes are run in one of two ways: as they are, or as `zygote MODE`, which is how a worker does it: that process loads
 * this program once and then, for every request, makes a process in a sandbox of its own that runs MODE. */
#include "base/cleanup.h"
#include "base/sanitizer.h"
#include "base/text.h"
#include "booster.h"
#include "compile_model.h"
#include "egress.h"
#include "http_serve.h"
#include "sandbox/probe.h"
#include "sandbox/zygote.h"
#include "serve.h"
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define HOST_FD 3
#define WORK_FD 4

static int usage(void);
static int run_zygote(int argc, char **argv);

static int run_serve(int argc, char **argv)
{
    (void)argc, (void)argv;
    return serving_run(serving_new(), HOST_FD);
}

/* Blank until the worker has a model for it. */
static int serve_inside(int argc, char **argv)
{
    struct serving *s = serving_new();

    (void)argc, (void)argv;
    (void)serving_rehearse(s);
    (void)sandbox_zygote_assigned();
    return serving_run(s, HOST_FD);
}

static int run_http(int argc, char **argv)
{
    int64_t grace_ms = HTTP_STOP_GRACE_MS;

    if (argc > 1 && !pl_parse_i64(argv[1], 0, INT32_MAX, &grace_ms)) {
        (void)fprintf(stderr, "pilotlight-runner: http: '%s' is not a time in milliseconds\n", argv[1]);
        return EXIT_FAILURE;
    }
    return http_serve(HOST_FD, (int)grace_ms);
}

static int http_inside(int argc, char **argv)
{
    (void)sandbox_zygote_assigned();
    return run_http(argc, argv);
}

static int unpack_inside(int argc, char **argv)
{
    int fd = open(sandbox_work_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || dup2(fd, WORK_FD) < 0) {
        (void)fprintf(stderr, "pilotlight-runner: cannot open the folder to unpack into: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    return unpack_main(argc, argv);
}

/* Its model is where an instance's is: in the current folder. */
static int compile_inside(int argc, char **argv)
{
    int model, out;

    (void)sandbox_zygote_assigned();
    model = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    out = open(sandbox_work_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (model < 0 || out < 0 || dup2(model, HOST_FD) < 0 || dup2(out, WORK_FD) < 0) {
        (void)fprintf(stderr, "pilotlight-runner: cannot open the folder to compile: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    return compile_main(argc, argv);
}

/* Its channel is where its orders come from. */
static int egress_inside(int argc, char **argv)
{
    (void)argc, (void)argv;
    return egress_serve(HOST_FD);
}

static int run_version(int argc, char **argv)
{
    char library[32];

    (void)argc, (void)argv;
    booster_version(library, sizeof(library));
    return printf("pilotlight-runner %s (%s)\n", PL_VERSION, library) < 0;
}

static const struct mode {
    const char *name;
    int (*run)(int argc, char **argv);    /* argv[0] is the mode's name; NULL: only inside */
    int (*inside)(int argc, char **argv); /* as `zygote MODE`, in every process it makes; NULL: not offered */
    bool owned;                           /* lives no longer than the process that started it */
    const char *help;
} modes[] = {
    { "serve", run_serve, serve_inside, true, "loads a model and answers requests on the socket that is descriptor 3" },
    { "http", run_http, http_inside, true,
      "[GRACE_MS] runs a program that serves HTTP and hands it requests from the socket that is descriptor 3" },
    { "unpack", unpack_main, unpack_inside, true,
      "unpacks the artifact that is descriptor 3 into the folder that is descriptor 4" },
    { "compile", compile_main, compile_inside, true,
      "compiles the model in the folder that is descriptor 3 into the folder that is descriptor 4" },
    { "egress", NULL, egress_inside, true,
      "leads instances that may use the network there, as the socket that is descriptor 3 asks for" },
    { "zygote", run_zygote, NULL, true,
      "MODE: makes processes that run MODE in sandboxes, as descriptor 3 asks for them" },
    { "probe", sandbox_probe_main, sandbox_trial_main, false,
      "prints what this host can enforce, one JSON object a line" },
    { "version", run_version, NULL, false, "prints its version and that of its XGBoost" },
};

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(name, modes[i].name) == 0)
            return &modes[i];
    return NULL;
}

/* Ends a process that a zygote has made. Libraries' destructors run in a process that exits by itself, and write to
 * pages that it shares with all others: some ninety page faults, to tidy up what is gone a moment later. */
PL_NORETURN static void leave(int code)
{
    (void)fflush(NULL);
    if (PL_SANITIZED)
        exit(code);
    _exit(code);
}

/* Goes on only in the processes that it makes. */
static int run_zygote(int argc, char **argv)
{
    const struct mode *mode = argc > 1 ? find_mode(argv[1]) : NULL;

    if (!mode || !mode->inside)
        return usage();
    (void)sandbox_zygote_serve();
    leave(mode->inside(argc - 1, argv + 1));
}

/* An instance must not outlive its host. A host that died before this line left us to another parent, or closed our
 * socket. */
static void die_with_parent(void)
{
    pid_t parent = getppid();

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(EXIT_FAILURE);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* libgomp reads its environment when it is loaded, which was before main(): start again with the right one. The host
 * sets it, so that this costs nothing in life. */
static void one_thread_only(char **argv)
{
    const char *threads = getenv("OMP_NUM_THREADS");

    if (threads && strcmp(threads, "1") == 0)
        return;
    if (setenv("OMP_NUM_THREADS", "1", 1) == 0)
        (void)execv("/proc/self/exe", argv);
    (void)fprintf(stderr, "pilotlight-runner: OMP_NUM_THREADS is not 1 and /proc/self/exe cannot be run again\n");
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: pilotlight-runner MODE\n");
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        (void)fprintf(stderr, "  %-8s %s\n", modes[i].name, modes[i].help);
    return 2;
}

int main(int argc, char **argv)
{
    const struct mode *mode = argc > 1 ? find_mode(argv[1]) : NULL;

    if (!mode || !mode->run)
        return usage();
    if (mode->owned) {
        die_with_parent();
        one_thread_only(argv);
    }
    return mode->run(argc - 1, argv + 1);
}
