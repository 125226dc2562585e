/* spawned - how long a program takes from its exec to its first word.
 *
 *   spawned [--calls N] PROGRAM [ARGUMENT ...]      one JSON object on stdout
 *
 * PROGRAM is run N times, one after another, and must write something on its standard output, which is when the time
 * ends, and then end with 0. That is what somebody waits for who starts a process to get one answer. Microseconds. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CALLS 10000

extern char **environ;

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "spawned: %s: %s\n", what, why);
    exit(1);
}

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static pid_t start(char **argv, int out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error)
        die(argv[0], strerror(error));
    return pid;
}

static double once(char **argv)
{
    double began = now_us(), took;
    char words[4096];
    int ends[2], status;
    ssize_t n;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        die("pipe", strerror(errno));
    pid = start(argv, ends[1]);
    (void)close(ends[1]);
    n = read(ends[0], words, sizeof(words));
    took = now_us() - began;
    if (n <= 0)
        die(argv[0], "it said nothing");
    while (read(ends[0], words, sizeof(words)) > 0)
        ;
    (void)close(ends[0]);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die(argv[0], "it failed");
    return took;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static double took[MAX_CALLS];
    long calls = 10;
    int first = 1;

    if (argc > 2 && strcmp(argv[1], "--calls") == 0) {
        calls = strtol(argv[2], NULL, 10);
        first = 3;
    }
    if (first >= argc || calls < 1 || calls > MAX_CALLS) {
        (void)fprintf(stderr, "usage: spawned [--calls N] PROGRAM [ARGUMENT ...]\n");
        return 2;
    }
    for (long i = 0; i < calls; i++)
        took[i] = once(argv + first);
    qsort(took, (size_t)calls, sizeof(*took), compare);
    return printf("{\"calls\": %ld, \"p50_us\": %.1f, \"min_us\": %.1f, \"max_us\": %.1f}\n", calls, took[calls / 2],
                  took[0], took[calls - 1]) < 0;
}
