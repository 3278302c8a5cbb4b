// Four lanes in one v128, lane by lane the same bits as f32x1. Written in WebAssembly's intrinsics;
// a native build finds the same names through SIMDe (cpp/simd/native).
#pragma once
#include <wasm_simd128.h>

#include <cstdint>

#include "simd/power.h"

namespace simdescent {

struct f32x4 {
  static constexpr uint32_t lanes = 4;
  v128_t v;

  f32x4() = default;
  f32x4(v128_t x) : v(x) {}
  f32x4(float x) : v(wasm_f32x4_splat(x)) {}
  static f32x4 load(const float* p) { return wasm_v128_load(p); }
  static f32x4 broadcast(const float* p) { return wasm_v128_load32_splat(p); }
  void store(float* p) const { wasm_v128_store(p, v); }
};

inline f32x4 operator+(f32x4 a, f32x4 b) { return wasm_f32x4_add(a.v, b.v); }
inline f32x4 operator-(f32x4 a, f32x4 b) { return wasm_f32x4_sub(a.v, b.v); }
inline f32x4 operator*(f32x4 a, f32x4 b) { return wasm_f32x4_mul(a.v, b.v); }
inline f32x4 operator/(f32x4 a, f32x4 b) { return wasm_f32x4_div(a.v, b.v); }
// A divider is slow, and a branch that always goes one way costs next to nothing.
inline f32x4 divided(f32x4 a, f32x4 b) { return wasm_f32x4_extract_lane(b.v, 0) == 1 ? a : f32x4(a / b); }
inline f32x4 sqrt(f32x4 a) { return wasm_f32x4_sqrt(a.v); }
inline f32x4 abs(f32x4 a) { return wasm_f32x4_abs(a.v); }
inline f32x4 at_least(f32x4 a, f32x4 b) { return wasm_f32x4_pmax(a.v, b.v); }
inline f32x4 at_most(f32x4 a, f32x4 b) { return wasm_f32x4_pmin(a.v, b.v); }
// The signs are shifted out and zeros back in: engines make three instructions of an `abs`, and one of a
// shift.
inline f32x4 max_magnitude(f32x4 a, f32x4 b) {
  return wasm_u32x4_shr(wasm_u32x4_max(wasm_i32x4_shl(a.v, 1), wasm_i32x4_shl(b.v, 1)), 1);
}
inline f32x4 sign(f32x4 a) {
  const v128_t zero = wasm_f32x4_splat(0);
  const v128_t up = wasm_f32x4_gt(a.v, zero), down = wasm_f32x4_lt(a.v, zero);
  const v128_t ones = wasm_v128_bitselect(wasm_f32x4_splat(1), wasm_f32x4_splat(-1), up);
  return wasm_v128_bitselect(ones, wasm_f32x4_sub(a.v, a.v), wasm_v128_or(up, down));
}
template <int k>
float power_lane(f32x4 a, f32x4 b) {
  return float(power_of(wasm_f32x4_extract_lane(a.v, k), wasm_f32x4_extract_lane(b.v, k)));
}
inline f32x4 power(f32x4 a, f32x4 b) {
  return wasm_f32x4_make(power_lane<0>(a, b), power_lane<1>(a, b), power_lane<2>(a, b), power_lane<3>(a, b));
}

inline f32x4 count_zeros(f32x4 count, f32x4 a) {
  return wasm_i32x4_sub(count.v, wasm_f32x4_eq(a.v, wasm_f32x4_splat(0)));
}
inline uint32_t counted(f32x4 count) {
  return uint32_t(wasm_i32x4_extract_lane(count.v, 0)) + uint32_t(wasm_i32x4_extract_lane(count.v, 1)) +
         uint32_t(wasm_i32x4_extract_lane(count.v, 2)) + uint32_t(wasm_i32x4_extract_lane(count.v, 3));
}

inline float least_of(f32x4 r) {
  const v128_t a = wasm_f32x4_pmin(r.v, wasm_i32x4_shuffle(r.v, r.v, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(wasm_f32x4_pmin(a, wasm_i32x4_shuffle(a, a, 1, 0, 3, 2)), 0);
}

inline float join(f32x4 a) {
  return (wasm_f32x4_extract_lane(a.v, 0) + wasm_f32x4_extract_lane(a.v, 1)) +
         (wasm_f32x4_extract_lane(a.v, 2) + wasm_f32x4_extract_lane(a.v, 3));
}
inline float join(const f32x4 (&r)[2]) { return join(r[0]) + join(r[1]); }

// Sums of neighbours, those of a first.
inline f32x4 neighbours(f32x4 a, f32x4 b) {
  return wasm_f32x4_add(wasm_i32x4_shuffle(a.v, b.v, 0, 2, 4, 6), wasm_i32x4_shuffle(a.v, b.v, 1, 3, 5, 7));
}
inline f32x4 half_joined(const float* x) { return neighbours(f32x4::load(x), f32x4::load(x + 4)); }
inline void join(const float* a, const float* b, const float* c, const float* d, f32x4 (&out)[1]) {
  const f32x4 front = neighbours(half_joined(a), half_joined(b)),
              back = neighbours(half_joined(c), half_joined(d));
  out[0] = neighbours(front, back);
}

}  // namespace simdescent
