#include "base/mem.h"

#include "base/cleanup.h"
#include "base/list.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_new0_and_grow(void **state)
{
    (void)state;
    int *array = pl_new0(3, sizeof(*array));
    assert_int_equal(array[0] | array[1] | array[2], 0);
    array[2] = 7;
    array = pl_grow(array, 1000, sizeof(*array));
    assert_int_equal(array[2], 7);
    free(array);
    free(pl_new0(0, 8));
    free(pl_grow(NULL, 0, 8));
}

static void test_strings(void **state)
{
    (void)state;
    assert_null(pl_strdup(NULL));
    assert_null(pl_strndup(NULL, 3));
    pl_cleanup(pl_free_p) char *whole = pl_strdup("abc");
    pl_cleanup(pl_free_p) char *part = pl_strndup("abc", 2);
    pl_cleanup(pl_free_p) char *made = pl_format("%s-%d", "abc", 5);
    assert_string_equal(whole, "abc");
    assert_string_equal(part, "ab");
    assert_string_equal(made, "abc-5");
}

/* By pl_die(), or earlier by a memory checker's own calloc(). */
static bool ends_the_process(void (*how)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        how();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) != 0;
}

static void overflow_new0(void)
{
    free(pl_new0(SIZE_MAX / 2, 3));
}
static void overflow_grow(void)
{
    free(pl_grow(NULL, SIZE_MAX / 2, 3));
}

static void test_sizes_that_overflow_end_the_process(void **state)
{
    (void)state;
    assert_true(ends_the_process(overflow_new0));
    assert_true(ends_the_process(overflow_grow));
}

static void test_cleanup(void **state)
{
    (void)state;
    int ends[2], kept = -1;
    assert_int_equal(pipe(ends), 0);
    {
        pl_cleanup(pl_close_p) int closes = ends[0];
        pl_cleanup(pl_close_p) int stays = ends[1];
        pl_cleanup(pl_close_p) int none = -1;
        (void)closes;
        (void)none;
        kept = pl_take_fd(stays);
        assert_int_equal(stays, -1);
    }
    assert_int_equal(fcntl(ends[0], F_GETFD), -1);
    assert_true(fcntl(kept, F_GETFD) >= 0);
    close(kept);
    char *taken;
    {
        pl_cleanup(pl_free_p) char *s = pl_strdup("abc");
        taken = pl_take(s);
        assert_null(s);
    }
    assert_string_equal(taken, "abc");
    free(taken);
}

struct item {
    int number;
    struct list link;
};

static void assert_list(struct list *head, const char *numbers)
{
    char text[16] = "";
    size_t n = 0;
    list_each(it, head) text[n++] = (char)('0' + list_entry(it, struct item, link)->number);
    assert_string_equal(text, numbers);
}

static void test_list(void **state)
{
    (void)state;
    struct list head;
    struct item items[4] = { { .number = 0 }, { .number = 1 }, { .number = 2 }, { .number = 3 } };
    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_first(&head, struct item, link));
    assert_null(list_last(&head, struct item, link));
    list_push_back(&head, &items[1].link);
    list_push_back(&head, &items[2].link);
    list_push_front(&head, &items[0].link);
    list_push_back(&head, &items[3].link);
    assert_list(&head, "0123");
    assert_ptr_equal(list_first(&head, struct item, link), &items[0]);
    assert_ptr_equal(list_last(&head, struct item, link), &items[3]);
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    assert_list(&head, "023");
    list_each_safe(it, &head) list_remove(it);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new0_and_grow),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_sizes_that_overflow_end_the_process),
        cmocka_unit_test(test_cleanup),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
