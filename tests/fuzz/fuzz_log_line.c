/* Kept lines are read back whatever is in them, and whatever is printed is kept as one readable line. */
#include "logs/line.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct log_line l, back;
    struct pl_buf out = PL_BUF_INIT(1 << 20);
    size_t whole = log_whole_characters(text, size);

    if (whole > size || size - whole > 3)
        abort();
    if (!log_line_read(&l, text, size))
        l = (struct log_line){ .at_us = 1, .variant = "v", .variant_len = 1, .text = text, .text_len = size };
    if (!log_line_write(&out, &l) || memchr(out.data, '\n', out.len) != out.data + out.len - 1)
        abort();
    if (!log_line_read(&back, out.data, out.len - 1) || back.at_us != l.at_us || back.instance != l.instance ||
        back.request != l.request || back.text_len > LOG_TEXT_MAX)
        abort();
    for (size_t i = 0; i < back.text_len; i++)
        if (((unsigned char)back.text[i] < 0x20 && back.text[i] != '\t') || back.text[i] == 0x7f)
            abort();
    pl_buf_done(&out);
    return 0;
}
