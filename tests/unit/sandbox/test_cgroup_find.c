#include "rig.h"

#include "cgroup_find.h"
#include "cgroup_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char hybrid_mounts[] =
    "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "30 22 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "31 30 0:27 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
    "32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "33 30 0:29 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "34 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n";
static const char hybrid_groups[] =
    "9:cpuset:/\n4:memory:/system.slice/pilotlight.service\n2:cpu,cpuacct:/jobs\n0::/user.slice\n";

static const char v2_mounts[] = "24 1 0:25 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char v2_groups[] = "0::/system.slice/pilotlight-worker.service\n";

static const char container_mounts[] =
    "700 600 0:29 /docker/abc /sys/fs/cgroup/memory ro,nosuid master:9 - cgroup cgroup rw,memory\n";
static const char container_groups[] = "4:memory:/docker/abc\n";

static void finds(void **state)
{
    static const struct {
        const char *mounts, *groups, *controller, *top, *own;
    } cases[] = {
        { hybrid_mounts, hybrid_groups, "memory", "/sys/fs/cgroup/memory",
          "/sys/fs/cgroup/memory/system.slice/pilotlight.service" },
        { hybrid_mounts, hybrid_groups, "cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/jobs" },
        { hybrid_mounts, hybrid_groups, "cpuset", "/sys/fs/cgroup/cpuset", "/sys/fs/cgroup/cpuset" },
        { hybrid_mounts, hybrid_groups, NULL, "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/user.slice" },
        { v2_mounts, v2_groups, NULL, "/sys/fs/cgroup", "/sys/fs/cgroup/system.slice/pilotlight-worker.service" },
        { container_mounts, container_groups, "memory", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory" },
        { v2_mounts, "0::/../other\n", NULL, "/sys/fs/cgroup", "/sys/fs/cgroup" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cgroup_place at;

        assert_true(cgroup_find(cases[i].mounts, cases[i].groups, cases[i].controller, &at));
        assert_string_equal(at.top, cases[i].top);
        assert_string_equal(at.own, cases[i].own);
    }
}

static void finds_nothing(void **state)
{
    struct cgroup_place at;

    (void)state;
    assert_false(cgroup_find(v2_mounts, v2_groups, "memory", &at));
    assert_false(cgroup_find(hybrid_mounts, hybrid_groups, "pids", &at));
    assert_false(cgroup_find(hybrid_mounts, "4:memory:/\n", "cpu", &at));
    assert_false(cgroup_find("", "", NULL, &at));
    assert_false(cgroup_find("nonsense - cgroup2\n", "0::/\n", NULL, &at));
    assert_false(cgroup_find(v2_mounts, "no colons\n", NULL, &at));
}

static void write_limit(const char *folder, const char *text)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%.100s/memory.max", folder);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* The limit of a service counts, and that of the slice in which it is. */
static void the_least_limit_of_all_above(void **state)
{
    static const struct {
        const char *top, *slice, *own;
        int64_t least;
    } cases[] = {
        { "max\n", "max\n", "max\n", INT64_MAX },    { "max\n", "max\n", "4096\n", 4096 },
        { "max\n", "8192\n", "max\n", 8192 },        { "12288\n", "8192\n", "16384\n", 8192 },
        { "12288\n", "nonsense\n", "max\n", 12288 },
    };
    char top[] = "/tmp/pilotlight-groups-XXXXXX", slice[64], own[64], path[128];
    struct cgroup_place at;

    (void)state;
    assert_non_null(mkdtemp(top));
    (void)snprintf(slice, sizeof(slice), "%s/slice", top);
    (void)snprintf(own, sizeof(own), "%s/slice/unit", top);
    assert_int_equal(mkdir(slice, 0755), 0);
    assert_int_equal(mkdir(own, 0755), 0);
    (void)snprintf(at.top, sizeof(at.top), "%s", top);
    (void)snprintf(at.own, sizeof(at.own), "%s", own);
    assert_int_equal(cgroup_least_limit(&at, "memory.max"), INT64_MAX);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_limit(top, cases[i].top);
        write_limit(slice, cases[i].slice);
        write_limit(own, cases[i].own);
        assert_int_equal(cgroup_least_limit(&at, "memory.max"), cases[i].least);
    }
    (void)snprintf(path, sizeof(path), "rm -r '%s'", top);
    assert_int_equal(system(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(finds_nothing),
        cmocka_unit_test(the_least_limit_of_all_above),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
