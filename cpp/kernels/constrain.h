// Keras' weight constraints, projections of a variable after its update: NonNeg, MaxNorm, UnitNorm,
// MinMaxNorm. The array is seen as [outer, axis, inner]; a norm is taken over `axis`, in numpy's order of
// summation.
#pragma once
#include <cmath>
#include <cstdint>

#include "kernels/reduce.h"

namespace simdescent {

inline void constrain_non_negative(float* w, uint32_t n) {
  each({}, n, [&]<class V>(const Pipe<V>&, uint32_t i) {
    (at_least(V::load(w + i), V(0.f)) + V(0.f)).store(w + i);  // -0 becomes 0
  });
}

// Every vector along the axis gets its norm moved into [least, most], by the share `rate` of the way.
// MaxNorm(c) is [0, c] without a rate, which is NaN then: as in Keras, a rate of 1 makes NaN of a norm that
// overflows (0 * Inf). UnitNorm divides by the norm, and has least = most = 1.
struct NormRange {
  float least, most;
  double rate;
  bool unit;

  float factor(float norm) const {
    constexpr float epsilon = 1e-7f;
    if (unit) return epsilon + norm;
    float desired = norm < least ? least : norm;
    desired = most < desired ? most : desired;
    if (!std::isnan(rate)) desired = float(rate) * desired + float(1 - rate) * norm;
    return desired / (epsilon + norm);
  }
};

// `norms` has room for `room` floats; wider arrays are done in strips of that width.
inline void constrain_norm(float* w, uint32_t outer, uint32_t axis, uint32_t inner, NormRange range,
                           float* norms, uint32_t room) {
  for (uint32_t o = 0; o < outer; o++, w += axis * inner) {
    for (uint32_t from = 0; from < inner; from += room) {
      float* strip = w + from;
      const uint32_t width = inner - from < room ? inner - from : room;
      if (inner == 1) {  // contiguous: pairwise
        norms[0] = pairwise_sum<Square>(*strip, 0, axis);
      } else {  // numpy adds whole rows, one after another
        for (uint32_t i = 0; i < width; i++) norms[i] = strip[i] * strip[i];
        for (uint32_t a = 1; a < axis; a++) {
          for (uint32_t i = 0; i < width; i++) norms[i] += strip[a * inner + i] * strip[a * inner + i];
        }
      }
      for (uint32_t i = 0; i < width; i++) norms[i] = range.factor(sqrtf(norms[i]));
      for (uint32_t a = 0; a < axis; a++) {
        for (uint32_t i = 0; i < width; i++) {
          float& x = strip[a * inner + i];
          x = range.unit ? x / norms[i] : x * norms[i];
        }
      }
    }
  }
}

}  // namespace simdescent
