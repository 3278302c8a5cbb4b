// An engine in C that fits a line, and whose steps are those of simdescent/kernels.wasm in the same memory. Nothing of
// JavaScript is called in the loop. The structs are those of the page on kernels.wasm.
#define IMPORT(name) __attribute__((import_module("kernels"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))
typedef unsigned u32;

typedef struct {
  float* w;
  const float* g;
  float* slot[3];
  float *acc, *avg;
  const float *pipe, *coef;
  u32 n, stages;
  float* sums;
  u32 rows, columns;
  struct Tally* tally;
} Row;

IMPORT(step) extern void step(u32 rule, const Row* rows, u32 count, void* scratch);

enum { adam = 0, points = 64 };
static float w[2], g[2], m[2], v[2], coef[4];
static float x[points], y[points];
// scale, mean, clip, divide, lo, hi, decay, rate, keep, momentum, complement, unscale, steps, l2, seed: what does nothing.
static const float pipe[15] = {1, 1, 1, 1, -__builtin_inff(), __builtin_inff(), 0, 0, 1, 0, 1, 1, 1, 0, 0};

EXPORT(train) float* train(u32 steps, float rate) {
  for (u32 i = 0; i < points; i++) x[i] = (float)i / points, y[i] = 3 * x[i] - 1;
  const Row row = {.w = w, .g = g, .slot = {m, v}, .pipe = pipe, .coef = coef, .n = 2};
  float power1 = 1, power2 = 1;
  for (u32 t = 0; t < steps; t++) {
    g[0] = g[1] = 0;
    for (u32 i = 0; i < points; i++) {
      const float error = 2.f / points * (w[0] * x[i] + w[1] - y[i]);
      g[0] += error * x[i], g[1] += error;
    }
    // one_minus_beta1, one_minus_beta2, alpha, epsilon: cpp/kernels/adam.h
    power1 *= 0.9f, power2 *= 0.999f;
    coef[0] = 1 - 0.9, coef[1] = 1 - 0.999, coef[3] = 1e-7f;
    coef[2] = rate * __builtin_sqrtf(1 - power2) / (1 - power1);
    step(adam, &row, 1, 0);  // no gradient to prepare: no scratch
  }
  return w;
}
