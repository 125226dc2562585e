#include "cgroup_find.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES (2 * PATH_MAX)

/* The next line of '*text' into 'out', without its end; false at the end. A longer one is cut. */
static bool next_line(const char **text, char out[LINE_MAX_BYTES])
{
    size_t n = strcspn(*text, "\n");
    size_t kept = n < LINE_MAX_BYTES ? n : LINE_MAX_BYTES - 1;

    if (**text == '\0')
        return false;
    memcpy(out, *text, kept);
    out[kept] = '\0';
    *text += n + ((*text)[n] == '\n');
    return true;
}

/* "cpu" in "cpu,cpuacct"; not in "cpuset". */
static bool in_list(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = list; (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}

/* mountinfo: ID PARENT DEVICE ROOT MOUNT-POINT OPTIONS [...] - TYPE SOURCE SUPER-OPTIONS */
static bool find_mount(const char *text, const char *controller, char top[PATH_MAX], char root[PATH_MAX])
{
    char line[LINE_MAX_BYTES];

    while (next_line(&text, line)) {
        char type[32], options[512];
        const char *rest = strstr(line, " - ");

        if (!rest || sscanf(rest, " - %31s %*s %511s", type, options) != 2 ||
            strcmp(type, controller ? "cgroup" : "cgroup2") != 0 || (controller && !in_list(options, controller)))
            continue;
        if (sscanf(line, "%*s %*s %*s %4095s %4095s", root, top) == 2)
            return true;
    }
    return false;
}

/* cgroup: ID:CONTROLLERS:PATH, version 2 is "0::PATH" */
static bool find_path(const char *text, const char *controller, char out[PATH_MAX])
{
    char line[LINE_MAX_BYTES];

    while (next_line(&text, line)) {
        char *list = strchr(line, ':');
        char *path = list ? strchr(list + 1, ':') : NULL;

        if (!path)
            continue;
        *path++ = '\0';
        list++;
        if (controller ? !in_list(list, controller) : list[0] != '\0')
            continue;
        (void)snprintf(out, PATH_MAX, "%s", path);
        return true;
    }
    return false;
}

bool cgroup_find(const char *mountinfo, const char *cgroup, const char *controller, struct cgroup_place *out)
{
    char root[PATH_MAX], path[PATH_MAX];
    const char *below = path;
    size_t n;

    if (!find_mount(mountinfo, controller, out->top, root) || !find_path(cgroup, controller, path))
        return false;
    /* A container may see only a part of the hierarchy: what is mounted is 'root', and paths start above it. */
    n = strlen(root);
    if (n > 1 && strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == '\0'))
        below = path + n;
    else if (n > 1 || strncmp(path, "/..", 3) == 0)
        below = "";
    if (strcmp(below, "/") == 0)
        below = "";
    return snprintf(out->own, sizeof(out->own), "%s%s", out->top, below) < (int)sizeof(out->own);
}
