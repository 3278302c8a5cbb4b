// What the machine allows, to hold a step against: a loop with the memory traffic of Adam and next to no
// arithmetic, and loops with its divisions and roots and next to no traffic. Not part of the library; built
// as its kernel modules are, so that the same compiler and the same engine judge both.
#include <cstdint>

#include "simd/lanes.h"

using simdescent::Lanes;

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

// Loads w, g, m and v, stores w, m and v, one addition each: 28 bytes a parameter. n: a multiple of 4.
EXPORT(stream)
void stream(float* __restrict w, const float* __restrict g, float* __restrict m, float* __restrict v,
            uint32_t n, float c) {
  const Lanes k(c);
  for (uint32_t i = 0; i < n; i += Lanes::lanes) {
    (Lanes::load(w + i) + Lanes::load(g + i)).store(w + i);
    (Lanes::load(m + i) + k).store(m + i);
    (Lanes::load(v + i) + k).store(v + i);
  }
}

// The dividers work on n parameters, but load and store the same 1,024 again and again: first-level cache.
constexpr uint32_t block = 1024;

// One division and one square root a vector, as in Adam.
EXPORT(divide_root) void divide_root(float* __restrict out, const float* __restrict x, uint32_t n, float c) {
  const Lanes k(c);
  for (uint32_t i = 0; i < n; i += Lanes::lanes) {
    const uint32_t at = i % block;
    (k / sqrt(Lanes::load(x + at))).store(out + at);
  }
}

// One division a vector, as in Adamax.
EXPORT(divide) void divide(float* __restrict out, const float* __restrict x, uint32_t n, float c) {
  const Lanes k(c);
  for (uint32_t i = 0; i < n; i += Lanes::lanes) {
    const uint32_t at = i % block;
    (k / Lanes::load(x + at)).store(out + at);
  }
}
