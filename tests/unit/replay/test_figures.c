/* What is printed: 'a' is called all the time and worth keeping, 'b' once, and not. */
#include "trace_text.h"

#include "figures.h"

#include <stdlib.h>

#define PRICE 100

static struct trace t;
static struct replay replays[2];

static int set_up(void **state)
{
    static const int64_t keep_alives_ms[] = { 0, 600000 };
    struct pl_err err;

    (void)state;
    assert_ok(read_trace(&t, ENDPOINTS "a,1024,200,10,x\n\"b,4096,500,10,x\n",
                         ROWS "0,a,10,100000,100\n5,\"b,1,0,100\n", &err),
              err);
    for (size_t i = 0; i < 2; i++)
        replay_run(&replays[i], &t, keep_alives_ms[i]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        replay_done(&replays[i]);
    trace_done(&t);
    return 0;
}

typedef void print_fn(const struct figures *f, FILE *out);

static char *printed(print_fn *print, bool by_endpoint)
{
    const struct figures f = {
        .trace = &t, .replays = replays, .replay_count = 2, .price = PRICE, .by_endpoint = by_endpoint
    };
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);

    print(&f, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* a: idle for 88.9 s between its answers, and for 600 s after the last; b: for 600 s, of 4 GB. */
static const char table[] =
    "11 requests of 2 endpoints in 0.3 hours; that one does not wait is worth 100 GB.s\n"
    "\n"
    "KEEP-ALIVE     THROTTLED COLD STARTS    WAITED    P50 ms    P99 ms AVERAGE ms     IDLE GB.s      COST GB.s\n"
    "0s                     0          11   100.00%       200       500      227.3             0           1100  "
    "cheapest\n"
    "10m                    0           2    18.18%         0       500       63.6          3089           3289\n"
    "each its own           0           2    18.18%         -         -       63.6           689            889\n";

static void a_table_compares(void **state)
{
    pl_cleanup(pl_free_p) char *text = printed(figures_table, false);

    (void)state;
    assert_string_equal(text, table);
}

static void endpoints_have_their_own_cheapest(void **state)
{
    pl_cleanup(pl_free_p) char *text = printed(figures_table, true);

    (void)state;
    assert_text(text, table);
    assert_text(
        text,
        "ENDPOINT                         MEMORY MB   REQUESTS    CHEAPEST COLD STARTS    WAITED     IDLE GB.s\n"
        "a                                     1024         10         10m           1    10.00%           689\n"
        "\"b                                    4096          1          0s           1   100.00%             0\n");
}

static void programs_read_the_same(void **state)
{
    pl_cleanup(pl_free_p) char *text = printed(figures_json, true);

    (void)state;
    assert_text(text, "\"cheapest_keep_alive_ms\": 0,");
    assert_text(text,
                "{\"keep_alive_ms\": 600000, \"served\": 11, \"throttled\": 0, \"cold_starts\": 2, \"waited\": 2, "
                "\"wait_avg_ms\": 63.6364, \"idle_gb_s\": 3088.900, \"cost_gb_s\": 3288.900, \"wait_p50_ms\": 0, "
                "\"wait_p99_ms\": 500}");
    assert_text(text, "{\"endpoint\": \"\\\"b\", \"keep_alive_ms\": 0,");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(a_table_compares),
        T(endpoints_have_their_own_cheapest),
        T(programs_read_the_same),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
