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

// The top half after adding `dither` (below 2^16) to the lower one, which leaves an infinity as it is. A NaN
// stays one.
template <class V>
[[gnu::always_inline]] inline Bits<V> upper_half(V x, Bits<V> dither) {
  return ((bits(x) + dither) | is_nan(x)) >> 16;
}

template <class V>
[[gnu::always_inline]] inline Bits<V> nearest_half(V x) {
  return upper_half<V>(x, ((bits(x) >> 16) & Bits<V>(1)) + Bits<V>(0x7fff));
}

// The chance of a step: the upper half of (x ^ seed) * factor is a multiplicative hash of a value
// (Dietzfelbinger et al. 1997), whose odd factor is drawn as well. Neither is a constant, because engines
// make one anew for each use.
struct Chance {
  uint32_t seed, factor;

  template <class U>
  [[gnu::always_inline]] static U mixed(U h) {  // MurmurHash3's finalizer
    h = (h ^ h >> 16) * U(0x85ebca6bu);
    h = (h ^ h >> 13) * U(0xc2b2ae35u);
    return h ^ h >> 16;
  }
  template <class V>
  [[gnu::always_inline]] static Bits<V> seed_of(V step) {
    return mixed(bits(step));
  }
  template <class U>
  [[gnu::always_inline]] static U factor_of(U seed) {
    return mixed(seed + U(1)) | U(1);
  }
  [[gnu::always_inline]] static Chance of(float step) {
    const u32x1 seed = seed_of(f32x1(step));
    return {seed.v, factor_of(seed).v};
  }
};

template <class V>
[[gnu::always_inline]] inline Bits<V> half_at(V x, Bits<V> seed, Bits<V> factor) {
  return upper_half<V>(x, ((bits(x) ^ seed) * factor) >> 16);
}

template <class V>
[[gnu::always_inline]] inline V of_half(Bits<V> half) {
  return of_bits(half << 16);
}
template <class V>
[[gnu::always_inline]] inline V load_half(const uint16_t* p) {
  return of_half<V>(Bits<V>::load16(p));
}

// ——— int8

// The 256 values of a map, as bitsandbytes' create_dynamic_map has them, in ascending order, and what finds
// the nearest one: the code of the least float of a cell, and the border to the next one, of which a cell has
// one at most. Floats are compared by keys, integers in the same order. Tables are made when they are first
// needed, in memory that the host gives: a module without one of its own has no place for them.
struct DynamicMap {
  static constexpr int cell_bits = 15;            // of a float that do not matter for its cell
  static constexpr uint32_t lowest = 104u << 23;  // 2^-23, less than half of the least value above 0
  static constexpr uint32_t top = 127u << 23;     // 1
  static constexpr uint32_t cells = ((top - lowest) >> cell_bits) + 1;  // of each sign

  float value[256];  // of the block's largest magnitude
  int32_t border[257];
  uint8_t first[2 * cells];  // those of negative floats after the others

  template <class V>
  [[gnu::always_inline]] static Bits<V> key(V x) {
    return bits(x) ^ (above(Bits<V>(0), bits(x)) >> 1);
  }
  template <class V>
  [[gnu::always_inline]] static Bits<V> cell(V x) {
    using U = Bits<V>;
    const U over = (bits(x) & U(0x7fffffff)) - U(lowest);
    return ((over & above(over, U(0))) >> cell_bits) + (above(U(0), bits(x)) & U(cells));
  }
  [[gnu::always_inline]] uint8_t code(uint32_t cell, uint32_t key) const {
    const uint32_t k = first[cell];
    return uint8_t(k + uint32_t(int32_t(key) >= border[k + 1]));
  }

  // Seven decades from 1e-6 on: of 2^i values each (twice as many where there are no negative ones) in the
  // middle of equal parts; and 0, and 1.
  void make(bool is_signed) {
    const uint32_t zero = is_signed ? 127 : 0;
    uint32_t k = zero;
    value[k++] = 0;
    double ten = 1e-6;
    for (uint32_t count = is_signed ? 1 : 2; k < 255; count *= 2, ten *= 10) {
      for (uint32_t i = 0; i < count; i++) value[k++] = float(ten * (0.1 + 0.9 * (i + 0.5) / count));
    }
    value[k] = 1;
    for (k = 0; k < zero; k++) value[k] = -value[2 * zero - k];
    for (k = 1; k < 256; k++) border[k] = int32_t(key(f32x1(float((double(value[k - 1]) + value[k]) / 2))).v);
    border[256] = INT32_MAX;
    k = 0;
    for (uint32_t i = 0; i < 2 * cells; i++) {  // in ascending order of floats
      const bool negative = i < cells;
      const uint32_t c = negative ? cells - 1 - i : i - cells, from = lowest + (c << cell_bits);
      const uint32_t least = negative ? 0x80000000u | (from + (1u << cell_bits) - 1) : c ? from : 0;
      while (border[k + 1] <= int32_t(key(of_bits(u32x1(least))).v)) k++;
      first[negative ? cells + c : c] = uint8_t(k);
    }
  }
};

struct DynamicMaps {
  DynamicMap of_signed, of_positive;
  uint32_t made;
  alignas(16) uint32_t cells[block_size];  // of the elements of a block

  const DynamicMap& of(bool is_signed) {
    constexpr uint32_t mark = 0x6d617073;
    if (made != mark) of_signed.make(true), of_positive.make(false), made = mark;
    return is_signed ? of_signed : of_positive;
  }
};

// What elements are divided by, of a block whose largest magnitude is `scale`. Of one that is 0 all values
// are 0; one that is not finite makes them NaN whatever their codes.
template <class V>
[[gnu::always_inline]] inline V divisor_of(V scale) {
  using U = Bits<V>;
  const U infinity(0x7f800000u), usable = above(bits(scale), U(0)) & above(infinity, bits(scale));
  return of_bits((bits(scale) & usable) | (infinity & (usable ^ U(~0u))));
}
template <class V>
[[gnu::always_inline]] inline V relative(V x, V divisor) {
  return at_most(V(1.f), x / divisor);
}
template <class V>
[[gnu::always_inline]] inline V of_relative(V value, V scale) {
  return value * scale + V(0.f);  // no -0 of a fresh block
}

// n elements, which are used up.
inline void narrow_block(DynamicMaps& maps, bool is_signed, float* from, uint32_t n, float* block) {
  Lanes most(0.f);
  f32x1 rest(0.f);
  uint32_t i = 0;
  for (; i + Lanes::lanes <= n; i += Lanes::lanes) most = max_magnitude(most, Lanes::load(from + i));
  for (; i < n; i++) rest = max_magnitude(rest, f32x1::load(from + i));
  const float scale = max_magnitude(f32x1(largest(most)), rest).v;
  *block = scale;
  const float divisor = divisor_of(f32x1(scale)).v;
  const DynamicMap& map = maps.of(is_signed);
  uint32_t* const cells = maps.cells;
  over(
      n, [=]<class V>(V, uint32_t k) __attribute__((always_inline)) {
        const V x = relative(V::load(from + k), V(divisor));
        of_bits(DynamicMap::cell(x)).store(reinterpret_cast<float*>(cells + k));
        of_bits(DynamicMap::key(x)).store(from + k);
      });
  uint8_t* const codes = reinterpret_cast<uint8_t*>(block + 1);
  for (i = 0; i < n; i++) codes[i] = map.code(cells[i], bits(f32x1(from[i])).v);
}

inline void widen_block(const DynamicMap& map, const float* block, uint32_t n, float* to) {
  const float scale = *block;
  const uint8_t* const codes = reinterpret_cast<const uint8_t*>(block + 1);
  for (uint32_t i = 0; i < n; i++) to[i] = of_relative(f32x1(map.value[codes[i]]), f32x1(scale)).v;
}

// ——— Whichever it is, n elements from a multiple of `block_size` on.

[[gnu::noinline]] inline void widen(DynamicMaps& maps, Storage storage, bool is_signed, const float* from,
                                    uint32_t n, float* to) {
  if (storage == Storage::bfloat16) {
    const uint16_t* const halves = reinterpret_cast<const uint16_t*>(from);
    over(
        n, [=]<class V>(V, uint32_t i)
               __attribute__((always_inline)) { load_half<V>(halves + i).store(to + i); });
    return;
  }
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
    const Chance chance = Chance::of(step);
    if (step == 0) {
      over(
          n, [=]<class V>(V, uint32_t i)
                 __attribute__((always_inline)) { nearest_half(V::load(from + i)).store16(halves + i); });
    } else {
      over(
          n, [=]<class V>(V, uint32_t i) __attribute__((always_inline)) {
            half_at(V::load(from + i), Bits<V>(chance.seed), Bits<V>(chance.factor)).store16(halves + i);
          });
    }
    return;
  }
  for (uint32_t i = 0; i < n; i += block_size, to += block_floats) {
    const uint32_t count = n - i < block_size ? n - i : block_size;
    narrow_block(maps, is_signed, from + i, count, to);
  }
}

}  // namespace simdescent
