#include "log/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* stderr goes to a file while a test looks; 'said' is what came. */
static struct {
    int real, file;
    char said[300000];
} capture;

static void listen_in(void)
{
    char path[] = "/tmp/pl-log-XXXXXX";
    capture.file = mkstemp(path);
    assert_true(capture.file >= 0);
    unlink(path);
    capture.real = dup(STDERR_FILENO);
    dup2(capture.file, STDERR_FILENO);
}

static char *heard(void)
{
    dup2(capture.real, STDERR_FILENO);
    close(capture.real);
    ssize_t n = pread(capture.file, capture.said, sizeof(capture.said) - 1, 0);
    close(capture.file);
    assert_true(n >= 0);
    capture.said[n] = '\0';
    return capture.said;
}

/* The line behind its time, which is checked for its form only. */
static const char *behind_time(const char *line, const char *lead)
{
    assert_int_equal(strncmp(line, lead, strlen(lead)), 0);
    line += strlen(lead);
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; i < sizeof(form) - 1; i++)
        assert_true(form[i] == 'd' ? line[i] >= '0' && line[i] <= '9' : line[i] == form[i]);
    return line + sizeof(form) - 1;
}

static void write_sample(void)
{
    log_info("instance_started", LOG_STR("endpoint", "fr\"aud\n"), LOG_INT("pid", -4711), LOG_UINT("bytes", UINT64_MAX),
             LOG_DOUBLE("load", 0.5), LOG_BOOL("warm", true), LOG_STR("none", NULL));
}

static void test_text(void **state)
{
    (void)state;
    log_setup("router", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    listen_in();
    write_sample();
    const char *rest = behind_time(heard(), "");
    assert_string_equal(rest, " INFO  router instance_started endpoint=\"fr\\\"aud\\n\" pid=-4711 "
                              "bytes=18446744073709551615 load=0.5 warm=true none=\"\"\n");
}

static void test_json(void **state)
{
    (void)state;
    log_setup("router", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    listen_in();
    write_sample();
    const char *rest = behind_time(heard(), "{\"time\":\"");
    assert_string_equal(rest, "\",\"level\":\"info\",\"service\":\"router\",\"event\":\"instance_started\","
                              "\"endpoint\":\"fr\\\"aud\\n\",\"pid\":-4711,\"bytes\":18446744073709551615,\"load\":0.5,"
                              "\"warm\":true,\"none\":\"\"}\n");
}

static void test_numbers_that_json_lacks(void **state)
{
    (void)state;
    log_setup("s", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    listen_in();
    log_warn("e", LOG_DOUBLE("a", NAN), LOG_DOUBLE("b", INFINITY));
    assert_non_null(strstr(heard(), ",\"a\":null,\"b\":null}\n"));
}

static void test_no_fields_and_no_service(void **state)
{
    (void)state;
    log_setup("", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    listen_in();
    log_error("broken");
    assert_string_equal(behind_time(heard(), ""), " ERROR broken\n");
}

static unsigned evaluated;
static const char *costly(void)
{
    evaluated++;
    return "x";
}

static void test_levels(void **state)
{
    (void)state;
    static const char *const names[] = { "debug", "info", "warn", "error" };
    for (int level = 0; level < 4; level++) {
        enum log_level parsed;
        assert_true(log_level_parse(names[level], &parsed));
        assert_int_equal(parsed, level);
        log_setup("s", LOG_FORMAT_TEXT, parsed);
        evaluated = 0;
        listen_in();
        log_debug("e0", LOG_STR("x", costly()));
        log_info("e1", LOG_STR("x", costly()));
        log_warn("e2", LOG_STR("x", costly()));
        log_error("e3", LOG_STR("x", costly()));
        const char *said = heard();
        for (int line = 0; line < 4; line++) {
            char event[] = { 'e', (char)('0' + line), '\0' };
            assert_int_equal(strstr(said, event) != NULL, line >= level);
        }
        assert_int_equal(evaluated, 4 - level); /* a disabled line does not even look at its fields */
    }
}

static void test_parse(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_WARN;
    enum log_format format = LOG_FORMAT_TEXT;
    assert_false(log_level_parse("verbose", &level));
    assert_false(log_level_parse("", &level));
    assert_false(log_level_parse("INFO", &level));
    assert_int_equal(level, LOG_LEVEL_WARN);
    assert_true(log_format_parse("json", &format));
    assert_int_equal(format, LOG_FORMAT_JSON);
    assert_true(log_format_parse("text", &format));
    assert_false(log_format_parse("xml", &format));
    assert_int_equal(format, LOG_FORMAT_TEXT);
}

/* 2 KiB of a string, never a part of a character. */
static void test_strings_are_cut(void **state)
{
    (void)state;
    log_setup("s", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    for (size_t lead = 2040; lead <= 2049; lead++) {
        char text[4096] = "", expected[4096];
        memset(text, 'a', lead);
        for (int i = 0; i < 20; i++)
            strcat(text, "\xe2\x82\xac");
        size_t fit = lead > 2048 ? 2048 : lead + (2048 - lead) / 3 * 3;
        snprintf(expected, sizeof(expected), " INFO  s e x=\"%.*s\"\n", (int)fit, text);
        listen_in();
        log_info("e", LOG_STR("x", text));
        assert_string_equal(behind_time(heard(), ""), expected);
    }
}

static void test_bytes_that_are_not_utf8(void **state)
{
    (void)state;
    log_setup("s", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    listen_in();
    log_info("e", LOG_STR("x", "a\xff\x1b[31m"));
    assert_string_equal(behind_time(heard(), ""), " INFO  s e x=\"a\xef\xbf\xbd\\u001b[31m\"\n");
}

static void test_a_line_that_is_too_long_keeps_its_event(void **state)
{
    (void)state;
    char text[2048];
    struct log_field fields[40];
    memset(text, 1, sizeof(text) - 1); /* six bytes each, once escaped */
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < 39; i++)
        fields[i] = LOG_STR("x", text);
    fields[39] = (struct log_field){ 0 };
    log_setup("s", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    listen_in();
    log_write(LOG_LEVEL_INFO, "e", fields);
    assert_string_equal(behind_time(heard(), ""), " INFO  s e fields_dropped=true\n");
}

static void test_errno_stays(void **state)
{
    (void)state;
    log_setup("s", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    int real = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = ENOENT;
    log_info("e");
    int after = errno;
    dup2(real, STDERR_FILENO);
    close(real);
    assert_int_equal(after, ENOENT);
}

#define WRITERS 4
#define LINES   200

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_info("line", LOG_STR("who", arg), LOG_STR("long", "0123456789012345678901234567890123456789"));
    return NULL;
}

static void test_lines_of_threads_stay_whole(void **state)
{
    (void)state;
    static char names[WRITERS][2] = { "a", "b", "c", "d" };
    pthread_t threads[WRITERS];
    log_setup("s", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    listen_in();
    for (int i = 0; i < WRITERS; i++)
        pthread_create(&threads[i], NULL, write_lines, names[i]);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    unsigned counts[WRITERS] = { 0 };
    for (char *at = heard(); *at;) {
        char who;
        int end = 0;
        const char *rest = behind_time(at, "");
        assert_int_equal(
            sscanf(rest, " INFO  s line who=\"%c\" long=\"0123456789012345678901234567890123456789\"%n", &who, &end),
            1);
        assert_true(end > 0 && rest[end] == '\n');
        counts[who - 'a']++;
        at = (char *)rest + end + 1;
    }
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(counts[i], LINES);
}

/* Takes what is in the pipe, without waiting for more. */
static size_t drain(int pipe_end)
{
    size_t total = 0;
    ssize_t n;
    while (total < sizeof(capture.said) - 1 &&
           (n = read(pipe_end, capture.said + total, sizeof(capture.said) - 1 - total)) > 0)
        total += (size_t)n;
    capture.said[total] = '\0';
    return total;
}

static size_t count_of(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

/* A line that waited would never return: nobody reads until all are written. */
static void test_nobody_waits_for_a_reader_that_does_not_read(void **state)
{
    (void)state;
    enum { WRITTEN = 3000 };
    int ends[2];
    char loss[64];
    log_setup("router", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    int real = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    for (int i = 0; i < WRITTEN; i++)
        log_info("line", LOG_STR("text", "0123456789012345678901234567890123456789"), LOG_INT("last", 1));
    size_t n = drain(ends[0]);
    size_t written = count_of(capture.said, "last=1\n");
    assert_true(written > 100 && written < WRITTEN);
    assert_int_equal(capture.said[n - 1], '\n');

    log_info("again");
    (void)drain(ends[0]);
    (void)snprintf(loss, sizeof(loss), "log_lines_lost count=%zu\n", WRITTEN - written);
    assert_non_null(strstr(capture.said, loss));
    assert_non_null(strstr(capture.said, "again\n"));
    assert_true(strstr(capture.said, loss) < strstr(capture.said, "again\n"));

    /* More than the pipe takes at once: the reader gets whole pieces, then hears of the rest. */
    static char long_text[2000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    for (int i = 0; i < 100; i++)
        log_info("long", LOG_STR("a", long_text), LOG_STR("b", long_text), LOG_STR("c", long_text));
    (void)drain(ends[0]);
    log_info("again");
    (void)drain(ends[0]);
    assert_non_null(strstr(capture.said, "log_lines_lost count="));
    assert_non_null(strstr(capture.said, "again\n"));

    dup2(real, STDERR_FILENO);
    close(real);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_numbers_that_json_lacks),
        cmocka_unit_test(test_no_fields_and_no_service),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_strings_are_cut),
        cmocka_unit_test(test_bytes_that_are_not_utf8),
        cmocka_unit_test(test_a_line_that_is_too_long_keeps_its_event),
        cmocka_unit_test(test_errno_stays),
        cmocka_unit_test(test_lines_of_threads_stay_whole),
        cmocka_unit_test(test_nobody_waits_for_a_reader_that_does_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
