// bfloat16, the upper half of a float32, and how float32 becomes it and back: to the nearest, or as at a
// step. It knows no slot and no row; which storage is which is quantize.h.
//
// At a step it rounds stochastically: a second moment moves by a thousandth of itself, less than half a unit
// of eight bits, and would stand still. The chance comes from the step and the value itself, so that neither
// the place of an element nor the thread matters, and equal elements stay equal.
#pragma once
#include <cstdint>

#include "kernels/over.h"
#include "simd/bits.h"

namespace simdescent {

// It is rounded up where the lower half is above a threshold, both shifted so that they are signed. What is
// exact stays so, an infinity too. A NaN stays one: no upper half of ones only becomes one more, and
// arithmetic leaves none whose payload is in the lower half alone. (Adamax's maximum takes one as it comes
// with a gradient; the norm may be infinite then, beside a momentum and weights that are NaN.)
template <class V, class F>
[[gnu::always_inline]] inline Halves<V> rounded(const V (&x)[Halves<V>::vectors], F threshold) {
  using H = Halves<V>;
  const H upper = H::upper(x), lower = H::lower(x) ^ H(0x8000);
  return one_more_if_above(least(upper, H(0xfffe)), lower, threshold(upper, lower));
}

struct Nearest {  // of two that are as near, the even one
  template <class H>
  [[gnu::always_inline]] H operator()(H upper, H) const {
    // What is written may be any NaN: above that of an infinity all are rounded up.
    const H infinite = equal(upper & H(0x7fff), H(0x7f80));
    return (H(0) - (upper & H(1))) ^ (infinite & H(0x8000));
  }
};

// The thresholds of a step: a multiplicative hash (Dietzfelbinger et al. 1997) of the lower half, whose odd
// factor and whose summand are drawn for the step. Each threshold is as likely as any other, so that the
// chance of being rounded up is the lower half in units of the upper one.
template <class U>
struct ChanceOf {
  U factor, seed;

  [[gnu::always_inline]] static U mixed(U h) {  // MurmurHash3's finalizer
    h = (h ^ h >> 16) * U(0x85ebca6bu);
    h = (h ^ h >> 13) * U(0xc2b2ae35u);
    return h ^ h >> 16;
  }
  [[gnu::always_inline]] static U seed_of(U step) { return mixed(step); }
  [[gnu::always_inline]] static U factor_of(U seed) { return mixed(seed + U(1)) | U(1); }
  template <class H>
  [[gnu::always_inline]] H operator()(H, H lower) const {
    return lower * H(factor) + H(seed);
  }
};
struct Chance : ChanceOf<uint32_t> {
  [[gnu::always_inline]] static Chance of(float step) {
    const uint32_t seed = seed_of(bits(f32x1(step)).v);
    return {factor_of(seed), seed};
  }
};

// n elements; `threshold` is Nearest or a Chance.
template <class F>
[[gnu::always_inline]] inline void narrow_halves(const float* from, uint32_t n, F threshold, uint16_t* to) {
  over<Halves<Lanes>::vectors>(
      n, [=]<class V>(V, uint32_t i) __attribute__((always_inline)) {
        V x[Halves<V>::vectors];
        for (uint32_t k = 0; k < Halves<V>::vectors; k++) x[k] = V::load(from + i + k * V::lanes);
        rounded<V>(x, threshold).store(to + i);
      });
}

inline void widen_halves(const uint16_t* from, uint32_t n, float* to) {
  over<Halves<Lanes>::vectors>(
      n, [=]<class V>(V, uint32_t i) __attribute__((always_inline)) {
        V x[Halves<V>::vectors];
        Halves<V>::load(from + i).floats(x);
        for (uint32_t k = 0; k < Halves<V>::vectors; k++) x[k].store(to + i + k * V::lanes);
      });
}

}  // namespace simdescent
