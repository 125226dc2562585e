#include "template_check.h"
#include "base/sanitizer.h"
#include "unit_test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void finds_memory_that_copies_would_share(void **state)
{
    static const char fine[] = "55d000-55d100 rw-p 00000000 00:00 0          [heap]\n"
                               "7f0000-7f0100 r--s 00000000 08:01 77   /usr/lib/locale\n"
                               "7f0100-7f0200 r-xp 00000000 08:01 77   /usr/lib/rw-s\n";
    static const char shared[] = "55d000-55d100 rw-p 00000000 00:00 0\n"
                                 "7f0000-7f0100 rw-s 00000000 00:01 99   /dev/zero (deleted)\n";

    (void)state;
    assert_null(template_shared_line(fine));
    assert_null(template_shared_line(""));
    assert_null(template_shared_line("7f0000"));
    assert_null(template_shared_line("7f0000-7f0100 rw"));
    assert_ptr_equal(template_shared_line(shared), strchr(shared, '\n') + 1);
}

static void *wait_for_end(void *arg)
{
    (void)arg;
    while (pause() < 0)
        ;
    return NULL;
}

enum load { NOTHING, A_THREAD, SHARED_MEMORY };

/* A process that has loaded something; it says so by a byte. */
static pid_t loaded(enum load what)
{
    int said[2];
    char byte = 0;
    pid_t pid;

    assert_int_equal(pipe(said), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pthread_t t;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when a check fails */
        if (what == A_THREAD && pthread_create(&t, NULL, wait_for_end, NULL) != 0)
            _exit(1);
        if (what == SHARED_MEMORY &&
            mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
            _exit(1);
        if (write(said[1], &byte, 1) == 1)
            (void)wait_for_end(NULL);
        _exit(1);
    }
    assert_int_equal(close(said[1]), 0);
    assert_int_equal(read(said[0], &byte, 1), 1);
    assert_int_equal(close(said[0]), 0);
    return pid;
}

static void end(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void looks_at_a_process(void **state)
{
    char why[256] = "";
    pid_t pid = loaded(NOTHING);

    (void)state;
#if !PL_SANITIZED /* whose own memory is shared */
    assert_true(template_check(pid, why, sizeof(why)));
#endif
    end(pid);
    assert_false(template_check(pid, why, sizeof(why)));
    assert_string_equal(why, "its process is gone");

    pid = loaded(A_THREAD);
    assert_false(template_check(pid, why, sizeof(why)));
    assert_non_null(strstr(why, PL_SANITIZED ? " threads running" : "left 2 threads running"));
    end(pid);
#if defined(__SANITIZE_THREAD__)
    skip(); /* it has a thread of its own in every process, which is found first */
#endif

    pid = loaded(SHARED_MEMORY);
    assert_false(template_check(pid, why, sizeof(why)));
    assert_non_null(strstr(why, "would share: "));
    assert_non_null(strstr(why, " rw-s "));
    assert_null(strchr(why, '\n'));
    end(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_memory_that_copies_would_share),
        cmocka_unit_test(looks_at_a_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
