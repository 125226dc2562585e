/* Files that are damaged, and files that are forged: the first are refused, the second can at worst predict nonsense.
 */
#include "random_forest.h"

#include "base/sanitizer.h"
#include "forest/check.h"
#include "forest/checksum.h"
#include "forest/forest.h"
#include "forest/view.h"

#include <fcntl.h>
#include <unistd.h>

static const struct random_spec spec = {
    .trees = 12, .features = 5, .groups = 2, .splits = 20, .sets = true, .missing = true, .seed = 42
};

static struct forest_image make(void)
{
    pl_cleanup(source_free_p) struct source *s = random_source(&spec);

    return random_image(s);
}

/* Exactly as long as the file, aligned: AddressSanitizer sees a read past the end. */
static struct forest_image copy_of(const void *bytes, size_t n)
{
    struct forest_image copy = { .n = n };

    assert_int_equal(posix_memalign(&copy.bytes, FOREST_ALIGNMENT, n ? n : 1), 0);
    memcpy(copy.bytes, bytes, n);
    return copy;
}

static enum pl_code check(const struct forest_image *image, struct pl_err *err)
{
    struct forest_view v;

    return forest_check(image->bytes, image->n, &v, err);
}

static void what_the_compiler_writes_is_accepted(void **state)
{
    struct forest_image image = make();
    struct pl_err err = { 0 };

    (void)state;
    assert_int_equal(check(&image, &err), PL_OK);
    forest_image_done(&image);
}

static void any_part_of_a_file_is_refused(void **state)
{
    struct forest_image image = make();

    (void)state;
    for (size_t n = 0; n < image.n; n += n < 600 ? 1 : 97) {
        struct forest_image part = copy_of(image.bytes, n);
        struct pl_err err = { 0 };

        assert_int_equal(check(&part, &err), PL_DATA_LOSS);
        assert_non_null(strstr(err.message, "the compiled forest"));
        forest_image_done(&part);
    }
    forest_image_done(&image);
}

static void any_bit_that_flips_is_noticed(void **state)
{
    struct forest_image image = make();
    unsigned char *bytes = image.bytes;

    (void)state;
    for (size_t at = 0; at < image.n; at += PL_SANITIZED ? 7 : 1) { /* each look reads the whole file */
        struct pl_err err = { 0 };

        bytes[at] ^= (unsigned char)(1u << (at % 8));
        assert_int_equal(check(&image, &err), PL_DATA_LOSS);
        bytes[at] ^= (unsigned char)(1u << (at % 8));
    }
    forest_image_done(&image);
}

static void pairs_of_high_bits_do_not_hide_each_other(void **state)
{
    unsigned char bytes[512];
    uint64_t before;

    (void)state;
    memset(bytes, 7, sizeof(bytes));
    before = forest_checksum(bytes, sizeof(bytes));
    for (size_t first = 7; first < sizeof(bytes); first += 8) {
        for (size_t second = first + 8; second < sizeof(bytes); second += 8) {
            bytes[first] ^= 0x80;
            bytes[second] ^= 0x80;
            assert_true(forest_checksum(bytes, sizeof(bytes)) != before);
            bytes[first] ^= 0x80;
            bytes[second] ^= 0x80;
        }
    }
    assert_true(forest_checksum(bytes, 511) != before && forest_checksum(bytes, 0) != forest_checksum("\0", 1));
}

static void another_version_is_told_apart(void **state)
{
    struct forest_image image = make();
    struct forest_header *h = image.bytes;
    struct pl_err err = { 0 };

    (void)state;
    h->version++;
    assert_int_equal(check(&image, &err), PL_DATA_LOSS);
    assert_string_equal(err.reason, "FOREST_VERSION");
    assert_string_equal(err.message, "the compiled forest has format 2, but this program reads 1");
    forest_image_done(&image);
}

/* Walks a forged forest as an instance would; under AddressSanitizer this is the test. */
static void walk(const struct forest_image *image)
{
    float cells[16 * 8], out[16 * 8];
    struct forest *f;
    struct pl_err err;
    uint64_t state = 1;

    if (forest_view(&f, image->bytes, image->n, &err) != PL_OK)
        return;
    if (forest_header(f)->groups <= 8 && forest_header(f)->slots < 1000) {
        const struct forest_rows rows = { .count = 16, .cols = 8, .values = cells };

        for (size_t i = 0; i < PL_COUNT(cells); i++)
            cells[i] = random_draw(&state, 5) ? random_number(&state) : NAN;
        assert_int_equal(forest_predict(f, &rows, out, &err), PL_OK);
    }
    forest_close(f);
}

/* Every 32-bit word of the file, with values that an attacker would choose, and a checksum that fits. */
static void forged_files_cannot_lead_out(void **state)
{
    static const uint32_t values[] = {
        0, 1, 2, 3, 5, 31, 32, 255, 4096, 65536, UINT32_C(1) << 28, INT32_MAX, UINT32_MAX
    };
    struct forest_image image = make();
    unsigned accepted = 0, refused = 0;

    (void)state;
    for (size_t at = 0; at + 4 <= image.n; at += 4) {
        for (size_t i = 0; i < PL_COUNT(values) * 2; i++) {
            struct forest_image forged = copy_of(image.bytes, image.n);
            uint32_t word;
            struct pl_err err = { 0 };

            memcpy(&word, (char *)forged.bytes + at, sizeof(word));
            word = i < PL_COUNT(values) ? values[i] : word + values[i - PL_COUNT(values)];
            memcpy((char *)forged.bytes + at, &word, sizeof(word));
            forest_image_seal(&forged);
            if (check(&forged, &err) == PL_OK)
                accepted++;
            else
                refused++;
            walk(&forged);
            forest_image_done(&forged);
        }
    }
    assert_true(accepted > 100 && refused > 100);
    forest_image_done(&image);
}

static void files_are_mapped(void **state)
{
    struct forest_image image = make();
    struct forest *f;
    struct pl_err err = { 0 };
    char path[] = "/tmp/pilotlight-forest-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(forest_open(&f, fd, &err), PL_DATA_LOSS); /* empty */
    assert_int_equal(write(fd, image.bytes, image.n), image.n);
    assert_int_equal(forest_open(&f, fd, &err), PL_OK);
    assert_int_equal(forest_header(f)->trees, spec.trees);
    assert_int_equal(close(fd), 0);
    assert_string_equal(forest_header(f)->objective, "reg:squarederror");
    forest_close(f);
    forest_close(NULL);
    forest_image_done(&image);
    fd = open("/", O_RDONLY | O_DIRECTORY);
    assert_int_equal(forest_open(&f, fd, &err), PL_DATA_LOSS);
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_compiler_writes_is_accepted),
        cmocka_unit_test(any_part_of_a_file_is_refused),
        cmocka_unit_test(any_bit_that_flips_is_noticed),
        cmocka_unit_test(pairs_of_high_bits_do_not_hide_each_other),
        cmocka_unit_test(another_version_is_told_apart),
        cmocka_unit_test(forged_files_cannot_lead_out),
        cmocka_unit_test(files_are_mapped),
    };

    return cmocka_run_group_tests_name("forest/check", tests, NULL, NULL);
}
