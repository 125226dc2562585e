/* Hosts learn models ahead: as soon as they are proven on one, and when one joins, or starts again. */
#include "rig.h"

static unsigned wanted;

/* With the turn. */
static bool prepared_as_often(void)
{
    assert_true(rig.prepared <= wanted);
    return rig.prepared == wanted;
}

static void wait_prepared(unsigned times)
{
    wanted = times;
    wait_for("models are prepared", prepared_as_often);
}

static void serve_one(void)
{
    assert_int_equal(beat("host-1", 1, false), PL_OK);
    assert_int_equal(ask_create_model("m", ""), PL_OK);
    assert_int_equal(ask_create_config("c", "m", 1024), PL_OK);
    assert_int_equal(ask_create_endpoint("e", "c"), PL_OK);
    wait_status("e", PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_IN_SERVICE);
    wait_prepared(1); /* by the only host there is */
}

static void joins_later(void **state)
{
    (void)state;
    serve_one();
    assert_int_equal(beat("host-2", 1, false), PL_OK);
    wait_prepared(3);                                  /* the new one learns it; the old one proves it once more */
    assert_int_equal(beat("host-2", 1, false), PL_OK); /* no news */
    assert_int_equal(beat("host-2", 2, false), PL_OK); /* started again: what it has is not known */
    wait_prepared(4);
}

/* Also a host that is alone, of which nobody else tells that its libraries are loaded and its cache is warm. */
static void starts_again_alone(void **state)
{
    (void)state;
    serve_one();
    assert_int_equal(beat("host-1", 1, false), PL_OK); /* no news */
    assert_int_equal(beat("host-1", 2, false), PL_OK);
    wait_prepared(2);
    assert_int_equal(ask_create_endpoint("another", "c"), PL_OK);
    wait_status("another", PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_IN_SERVICE);
    assert_int_equal(beat("host-1", 2, false), PL_OK);
    wait_prepared(3); /* the proof of the new one, and no more */
}

static void is_there_before(void **state)
{
    (void)state;
    assert_int_equal(beat("host-2", 1, false), PL_OK);
    assert_int_equal(beat("host-3", 1, false), PL_OK);
    assert_int_equal(beat("host-1", 1, false), PL_OK);
    assert_int_equal(ask_create_model("m", ""), PL_OK);
    assert_int_equal(ask_create_config("c", "m", 1024), PL_OK);
    assert_int_equal(ask_create_endpoint("e", "c"), PL_OK);
    wait_status("e", PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_IN_SERVICE);
    wait_prepared(4); /* one proves it, then all three learn it */
}

/* A second endpoint of the same artifact brings nothing new. */
static void once_for_each_artifact(void **state)
{
    (void)state;
    serve_one();
    assert_int_equal(beat("host-2", 1, false), PL_OK);
    wait_prepared(3);
    assert_int_equal(ask_create_endpoint("another", "c"), PL_OK);
    wait_status("another", PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_IN_SERVICE);
    assert_int_equal(beat("host-3", 1, false), PL_OK);
    wait_prepared(5); /* the proof, and the third host's lesson */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(joins_later, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(starts_again_alone, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(is_there_before, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(once_for_each_artifact, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
