/* capi_once - a cold start as one writes it oneself: load a model by XGBoost's C API, predict one row, say it, end.
 *
 *   capi_once MODEL CSV-ROW
 *
 * As lean as the library allows: one thread, the file read by the library, prediction in place. */
#include <stdio.h>
#include <stdlib.h>
#include <xgboost/c_api.h>

#define MAX_COLUMNS 4096

static void check(int failed)
{
    if (!failed)
        return;
    (void)fprintf(stderr, "capi_once: %s\n", XGBGetLastError());
    exit(1);
}

static size_t parse_row(const char *text, float *out)
{
    size_t n = 0;

    for (char *end; n < MAX_COLUMNS && *text; text = *end == ',' ? end + 1 : end)
        out[n++] = strtof(text, &end);
    return n;
}

int main(int argc, char **argv)
{
    static const char config[] = "{\"type\":0,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,"
                                 "\"strict_shape\":false,\"missing\":NaN,\"cache_id\":0}";
    static float row[MAX_COLUMNS];
    const bst_ulong *shape;
    const float *result;
    BoosterHandle booster;
    DMatrixHandle proxy;
    char array[160];
    bst_ulong dims;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: capi_once MODEL CSV-ROW\n");
        return 2;
    }
    check(XGBoosterCreate(NULL, 0, &booster));
    check(XGBoosterSetParam(booster, "nthread", "1"));
    check(XGBoosterLoadModel(booster, argv[1]));
    check(XGProxyDMatrixCreate(&proxy));
    (void)snprintf(array, sizeof(array), "{\"data\":[%zu,true],\"shape\":[1,%zu],\"typestr\":\"<f4\",\"version\":3}",
                   (size_t)row, parse_row(argv[2], row));
    check(XGBoosterPredictFromDense(booster, array, config, proxy, &shape, &dims, &result));
    (void)printf("%.9g\n", (double)result[0]);
    return fflush(stdout) != 0;
}
