/* How long a prediction takes, by a compiled forest and by XGBoost's own library, in one process and in turns.
 *
 *   forest MODEL FOREST [--milliseconds N] [--rows N,N...]      one JSON object on stdout
 *
 * OMP_NUM_THREADS=1 must be in the environment. The library is used as well as it can be: one thread, its in-place C
 * API, the proxy DMatrix kept between calls; its time is the best of many, so is the forest's. Rows are random normals,
 * always others, so that no branch predictor learns them. Before anything is timed, both must predict the same, bit for
 * bit. */
#include "forest/forest.h"
#include "forest/layout.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xgboost/c_api.h>

#define MIN_ROWS   1000 /* that there are to choose from */
#define MAX_ROWS   ((size_t)8 << 20)
#define MAX_BYTES  ((size_t)1 << 30)
#define TURN_US    3000 /* each side's turn; the machine's slow moments hit both */
#define MAX_COUNTS 8

struct rig {
    struct forest *forest;
    BoosterHandle booster;
    DMatrixHandle proxy;
    size_t features, outputs, row_count;
    float *rows, *out;
    const float *theirs;
};

static void stop(const char *what, const char *why)
{
    (void)fprintf(stderr, "forest: %s: %s\n", what, why);
    exit(1);
}

static void check(int failed)
{
    if (failed)
        stop("XGBoost", XGBGetLastError());
}

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static float normal(unsigned *state)
{
    float sum = -6;

    for (int i = 0; i < 12; i++)
        sum += (float)rand_r(state) / (float)RAND_MAX;
    return sum;
}

static void *read_whole(const char *path, size_t *out_n)
{
    FILE *f = fopen(path, "rb");
    char *bytes;
    long n = 0;

    if (!f || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) <= 0 || (size_t)n > MAX_BYTES)
        stop(path, "cannot be read");
    rewind(f);
    bytes = malloc((size_t)n);
    if (!bytes || fread(bytes, 1, (size_t)n, f) != (size_t)n)
        stop(path, "cannot be read");
    (void)fclose(f);
    *out_n = (size_t)n;
    return bytes;
}

static void open_library(struct rig *r, const char *path)
{
    size_t n;
    void *bytes = read_whole(path, &n);

    check(XGBoosterCreate(NULL, 0, &r->booster));
    check(XGBoosterSetParam(r->booster, "nthread", "1"));
    check(XGBoosterLoadModelFromBuffer(r->booster, bytes, n));
    check(XGBoosterSetParam(r->booster, "nthread", "1"));
    check(XGProxyDMatrixCreate(&r->proxy));
    free(bytes);
}

static void open_forest(struct rig *r, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct pl_err err = { 0 };

    if (fd < 0 || forest_open(&r->forest, fd, &err) != PL_OK)
        stop(path, fd < 0 ? "cannot be opened" : err.message);
    (void)close(fd);
    r->features = forest_header(r->forest)->features;
    r->outputs = forest_header(r->forest)->outputs;
}

static void make_rows(struct rig *r, size_t count)
{
    unsigned state = 1;

    r->row_count = count;
    r->rows = malloc(count * r->features * sizeof(*r->rows));
    r->out = malloc(count * r->outputs * sizeof(*r->out));
    if (!r->rows || !r->out)
        stop("rows", "no memory");
    for (size_t i = 0; i < count * r->features; i++)
        r->rows[i] = normal(&state);
}

/* ---- one prediction ---- */

static void by_library(struct rig *r, size_t first, size_t count)
{
    static const char config[] = "{\"type\":0,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,"
                                 "\"strict_shape\":false,\"missing\":NaN,\"cache_id\":0}";
    const bst_ulong *shape;
    bst_ulong dims;
    char array[160];

    (void)snprintf(array, sizeof(array), "{\"data\":[%zu,true],\"shape\":[%zu,%zu],\"typestr\":\"<f4\",\"version\":3}",
                   (size_t)(r->rows + first * r->features), count, r->features);
    check(XGBoosterPredictFromDense(r->booster, array, config, r->proxy, &shape, &dims, &r->theirs));
}

static void by_forest(struct rig *r, size_t first, size_t count)
{
    const struct forest_rows rows = { .count = count, .cols = r->features, .values = r->rows + first * r->features };
    struct pl_err err;

    if (forest_predict(r->forest, &rows, r->out, &err) != PL_OK)
        stop("forest", err.message);
}

static void compare(struct rig *r, size_t count)
{
    by_library(r, 0, count);
    by_forest(r, 0, count);
    if (memcmp(r->out, r->theirs, count * r->outputs * sizeof(*r->out)) != 0)
        stop("predictions", "the forest's are not the library's");
}

/* ---- time ---- */

typedef void predict_fn(struct rig *r, size_t first, size_t count);

/* Microseconds per prediction of 'count' rows, over one turn; each prediction has other rows than the last. */
static double turn(struct rig *r, predict_fn *predict, size_t count)
{
    double start = now_us(), took;
    size_t done = 0, first = 0;

    do {
        predict(r, first, count);
        first = first + 2 * count <= r->row_count ? first + count : 0;
        done++;
    } while ((took = now_us() - start) < TURN_US);
    return took / (double)done;
}

static void measure(struct rig *r, size_t count, double milliseconds, double *out_library, double *out_forest)
{
    double end = now_us() + milliseconds * 1000;

    *out_library = *out_forest = INFINITY;
    do {
        *out_library = fmin(*out_library, turn(r, by_library, count));
        *out_forest = fmin(*out_forest, turn(r, by_forest, count));
    } while (now_us() < end);
}

/* ---- the command line ---- */

struct wish {
    const char *model, *forest;
    double milliseconds;
    size_t counts[MAX_COUNTS], count, most;
};

static void usage(void)
{
    (void)fprintf(stderr, "usage: forest MODEL FOREST [--milliseconds N] [--rows N,N...]\n");
    exit(2);
}

static void read_counts(struct wish *w, const char *text)
{
    char *end;

    for (w->count = 0; w->count < MAX_COUNTS; text = end + 1) {
        size_t rows = strtoul(text, &end, 10);

        if (rows == 0 || rows > MAX_ROWS || (*end != ',' && *end != '\0'))
            usage();
        w->counts[w->count++] = rows;
        w->most = rows > w->most ? rows : w->most;
        if (*end == '\0')
            return;
    }
    usage();
}

static struct wish read_wish(int argc, char **argv)
{
    struct wish w = { .milliseconds = 500, .counts = { 1, 8, 100, 1000 }, .count = 4, .most = MIN_ROWS };

    if (argc < 3 || argc % 2 == 0)
        usage();
    w.model = argv[1];
    w.forest = argv[2];
    for (int i = 3; i < argc; i += 2) {
        if (strcmp(argv[i], "--milliseconds") == 0)
            w.milliseconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--rows") == 0)
            read_counts(&w, argv[i + 1]);
        else
            usage();
    }
    return w;
}

int main(int argc, char **argv)
{
    struct wish w = read_wish(argc, argv);
    struct rig r = { 0 };

    open_library(&r, w.model);
    open_forest(&r, w.forest);
    make_rows(&r, w.most);
    (void)printf("{\"trees\": %u, \"kernel\": \"%s\"", forest_header(r.forest)->trees, forest_kernel_name());
    for (size_t i = 0; i < w.count; i++) {
        double library, forest;

        compare(&r, w.counts[i]);
        measure(&r, w.counts[i], w.milliseconds, &library, &forest);
        (void)printf(", \"rows_%zu\": {\"library_us\": %.3f, \"forest_us\": %.3f}", w.counts[i], library, forest);
    }
    (void)printf("}\n");
    return 0;
}
