// How the elements of a slot lie in memory: as float32, as bfloat16, or as 8 bits in blocks that share a scale; and how
// they become float32 and back. What a rule does with them in between is narrow.h.
//
// bfloat16 rounds stochastically at a step: a second moment moves by a thousandth of itself, less than half a unit of
// eight bits, and would stand still. The chance comes from the step and the value itself, so that neither the place of an
// element nor the thread matters, and equal elements stay equal.
//
// int8 is the block-wise dynamic quantization of "8-bit Optimizers via Block-wise Quantization" (Dettmers et al. 2022,
// sections 2.1 and 2.2): values relative to the largest magnitude of a block of 256, by a map that is exponential in
// decades from 1e-6 and linear within one, with an eighth (signed) or a quarter of 2^decade values each. Slots that are
// never below zero have the unsigned map. The map's values and the borders between them are maxima and minima of straight
// lines, which lanes compute where they could not look anything up.
#pragma once
#include <array>
#include <cstdint>

#include "kernels/rule.h"
#include "simd/bits.h"

namespace simdescent {

enum class Storage : uint32_t { float32, bfloat16, int8 };

inline constexpr uint32_t block_size = 256;               // elements that share a scale
inline constexpr uint32_t block_floats = block_size / 4 + 1;  // a float of scale before the codes

// The floats of memory that n elements take; of whole blocks also where element n is.
constexpr uint32_t stored_floats(Storage storage, uint32_t n) {
  switch (storage) {
    case Storage::float32:
      break;
    case Storage::bfloat16:
      return n / 2 + n % 2;
    case Storage::int8:
      return (n / block_size + (n % block_size != 0)) * block_floats;
  }
  return n;
}

// f(lanes, index) over n elements, a vector at a time, then one by one.
template <class F>
[[gnu::always_inline]] inline void over(uint32_t n, F f) {
  uint32_t i = 0;
  for (; i + Lanes::lanes <= n; i += Lanes::lanes) f(Lanes(0.f), i);
  for (; i < n; i++) f(f32x1(0.f), i);
}

// ——— bfloat16: the upper half of a float32.

// The top half after adding `dither` (below 2^16) to the lower one. What is not finite stays what it is.
template <class V>
[[gnu::always_inline]] inline Bits<V> upper_half(Bits<V> x, Bits<V> dither) {
  using U = Bits<V>;
  const U magnitude = x & U(0x7fffffffu);
  const U special = above(magnitude, U(0x7f7fffffu)), nan = above(magnitude, U(0x7f800000u));
  return (((x + (dither & (special ^ U(~0u)))) | (nan & U(0x00400000u)))) >> 16;
}

template <class V>
[[gnu::always_inline]] inline Bits<V> nearest_half(Bits<V> x) {
  using U = Bits<V>;
  return upper_half<V>(x, ((x >> 16) & U(1)) + U(0x7fff));
}

// Sixteen bits of chance for a value at a step: a multiplicative hash of both (the constants are odd and have bits in
// every octet).
template <class V>
[[gnu::always_inline]] inline Bits<V> chance(Bits<V> x, Bits<V> seed) {
  using U = Bits<V>;
  U h = (x ^ seed) * U(0x9e3779b1u);
  h = (h ^ (h >> 15)) * U(0x85ebca77u);
  return h >> 16;
}

// ——— int8

// The decades of a map: N values each, from code `first` on, in the middle of N equal parts of (0.1, 1) * 10^(i - 6).
struct Decade {
  double ten, count, first;  // 10^(i - 6), N, the code

  constexpr double value(double k) const { return ten * (0.1 + 0.9 * (k + 0.5) / count); }
};
template <bool is_signed>
constexpr Decade decade(int i) {
  double ten = 1e-6, count = is_signed ? 1 : 2, first = 1;
  for (; i > 0; i--) ten *= 10, first += count, count *= 2;
  return {ten, count, first};
}

// y = a * x + b
struct Line {
  float a, b;
  static constexpr Line through(double x0, double y0, double x1, double y1) {
    const double a = (y1 - y0) / (x1 - x0);
    return {float(a), float(y0 - a * x0)};
  }
};

// The line as constants of the code: a module without a memory of its own has no place to keep it.
template <Line line, class V>
[[gnu::always_inline]] inline V on(V x) {
  return x * V(line.a) + V(line.b);
}

inline constexpr int decades = 7;
template <bool is_signed>
inline constexpr float top_code = is_signed ? 128 : 255;  // of 1

// The values of a map, by code from 0 to the top: the largest of these lines, between 0 and 1.
template <bool is_signed>
inline constexpr auto value_lines = [] {
  std::array<Line, decades> lines{};
  for (int i = 0; i < decades; i++) {
    const Decade d = decade<is_signed>(i);
    lines[i] = Line::through(d.first, d.value(0), d.first + 1, d.value(1));
  }
  return lines;
}();

// The code whose value is nearest is the integer below the least of these lines. Two a decade: between its first values,
// where the border to the decade below lies in the middle of two values and not at the power of ten; and on.
template <bool is_signed>
inline constexpr auto code_lines = [] {
  std::array<Line, 2 * decades> lines{};
  for (int i = 0; i < decades; i++) {
    const Decade d = decade<is_signed>(i);
    const double below = i == 0 ? 0 : decade<is_signed>(i - 1).value(decade<is_signed>(i - 1).count - 1);
    const double border = (below + d.value(0)) / 2, next = d.ten * (0.1 + 0.9 / d.count);
    // The first one starts at 0: what is below the border has code 0.
    lines[2 * i] = i == 0 ? Line{float(1 / border), 0} : Line::through(border, d.first, next, d.first + 1);
    lines[2 * i + 1] = Line::through(d.ten * 0.1, d.first, d.ten, d.first + d.count);
  }
  return lines;
}();

// From here on, of a block's largest, it is the block's largest.
template <bool is_signed>
inline constexpr float top_border = [] {
  const Decade d = decade<is_signed>(decades - 1);
  return float((d.value(d.count - 1) + 1) / 2);
}();

// What a code of magnitude stands for, of the block's largest.
template <bool is_signed, class V>
[[gnu::always_inline]] inline V code_value(V code) {
  V x(0.f);
  [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    ((x = at_least(x, on<value_lines<is_signed>[K]>(code))), ...);
  }
  (std::make_index_sequence<decades>{});
  return at_most(x, V(1.f));
}

// The code of the nearest value, for x from 0 to 1.
template <bool is_signed, class V>
[[gnu::always_inline]] inline Bits<V> nearest_code(V x) {
  using U = Bits<V>;
  V least(top_code<is_signed>);
  [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    ((least = at_most(least, on<code_lines<is_signed>[K]>(x))), ...);
  }
  (std::make_index_sequence<2 * decades>{});
  const U code = to_integer(least), top(uint32_t(top_code<is_signed>));
  const U is_top = above(bits(x), bits(V(top_border<is_signed>)) - U(1));
  return code + (is_top & (top - code));
}

template <bool is_signed>
[[gnu::always_inline]] inline void pack_block(const float* from, uint32_t n, float* block) {
  Lanes most(0.f);
  f32x1 rest(0.f);
  uint32_t i = 0;
  for (; i + Lanes::lanes <= n; i += Lanes::lanes) most = max_magnitude(most, Lanes::load(from + i));
  for (; i < n; i++) rest = max_magnitude(rest, f32x1::load(from + i));
  const float scale = max_magnitude(f32x1(largest(most)), rest).v;
  *block = scale;
  uint8_t* const codes = reinterpret_cast<uint8_t*>(block + 1);
  const float divisor = scale > 0 ? scale : 1;
  over(
      n, [=]<class V>(V, uint32_t k) __attribute__((always_inline)) {
        using U = Bits<V>;
        const V x = V::load(from + k);
        U code = nearest_code<is_signed, V>(abs(x) / V(divisor));
        if constexpr (is_signed) {  // in ascending order round 127; below zero there is no 1
          const U negative = above(U(0), bits(x)), too_far = above(code, U(127));
          code = code + (negative & (too_far & (U(127) - code)));
          code = U(127) + ((code ^ negative) - negative);
        }
        code.store8(codes + k);
      });
}

template <bool is_signed>
[[gnu::always_inline]] inline void unpack_block(const float* block, uint32_t n, float* to) {
  const float scale = *block;
  const uint8_t* const codes = reinterpret_cast<const uint8_t*>(block + 1);
  over(
      n, [=]<class V>(V, uint32_t k) __attribute__((always_inline)) {
        using U = Bits<V>;
        U code = U::load8(codes + k);
        if constexpr (!is_signed) {
          (code_value<false, V>(to_float(code)) * V(scale)).store(to + k);
        } else {
          const U negative = above(U(127), code);
          code = (code - U(127) ^ negative) - negative;
          const V x = code_value<true, V>(to_float(code)) * V(scale);
          of_bits(bits(x) ^ ((negative & above(bits(x), U(0))) & U(0x80000000u))).store(to + k);
        }
      });
}

// ——— Whichever it is, n elements from a multiple of `block_size` on.

[[gnu::noinline]] inline void unpack(Storage storage, bool is_signed, const float* from, uint32_t n, float* to) {
  if (storage == Storage::bfloat16) {
    const uint16_t* const halves = reinterpret_cast<const uint16_t*>(from);
    over(
        n, [=]<class V>(V, uint32_t i) __attribute__((always_inline)) {
          of_bits(Bits<V>::load16(halves + i) << 16).store(to + i);
        });
    return;
  }
  for (uint32_t i = 0; i < n; i += block_size, from += block_floats) {
    const uint32_t count = n - i < block_size ? n - i : block_size;
    if (is_signed) {
      unpack_block<true>(from, count, to + i);
    } else {
      unpack_block<false>(from, count, to + i);
    }
  }
}

// At a step, whose number is the seed; 0: to the nearest.
[[gnu::noinline]] inline void pack(Storage storage, bool is_signed, const float* from, uint32_t n, float* to,
                                   float step) {
  if (storage == Storage::bfloat16) {
    uint16_t* const halves = reinterpret_cast<uint16_t*>(to);
    const uint32_t seed = bits(f32x1(step)).v * 0xc2b2ae3du;
    if (seed == 0) {
      over(
          n, [=]<class V>(V, uint32_t i) __attribute__((always_inline)) {
            nearest_half<V>(bits(V::load(from + i))).store16(halves + i);
          });
    } else {
      over(
          n, [=]<class V>(V, uint32_t i) __attribute__((always_inline)) {
            const Bits<V> x = bits(V::load(from + i));
            upper_half<V>(x, chance<V>(x, Bits<V>(seed))).store16(halves + i);
          });
    }
    return;
  }
  for (uint32_t i = 0; i < n; i += block_size, to += block_floats) {
    const uint32_t count = n - i < block_size ? n - i : block_size;
    if (is_signed) {
      pack_block<true>(from + i, count, to);
    } else {
      pack_block<false>(from + i, count, to);
    }
  }
}

}  // namespace simdescent
