/* A process without descriptors: the core's listener ends for good, and its owner hears of it. */
#include "rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPARE 8
#define MOST  4096 /* there may be gaps below the highest */

static sem_t lost_event;

static void lost(void *arg)
{
    sem_post(arg);
}

static unsigned highest_descriptor(void)
{
    unsigned highest = 0;
    DIR *d = opendir("/proc/self/fd");
    for (struct dirent *e; (e = readdir(d));)
        highest = (unsigned)atoi(e->d_name) > highest ? (unsigned)atoi(e->d_name) : highest;
    closedir(d);
    return highest;
}

static void test_owner_hears_of_it(void **state)
{
    static struct rig g;
    struct rlimit before, few;
    int fds[MOST], count = 0;
    (void)state;
    sem_init(&lost_event, 0, 0);
    rig_up(&g);
    rig_serve(&g, "127.0.0.1:0");
    rig_enter(&g);
    rpc_on_listener_lost(g.rpc, lost, &lost_event);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)rpc_server_port(g.server, 0)) };
    rig_leave(&g);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = highest_descriptor() + SPARE;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (count < MOST && (fds[count] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0)
        count++;
    assert_in_range(count, 1, MOST - 1);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&a, sizeof(a)), 0); /* no descriptor is left to accept it */
    wait_event(&lost_event);
    while (count > 0)
        close(fds[--count]);
    setrlimit(RLIMIT_NOFILE, &before);
    rig_down(&g);
    sem_destroy(&lost_event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owner_hears_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
