/* Control as its callers know it: resources, whole lives, streams, leases. */
#include "rig.h"

static void test_models_and_configs(void **state)
{
    (void)state;
    assert_int_equal(ask_create_model("m", "once"), PL_OK);
    assert_int_equal(ask_create_model("m", "once"), PL_OK); /* the first answer again */
    assert_int_equal(ask_create_model("m", ""), PL_EXISTS);
    assert_string_equal(err.message, "Cannot create already existing model \"m\".");
    assert_int_equal(ask_create_model("no_good", ""), PL_INVALID);
    assert_string_equal(err.field, "name");
    assert_non_null(strstr(err.message, "no_good"));
    assert_int_equal(ask_create_config("c", "absent", 1024), PL_NOT_FOUND);
    assert_string_equal(err.message, "Could not find model \"absent\".");
    assert_string_equal(err.field, "variants[0].model_name");
    assert_int_equal(ask_create_config("c", "m", 1500), PL_INVALID);
    assert_string_equal(err.field, "variants[0].memory_size_mb");
    assert_int_equal(ask_create_config("c", "m", 2048), PL_OK);

    Pilotlight__V1__DeleteModelRequest d = PILOTLIGHT__V1__DELETE_MODEL_REQUEST__INIT;
    d.name = TEXT("m");
    assert_int_equal(call_code(CALL("v1.ModelService", "DeleteModel", d, v1__delete_model_response)), PL_OK);
    assert_int_equal(call_code(CALL("v1.ModelService", "DeleteModel", d, v1__delete_model_response)), PL_NOT_FOUND);
    Pilotlight__V1__GetEndpointConfigRequest g = PILOTLIGHT__V1__GET_ENDPOINT_CONFIG_REQUEST__INIT;
    g.name = TEXT("c");
    pl_cleanup(record_free_p) Pilotlight__V1__GetEndpointConfigResponse *got =
        CALL("v1.EndpointConfigService", "GetEndpointConfig", g, v1__get_endpoint_config_response);
    assert_non_null(got);
    assert_int_equal(got->endpoint_config->variants[0]->memory_size_mb, 2048);
    assert_true(got->endpoint_config->created_at_unix_ms > 1600000000000);
}

static void test_lists_over_the_wire(void **state)
{
    (void)state;
    Pilotlight__V1__ListModelsRequest r = PILOTLIGHT__V1__LIST_MODELS_REQUEST__INIT;
    Pilotlight__V1__ListOptions o = PILOTLIGHT__V1__LIST_OPTIONS__INIT;
    assert_int_equal(ask_create_model("b", ""), PL_OK);
    assert_int_equal(ask_create_model("a", ""), PL_OK);
    r.options = &o;
    o.page_size = 1;
    o.sort_by = PILOTLIGHT__V1__SORT_BY__SORT_BY_NAME;
    pl_cleanup(record_free_p) Pilotlight__V1__ListModelsResponse *first =
        CALL("v1.ModelService", "ListModels", r, v1__list_models_response);
    assert_non_null(first);
    assert_string_equal(first->models[0]->name, "b");
    o.page_token = first->next_page_token;
    pl_cleanup(record_free_p) Pilotlight__V1__ListModelsResponse *second =
        CALL("v1.ModelService", "ListModels", r, v1__list_models_response);
    assert_string_equal(second->models[0]->name, "a");
    assert_string_equal(second->next_page_token, "");
    o.page_token = TEXT("garbage");
    assert_null(CALL("v1.ModelService", "ListModels", r, v1__list_models_response));
    assert_int_equal(err.code, PL_INVALID);
    assert_string_equal(err.field, "page_token");
}

static void test_tags(void **state)
{
    (void)state;
    Pilotlight__V1__AddTagsRequest add = PILOTLIGHT__V1__ADD_TAGS_REQUEST__INIT;
    Pilotlight__V1__DeleteTagsRequest del = PILOTLIGHT__V1__DELETE_TAGS_REQUEST__INIT;
    Pilotlight__V1__Tag t[50], *list[50];
    char keys[50][16], *gone[] = { TEXT("k0"), TEXT("nothing") };
    for (int i = 0; i < 50; i++) {
        pilotlight__v1__tag__init(&t[i]);
        (void)snprintf(keys[i], sizeof(keys[i]), "k%d", i);
        t[i].key = keys[i];
        list[i] = &t[i];
    }
    assert_int_equal(ask_create_model("m", ""), PL_OK);
    add.kind = PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_MODEL;
    add.name = TEXT("m");
    add.tags = list;
    add.n_tags = 50;
    pl_cleanup(record_free_p) Pilotlight__V1__AddTagsResponse *added =
        CALL("v1.TagService", "AddTags", add, v1__add_tags_response);
    assert_non_null(added);
    assert_int_equal(added->n_tags, 50);
    add.n_tags = 1;
    t[0].key = TEXT("one-more");
    assert_int_equal(call_code(CALL("v1.TagService", "AddTags", add, v1__add_tags_response)), PL_INVALID);
    assert_string_equal(err.field, "tags");
    assert_non_null(strstr(err.message, "51"));
    del.kind = add.kind;
    del.name = add.name;
    del.keys = gone;
    del.n_keys = 2;
    assert_int_equal(call_code(CALL("v1.TagService", "DeleteTags", del, v1__delete_tags_response)), PL_OK);
    Pilotlight__V1__ListTagsRequest l = PILOTLIGHT__V1__LIST_TAGS_REQUEST__INIT;
    l.kind = add.kind;
    l.name = add.name;
    pl_cleanup(record_free_p) Pilotlight__V1__ListTagsResponse *left =
        CALL("v1.TagService", "ListTags", l, v1__list_tags_response);
    assert_int_equal(left->n_tags, 49);
    assert_string_equal(left->tags[0]->key, "k1");
    l.kind = (Pilotlight__V1__ResourceKind)9;
    assert_int_equal(call_code(CALL("v1.TagService", "ListTags", l, v1__list_tags_response)), PL_INVALID);
    assert_string_equal(err.field, "kind");
    l.kind = PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_ENDPOINT;
    assert_int_equal(call_code(CALL("v1.TagService", "ListTags", l, v1__list_tags_response)), PL_NOT_FOUND);
}

static void resources(void)
{
    assert_int_equal(ask_create_model("m", ""), PL_OK);
    assert_int_equal(ask_create_config("small", "m", 1024), PL_OK);
    assert_int_equal(ask_create_config("large", "m", 4096), PL_OK);
}

static void test_a_whole_life(void **state)
{
    (void)state;
    resources();
    watch_as_router(0, "");
    wait_story(&router, "snapshot 0 0\n");
    assert_int_equal(beat("w1", 5, false), PL_OK);
    wait_story(&router, "snapshot 0 0\nhost w1\n");
    assert_int_equal(ask_create_endpoint("e", "small"), PL_OK);
    follow("e");
    wait_story(&router, "snapshot 0 0\nhost w1\nendpoint e 1024\n");
    assert_int_equal(status_of("e", NULL), ENDPOINT_STATUS(CREATING)); /* the router has not applied it */
    send_acknowledge(router.version, "");
    wait_status("e", ENDPOINT_STATUS(IN_SERVICE));

    assert_int_equal(beat("w1", 5, false), PL_OK);
    assert_int_equal(ask_update_endpoint("e", "large"), PL_OK);
    wait_story(&router, "snapshot 0 0\nhost w1\nendpoint e 1024\nendpoint e 4096\n");
    send_acknowledge(router.version, "");
    wait_status("e", ENDPOINT_STATUS(IN_SERVICE));

    assert_int_equal(ask_delete_endpoint("e"), PL_OK);
    assert_int_equal(status_of("e", NULL), ENDPOINT_STATUS(DELETING));
    assert_int_equal(ask_delete_endpoint("e"), PL_PRECONDITION);
    wait_contains(&router, "removed e\n");
    send_acknowledge(router.version, "e"); /* a request is still in flight there */
    assert_int_equal(status_of("e", NULL), ENDPOINT_STATUS(DELETING));
    send_acknowledge(router.version, "");
    wait_for("the end of the follower's stream", follower_ended);
    assert_int_equal(follower.code, PL_OK);
    assert_non_null(strstr(follower.story, "IN_SERVICE\nUPDATING\nUPDATING\nIN_SERVICE\nDELETING\nDELETING deleted\n"));
    assert_int_equal(status_of("e", NULL), -1);
    assert_string_equal(err.message, "Could not find endpoint \"e\".");
    end_router();
}

static void test_a_failure_quotes_its_cause(void **state)
{
    char reason[1024];
    (void)state;
    resources();
    loop_enter(rig.loop);
    rig.worker_code = PL_PRECONDITION;
    loop_leave(rig.loop);
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(ask_create_endpoint("e", "small"), PL_OK);
    wait_status("e", ENDPOINT_STATUS(FAILED));
    (void)status_of("e", reason);
    assert_string_equal(reason, "variant \"main\", model \"m\": model.tar.gz holds no model");
    assert_int_equal(ask_update_endpoint("e", "large"), PL_PRECONDITION);
    assert_int_equal(ask_create_endpoint("e", "small"), PL_EXISTS);
    assert_int_equal(ask_delete_endpoint("e"), PL_OK);
    wait_status("e", -1);
}

static bool is_held(void)
{
    return rig.held != NULL;
}

static bool is_released(void)
{
    return rig.held == NULL;
}

static void test_deleting_cancels_the_call_to_the_host(void **state)
{
    (void)state;
    resources();
    loop_enter(rig.loop);
    rig.worker_holds = true;
    loop_leave(rig.loop);
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(ask_create_endpoint("e", "small"), PL_OK);
    wait_for("the call", is_held);
    assert_int_equal(ask_delete_endpoint("e"), PL_OK);
    wait_for("the cancellation", is_released);
    wait_status("e", -1);
}

static void test_control_comes_back(void **state)
{
    (void)state;
    resources();
    loop_enter(rig.loop);
    rig.worker_holds = true;
    loop_leave(rig.loop);
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(ask_create_endpoint("e", "small"), PL_OK);
    wait_for("the call", is_held);
    rig_stop_control();
    wait_for("the cancellation", is_released);
    loop_enter(rig.loop);
    rig.worker_holds = false;
    rig_start_control();
    loop_leave(rig.loop);
    wait_status("e", ENDPOINT_STATUS(IN_SERVICE)); /* the host was remembered */
}

static void test_leases(void **state)
{
    (void)state;
    watch_as_router(0, "");
    wait_story(&router, "snapshot 0 0\n");
    assert_int_equal(beat("w1", 5, false), PL_OK);
    assert_int_equal(beat("w1", 4, false), PL_ABORTED); /* an older start of it */
    assert_string_equal(err.field, "host_epoch");
    assert_int_equal(beat("w1", 6, false), PL_OK);
    assert_int_equal(beat("w1", 6, true), PL_OK);
    wait_story(&router, "snapshot 0 0\nhost w1\nhost w1\nhost gone w1\n");
    assert_int_equal(beat("w2", 1, false), PL_OK);
    wait_story(&router, "snapshot 0 0\nhost w1\nhost w1\nhost gone w1\nhost w2\nhost gone w2\n"); /* silence */
    end_router();
}

static void test_watching_again(void **state)
{
    char database[64];
    (void)state;
    resources();
    watch_as_router(0, "");
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(ask_create_endpoint("e", "small"), PL_OK);
    wait_contains(&router, "endpoint e 1024\n");
    int64_t version = router.version;
    (void)snprintf(database, sizeof(database), "%s", router.database_id);
    end_router();
    wait_status("e", ENDPOINT_STATUS(IN_SERVICE)); /* who is away does not count */
    assert_int_equal(ask_delete_endpoint("e"), PL_OK);
    wait_status("e", -1);
    watch_as_router(version, database);
    wait_contains(&router, "removed e\n");
    assert_null(strstr(router.story, "snapshot"));
    end_router();
    watch_as_router(version, "another-database");
    wait_contains(&router, "snapshot 0");
    end_router();
    watch_as_router(router.version + 1000, database); /* of a future that was lost */
    wait_contains(&router, "snapshot 0");
    end_router();
}

/* Control starts again, an endpoint is deleted at once: the router that serves it has not come back yet. */
static void test_routers_from_before_a_start_are_awaited(void **state)
{
    char database[64];
    (void)state;
    resources();
    watch_as_router(0, "");
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(ask_create_endpoint("e", "small"), PL_OK);
    wait_contains(&router, "endpoint e 1024\n");
    send_acknowledge(router.version, "");
    wait_status("e", ENDPOINT_STATUS(IN_SERVICE));
    (void)snprintf(database, sizeof(database), "%s", router.database_id);

    rig.config.settle_ms = 600000;
    rig_stop_control();
    loop_enter(rig.loop);
    rig_start_control();
    loop_leave(rig.loop);
    assert_int_equal(ask_delete_endpoint("e"), PL_OK);
    assert_int_equal(status_of("e", NULL), ENDPOINT_STATUS(DELETING));
    watch_as_router(router.version, database);
    wait_contains(&router, "removed e\n");
    send_acknowledge(router.version, "e");
    assert_int_equal(status_of("e", NULL), ENDPOINT_STATUS(DELETING));

    end_router();
    watch_as_router(router.version, database);
    wait_story(&router, "nothing\n"); /* it missed nothing; what it has in flight is to be heard */
    assert_int_equal(status_of("e", NULL), ENDPOINT_STATUS(DELETING));
    send_acknowledge(router.version, "");
    wait_status("e", -1);
    end_router();
}

/* One that never comes back is given up, long before a deletion's own limit. */
static void test_a_router_that_stays_away_is_given_up(void **state)
{
    (void)state;
    rig.config.drain_wait_ms = 600000;
    rig_stop_control();
    loop_enter(rig.loop);
    rig_start_control();
    loop_leave(rig.loop);
    resources();
    watch_as_router(0, "");
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(ask_create_endpoint("e", "small"), PL_OK);
    wait_contains(&router, "endpoint e 1024\n");
    send_acknowledge(router.version, "");
    wait_status("e", ENDPOINT_STATUS(IN_SERVICE));
    rig_stop_control();
    loop_enter(rig.loop);
    rig_start_control();
    loop_leave(rig.loop);
    assert_int_equal(ask_delete_endpoint("e"), PL_OK);
    wait_status("e", -1);
}

static bool figures_came(void)
{
    return metrics_gauge(rig.metrics, "control_models", NULL, "Models")->value == 1 &&
           metrics_gauge(rig.metrics, "control_endpoint_configs", NULL, "Endpoint configs")->value == 2 &&
           metrics_gauge(rig.metrics, "control_endpoints", "status=\"IN_SERVICE\"", "Endpoints by status")->value ==
               1 &&
           metrics_gauge(rig.metrics, "control_hosts", NULL, "Worker hosts that hold a lease")->value == 1;
}

static void test_figures(void **state)
{
    (void)state;
    resources();
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(ask_create_endpoint("e", "small"), PL_OK);
    wait_for("the figures", figures_came);
}

static void test_there_is_a_limit_of_endpoints(void **state)
{
    (void)state;
    resources();
    assert_int_equal(ask_create_endpoint("a", "small"), PL_OK);
    assert_int_equal(ask_create_endpoint("b", "small"), PL_OK);
    assert_int_equal(ask_create_endpoint("c", "small"), PL_OK);
    assert_int_equal(ask_create_endpoint("d", "small"), PL_EXHAUSTED);
    assert_non_null(strstr(err.message, "3 endpoints"));
    assert_int_equal(ask_create_endpoint("d", "absent"), PL_NOT_FOUND);
    assert_string_equal(err.message, "Could not find endpoint configuration \"absent\".");
    assert_string_equal(err.field, "endpoint_config_name");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        T(test_models_and_configs),
        T(test_lists_over_the_wire),
        T(test_tags),
        T(test_a_whole_life),
        T(test_a_failure_quotes_its_cause),
        T(test_deleting_cancels_the_call_to_the_host),
        T(test_control_comes_back),
        cmocka_unit_test_setup_teardown(test_leases, rig_setup_short_lease, rig_teardown),
        T(test_watching_again),
        T(test_routers_from_before_a_start_are_awaited),
        T(test_a_router_that_stays_away_is_given_up),
        T(test_figures),
        T(test_there_is_a_limit_of_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
