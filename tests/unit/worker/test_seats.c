/* Control groups that are made once and used again; where a host has none, nobody gets a seat. */
#include "seats.h"
#include "unit_test.h"

#include "sandbox/cgroup.h"

#include <unistd.h>

struct rig {
    struct cgroups *cgroups;
    struct seats *seats;
};

static int set_up(void **state)
{
    static struct rig r;

    r.cgroups = cgroups_open("");
    r.seats = seats_new(r.cgroups);
    *state = &r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    seats_free(r->seats);
    cgroups_close(r->cgroups);
    return 0;
}

/* A seat, or the end of the test on a host without control groups: that it has none is what is checked there. */
static struct seat *take(struct rig *r)
{
    struct seat *seat = seats_take(r->seats, 8);

    if (cgroups_controllers(r->cgroups) == 0) {
        assert_null(seat);
        assert_int_equal(seats_count(r->seats), 0);
        skip();
    }
    assert_non_null(seat);
    return seat;
}

static void the_last_one_given_back_is_the_next_one_taken(void **state)
{
    struct rig *r = *state;
    struct seat *a = take(r), *b = take(r);

    assert_ptr_not_equal(a, b);
    assert_int_equal(seats_count(r->seats), 2);
    seats_give(r->seats, a);
    seats_give(r->seats, b);
    seats_give(r->seats, NULL);
    assert_ptr_equal(take(r), b);
    assert_ptr_equal(take(r), a);
    assert_int_equal(seats_count(r->seats), 2); /* nothing was made anew */
    seats_give(r->seats, a);
    seats_give(r->seats, b);
}

static void its_limits_and_its_doors(void **state)
{
    struct rig *r = *state;
    struct seat *seat = take(r);
    int fds[CGROUP_MAX_HIERARCHIES];
    int n;

    assert_true(seat_limit(seat, 1024));
    assert_true(seat_limit(seat, 1024));
    assert_true(seat_limit(seat, 6144));
    assert_int_equal(seat_limits_memory(seat), (cgroups_controllers(r->cgroups) & CGROUP_MEMORY) != 0);
    n = seat_entrances(seat, fds);
    assert_true(n >= 1 && n <= CGROUP_MAX_HIERARCHIES);
    for (int i = 0; i < n; i++)
        assert_int_equal(close(fds[i]), 0);
    assert_false(seat_overrun(seat));
    seats_give(r->seats, seat);
}

#define R(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = { R(the_last_one_given_back_is_the_next_one_taken), R(its_limits_and_its_doors) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
