/* fake_runner - a process that speaks frames with the worker and does as it is told: by 'on_load' when it is to load a
 * model, by a request's first byte after that. It exits when its connection ends.
 *
 *     g  answers well             k  is killed           c  closes its end
 *     e  answers with an error    h  hangs
 *     x  exits with 7             l  tells a lie */
#ifndef FAKE_RUNNER_H
#define FAKE_RUNNER_H

#include "frame/frame.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define FAKE_RUNNER_BYTES 256

static inline void fake_runner_say(int fd, enum frame_kind kind, uint64_t id, const void *payload, size_t n)
{
    struct frame_header h = { .length = (uint32_t)n, .kind = kind, .id = id };
    uint8_t frame[FRAME_HEADER_SIZE + FAKE_RUNNER_BYTES];

    frame_encode(&h, frame);
    memcpy(frame + FRAME_HEADER_SIZE, payload, n);
    if (write(fd, frame, FRAME_HEADER_SIZE + n) < 0)
        _exit(9);
}

static inline void fake_runner_act(char what, int fd, const struct frame_header *h)
{
    static const char failed[] = "\x08\x90\x03\x12\x03"
                                 "bad",
                      error[] = "\x0a\x03"
                                "bad\x28\x90\x03",
                      answer[] = "\x0a\x02ok\x12\x08text/csv";
    bool load = h->kind == FRAME_LOAD;

    if (what == 'g' && load)
        fake_runner_say(fd, FRAME_LOADED, h->id, "", 0);
    else if (what == 'g')
        fake_runner_say(fd, FRAME_RESULT, h->id, answer, sizeof(answer) - 1);
    else if (what == 'e' && load)
        fake_runner_say(fd, FRAME_FAILED, h->id, failed, sizeof(failed) - 1);
    else if (what == 'e')
        fake_runner_say(fd, FRAME_ERROR, h->id, error, sizeof(error) - 1);
    else if (what == 'x')
        _exit(7);
    else if (what == 'k')
        (void)kill(getpid(), SIGKILL);
    else if (what == 'l')
        fake_runner_say(fd, FRAME_DETACHED, h->id + 1, "", 0);
    else if (what == 'c')
        (void)close(fd);
    if (what == 'h' || what == 'c')
        for (;;)
            (void)pause();
}

static inline void fake_runner_read(int fd, void *out, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t k = read(fd, (char *)out + got, n - got);

        if (k <= 0)
            _exit(0); /* told to stop */
        got += (size_t)k;
    }
}

/* Never returns. */
static inline void fake_runner(int fd, char on_load)
{
    for (;;) {
        uint8_t header[FRAME_HEADER_SIZE], payload[FAKE_RUNNER_BYTES];
        struct frame_header h;

        fake_runner_read(fd, header, sizeof(header));
        if (!frame_decode(header, &h) || h.length > sizeof(payload))
            _exit(8);
        fake_runner_read(fd, payload, h.length);
        fake_runner_act(h.kind == FRAME_LOAD ? on_load : (char)payload[0], fd, &h);
    }
}

#endif
