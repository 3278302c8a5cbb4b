// The only reduction: numpy's pairwise order of summation, so that norms have Keras' bits on every machine.
// Below 8 terms one after another; up to 128 eight running sums; above, halves split at a multiple of 8.
#pragma once
#include <cstdint>

#include "kernels/stage.h"
#include "kernels/sweep.h"
#include "simd/lanes.h"

namespace simdescent {

// The sum of Term::at<V>(source, i) over n indices from `from` on. A Term is a type and its source a
// reference to what the host wrote, not a closure: a closure would live on a stack, which the memory-less
// module does not have.
template <class Term, class Source>
float pairwise_sum(const Source& source, uint32_t from, uint32_t n) {
  if (n < 8) {
    float sum = 0;
    for (uint32_t i = 0; i < n; i++) sum = sum + Term::template at<f32x1>(source, from + i).v;
    return sum;
  }
  if (n > 128) {
    const uint32_t half = n / 2 - n / 2 % 8;
    const float first = pairwise_sum<Term>(source, from, half);
    return first + pairwise_sum<Term>(source, from + half, n - half);
  }
  constexpr uint32_t width = Lanes::lanes, registers = 8 / width;
  Lanes r[registers];
  for (uint32_t k = 0; k < registers; k++) r[k] = Term::template at<Lanes>(source, from + k * width);
  uint32_t i = 8;
  for (; i + 8 <= n; i += 8) {
    for (uint32_t k = 0; k < registers; k++)
      r[k] = r[k] + Term::template at<Lanes>(source, from + i + k * width);
  }
  float sum = join(r);
  for (; i < n; i++) sum = sum + Term::template at<f32x1>(source, from + i).v;
  return sum;
}

// The terms themselves, or their squares, of an array.
struct Plain {
  template <class V>
  [[gnu::always_inline]] static V at(const float& source, uint32_t i) {
    return V::load(&source + i);
  }
};
struct Square {
  template <class V>
  [[gnu::always_inline]] static V at(const float& source, uint32_t i) {
    const V x = V::load(&source + i);
    return x * x;
  }
};

// The squares of the gradient that clipping will see.
template <Grad grad, bool gathered = grad == Grad::accumulate, bool clamp_first = false>
struct SquaredGradient {
  template <class V>
  [[gnu::always_inline]] static V at(const Row& r, uint32_t i) {
    constexpr Stages stages{.grad = grad, .gathered = gathered, .clamp_first = clamp_first};
    V acc(0.f);
    if (gathered) acc = V::load(r.acc + i);
    const V g = prologue(stages, Pipe<V>(*r.pipe), V::load(r.g + i), acc);
    return g * g;
  }
};

[[gnu::always_inline]] inline float sum_of_squares(Stages s, const Row& r) {
  switch (s.grad) {  // constants, so that each has its own loop
    case Grad::none:
      return pairwise_sum<SquaredGradient<Grad::none>>(r, 0, r.n);
    case Grad::scale:
    case Grad::divide:
      return pairwise_sum<SquaredGradient<Grad::scale>>(r, 0, r.n);
    case Grad::accumulate:
      return pairwise_sum<SquaredGradient<Grad::accumulate>>(r, 0, r.n);
    case Grad::general:
      break;
  }
  if (s.gathered && s.clamp_first) return pairwise_sum<SquaredGradient<Grad::general, true, true>>(r, 0, r.n);
  if (s.gathered) return pairwise_sum<SquaredGradient<Grad::general, true, false>>(r, 0, r.n);
  if (s.clamp_first) return pairwise_sum<SquaredGradient<Grad::general, false, true>>(r, 0, r.n);
  return pairwise_sum<SquaredGradient<Grad::general, false, false>>(r, 0, r.n);
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
