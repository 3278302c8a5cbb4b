// Four lanes in one v128, lane by lane the same bits as f32x1. Written in WebAssembly's intrinsics;
// a native build finds the same names through SIMDe (cpp/simd/native).
#pragma once
#include <wasm_simd128.h>

#include <cstdint>

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
inline f32x4 sqrt(f32x4 a) { return wasm_f32x4_sqrt(a.v); }
inline f32x4 abs(f32x4 a) { return wasm_f32x4_abs(a.v); }
inline f32x4 at_least(f32x4 a, f32x4 b) { return wasm_f32x4_pmax(a.v, b.v); }
inline f32x4 at_most(f32x4 a, f32x4 b) { return wasm_f32x4_pmin(a.v, b.v); }
// The signs are shifted out and zeros back in: engines make three instructions of an `abs`, and one of a
// shift.
inline f32x4 max_magnitude(f32x4 a, f32x4 b) {
  return wasm_u32x4_shr(wasm_u32x4_max(wasm_i32x4_shl(a.v, 1), wasm_i32x4_shl(b.v, 1)), 1);
}

inline float join(f32x4 a) {
  return (wasm_f32x4_extract_lane(a.v, 0) + wasm_f32x4_extract_lane(a.v, 1)) +
         (wasm_f32x4_extract_lane(a.v, 2) + wasm_f32x4_extract_lane(a.v, 3));
}
inline float join(const f32x4 (&r)[2]) { return join(r[0]) + join(r[1]); }

}  // namespace simdescent
