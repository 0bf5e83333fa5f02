/* Random numbers as the original draws them (model.md section 9): one shuffle table for all streams. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdbool.h>

#include "rotations.h"

enum { SHUFFLE = 32 };

/* The generator; zeroed before first use. A stream is a `long` seed that each draw updates. */
typedef struct {
    long table[SHUFFLE];
    long last;       /* 0 until the table is loaded */
    bool gauss_kept; /* a second normal deviate waits */
    float gauss;
} Generator;

/* Uniform in (0,1). A seed of zero or below reloads the table. */
float ran1(Generator *generator, long *seed);

/* Normal deviate, mean 0, variance 1. */
float gaussdev(Generator *generator, long *seed);

/* Poisson deviate with mean xm; normal above a million. */
float poidev(Generator *generator, long *seed, float xm);

/* A random rotation within the cap of `spread_rad` (kept as float, as the original does). */
Umat random_umat(Generator *generator, long *seed, float spread_rad);

#endif
