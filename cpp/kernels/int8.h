// int8: the block-wise dynamic quantization of "8-bit Optimizers via Block-wise Quantization" (Dettmers et
// al. 2022, sections 2.1 and 2.2): values relative to the largest magnitude of a block of 256, by a map that
// is exponential in decades and linear within one. Slots that are never below zero have the unsigned map.
// Here is one block; it knows no slot and no row.
#pragma once
#include <cstdint>

#include "kernels/over.h"
#include "simd/bits.h"

namespace simdescent {

// The 256 values of a map, as bitsandbytes' create_dynamic_map has them, in ascending order, and what finds
// the nearest one. What is looked up, y, is relative to the largest magnitude. Its key is an integer in the
// order of the floats from -1 to 1 (unsigned: from 0), without those too close to 0 to matter. Keys that
// begin with the same bits are a cell, so small that it has one border between two values at most; and its
// word is such that (word + key) >> 24 is the code: at the border the sum carries into the upper byte. Tables
// are made when they are first needed, in memory that the host gives: a module without one of its own has no
// place for them.
struct DynamicMap {
  static constexpr uint32_t lowest = 104u << 23, one = 127u << 23;  // 2^-23: less than half of any value
  static constexpr uint32_t cells = ((one - lowest) >> 17) + 1;  // of each sign; unsigned, of half the size

  float value[256];
  uint32_t word[2 * cells];

  // The bits of a key that do not matter for its cell.
  static constexpr int cell_bits(bool is_signed) { return is_signed ? 17 : 16; }
  // The word of key 0.
  const uint32_t* words(bool is_signed) const { return is_signed ? word + cells : word; }

  template <bool is_signed, class V>
  [[gnu::always_inline]] static Bits<V> key(V y) {
    const V from_zero = is_signed ? abs(y) : y;
    const Bits<V> k = bits(at_least(of_bits(Bits<V>(lowest)), from_zero)) - Bits<V>(lowest);
    return is_signed ? k ^ above(Bits<V>(0), bits(y)) : k;
  }
  template <bool is_signed, class V>
  [[gnu::always_inline]] static Bits<V> code(const uint32_t* words, V y) {
    const Bits<V> k = key<is_signed>(y);
    return (gather(words, signed_shift(k, cell_bits(is_signed))) + k) >> 24;
  }

  // The least key of a code above 0.
  template <bool is_signed>
  int32_t border(uint32_t code) const {
    return int32_t(key<is_signed>(f32x1(float((double(value[code - 1]) + value[code]) / 2))).v);
  }

  // Seven decades from 1e-6 on: of 2^i values each (twice as many where there are no negative ones) in the
  // middle of equal parts; and 0, and 1.
  template <bool is_signed>
  void make() {
    constexpr uint32_t zero = is_signed ? 127 : 0;
    uint32_t k = zero;
    value[k++] = 0;
    double ten = 1e-6;
    for (uint32_t count = is_signed ? 1 : 2; k < 255; count *= 2, ten *= 10) {
      for (uint32_t i = 0; i < count; i++) value[k++] = float(ten * (0.1 + 0.9 * (i + 0.5) / count));
    }
    value[k] = 1;
    for (k = 0; k < zero; k++) value[k] = -value[2 * zero - k];
    constexpr int32_t size = 1 << cell_bits(is_signed);
    int32_t least = is_signed ? -int32_t(cells) * size : 0;  // of a cell
    k = 0;
    for (uint32_t& w : word) {
      while (k < 255 && border<is_signed>(k + 1) <= least) k++;
      const bool crossed = k < 255 && border<is_signed>(k + 1) < least + size;
      w = crossed ? ((k + 1) << 24) - uint32_t(border<is_signed>(k + 1)) : (k << 24) - uint32_t(least);
      least += size;
    }
  }
};

struct DynamicMaps {
  DynamicMap of_signed, of_positive;
  uint32_t made;

  const DynamicMap& of(bool is_signed) {
    constexpr uint32_t mark = 0x6d617073;
    if (made != mark) of_signed.make<true>(), of_positive.make<false>(), made = mark;
    return is_signed ? of_signed : of_positive;
  }
};

// The largest magnitude of n elements; a NaN is larger than any.
inline float largest_magnitude(const float* x, uint32_t n) {
  constexpr uint32_t width = Lanes::lanes;
  Bits<Lanes> most(0u), others(0u);  // without signs: these are shifted out
  u32x1 rest(0);
  uint32_t i = 0;
  for (; i + 2 * width <= n; i += 2 * width) {
    most = larger(most, bits(Lanes::load(x + i)) << 1);
    others = larger(others, bits(Lanes::load(x + i + width)) << 1);
  }
  for (; i < n; i++) rest = larger(rest, bits(f32x1(x[i])) << 1);
  return of_bits(larger(u32x1(largest(larger(most, others))), rest) >> 1).v;
}

// What elements are multiplied by, relative to the largest magnitude of their block: first by a power of two,
// where a reciprocal would be infinite, or short of bits, and then by the reciprocal of what that makes of
// `scale`.
template <class V>
[[gnu::always_inline]] inline V unit_of(V scale) {
  const V small = if_positive(V(0x1p-120f) - scale, V(0x1p60f), V(1.f));
  return if_positive(scale - V(0x1p120f), V(0x1p-60f), small);
}
template <class V>
[[gnu::always_inline]] inline V inverse_of(V scale) {
  return if_positive(scale, V(1.f) / scale, V(0.f));
}
// And back.
template <class V>
[[gnu::always_inline]] inline V of_relative(V value, V scale) {
  return value * scale + V(0.f);  // no -0 of a fresh block
}

template <bool is_signed>
[[gnu::always_inline]] inline void encode(const DynamicMap& map, const float* from, uint32_t n, float inverse,
                                          uint8_t* codes) {
  const uint32_t* const words = map.words(is_signed);
  over(
      n, [=]<class V>(V, uint32_t i) __attribute__((always_inline)) {
        DynamicMap::code<is_signed>(words, V::load(from + i) * V(inverse)).store8(codes + i);
      });
}

// n elements, which are used up.
inline void narrow_block(DynamicMaps& maps, bool is_signed, float* from, uint32_t n, float* block) {
  const float scale = largest_magnitude(from, n);
  const bool is_finite = scale - scale == 0;
  *block = is_finite ? scale : __builtin_nanf("");  // one NaN on every machine
  if (!is_finite) return;                           // the block is NaN, whatever its codes
  const float unit = unit_of(f32x1(scale)).v, inverse = inverse_of(f32x1(scale * unit)).v;
  if (unit != 1) {
    for (uint32_t i = 0; i < n; i++) from[i] *= unit;
  }
  uint8_t* const codes = reinterpret_cast<uint8_t*>(block + 1);
  const DynamicMap& map = maps.of(is_signed);
  is_signed ? encode<true>(map, from, n, inverse, codes) : encode<false>(map, from, n, inverse, codes);
}

inline void widen_block(const DynamicMap& map, const float* block, uint32_t n, float* to) {
  const float scale = *block;
  const float* const value = map.value;
  const uint8_t* const codes = reinterpret_cast<const uint8_t*>(block + 1);
  over(
      n, [=]<class V>(V, uint32_t i) __attribute__((always_inline)) {
        of_relative(look_up<V>(value, codes + i), V(scale)).store(to + i);
      });
}

}  // namespace simdescent
