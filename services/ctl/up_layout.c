#include "up_layout.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "paths.h"
#include "up_set.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

const char *const up_service_names[UP_SERVICE_COUNT] = {
    [UP_CONTROL] = "control",
    [UP_WORKER] = "worker",
    [UP_ROUTER] = "router",
    [UP_GATEWAY] = "gateway",
};

/* Distance from the base port; the admin port is ten further. */
static const int port_offsets[UP_SERVICE_COUNT] = {
    [UP_GATEWAY] = 0, [UP_ROUTER] = 1, [UP_CONTROL] = 2, [UP_WORKER] = 3
};

char *up_host_port(const char *host, int port)
{
    bool bare_v6 = strchr(host, ':') && *host != '[';
    return pl_format("%s%s%s:%d", bare_v6 ? "[" : "", host, bare_v6 ? "]" : "", port);
}

/* ---- folder of the sockets ---- */

/* A target "unix:PATH" is read as a URI: other characters would need escapes there. */
static bool is_plain(const char *path)
{
    return path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+~")] == '\0';
}

static uint64_t hash(const char *s)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    return h;
}

/* The same state folder always gets the same one. */
static char *short_run_dir(const char *state)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    bool fits = runtime && *runtime == '/' && is_plain(runtime) && strlen(runtime) < SOCKET_PATH_MAX - 48;
    if (fits && access(runtime, W_OK) == 0)
        return pl_format("%s/pilotlight-%016llx", runtime, (unsigned long long)hash(state));
    return pl_format("/tmp/pilotlight-%u-%016llx", (unsigned)getuid(), (unsigned long long)hash(state));
}

static void choose_run_dir(struct up_layout *l)
{
    l->run_dir = pl_format("%s/run", l->state);
    size_t longest = strlen(l->run_dir) + strlen("/router.frames");
    if (longest <= SOCKET_PATH_MAX && is_plain(l->run_dir))
        return;
    free(l->run_dir);
    l->run_dir = short_run_dir(l->state);
    l->short_run_dir = true;
}

/* ---- programs ---- */

static char *own_folder(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n <= 0)
        return pl_strdup(".");
    path[n] = '\0';
    return paths_folder(path);
}

static enum pl_code find_program(struct up_service *s, const char *folder, struct pl_err *err)
{
    s->program = pl_format("%s/pilotlight-%s", folder, s->name);
    if (access(s->program, X_OK) == 0)
        return PL_OK;
    return pl_fail(err, PL_NOT_FOUND, NULL, "cannot run %s: %s; all programs of Pilotlight must be in one folder",
                   s->program, strerror(errno));
}

/* ---- configs ---- */

static json_t *own_config(const struct up_layout *l, enum up_service_id id)
{
    const struct up_service *s = &l->services[id];
    pl_cleanup(pl_free_p) char *control = pl_format("unix:%s", l->services[UP_CONTROL].socket);
    pl_cleanup(pl_free_p) char *own = pl_format("unix:%s", s->socket);
    json_t *c = json_pack("{s:[s,s], s:s}", "listen", own, s->address, "admin_listen", s->admin_address);
    pl_cleanup(pl_free_p) char *database = pl_format("%s/control/pilotlight.db", l->state);
    pl_cleanup(pl_free_p) char *snapshot = pl_format("%s/router/snapshot", l->state);
    pl_cleanup(pl_free_p) char *cache = pl_format("%s/worker/cache", l->state);
    pl_cleanup(pl_free_p) char *frames = pl_format("unix-frames:%s/router.frames", l->run_dir);
    pl_cleanup(pl_free_p) char *direct = pl_format("%s/direct.sock", l->run_dir);
    pl_cleanup(pl_free_p) char *buckets = pl_format("%s/gateway/buckets", l->state);
    switch (id) {
    case UP_CONTROL:
        json_object_set_new(c, "database", json_string(database));
        break;
    case UP_ROUTER:
        json_object_set_new(c, "control", json_string(control));
        json_array_append_new(json_object_get(c, "listen"), json_string(frames));
        json_object_set_new(c, "router_id", json_string("router-1"));
        json_object_set_new(c, "snapshot", json_string(snapshot));
        break;
    case UP_WORKER:
        json_object_set_new(c, "control", json_string(control));
        json_object_set_new(c, "host_id", json_string("host-1"));
        json_object_set_new(c, "advertise", json_string(own));
        json_object_set_new(c, "cache_dir", json_string(cache));
        json_object_set_new(c, "direct_socket", json_string(direct));
        break;
    case UP_GATEWAY:
        json_object_set_new(c, "listen", json_pack("[s]", s->address));
        json_object_set_new(c, "control", json_string(control));
        json_object_set_new(c, "router", json_string(frames));
        json_object_set_new(c, "credentials_file", json_string(l->credentials_path));
        json_object_set_new(c, "s3", json_pack("{s:s}", "directory", buckets));
        break;
    case UP_SERVICE_COUNT:
        break;
    }
    return c;
}

static void describe_service(struct up_layout *l, enum up_service_id id, const struct up_options *o)
{
    struct up_service *s = &l->services[id];
    s->name = up_service_names[id];
    s->port = o->port + port_offsets[id];
    s->admin_port = s->port + 10;
    s->address = up_host_port(o->listen, s->port);
    s->admin_address = up_host_port(o->listen, s->admin_port);
    s->socket = pl_format("%s/%s.sock", l->run_dir, s->name);
    s->config_path = pl_format("%s/config/%s.yaml", l->state, s->name);
    s->log_path = pl_format("%s/log/%s.log", l->state, s->name);
}

static enum pl_code apply_sets(struct up_layout *l, const struct up_options *o, struct pl_err *err)
{
    for (size_t i = 0; i < o->set_count; i++) {
        json_t *configs[UP_SERVICE_COUNT];
        size_t which;
        for (size_t k = 0; k < UP_SERVICE_COUNT; k++)
            configs[k] = l->services[k].config;
        if (up_set(o->sets[i], up_service_names, configs, UP_SERVICE_COUNT, &which, err) != PL_OK)
            return err->code;
        l->services[which].has_sets = true;
    }
    return PL_OK;
}

enum pl_code up_layout_make(struct up_layout *out, const struct up_options *o, struct pl_err *err)
{
    struct up_layout l = { .state = paths_resolve(".", o->state) };
    pl_cleanup(pl_free_p) char *folder = o->program_dir ? pl_strdup(o->program_dir) : own_folder();
    l.lock_path = pl_format("%s/lock", l.state);
    l.credentials_path = pl_format("%s/credentials.json", l.state);
    bool any = !strcmp(o->listen, "0.0.0.0") || !strcmp(o->listen, "::") || !strcmp(o->listen, "[::]");
    l.probe_host = pl_strdup(any ? (strchr(o->listen, ':') ? "::1" : "127.0.0.1") : o->listen);
    choose_run_dir(&l);
    enum pl_code code = PL_OK;
    for (int id = 0; id < UP_SERVICE_COUNT; id++)
        describe_service(&l, id, o);
    for (int id = 0; id < UP_SERVICE_COUNT; id++)
        l.services[id].config = own_config(&l, id);
    for (int id = 0; id < UP_SERVICE_COUNT && code == PL_OK; id++)
        code = find_program(&l.services[id], folder, err);
    if (code == PL_OK)
        code = apply_sets(&l, o, err);
    if (code != PL_OK)
        up_layout_done(&l);
    else
        *out = l;
    return code;
}

void up_layout_done(struct up_layout *l)
{
    for (int id = 0; id < UP_SERVICE_COUNT; id++) {
        struct up_service *s = &l->services[id];
        char *texts[] = { s->program, s->address, s->admin_address, s->socket, s->config_path, s->log_path };
        for (size_t i = 0; i < PL_COUNT(texts); i++)
            free(texts[i]);
        json_decref(s->config);
    }
    free(l->state);
    free(l->lock_path);
    free(l->credentials_path);
    free(l->run_dir);
    free(l->probe_host);
    *l = (struct up_layout){ 0 };
}
