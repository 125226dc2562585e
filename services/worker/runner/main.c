/* pilotlight-runner: the program inside an instance. Untrusted bytes (artifacts, models, payloads) are parsed here and
 * nowhere else. */
#include "serve.h"
#include "unpack.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define HOST_FD 3

static int run_serve(int argc, char **argv)
{
    (void)argc, (void)argv;
    return serve(HOST_FD);
}

static int run_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    return printf("pilotlight-runner %s\n", PL_VERSION) < 0;
}

static const struct mode {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the mode's name */
    bool owned;                        /* lives no longer than the process that started it */
    const char *help;
} modes[] = {
    { "serve", run_serve, true, "loads a model and answers requests on the socket that is descriptor 3" },
    { "unpack", unpack_main, true, "unpacks the artifact that is descriptor 3 into the folder that is descriptor 4" },
    { "version", run_version, false, "prints the version" },
};

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
    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) != 0)
            continue;
        if (modes[i].owned) {
            die_with_parent();
            one_thread_only(argv);
        }
        return modes[i].run(argc - 1, argv + 1);
    }
    return usage();
}
