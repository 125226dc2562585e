#include "transform.h"

#include <math.h>
#include <stdlib.h>

static float sigmoid(float x)
{
    float power = -x < 88.7f ? -x : 88.7f; /* e to more than that is no float */

    return 1.0f / (expf(power) + 1.0f + 1e-16f);
}

/* Sums in double, divides in float, as XGBoost does. */
static void softmax(float *values, size_t n)
{
    float largest = values[0];
    double sum = 0;

    for (size_t i = 1; i < n; i++)
        largest = fmaxf(values[i], largest);
    for (size_t i = 0; i < n; i++) {
        values[i] = expf(values[i] - largest);
        sum += (double)values[i];
    }
    for (size_t i = 0; i < n; i++)
        values[i] /= (float)sum;
}

/* The first of equals. */
static float place_of_largest(const float *values, size_t n)
{
    size_t at = 0;

    for (size_t i = 1; i < n; i++)
        if (values[i] > values[at])
            at = i;
    return (float)at;
}

static void ascending(float *values, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        float value = values[i];
        size_t at = i;

        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
}

void forest_transform(enum forest_transform how, float *values, size_t rows, size_t groups)
{
    size_t n = rows * groups;

    switch (how) {
    case FOREST_IDENTITY:
        return;
    case FOREST_SIGMOID:
        for (size_t i = 0; i < n; i++)
            values[i] = sigmoid(values[i]);
        return;
    case FOREST_EXP:
        for (size_t i = 0; i < n; i++)
            values[i] = expf(values[i]);
        return;
    case FOREST_SIGN:
        for (size_t i = 0; i < n; i++)
            values[i] = values[i] > 0 ? 1 : 0;
        return;
    case FOREST_SOFTMAX:
        for (size_t i = 0; i < rows; i++)
            softmax(values + i * groups, groups);
        return;
    case FOREST_LARGEST:
        for (size_t i = 0; i < rows; i++)
            values[i] = place_of_largest(values + i * groups, groups);
        return;
    case FOREST_ASCENDING:
        for (size_t i = 0; i < rows; i++)
            ascending(values + i * groups, groups);
        return;
    }
}
