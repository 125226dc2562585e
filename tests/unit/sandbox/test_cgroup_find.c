#include "rig.h"

#include "cgroup_find.h"

#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(finds), cmocka_unit_test(finds_nothing) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
