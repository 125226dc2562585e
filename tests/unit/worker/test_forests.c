/* Who waits for a model to be compiled, and what happens when nothing comes of it. The process is this test: it ends as
 * each test wants it to; the cache is a real one. */
#include "forests.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cache.h"
#include "compiling.h"
#include "layout/forest_folder.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "worker_stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHA      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HANG_MS  20000
#define PAUSE_MS 2
#define TRIES    4

struct compiling {
    char dir[PATH_MAX];
    compiling_done_fn *done;
    void *arg;
};

struct rig {
    struct loop *loop;
    struct loop_timer hang, look;
    struct metrics *metrics;
    struct worker_stats stats;
    struct cache *cache;
    struct cache_item *item;
    struct forests *forests;
    char dir[64];
    struct compiling *run; /* under way; NULL: none */
    unsigned runs, kills;  /* that have begun; of these, how many the first ones are killed */
    unsigned refusals;     /* times that no process can be had */
    bool holds;            /* runs do not end by themselves, and the first one stops the loop */
    bool cancelled;
    struct loop_task end;
    unsigned released;
};
static struct rig *rig;

/* ---- the process ---- */

static void end_run(const struct pl_err *err)
{
    struct compiling *run = pl_take(rig->run);

    run->done(run->arg, err && err->code == PL_CANCELLED ? 0 : 64, "said", err);
    free(run);
}

static void run_ends(struct loop_task *t)
{
    struct pl_err err = { 0 };

    (void)t;
    if (rig->cancelled)
        (void)pl_fail(&err, PL_CANCELLED, NULL, "cancelled");
    else if (rig->runs <= rig->kills)
        (void)pl_fail_reason(&err, PL_UNAVAILABLE, "COMPILER_KILLED", NULL, "killed by signal 9");
    end_run(err.code == PL_OK ? NULL : &err);
}

enum pl_code compiling_start(struct compiling **out, struct loop *l, struct spawner *s,
                             const struct compiling_spec *spec, compiling_done_fn *done, void *arg, struct pl_err *err)
{
    assert_null(s);
    assert_null(rig->run);
    if (rig->refusals > 0) {
        rig->refusals--;
        return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "no process is left");
    }
    assert_int_equal(access(spec->dir, W_OK), 0);
    rig->runs++;
    rig->run = PL_NEW(struct compiling);
    rig->run->done = done;
    rig->run->arg = arg;
    if (rig->holds)
        loop_stop(l);
    else
        loop_post(l, &rig->end);
    *out = rig->run;
    return PL_OK;
}

void compiling_cancel(struct compiling *c)
{
    assert_ptr_equal(c, rig->run);
    rig->cancelled = true;
    loop_post(rig->loop, &rig->end);
}

/* ---- the rig ---- */

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("after %u runs, %u released", rig->runs, rig->released);
}

static void released(void *arg, int64_t compile_ms)
{
    (void)compile_ms;
    assert_ptr_equal(arg, rig);
    rig->released++;
    loop_stop(rig->loop);
}

static bool forest_is_there(void)
{
    pl_cleanup(pl_free_p) char *path = pl_format("%s/" FOREST_FOLDER, cache_item_dir(rig->item));

    return access(path, F_OK) == 0;
}

static void look(struct loop_timer *t)
{
    if (forest_is_there())
        loop_stop(rig->loop);
    else
        loop_timer_set(rig->loop, t, pl_now_ms() + 1);
}

/* Until it lies where instances look for it. */
static void until_forest(void)
{
    rig->look.fire = look;
    loop_timer_set(rig->loop, &rig->look, pl_now_ms());
    loop_run(rig->loop);
}

static void idle(void *arg)
{
    assert_ptr_equal(arg, rig);
    loop_stop(rig->loop);
}

static void shut(void)
{
    forests_shut(rig->forests, idle, rig);
    loop_run(rig->loop);
}

static void look_removed(struct loop_timer *t)
{
    if (!cache_removing(rig->cache))
        loop_stop(rig->loop);
    else
        loop_timer_set(rig->loop, t, pl_now_ms() + 1);
}

static int set_up(void **state)
{
    char path[PATH_MAX];
    struct pl_err err;
    int fd;

    (void)state;
    rig = PL_NEW(struct rig);
    rig->loop = loop_new(0);
    rig->end.run = run_ends;
    rig->hang.fire = hangs;
    loop_timer_set(rig->loop, &rig->hang, pl_now_ms() + HANG_MS);
    rig->metrics = metrics_new();
    worker_stats_init(&rig->stats, rig->metrics);
    (void)snprintf(rig->dir, sizeof(rig->dir), "/tmp/pilotlight-forests-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    assert_ok(cache_open(&rig->cache, rig->loop, rig->dir, 1 << 20, &err), err);
    assert_ok(cache_new_dir(rig->cache, path, &fd, &err), err);
    (void)close(fd);
    assert_ok(cache_put_unpacked(rig->cache, path, SHA, 100, &rig->item, &err), err);
    rig->forests = forests_new(rig->loop, rig->cache, NULL, &rig->stats, PAUSE_MS);
    return 0;
}

static int tear_down(void **state)
{
    pl_cleanup(pl_free_p) char *command = pl_format("rm -rf '%s'", rig->dir);

    (void)state;
    shut();
    forests_free(rig->forests);
    cache_give(rig->item);
    rig->look.fire = look_removed;
    loop_timer_set(rig->loop, &rig->look, pl_now_ms());
    loop_run(rig->loop);
    cache_close(rig->cache);
    metrics_free(rig->metrics);
    loop_free(rig->loop);
    assert_int_equal(system(command), 0);
    free(rig);
    return 0;
}

static void ask(void)
{
    assert_non_null(forests_get(rig->forests, rig->item, released, rig));
}

static uint64_t failures(void)
{
    return atomic_load(&rig->stats.compile_failures->value);
}

/* ---- tests ---- */

static void one_run_is_for_all_who_ask(void **state)
{
    (void)state;
    ask();
    ask();
    loop_run(rig->loop);
    assert_int_equal(rig->released, 2);
    assert_int_equal(rig->runs, 1);
    assert_true(forest_is_there());
    assert_true(cache_item_compiled(rig->item));
    assert_int_equal(cache_item_unpacked_bytes(rig->item), 164);
}

/* At once, and whoever has asked waits for that. */
static void a_killed_run_is_made_again(void **state)
{
    (void)state;
    rig->kills = 1;
    ask();
    loop_run(rig->loop);
    assert_int_equal(rig->released, 1);
    assert_int_equal(rig->runs, 2);
    assert_int_equal(failures(), 1);
    assert_true(forest_is_there());
    assert_int_equal(cache_item_unpacked_bytes(rig->item), 164);
}

/* Nobody waits for the third try: the forest comes later. */
static void a_run_that_is_killed_twice_holds_up_nobody(void **state)
{
    (void)state;
    rig->kills = 2;
    ask();
    loop_run(rig->loop);
    assert_int_equal(rig->released, 1);
    assert_int_equal(rig->runs, 2);
    assert_false(forest_is_there());
    assert_true(cache_item_compiled(rig->item)); /* nobody else is to wait for it either */

    until_forest();
    assert_int_equal(rig->runs, 3);
    assert_int_equal(rig->released, 1);
    assert_int_equal(failures(), 2);
    assert_int_equal(cache_item_unpacked_bytes(rig->item), 164);
}

/* In the end the folder stays that says why. */
static void runs_are_made_again_a_few_times_only(void **state)
{
    (void)state;
    rig->kills = 1000;
    ask();
    loop_run(rig->loop);
    until_forest();
    assert_int_equal(rig->runs, TRIES);
    assert_int_equal(failures(), TRIES - 1);
}

static void without_a_process_it_is_tried_again(void **state)
{
    (void)state;
    rig->refusals = 2;
    ask();
    loop_run(rig->loop);
    assert_int_equal(rig->runs, 0);
    until_forest();
    assert_int_equal(rig->runs, 1);
    assert_int_equal(failures(), 2);
}

static void who_has_cancelled_is_not_told(void **state)
{
    struct forest_wait *w;

    (void)state;
    w = forests_get(rig->forests, rig->item, released, rig);
    forest_wait_cancel(w);
    until_forest();
    assert_int_equal(rig->runs, 1);
    assert_int_equal(rig->released, 0);
}

static void shutting_ends_runs(void **state)
{
    (void)state;
    rig->holds = true;
    ask();
    loop_run(rig->loop);
    assert_non_null(rig->run);
    shut();
    assert_int_equal(rig->released, 1);
    assert_false(forest_is_there());
}

/* The next worker on this host finds nothing, and compiles. */
static void shutting_ends_pauses(void **state)
{
    (void)state;
    rig->kills = 2;
    ask();
    loop_run(rig->loop);
    assert_int_equal(rig->runs, 2);
    shut();
    assert_int_equal(rig->runs, 2);
    assert_false(forest_is_there());
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_run_is_for_all_who_ask),
        CASE(a_killed_run_is_made_again),
        CASE(a_run_that_is_killed_twice_holds_up_nobody),
        CASE(runs_are_made_again_a_few_times_only),
        CASE(without_a_process_it_is_tried_again),
        CASE(who_has_cancelled_is_not_told),
        CASE(shutting_ends_runs),
        CASE(shutting_ends_pauses),
    };

    return cmocka_run_group_tests_name("worker/forests", tests, NULL, NULL);
}
