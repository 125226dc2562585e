/* `pilotlight-runner probe`: the probe's findings as JSON lines. */
#include "base/buf.h"
#include "base/text.h"
#include "sandbox/cgroup.h"
#include "sandbox/plan.h"
#include "sandbox/probe.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_text(struct pl_buf *b, const char *key, const char *value)
{
    (void)pl_buf_addf(b, ",\"%s\":", key);
    (void)pl_buf_add_json(b, value, strlen(value));
}

static void add_finding(struct pl_buf *b, const char *kind, const char *key, const char *name, bool ok)
{
    (void)pl_buf_addf(b, "{\"kind\":\"%s\"", kind);
    add_text(b, "key", key);
    add_text(b, "name", name);
    (void)pl_buf_addf(b, ",\"ok\":%s", ok ? "true" : "false");
}

static void add_trouble(struct pl_buf *b, const char *why, const char *lost, const char *advice)
{
    add_text(b, "why", why);
    add_text(b, "lost", lost);
    add_text(b, "advice", advice);
}

static void add_feature(struct pl_buf *b, const struct sandbox_probe *p, unsigned i)
{
    const struct sandbox_feature_text *t = &sandbox_feature_texts[i];
    bool ok = (p->features >> i) & 1u;

    add_finding(b, "feature", t->key, t->name, ok);
    if (!ok)
        add_trouble(b, p->why[i], t->lost, t->advice);
    (void)pl_buf_adds(b, "}\n");
}

/* True: all of them are there. */
static bool add_limits(struct pl_buf *b, const struct cgroups *c)
{
    bool complete = true;

    for (const struct cgroup_text *t = cgroup_texts; t->key; t++) {
        bool ok = cgroups_controllers(c) & t->controller;

        add_finding(b, "limit", t->key, t->name, ok);
        if (!ok)
            add_trouble(b, cgroups_why_not(c), t->lost, cgroups_advice(c));
        (void)pl_buf_adds(b, "}\n");
        complete = complete && ok;
    }
    return complete;
}

/* What the worker's settings say, if they say anything. */
struct options {
    uint64_t uid;
    const char *cgroup_parent;
};

static bool parse(int argc, char **argv, struct options *out)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--cgroup-parent") == 0)
            out->cgroup_parent = argv[i + 1];
        else if (strcmp(argv[i], "--uid") != 0 || !pl_parse_u64(argv[i + 1], INT32_MAX, &out->uid))
            return false;
    }
    return argc % 2 == 1;
}

static bool own_path(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);

    if (n > 0)
        out[n] = '\0';
    return n > 0;
}

static bool write_out(const struct pl_buf *b)
{
    return fwrite(b->data, 1, b->len, stdout) == b->len && fflush(stdout) == 0;
}

int sandbox_probe_main(int argc, char **argv)
{
    pl_cleanup(pl_buf_done) struct pl_buf out = PL_BUF_INIT(1 << 20);
    struct options o = { .uid = SANDBOX_DEFAULT_UID, .cgroup_parent = "" };
    struct cgroups *cgroups;
    struct sandbox_probe p;
    char program[PATH_MAX];
    struct pl_err err = { 0 };
    bool complete;

    if (!parse(argc, argv, &o)) {
        (void)fprintf(stderr, "usage: pilotlight-runner probe [--uid N] [--cgroup-parent FOLDER]\n");
        return 2;
    }
    if (!own_path(program) || sandbox_probe(&p, program, (unsigned)o.uid, &err) != PL_OK) {
        (void)fprintf(stderr, "pilotlight-runner: %s\n", err.message);
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < SANDBOX_FEATURE_COUNT; i++)
        add_feature(&out, &p, i);
    cgroups = cgroups_open(o.cgroup_parent);
    complete = add_limits(&out, cgroups) && p.features == SANDBOX_ALL;
    (void)pl_buf_addf(&out, "{\"kind\":\"plan\",\"features\":%u,\"uid\":%u,\"privileged\":%s", p.features,
                      (unsigned)o.uid, p.privileged ? "true" : "false");
    add_text(&out, "limits", cgroups_driver(cgroups));
    (void)pl_buf_addf(&out, ",\"start_us\":%lld,\"complete\":%s}\n", (long long)p.start_us,
                      complete ? "true" : "false");
    cgroups_close(cgroups);
    return write_out(&out) ? EXIT_SUCCESS : EXIT_FAILURE;
}
