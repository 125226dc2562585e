/* Who may ask this host for instances, and whether it is there. */
#include "routers.h"
#include "unit_test.h"

#include <stdio.h>

static void each_router_has_its_own_epochs(void **state)
{
    struct routers *r = routers_new();
    struct pl_err err;

    (void)state;
    assert_ok(routers_admit(r, "a", 5, &err), err);
    assert_ok(routers_admit(r, "b", 9, &err), err);
    assert_ok(routers_admit(r, "a", 5, &err), err);
    assert_ok(routers_admit(r, "a", 6, &err), err);
    assert_int_equal(routers_admit(r, "a", 5, &err), PL_PRECONDITION);
    assert_string_equal(err.reason, "STALE_EPOCH");
    assert_string_equal(err.field, "router_epoch");
    assert_text(err.message, "5 is older than 6");
    assert_text(err.message, "router 'a'");
    routers_free(r);
}

static void it_watches_as_long_as_a_stream_is_left(void **state)
{
    struct routers *r = routers_new();
    struct pl_err err;

    (void)state;
    assert_false(routers_watching(r, "a"));
    assert_int_equal(routers_away_ms(r, "a"), INT64_MAX);
    assert_ok(routers_admit(r, "a", 1, &err), err);
    assert_false(routers_watching(r, "a"));
    assert_true(routers_away_ms(r, "a") < INT64_MAX);
    routers_came(r, "a");
    routers_came(r, "a");
    routers_left(r, "a");
    assert_true(routers_watching(r, "a"));
    assert_int_equal(routers_away_ms(r, "a"), 0);
    routers_left(r, "a");
    assert_false(routers_watching(r, "a"));
    routers_free(r);
}

static void those_that_left_make_room(void **state)
{
    struct routers *r = routers_new();
    struct pl_err err;
    char id[16];

    (void)state;
    for (int i = 0; i < ROUTERS_MAX; i++) {
        (void)snprintf(id, sizeof(id), "r%d", i);
        assert_ok(routers_admit(r, id, 7, &err), err);
        if (i != 500)
            routers_came(r, id);
    }
    assert_ok(routers_admit(r, "one more", 1, &err), err);
    assert_int_equal(routers_away_ms(r, "r500"), INT64_MAX);
    routers_came(r, "one more");
    assert_int_equal(routers_admit(r, "too many", 1, &err), PL_EXHAUSTED);
    assert_string_equal(err.field, "router_id");
    assert_text(err.message, "1000 routers");
    assert_ok(routers_admit(r, "r499", 7, &err), err);
    routers_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = { T(each_router_has_its_own_epochs), T(it_watches_as_long_as_a_stream_is_left),
                                        T(those_that_left_make_room) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
