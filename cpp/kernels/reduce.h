// The only reduction: numpy's pairwise order of summation, so that norms have Keras' bits on every machine.
// Below 8 terms one after another; up to 128 eight running sums; above, halves split at a multiple of 8.
#pragma once
#include <cstdint>

#include "kernels/stage.h"
#include "kernels/sweep.h"
#include "simd/lanes.h"

namespace simdescent {

// term.template operator()<V>(i): lane type V's terms from index i on.
template <class Term>
float pairwise_sum(const Term& term, uint32_t from, uint32_t n) {
  const auto one = [&](uint32_t i) { return term(f32x1{}, i).v; };
  if (n < 8) {
    float sum = 0;
    for (uint32_t i = 0; i < n; i++) sum = sum + one(from + i);
    return sum;
  }
  if (n > 128) {
    const uint32_t half = n / 2 - n / 2 % 8;
    return pairwise_sum(term, from, half) + pairwise_sum(term, from + half, n - half);
  }
  constexpr uint32_t width = Lanes::lanes, registers = 8 / width;
  Lanes r[registers];
  for (uint32_t k = 0; k < registers; k++) r[k] = term(Lanes{}, from + k * width);
  uint32_t i = 8;
  for (; i + 8 <= n; i += 8) {
    for (uint32_t k = 0; k < registers; k++) r[k] = r[k] + term(Lanes{}, from + i + k * width);
  }
  float sum = join(r);
  for (; i < n; i++) sum = sum + one(from + i);
  return sum;
}

// The sum of squares of the gradient that clipping will see.
inline float sum_of_squares(Stages s, const Row& r) {
  const Pipe<float> k = *r.pipe;
  const auto with = [&](Stages stages) __attribute__((always_inline)) {
    const bool gathered = stages.grad == Grad::accumulate || (stages.grad == Grad::general && stages.gathered);
    const auto square = [&](auto v, uint32_t i) {
      using V = decltype(v);
      const V g = prologue(stages, Pipe<V>(k), V::load(r.g + i), gathered ? V::load(r.acc + i) : V(0));
      return g * g;
    };
    return pairwise_sum(square, 0, r.n);
  };
  switch (s.grad) {  // constants, so that each has its own loop
    case Grad::none: return with({Grad::none});
    case Grad::scale:
    case Grad::divide: return with({Grad::scale});
    case Grad::accumulate: return with({Grad::accumulate});
    case Grad::general: break;
  }
  return with(s);
}

// Whether all are finite: x - x is 0 for these and NaN for the others.
inline bool all_finite(const float* x, uint32_t n) {
  Lanes vectors(0.f);
  f32x1 rest(0.f);
  uint32_t i = 0;
  for (; i + Lanes::lanes <= n; i += Lanes::lanes) {
    const Lanes v = Lanes::load(x + i);
    vectors = vectors + (v - v);
  }
  for (; i < n; i++) rest = rest + (f32x1(x[i]) - f32x1(x[i]));
  const Lanes sums[8 / Lanes::lanes] = {vectors};
  return join(sums) + rest.v == 0;
}

}  // namespace simdescent
