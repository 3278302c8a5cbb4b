// One lane: the scalar reference, and the vocabulary that every lane type answers.
// A lane type holds `lanes` floats and rounds after every operation; nothing here fuses or reorders.
#pragma once
#include <bit>
#include <cstdint>

#include "simd/power.h"

namespace simdescent {

struct f32x1 {
  static constexpr uint32_t lanes = 1;
  float v;

  f32x1() = default;
  f32x1(float x) : v(x) {}
  static f32x1 load(const float* p) { return *p; }
  static f32x1 broadcast(const float* p) { return *p; }  // one float for all lanes
  void store(float* p) const { *p = v; }
};

inline f32x1 operator+(f32x1 a, f32x1 b) { return a.v + b.v; }
inline f32x1 operator-(f32x1 a, f32x1 b) { return a.v - b.v; }
inline f32x1 operator*(f32x1 a, f32x1 b) { return a.v * b.v; }
inline f32x1 operator/(f32x1 a, f32x1 b) { return a.v / b.v; }
inline f32x1 sqrt(f32x1 a) { return __builtin_sqrtf(a.v); }
inline f32x1 abs(f32x1 a) { return __builtin_fabsf(a.v); }

// a, unless b is larger; a NaN in a stays. For a clamp and for AMSGrad's maximum.
inline f32x1 at_least(f32x1 a, f32x1 b) { return a.v < b.v ? b.v : a.v; }
// a, unless b is smaller; a NaN in a stays.
inline f32x1 at_most(f32x1 a, f32x1 b) { return b.v < a.v ? b.v : a.v; }

// The larger of |a| and |b|; a NaN on either side wins. The bits of non-negative floats are ordered as
// integers, with NaN on top, and an integer maximum is one instruction where a NaN-right f32x4.max is many.
inline f32x1 max_magnitude(f32x1 a, f32x1 b) {
  const int32_t x = std::bit_cast<int32_t>(abs(a).v), y = std::bit_cast<int32_t>(abs(b).v);
  return std::bit_cast<float>(x < y ? y : x);
}

// a / b where b is the same for all elements, and often 1: a bias correction is, after some updates.
inline f32x1 divided(f32x1 a, f32x1 b) { return a / b; }

// -1, 0 or 1; a NaN stays. A zero of either sign is +0, as numpy's.
inline f32x1 sign(f32x1 a) { return a.v > 0 ? 1 : a.v < 0 ? -1 : a.v - a.v; }

// `then` where a > 0, `otherwise` elsewhere and of NaN. Of what a variable has one of: no v128 needs it.
inline f32x1 if_positive(f32x1 a, f32x1 then, f32x1 otherwise) { return a.v > 0 ? then : otherwise; }

// a^b for a >= 0.
inline f32x1 power(f32x1 a, f32x1 b) { return float(power_of(a.v, b.v)); }

// Counts, as bits, where a is 0; and what was counted in all lanes.
inline f32x1 count_zeros(f32x1 count, f32x1 a) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(count.v) + uint32_t(a.v == 0));
}
inline uint32_t counted(f32x1 count) { return std::bit_cast<uint32_t>(count.v); }

// The least of the lanes.
inline float least_of(f32x1 a) { return a.v; }

// The sum of eight lanes in numpy's order.
inline float join(const f32x1 (&r)[8]) {
  return ((r[0].v + r[1].v) + (r[2].v + r[3].v)) + ((r[4].v + r[5].v) + (r[6].v + r[7].v));
}
// The same of four times eight floats.
inline void join(const float* a, const float* b, const float* c, const float* d, f32x1 (&out)[4]) {
  const float* const each[4] = {a, b, c, d};
  for (int k = 0; k < 4; k++) {
    f32x1 r[8];
    for (int i = 0; i < 8; i++) r[i] = each[k][i];
    out[k] = join(r);
  }
}

}  // namespace simdescent
