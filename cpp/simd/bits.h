// The bits of floats as unsigned integers, lane by lane: what storing a float in fewer bits needs. `U` of a
// lane type is its integers. Nothing here rounds.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

#include "simd/lanes.h"

namespace simdescent {

struct u32x1 {
  uint32_t v;
  u32x1() = default;
  u32x1(uint32_t x) : v(x) {}
  static u32x1 load16(const uint16_t* p) { return *p; }
  void store16(uint16_t* p) const { *p = uint16_t(v); }
};
inline u32x1 operator+(u32x1 a, u32x1 b) { return a.v + b.v; }
inline u32x1 operator-(u32x1 a, u32x1 b) { return a.v - b.v; }
inline u32x1 operator*(u32x1 a, u32x1 b) { return a.v * b.v; }
inline u32x1 operator&(u32x1 a, u32x1 b) { return a.v & b.v; }
inline u32x1 operator|(u32x1 a, u32x1 b) { return a.v | b.v; }
inline u32x1 operator^(u32x1 a, u32x1 b) { return a.v ^ b.v; }
inline u32x1 operator>>(u32x1 a, int k) { return a.v >> k; }
inline u32x1 operator<<(u32x1 a, int k) { return a.v << k; }
// All ones where a > b, as signed integers.
inline u32x1 above(u32x1 a, u32x1 b) { return int32_t(a.v) > int32_t(b.v) ? ~0u : 0u; }
inline u32x1 is_nan(f32x1 a) { return a.v != a.v ? ~0u : 0u; }
inline u32x1 bits(f32x1 a) { return std::bit_cast<uint32_t>(a.v); }
inline f32x1 of_bits(u32x1 a) { return std::bit_cast<float>(a.v); }
// Of integers below 2^24, and of floats from 0 to there.
inline f32x1 to_float(u32x1 a) { return float(int32_t(a.v)); }
inline u32x1 to_integer(f32x1 a) { return uint32_t(int32_t(a.v)); }
inline float largest(f32x1 a) { return a.v; }

template <class V>
struct BitsOf {
  using type = u32x1;
};

#if defined(__wasm_simd128__) || !defined(__wasm__)
struct u32x4 {
  v128_t v;
  u32x4() = default;
  u32x4(v128_t x) : v(x) {}
  u32x4(uint32_t x) : v(wasm_i32x4_splat(int32_t(x))) {}
  static u32x4 load8(const uint8_t* p) {
    return wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(p)));
  }
  static u32x4 load16(const uint16_t* p) { return wasm_u32x4_load16x4(p); }
  // Both narrow by saturation: of integers that fit.
  void store8(uint8_t* p) const {
    const v128_t words = wasm_i16x8_narrow_i32x4(v, v);
    const uint32_t four = uint32_t(wasm_i32x4_extract_lane(wasm_u8x16_narrow_i16x8(words, words), 0));
    std::memcpy(p, &four, sizeof four);
  }
  void store16(uint16_t* p) const { wasm_v128_store64_lane(p, wasm_u16x8_narrow_i32x4(v, v), 0); }
};
inline u32x4 operator+(u32x4 a, u32x4 b) { return wasm_i32x4_add(a.v, b.v); }
inline u32x4 operator-(u32x4 a, u32x4 b) { return wasm_i32x4_sub(a.v, b.v); }
inline u32x4 operator*(u32x4 a, u32x4 b) { return wasm_i32x4_mul(a.v, b.v); }
inline u32x4 operator&(u32x4 a, u32x4 b) { return wasm_v128_and(a.v, b.v); }
inline u32x4 operator|(u32x4 a, u32x4 b) { return wasm_v128_or(a.v, b.v); }
inline u32x4 operator^(u32x4 a, u32x4 b) { return wasm_v128_xor(a.v, b.v); }
inline u32x4 operator>>(u32x4 a, int k) { return wasm_u32x4_shr(a.v, uint32_t(k)); }
inline u32x4 operator<<(u32x4 a, int k) { return wasm_i32x4_shl(a.v, uint32_t(k)); }
inline u32x4 above(u32x4 a, u32x4 b) { return wasm_i32x4_gt(a.v, b.v); }
inline u32x4 is_nan(f32x4 a) { return wasm_f32x4_ne(a.v, a.v); }
inline u32x4 bits(f32x4 a) { return a.v; }
inline f32x4 of_bits(u32x4 a) { return a.v; }
inline f32x4 to_float(u32x4 a) { return wasm_f32x4_convert_i32x4(a.v); }
inline u32x4 to_integer(f32x4 a) { return wasm_i32x4_trunc_sat_f32x4(a.v); }
// Of magnitudes, or a NaN.
inline float largest(f32x4 a) {
  const auto lane = [](float x) { return f32x1(x); };
  return max_magnitude(
             max_magnitude(lane(wasm_f32x4_extract_lane(a.v, 0)), lane(wasm_f32x4_extract_lane(a.v, 1))),
             max_magnitude(lane(wasm_f32x4_extract_lane(a.v, 2)), lane(wasm_f32x4_extract_lane(a.v, 3))))
      .v;
}
template <>
struct BitsOf<f32x4> {
  using type = u32x4;
};
#endif

template <class V>
using Bits = typename BitsOf<V>::type;

}  // namespace simdescent
