/* One-machine mode as far as it needs no service: layout, --set, pauses, folders, ports, and supervision of stand-ins.
 */
#include "base/time.h"
#include "up_child.h"
#include "up_layout.h"
#include "up_set.h"
#include "up_state.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char base[64]; /* a folder of this run; programs/ in it holds the stand-ins */
static char programs[96];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int make_base(void **state)
{
    (void)state;
    strcpy(base, "/tmp/pl-up-XXXXXX");
    if (!mkdtemp(base))
        return -1;
    snprintf(programs, sizeof(programs), "%s/programs", base);
    mkdir(programs, 0700);
    for (int id = 0; id < UP_SERVICE_COUNT; id++) {
        char path[160];
        snprintf(path, sizeof(path), "%s/pilotlight-%s", programs, up_service_names[id]);
        FILE *f = fopen(path, "w");
        fputs("#!/bin/sh\nexit 0\n", f);
        fclose(f);
        chmod(path, 0700);
    }
    return 0;
}

static int remove_base(void **state)
{
    (void)state;
    return nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static struct up_options options(const char *state)
{
    return (struct up_options){ .state = state, .listen = "127.0.0.1", .port = 9000, .program_dir = programs };
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void layout_has_ports_sockets_and_configs(void **state)
{
    struct up_layout l;
    struct pl_err err;
    struct up_options o = options("/srv/pl/../pilotlight");
    (void)state;
    assert_int_equal(up_layout_make(&l, &o, &err), PL_OK);
    assert_string_equal(l.state, "/srv/pilotlight");
    assert_string_equal(l.services[UP_ROUTER].address, "127.0.0.1:9001");
    assert_string_equal(l.services[UP_CONTROL].address, "127.0.0.1:9002");
    assert_string_equal(l.services[UP_WORKER].address, "127.0.0.1:9003");
    assert_string_equal(l.services[UP_ROUTER].admin_address, "127.0.0.1:9011");
    assert_string_equal(l.services[UP_WORKER].admin_address, "127.0.0.1:9013");
    const json_t *router = l.services[UP_ROUTER].config, *worker = l.services[UP_WORKER].config;
    assert_string_equal(text_at(router, "control"), "unix:/srv/pilotlight/run/control.sock");
    assert_string_equal(text_at(worker, "control"), "unix:/srv/pilotlight/run/control.sock");
    assert_string_equal(text_at(worker, "advertise"), "unix:/srv/pilotlight/run/worker.sock");
    assert_string_equal(text_at(router, "snapshot"), "/srv/pilotlight/router/snapshot");
    assert_string_equal(json_string_value(json_array_get(json_object_get(router, "listen"), 0)),
                        "unix:/srv/pilotlight/run/router.sock");
    assert_string_equal(json_string_value(json_array_get(json_object_get(router, "listen"), 2)),
                        "unix-frames:/srv/pilotlight/run/router.frames");
    assert_string_equal(text_at(l.services[UP_GATEWAY].config, "router"),
                        "unix-frames:/srv/pilotlight/run/router.frames");
    up_layout_done(&l);
}

static void long_and_odd_state_folders_get_a_short_one_for_sockets(void **state)
{
    char deep[200] = "/srv/", odd[] = "/srv/with space";
    struct up_layout l;
    struct pl_err err;
    struct up_options o = options(deep);
    (void)state;
    memset(deep + 5, 'x', 150);
    deep[155] = '\0';
    for (int i = 0; i < 2; i++) {
        o.state = i ? odd : deep;
        assert_int_equal(up_layout_make(&l, &o, &err), PL_OK);
        assert_true(l.short_run_dir);
        for (int id = 0; id < UP_SERVICE_COUNT; id++) {
            assert_true(strlen(l.services[id].socket) <= 107);
            assert_null(strchr(l.services[id].socket, ' '));
        }
        char *first = strdup(l.run_dir);
        up_layout_done(&l);
        assert_int_equal(up_layout_make(&l, &o, &err), PL_OK);
        assert_string_equal(l.run_dir, first); /* the same each time */
        free(first);
        up_layout_done(&l);
    }
}

static void addresses_follow_listen(void **state)
{
    static const char *const cases[][3] = { { "0.0.0.0", "0.0.0.0:9001", "127.0.0.1" },
                                            { "::1", "[::1]:9001", "::1" },
                                            { "::", "[::]:9001", "::1" } };
    struct up_layout l;
    struct pl_err err;
    struct up_options o = options("/srv/p");
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        o.listen = cases[i][0];
        assert_int_equal(up_layout_make(&l, &o, &err), PL_OK);
        assert_string_equal(l.services[UP_ROUTER].address, cases[i][1]);
        assert_string_equal(l.probe_host, cases[i][2]);
        up_layout_done(&l);
    }
}

static void missing_programs_are_named(void **state)
{
    struct up_layout l;
    struct pl_err err;
    struct up_options o = options("/srv/p");
    (void)state;
    o.program_dir = "/nonexistent";
    assert_int_equal(up_layout_make(&l, &o, &err), PL_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/pilotlight-control"));
}

static void sets_go_to_their_service(void **state)
{
    const char *sets[] = { "router.keep_alive=30s", "worker.log.level=debug", "worker.file_roots=[/a, /b]",
                           "router.hosts={h1: 'unix:/x'}", "worker.s3.endpoint=http://x:1/?a=b" };
    struct up_layout l;
    struct pl_err err;
    struct up_options o = options("/srv/p");
    (void)state;
    o.sets = sets;
    o.set_count = 5;
    assert_int_equal(up_layout_make(&l, &o, &err), PL_OK);
    const json_t *worker = l.services[UP_WORKER].config, *router = l.services[UP_ROUTER].config;
    assert_string_equal(text_at(router, "keep_alive"), "30s");
    assert_string_equal(text_at(json_object_get(worker, "log"), "level"), "debug");
    assert_string_equal(json_string_value(json_array_get(json_object_get(worker, "file_roots"), 1)), "/b");
    assert_string_equal(text_at(json_object_get(router, "hosts"), "h1"), "unix:/x");
    assert_string_equal(text_at(json_object_get(worker, "s3"), "endpoint"), "http://x:1/?a=b");
    assert_true(l.services[UP_WORKER].has_sets && l.services[UP_ROUTER].has_sets && !l.services[UP_CONTROL].has_sets);
    up_layout_done(&l);
}

static void wrong_sets_are_refused(void **state)
{
    static const char *const cases[][2] = { { "router", "is not SERVICE.KEY=VALUE" },
                                            { "keep_alive=1", "is not SERVICE.KEY=VALUE" },
                                            { "router.=1", "is not SERVICE.KEY=VALUE" },
                                            { "rooter.x=1", "no service 'rooter'; did you mean router" },
                                            { "nothing.x=1",
                                              "no service 'nothing'; there are control, worker, router and gateway" },
                                            { "router.x.=1", "not a key and" },
                                            { "router.x=[a", "not a key and" },
                                            { "router.x=[[a]]", "not a key and" },
                                            { "router.x={a: [b]}", "not a key and" } };
    json_t *configs[UP_SERVICE_COUNT];
    (void)state;
    for (int i = 0; i < UP_SERVICE_COUNT; i++)
        configs[i] = json_object();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t which;
        struct pl_err err;
        assert_int_equal(up_set(cases[i][0], up_service_names, configs, UP_SERVICE_COUNT, &which, &err), PL_INVALID);
        if (!strstr(err.message, cases[i][1]))
            fail_msg("'%s' is not in '%s'", cases[i][1], err.message);
    }
    for (int i = 0; i < UP_SERVICE_COUNT; i++) {
        assert_int_equal(json_object_size(configs[i]), 0);
        json_decref(configs[i]);
    }
}

static void one_state_folder_has_one_owner(void **state)
{
    char dir[128];
    struct up_layout l;
    struct pl_err err;
    int first = -1, second = -1;
    struct stat st;
    (void)state;
    snprintf(dir, sizeof(dir), "%s/one/state", base);
    struct up_options o = options(dir);
    assert_int_equal(up_layout_make(&l, &o, &err), PL_OK);
    assert_int_equal(up_state_lock(&l, &first, &err), PL_OK);
    assert_int_equal(up_state_lock(&l, &second, &err), PL_PRECONDITION);
    assert_non_null(strstr(err.message, dir));
    char pid[32];
    snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
    assert_non_null(strstr(err.message, pid));
    close(first);
    assert_int_equal(up_state_lock(&l, &second, &err), PL_OK);
    assert_int_equal(up_state_write(&l, &err), PL_OK);
    assert_int_equal(stat(l.services[UP_ROUTER].config_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    close(second);
    up_layout_done(&l);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void old_logs_are_kept_up_to_a_number(void **state)
{
    char dir[128], path[256], text[32];
    struct up_layout l;
    struct pl_err err;
    int lock;
    (void)state;
    snprintf(dir, sizeof(dir), "%s/logs", base);
    struct up_options o = options(dir);
    assert_int_equal(up_layout_make(&l, &o, &err), PL_OK);
    assert_int_equal(up_state_lock(&l, &lock, &err), PL_OK);
    for (int i = 1; i <= UP_LOGS_KEPT + 2; i++) {
        snprintf(text, sizeof(text), "run %d\n", i);
        put(l.services[UP_WORKER].log_path, text);
        assert_int_equal(up_state_write(&l, &err), PL_OK);
        assert_int_not_equal(access(l.services[UP_WORKER].log_path, F_OK), 0);
    }
    for (int i = 1; i <= UP_LOGS_KEPT; i++) {
        char got[32] = "";
        snprintf(path, sizeof(path), "%s.%d", l.services[UP_WORKER].log_path, i);
        snprintf(text, sizeof(text), "run %d\n", UP_LOGS_KEPT + 3 - i);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        assert_non_null(fgets(got, sizeof(got), f));
        fclose(f);
        assert_string_equal(got, text);
    }
    snprintf(path, sizeof(path), "%s.%d", l.services[UP_WORKER].log_path, UP_LOGS_KEPT + 1);
    assert_int_not_equal(access(path, F_OK), 0);
    close(lock);
    up_layout_done(&l);
}

static void a_log_that_grew_is_put_aside_while_written(void **state)
{
    char dir[128], path[256];
    struct up_layout l;
    struct pl_err err;
    struct stat st;
    int lock;
    (void)state;
    snprintf(dir, sizeof(dir), "%s/trim", base);
    struct up_options o = options(dir);
    assert_int_equal(up_layout_make(&l, &o, &err), PL_OK);
    assert_int_equal(up_state_lock(&l, &lock, &err), PL_OK);
    const struct up_service *s = &l.services[UP_ROUTER];
    FILE *writer = fopen(s->log_path, "a");
    assert_non_null(writer);
    assert_int_equal(ftruncate(fileno(writer), UP_LOG_MAX), 0);
    up_state_trim_log(s); /* exactly the limit: stays */
    assert_int_equal(stat(s->log_path, &st), 0);
    assert_true(st.st_size == UP_LOG_MAX);
    fputs("one more\n", writer);
    fflush(writer);
    up_state_trim_log(s);
    fputs("after\n", writer);
    fclose(writer);
    assert_int_equal(stat(s->log_path, &st), 0);
    assert_int_equal(st.st_size, 6);
    snprintf(path, sizeof(path), "%s.1", s->log_path);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size == UP_LOG_MAX + 9);
    close(lock);
    up_layout_done(&l);
}

static void a_port_in_use_is_named(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    struct up_layout l;
    struct pl_err err;
    char port[32];
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (void *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (void *)&a, &len), 0);
    struct up_options o = options("/srv/p");
    o.port = ntohs(a.sin_port) - 1; /* the router's */
    assert_int_equal(up_layout_make(&l, &o, &err), PL_OK);
    assert_int_equal(up_state_check_ports(&l, &o, &err), PL_UNAVAILABLE);
    snprintf(port, sizeof(port), "port %d on", ntohs(a.sin_port));
    assert_non_null(strstr(err.message, port));
    assert_non_null(strstr(err.message, "router"));
    assert_non_null(strstr(err.message, "--port"));
    close(fd);
    up_layout_done(&l);
}

static void pauses_double_and_start_again(void **state)
{
    static const int64_t expected[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
    int64_t pause = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        pause = up_child_next_pause(pause, 0);
        assert_int_equal(pause, expected[i]);
    }
    assert_int_equal(up_child_next_pause(5000, 9999), 5000);
    assert_int_equal(up_child_next_pause(5000, 10000), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_has_ports_sockets_and_configs),
        cmocka_unit_test(long_and_odd_state_folders_get_a_short_one_for_sockets),
        cmocka_unit_test(addresses_follow_listen),
        cmocka_unit_test(missing_programs_are_named),
        cmocka_unit_test(sets_go_to_their_service),
        cmocka_unit_test(wrong_sets_are_refused),
        cmocka_unit_test(one_state_folder_has_one_owner),
        cmocka_unit_test(old_logs_are_kept_up_to_a_number),
        cmocka_unit_test(a_log_that_grew_is_put_aside_while_written),
        cmocka_unit_test(a_port_in_use_is_named),
        cmocka_unit_test(pauses_double_and_start_again),
    };
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
