/* The C library under imufusion on the samples of `benches/orientation.rs`, without Python.
 *
 *     git clone https://github.com/xioTechnologies/Fusion
 *     cc -O3 -DFUSION_USE_NORMAL_SQRT -I Fusion/Fusion benches/peers/orientation.c Fusion/Fusion/FusionAhrs.c -lm -o fusion
 *     RIVALS="./fusion" cargo bench --bench orientation
 *
 * Takes and tells what `orientation.py` does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "Fusion.h"

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

int main(int count, char **words) {
    if (count != 4) {
        return 2;
    }
    FILE *source = fopen(words[1], "rb");
    FILE *target = fopen(words[2], "wb");
    if (source == NULL || target == NULL) {
        return 1;
    }
    fseek(source, 0, SEEK_END);
    const size_t rows = (size_t) ftell(source) / (9 * sizeof(float));
    rewind(source);
    float *sensors = malloc(rows * 9 * sizeof(float));
    FusionQuaternion *found = malloc(rows * sizeof(FusionQuaternion));
    if (fread(sensors, 9 * sizeof(float), rows, source) != rows) {
        return 1;
    }
    FusionAhrsSettings settings = fusionAhrsDefaultSettings;
    settings.sampleRate = 100.0f;
    settings.gain = 0.5f;
    settings.gyroscopeRange = 2000.0f;
    settings.accelerationRejection = 10.0f;
    settings.magneticRejection = 10.0f;
    settings.rejectionTimeout = 5.0f;

    const long passes = atol(words[3]);
    const double began = now();
    for (long pass = 0; pass < passes; pass++) {
        FusionAhrs ahrs;
        FusionAhrsInitialise(&ahrs);
        FusionAhrsSetSettings(&ahrs, &settings);
        for (size_t n = 0; n < rows; n++) {
            const float *row = sensors + 9 * n;
            const FusionVector gyroscope = {.axis = {row[0], row[1], row[2]}};
            const FusionVector accelerometer = {.axis = {row[3], row[4], row[5]}};
            const FusionVector magnetometer = {.axis = {row[6], row[7], row[8]}};
            FusionAhrsUpdate(&ahrs, gyroscope, accelerometer, magnetometer);
            found[n] = FusionAhrsGetQuaternion(&ahrs);
        }
    }
    const double taken = now() - began;
    fwrite(found, sizeof(FusionQuaternion), rows, target);
    fclose(target);
    printf("%.6e\n", taken / ((double) passes * (double) rows));
    return 0;
}
