/* Borrowed instances: the test is their worker, and the instance. */
#include "borrow_rig.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the tests ---- */

static void requests_and_answers(void **state)
{
    uint8_t error[64], *end = wire_put_varint(error, 5, 415);
    uint64_t id;

    (void)state;
    for (int i = 0; i < 3; i++)
        serve_one();
    end = wire_put_bytes(end, 1, "no rows", 7);
    (void)ask(60000);
    hear_question(&id);
    say(FRAME_ERROR, id, error, (size_t)(end - error), false);
    heard(CORE_ANSWERED, "", ""); /* with an error of its own */
    assert_int_equal(one.said.model_status, 415);
    serve_one();
    assert_int_equal(atomic_load(&one.requests->value), 5);
}

static void too_late(void **state)
{
    (void)state;
    (void)ask(20);
    heard(CORE_LOST, "INVOKE_TIMEOUT", "the model did not answer within the invocation timeout of 20 ms");
    assert_int_equal(one.err.code, PL_DEADLINE);
    hear_kill("killed: no answer within the invocation timeout of 20 ms");
    assert_null(borrowing_find(one.borrowing, ID));
    tell_printed(); /* its last lines are that request's */
    run_a_little();
    hear_read(1234, false);
    tell_ended("killed: no answer in time", false);
    run_a_little();
    tell_printed();
    run_a_little();
    hear_read(0, false);
}

static void lies(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    say_result(id + 1, false);
    run_a_little();
    hear_kill("killed: it answered a question that was not asked");
    tell_ended("killed: it answered a question", false);
    heard(CORE_LOST, "INSTANCE_DIED", "instance 77 died while answering: killed: it answered a question");
}

static void rubbish_in_an_answer(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    say(FRAME_RESULT, id, "\xff\xff", 2, false);
    run_a_little();
    hear_kill("killed: its result");
    tell_ended("killed: its result is none", false);
    heard(CORE_LOST, "INSTANCE_DIED", "killed: its result is none");
}

static void bytes_that_nobody_asked_for(void **state)
{
    (void)state;
    serve_one();
    say_result(9, false);
    run_a_little();
    hear_kill("killed: it sent bytes that nobody asked for");
    assert_null(borrowing_find(one.borrowing, ID));
}

static void dies(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    pl_close_p(&one.instance);
    run_a_little(); /* the worker's word is waited for */
    tell_ended("killed by signal 11", false);
    heard(CORE_LOST, "INSTANCE_DIED", "instance 77 died while answering: killed by signal 11");
    assert_null(borrowing_find(one.borrowing, ID));
}

static void takes_too_much_memory(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    tell_ended("memory limit 1024 MB", true);
    pl_close_p(&one.instance);
    heard(CORE_REFUSED, "MODEL_ERROR", "instance 77 was killed while answering: memory limit 1024 MB");
    assert_int_equal(one.err.code, PL_MODEL);
}

/* The worker's word may come before the answer has been read. */
static void answers_and_dies(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    tell_ended("exited with 0", false);
    say_result(id, false);
    pl_close_p(&one.instance);
    heard(CORE_ANSWERED, "", "");
    assert_null(borrowing_find(one.borrowing, ID));
}

/* It has read nothing, or not all: another one may have the request. */
static void dies_before_it_has_the_request(void **state)
{
    char part[FRAME_HEADER_SIZE];

    (void)state;
    (void)ask(60000);
    pl_close_p(&one.instance);
    heard(CORE_MISSED, "NO_CAPACITY", "instance 77 died before it had the request");
    assert_null(borrowing_find(one.borrowing, ID));
    tell_ended("killed by signal 9", false);
    run_a_little();
    lend();
    run_a_little();
    (void)ask(60000);
    can_be_read(one.instance);
    assert_int_equal(recv(one.instance, part, sizeof(part), 0), sizeof(part));
    pl_close_p(&one.instance);
    heard(CORE_MISSED, "NO_CAPACITY", "died before it had the request");
}

/* It is dead already, and nobody has noticed. */
static void is_dead_when_it_is_asked(void **state)
{
    struct borrowed *b = instance();

    (void)state;
    pl_close_p(&one.instance);
    borrowed_ask(b, rpc_bytes_copy("row", 3), 1234, 60000, done, &one);
    assert_int_equal(one.ended, 0); /* never from inside */
    heard(CORE_MISSED, "NO_CAPACITY", "died before it had the request");
}

/* It has closed its end, but lives. */
static void hangs_up(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    pl_close_p(&one.instance);
    loop_timer_set(one.loop, &one.hang, pl_now_ms() + HANG_MS);
    run_a_little();
    while (recv(one.worker, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
        run_a_little();
    hear_kill("killed: it closed its connection");
    tell_ended("killed: it closed its connection", false);
    heard(CORE_LOST, "INSTANCE_DIED", "killed: it closed its connection");
}

static void cancelled(void **state)
{
    struct borrowed *b = ask(60000);

    (void)state;
    loop_enter(one.loop);
    borrowed_cancel(b);
    assert_int_equal(one.ended, 0); /* never from inside */
    loop_leave(one.loop);
    assert_int_equal(one.ended, 1);
    assert_int_equal(one.outcome, CORE_LOST);
    assert_int_equal(one.err.code, PL_CANCELLED);
    hear_kill("killed: its caller went away");
    assert_null(borrowing_find(one.borrowing, ID));
}

static void whose_lines_they_are(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    tell_printed();
    run_a_little();
    hear_read(1234, false);
    hear_question(&id);
    say_result(id, true); /* it has printed more: that is read before the answer goes on */
    run_a_little();
    hear_read(1234, true);
    tell_has_read();
    heard(CORE_ANSWERED, "", "");
    tell_printed();
    run_a_little();
    hear_read(0, false);
    serve_one();
}

/* The worker goes: an answer that comes all the same counts. */
static void the_connection_ends(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    pl_close_p(&one.worker);
    run_a_little();
    say_result(id, true);
    heard(CORE_ANSWERED, "", "");
    assert_null(borrowing_find(one.borrowing, ID));
}

static void the_host_is_lost(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    pl_close_p(&one.worker);
    pl_close_p(&one.instance);
    heard(CORE_SUSPECT, "INSTANCE_DIED", "host host-1 was lost while its instance had the request");
}

/* Nobody hears that it must die: the core has its host stop it. */
static void too_late_without_a_worker(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(100);
    hear_question(&id);
    pl_close_p(&one.worker);
    heard(CORE_SUSPECT, "INVOKE_TIMEOUT", "the model did not answer within the invocation timeout of 100 ms");
    assert_null(borrowing_find(one.borrowing, ID));
}

/* The host's stream came anew while a request was under way: its answer comes by the old socket, the next by the new.
 */
static void lent_again(void **state)
{
    uint64_t id;
    int old, new;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    old = one.instance;
    one.instance = -1;
    borrowing_open(one.borrowing, one.path, 9);
    take_in();
    lend();
    run_a_little();
    (void)instance();
    new = one.instance;
    one.instance = old;
    say_result(id, false);
    heard(CORE_ANSWERED, "", "");
    close(old);
    one.instance = new;
    serve_one();
}

static void closed(void **state)
{
    (void)state;
    serve_one();
    serve_one();
    borrowing_close(one.borrowing);
    hear_served(2); /* which only the router knew */
    borrowing_close(one.borrowing);
    assert_null(borrowing_find(one.borrowing, ID));
    borrowing_open(one.borrowing, "", 9);
    assert_null(borrowing_find(one.borrowing, ID));
    borrowing_open(one.borrowing, "/nowhere/direct.sock", 9);
    assert_null(borrowing_find(one.borrowing, ID));
}

#define B(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        B(requests_and_answers),
        B(too_late),
        B(lies),
        B(rubbish_in_an_answer),
        B(bytes_that_nobody_asked_for),
        B(dies),
        B(dies_before_it_has_the_request),
        B(is_dead_when_it_is_asked),
        B(takes_too_much_memory),
        B(answers_and_dies),
        B(hangs_up),
        B(cancelled),
        B(whose_lines_they_are),
        B(the_connection_ends),
        B(the_host_is_lost),
        B(too_late_without_a_worker),
        B(lent_again),
        B(closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
