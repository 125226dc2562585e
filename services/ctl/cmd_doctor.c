/* pilotlight doctor - what this machine can enforce. Finding out is the runner's work (its mode `probe`); here its
 * lines are read and shown. */
#include "command.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "output.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ANSWER ((size_t)1 << 20)

extern char **environ;

struct findings {
    json_t *checks; /* features and limits, in the order in which they came */
    json_t *plan;
};

static void findings_done(struct findings *f)
{
    json_decref(f->checks);
    json_decref(f->plan);
}

/* ---- asking the runner ---- */

static char *runner_path(const struct args *a)
{
    const char *given = args_text(a, "runner");
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (given || n <= 0)
        return pl_strdup(given ? given : "pilotlight-runner");
    path[n] = '\0';
    pl_cleanup(pl_free_p) char *folder = paths_folder(path);
    return pl_format("%s/pilotlight-runner", folder);
}

/* Its standard output becomes 'out'. False: it could not be run; errno says why. */
static bool start(const char *runner, const struct args *a, int out, pid_t *out_pid)
{
    const char *parent = args_text(a, "cgroup-parent");
    pl_cleanup(pl_free_p) char *uid = pl_format("%lld", (long long)args_number(a, "uid"));
    const char *argv[] = { runner, "probe", "--uid", uid, parent ? "--cgroup-parent" : NULL, parent, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    errno = posix_spawn(out_pid, runner, &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return errno == 0;
}

static bool take_line(struct findings *f, const char *line)
{
    json_t *value = json_loads(line, 0, NULL);
    const char *kind = json_string_value(json_object_get(value, "kind"));
    if (kind && strcmp(kind, "plan") == 0 && !f->plan)
        f->plan = json_incref(value);
    else if (kind)
        json_array_append(f->checks, value);
    json_decref(value);
    return kind;
}

/* Reads to the end. False: what came is not what a runner says. */
static bool read_findings(struct findings *f, int fd)
{
    pl_cleanup(pl_close_p) int copy = fd;
    FILE *in = fdopen(copy, "r");
    pl_cleanup(pl_free_p) char *line = NULL;
    size_t room = 0, total = 0;
    bool good = in;
    f->checks = json_array();
    for (ssize_t n; good && (n = getline(&line, &room, in)) > 0;)
        good = (total += (size_t)n) <= MAX_ANSWER && take_line(f, line);
    if (in) {
        copy = -1;
        fclose(in);
    }
    return good;
}

static enum ctl_exit ask(struct findings *f, const struct args *a)
{
    pl_cleanup(pl_free_p) char *runner = runner_path(a);
    int ends[2], status = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0 || !start(runner, a, ends[1], &pid)) {
        fprintf(stderr, "pilotlight doctor: cannot run '%s': %s\n", runner, strerror(errno));
        return EXIT_FAILED;
    }
    (void)close(ends[1]);
    bool good = read_findings(f, ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0) /* it has said why */
        return EXIT_FAILED;
    if (good && f->plan)
        return EXIT_OK;
    fprintf(stderr, "pilotlight doctor: '%s' did not answer as this version's pilotlight-runner does\n", runner);
    return EXIT_FAILED;
}

/* ---- showing ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_ok(const json_t *check)
{
    return json_is_true(json_object_get(check, "ok"));
}

static const char *kind_text(const json_t *check)
{
    return strcmp(text_of(check, "kind"), "limit") == 0 ? "limit" : "sandbox";
}

static void print_table(const struct findings *f)
{
    static const char *const titles[] = { "PART", "NAME", "WORKS", "WHY NOT", NULL };
    struct table *t = table_new(titles);
    char took[24];
    size_t i;
    json_t *check;
    json_array_foreach(f->checks, i, check)
    {
        table_cell(t, "%s", kind_text(check));
        table_cell(t, "%s", text_of(check, "name"));
        table_cell(t, "%s", is_ok(check) ? "yes" : "NO");
        table_cell(t, "%s", is_ok(check) ? "" : text_of(check, "why"));
    }
    table_print(t, stdout);
    table_free(t);
    printf("\nlimits by %s; a process in its sandbox after %s\n", text_of(f->plan, "limits"),
           output_micros(json_integer_value(json_object_get(f->plan, "start_us")), took));
}

static void print_advice(const struct findings *f)
{
    size_t i;
    json_t *check;
    json_array_foreach(f->checks, i, check)
    {
        if (!is_ok(check))
            printf("\n%s (%s)\n  so:     %s\n  advice: %s\n", text_of(check, "name"), kind_text(check),
                   text_of(check, "lost"), text_of(check, "advice"));
    }
}

static void print_names(const struct findings *f)
{
    size_t i;
    json_t *check;
    json_array_foreach(f->checks, i, check)
    {
        if (!is_ok(check))
            printf("%s\n", text_of(check, "key"));
    }
}

enum ctl_exit cmd_doctor(const struct args *a)
{
    enum output_format format = output_format_of(args_text(a, "output"));
    pl_cleanup(findings_done) struct findings f = { 0 };
    enum ctl_exit code = ask(&f, a);
    if (code != EXIT_OK)
        return code;
    bool complete = json_is_true(json_object_get(f.plan, "complete"));
    if (format == OUTPUT_TABLE) {
        print_table(&f);
        print_advice(&f);
        printf("%s\n",
               complete ? "everything that a sandbox is made of works here" : "\nthe sandbox is not complete here");
    } else if (format == OUTPUT_NAME) {
        print_names(&f);
    } else {
        json_t *all = json_copy(f.plan);
        json_object_del(all, "kind");
        json_object_set(all, "checks", f.checks);
        output_value(all, format, stdout);
        json_decref(all);
    }
    return complete ? EXIT_OK : EXIT_FAILED;
}
