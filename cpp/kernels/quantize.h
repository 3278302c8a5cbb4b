// How elements of a slot that lie in fewer bits (storage.h) become float32 and back. What a rule does with
// them in between is narrow.h.
//
// bfloat16 rounds stochastically at a step: a second moment moves by a thousandth of itself, less than half a
// unit of eight bits, and would stand still. The chance comes from the step and the value itself, so that
// neither the place of an element nor the thread matters, and equal elements stay equal.
//
// int8 is the block-wise dynamic quantization of "8-bit Optimizers via Block-wise Quantization" (Dettmers et
// al. 2022, sections 2.1 and 2.2): values relative to the largest magnitude of a block of 256, by a map that
// is exponential in decades and linear within one. Slots that are never below zero have the unsigned map.
#pragma once
#include <cstdint>

#include "kernels/storage.h"
#include "simd/bits.h"

namespace simdescent {

// f(lanes, index) over n elements, a vector at a time, then one by one.
template <class F>
[[gnu::always_inline]] inline void over(uint32_t n, F f) {
  uint32_t i = 0;
  for (; i + Lanes::lanes <= n; i += Lanes::lanes) f(Lanes(0.f), i);
  for (; i < n; i++) f(f32x1(0.f), i);
}

// ——— bfloat16: the upper half of a float32.

// It is rounded up where the lower half is above a threshold, both shifted so that they are signed. What is
// exact stays so, an infinity too. A NaN stays one: no upper half of ones only becomes one more, and
// arithmetic leaves none whose payload is in the lower half alone.
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

// f(lanes, index) over n elements, as many at a time as fill a vector of halves, then one by one.
template <class F>
[[gnu::always_inline]] inline void over_halves(uint32_t n, F f) {
  constexpr uint32_t width = Lanes::lanes * Halves<Lanes>::vectors;
  uint32_t i = 0;
  for (; i + width <= n; i += width) f(Lanes(0.f), i);
  for (; i < n; i++) f(f32x1(0.f), i);
}

// n elements; `threshold` is Nearest or a Chance.
template <class F>
[[gnu::always_inline]] inline void narrow_halves(const float* from, uint32_t n, F threshold, uint16_t* to) {
  over_halves(
      n, [=]<class V>(V, uint32_t i) __attribute__((always_inline)) {
        V x[Halves<V>::vectors];
        for (uint32_t k = 0; k < Halves<V>::vectors; k++) x[k] = V::load(from + i + k * V::lanes);
        rounded<V>(x, threshold).store(to + i);
      });
}

inline void widen_halves(const uint16_t* from, uint32_t n, float* to) {
  over_halves(
      n, [=]<class V>(V, uint32_t i) __attribute__((always_inline)) {
        V x[Halves<V>::vectors];
        Halves<V>::load(from + i).floats(x);
        for (uint32_t k = 0; k < Halves<V>::vectors; k++) x[k].store(to + i + k * V::lanes);
      });
}

// ——— int8

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
  *block = scale + (scale - scale);
  if (!(scale - scale == 0)) return;  // the block is NaN, whatever its codes
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

// ——— Whichever it is, n elements from a multiple of `block_size` on.

[[gnu::noinline]] inline void widen(DynamicMaps& maps, Storage storage, bool is_signed, const float* from,
                                    uint32_t n, float* to) {
  if (storage == Storage::bfloat16) return widen_halves(reinterpret_cast<const uint16_t*>(from), n, to);
  for (uint32_t i = 0; i < n; i += block_size, from += block_floats) {
    const uint32_t count = n - i < block_size ? n - i : block_size;
    widen_block(maps.of(is_signed), from, count, to + i);
  }
}

// At a step, by whose number bfloat16 is rounded; 0: to the nearest. What is narrowed is used up.
[[gnu::noinline]] inline void narrow(DynamicMaps& maps, Storage storage, bool is_signed, float* from,
                                     uint32_t n, float* to, float step) {
  if (storage == Storage::bfloat16) {
    uint16_t* const halves = reinterpret_cast<uint16_t*>(to);
    if (step == 0) return narrow_halves(from, n, Nearest{}, halves);
    return narrow_halves(from, n, Chance::of(step), halves);
  }
  for (uint32_t i = 0; i < n; i += block_size, to += block_floats) {
    const uint32_t count = n - i < block_size ? n - i : block_size;
    narrow_block(maps, is_signed, from + i, count, to);
  }
}

}  // namespace simdescent
