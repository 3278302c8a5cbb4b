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
  void store8(uint8_t* p) const { *p = uint8_t(v); }
};
inline u32x1 operator+(u32x1 a, u32x1 b) { return a.v + b.v; }
inline u32x1 operator-(u32x1 a, u32x1 b) { return a.v - b.v; }
inline u32x1 operator^(u32x1 a, u32x1 b) { return a.v ^ b.v; }
inline u32x1 operator>>(u32x1 a, int k) { return a.v >> k; }
inline u32x1 operator<<(u32x1 a, int k) { return a.v << k; }
inline u32x1 signed_shift(u32x1 a, int k) { return uint32_t(int32_t(a.v) >> k); }  // to the right
// All ones where a > b, as signed integers.
inline u32x1 above(u32x1 a, u32x1 b) { return int32_t(a.v) > int32_t(b.v) ? ~0u : 0u; }
inline u32x1 bits(f32x1 a) { return std::bit_cast<uint32_t>(a.v); }
inline f32x1 of_bits(u32x1 a) { return std::bit_cast<float>(a.v); }
// What a table has at an index, which may be negative.
inline u32x1 gather(const uint32_t* table, u32x1 index) { return table[int32_t(index.v)]; }
inline u32x1 larger(u32x1 a, u32x1 b) { return a.v < b.v ? b : a; }
inline uint32_t largest(u32x1 a) { return a.v; }

template <class V>
struct BitsOf {
  using type = u32x1;
};
// The same at indices in memory.
template <class V>
inline V look_up(const float* table, const uint8_t* at) {
  return table[*at];
}

#if defined(__wasm_simd128__) || !defined(__wasm__)
struct u32x4 {
  v128_t v;
  u32x4() = default;
  u32x4(v128_t x) : v(x) {}
  u32x4(uint32_t x) : v(wasm_i32x4_splat(int32_t(x))) {}
  // Of integers that fit: it narrows by saturation.
  void store8(uint8_t* p) const {
    const v128_t words = wasm_i16x8_narrow_i32x4(v, v);
    const uint32_t four = uint32_t(wasm_i32x4_extract_lane(wasm_u8x16_narrow_i16x8(words, words), 0));
    std::memcpy(p, &four, sizeof four);
  }
};
inline u32x4 operator+(u32x4 a, u32x4 b) { return wasm_i32x4_add(a.v, b.v); }
inline u32x4 operator-(u32x4 a, u32x4 b) { return wasm_i32x4_sub(a.v, b.v); }
inline u32x4 operator^(u32x4 a, u32x4 b) { return wasm_v128_xor(a.v, b.v); }
inline u32x4 operator>>(u32x4 a, int k) { return wasm_u32x4_shr(a.v, uint32_t(k)); }
inline u32x4 operator<<(u32x4 a, int k) { return wasm_i32x4_shl(a.v, uint32_t(k)); }
inline u32x4 signed_shift(u32x4 a, int k) { return wasm_i32x4_shr(a.v, uint32_t(k)); }
inline u32x4 above(u32x4 a, u32x4 b) { return wasm_i32x4_gt(a.v, b.v); }
inline u32x4 bits(f32x4 a) { return a.v; }
inline f32x4 of_bits(u32x4 a) { return a.v; }
inline v128_t four(const void* a, const void* b, const void* c, const void* d) {
  const v128_t one = wasm_v128_load32_zero(a), two = wasm_v128_load32_lane(b, one, 1);
  return wasm_v128_load32_lane(d, wasm_v128_load32_lane(c, two, 2), 3);
}
inline u32x4 gather(const uint32_t* table, u32x4 index) {
  return four(table + wasm_i32x4_extract_lane(index.v, 0), table + wasm_i32x4_extract_lane(index.v, 1),
              table + wasm_i32x4_extract_lane(index.v, 2), table + wasm_i32x4_extract_lane(index.v, 3));
}
template <>
inline f32x4 look_up<f32x4>(const float* table, const uint8_t* at) {
  return four(table + at[0], table + at[1], table + at[2], table + at[3]);
}
inline u32x4 larger(u32x4 a, u32x4 b) { return wasm_u32x4_max(a.v, b.v); }
inline uint32_t largest(u32x4 a) {
  const v128_t pairs = wasm_u32x4_max(a.v, wasm_i32x4_shuffle(a.v, a.v, 2, 3, 0, 1));
  return uint32_t(
      wasm_i32x4_extract_lane(wasm_u32x4_max(pairs, wasm_i32x4_shuffle(pairs, pairs, 1, 0, 3, 2)), 0));
}
template <>
struct BitsOf<f32x4> {
  using type = u32x4;
};
#endif

template <class V>
using Bits = typename BitsOf<V>::type;

// The upper or the lower halves of the bits of floats, of as many `vectors` of these as it takes to fill one.
struct u16x1 {
  static constexpr uint32_t vectors = 1;
  uint16_t v;
  u16x1(uint32_t x) : v(uint16_t(x)) {}
  static u16x1 load(const uint16_t* p) { return *p; }
  void store(uint16_t* p) const { *p = v; }
  static u16x1 upper(const f32x1 (&x)[1]) { return bits(x[0]).v >> 16; }
  static u16x1 lower(const f32x1 (&x)[1]) { return bits(x[0]).v; }
  // As upper halves, with zeros below.
  void floats(f32x1 (&x)[1]) const { x[0] = of_bits(u32x1(v) << 16); }
};
inline u16x1 operator+(u16x1 a, u16x1 b) { return uint32_t(a.v) + b.v; }
inline u16x1 operator-(u16x1 a, u16x1 b) { return uint32_t(a.v) - b.v; }
inline u16x1 operator*(u16x1 a, u16x1 b) { return uint32_t(a.v) * b.v; }
inline u16x1 operator&(u16x1 a, u16x1 b) { return uint32_t(a.v) & b.v; }
inline u16x1 operator^(u16x1 a, u16x1 b) { return uint32_t(a.v) ^ b.v; }
inline u16x1 equal(u16x1 a, u16x1 b) { return a.v == b.v ? 0xffffu : 0u; }  // all ones where they are
inline u16x1 least(u16x1 a, u16x1 b) { return a.v < b.v ? a : b; }
// a + 1 where x > y, as signed integers; the largest signed a stays.
inline u16x1 one_more_if_above(u16x1 a, u16x1 x, u16x1 y) {
  return uint32_t(a.v) + (int16_t(x.v) > int16_t(y.v) && a.v != 0x7fff);
}

template <class V>
struct HalvesOf {
  using type = u16x1;
};

#if defined(__wasm_simd128__) || !defined(__wasm__)
struct u16x8 {
  static constexpr uint32_t vectors = 2;
  v128_t v;
  u16x8(v128_t x) : v(x) {}
  u16x8(uint32_t x) : v(wasm_i16x8_splat(int16_t(x))) {}
  static u16x8 load(const uint16_t* p) { return wasm_v128_load(p); }
  void store(uint16_t* p) const { wasm_v128_store(p, v); }
  // Not by shuffles: engines make more instructions of these on x64.
  static u16x8 upper(const f32x4 (&x)[2]) {
    return wasm_u16x8_narrow_i32x4(wasm_u32x4_shr(x[0].v, 16), wasm_u32x4_shr(x[1].v, 16));
  }
  static u16x8 lower(const f32x4 (&x)[2]) {
    const v128_t low = wasm_i32x4_splat(0xffff);
    return wasm_u16x8_narrow_i32x4(wasm_v128_and(x[0].v, low), wasm_v128_and(x[1].v, low));
  }
  void floats(f32x4 (&x)[2]) const {
    const v128_t zeros = wasm_i32x4_splat(0);
    x[0] = wasm_i16x8_shuffle(zeros, v, 0, 8, 1, 9, 2, 10, 3, 11);
    x[1] = wasm_i16x8_shuffle(zeros, v, 4, 12, 5, 13, 6, 14, 7, 15);
  }
};
inline u16x8 operator+(u16x8 a, u16x8 b) { return wasm_i16x8_add(a.v, b.v); }
inline u16x8 operator-(u16x8 a, u16x8 b) { return wasm_i16x8_sub(a.v, b.v); }
inline u16x8 operator*(u16x8 a, u16x8 b) { return wasm_i16x8_mul(a.v, b.v); }
inline u16x8 operator&(u16x8 a, u16x8 b) { return wasm_v128_and(a.v, b.v); }
inline u16x8 operator^(u16x8 a, u16x8 b) { return wasm_v128_xor(a.v, b.v); }
inline u16x8 equal(u16x8 a, u16x8 b) { return wasm_i16x8_eq(a.v, b.v); }
inline u16x8 least(u16x8 a, u16x8 b) { return wasm_u16x8_min(a.v, b.v); }
inline u16x8 one_more_if_above(u16x8 a, u16x8 x, u16x8 y) {
  return wasm_i16x8_sub_sat(a.v, wasm_i16x8_gt(x.v, y.v));
}
template <>
struct HalvesOf<f32x4> {
  using type = u16x8;
};
#endif

template <class V>
using Halves = typename HalvesOf<V>::type;

}  // namespace simdescent
