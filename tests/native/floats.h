// Floats as the tests see them: compared by their bits, listed where arithmetic has corners, and drawn at
// random from a generator that is the same on every machine.
#pragma once
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace simdescent::tests {

// The sanitized build takes a hundred times as long for an element: where the optimized one tries every mix,
// it tries one of so many, another for each rule.
#ifdef NDEBUG
constexpr uint32_t mixes_apart = 1;
#else
constexpr uint32_t mixes_apart = 5;
#endif

using Floats = std::vector<float>;

inline uint32_t bits(float x) { return std::bit_cast<uint32_t>(x); }
inline float from_bits(uint32_t x) { return std::bit_cast<float>(x); }

// A NaN equals a NaN whatever its sign and payload, which no standard fixes; -0 and 0 differ.
inline bool same(float a, float b) { return std::isnan(a) ? std::isnan(b) : bits(a) == bits(b); }

inline std::string shown(float x) {
  char text[64];
  std::snprintf(text, sizeof text, "%.9g (%08x)", double(x), bits(x));
  return text;
}

inline ::testing::AssertionResult same(std::span<const float> got, std::span<const float> expected) {
  if (got.size() != expected.size()) {
    return ::testing::AssertionFailure() << got.size() << " floats instead of " << expected.size();
  }
  for (size_t i = 0; i < got.size(); i++) {
    if (!same(got[i], expected[i])) {
      return ::testing::AssertionFailure() << "element " << i << " of " << got.size() << ": got "
                                           << shown(got[i]) << ", expected " << shown(expected[i]);
    }
  }
  return ::testing::AssertionSuccess();
}

inline constexpr float infinity = std::numeric_limits<float>::infinity();

// Zeros, NaNs of both signs, the ends of the denormal and normal ranges, overflow, and neighbours whose sums
// and products fall on a tie or just beside one.
inline const Floats special = [] {
  Floats list;
  for (const uint32_t magnitude : {
           0x00000000u, 0x00000001u, 0x00000003u, 0x007fffffu,  // zero, denormals
           0x00800000u, 0x00800001u, 0x1e3ce508u,               // smallest normals, 1e-20
           0x33800000u, 0x33800001u, 0x34000000u, 0x33c00000u,  // 2^-24, next, 2^-23, 1.5 * 2^-24
           0x3eaaaaabu, 0x3f000000u, 0x3f7fffffu, 0x3f800000u, 0x3f800001u,  // round a third, a half, one
           0x3f800800u, 0x3f801000u, 0x40000000u, 0x40400000u,               // 1 + 2^-12: its square is a tie
           0x4b7fffffu, 0x4b800000u, 0x4b800001u,                            // where units end
           0x5f7fffffu, 0x5f800000u, 0x7f7fffffu,                            // squares overflow; the largest
           0x7f800000u, 0x7fc00000u, 0x7fc12345u,                            // infinity, NaN, another NaN
       }) {
    list.push_back(from_bits(magnitude));
    list.push_back(from_bits(magnitude | 0x80000000u));
  }
  return list;
}();

class Random {
 public:
  explicit Random(uint32_t seed) : next_(seed) {}

  // Any bit pattern at all.
  float any() { return from_bits(uint32_t(next_())); }
  // In [-1, 1), in steps of 2^-23.
  float unit() { return float(int32_t(next_())) * 0x1p-31f; }
  uint32_t below(uint32_t n) { return uint32_t(next_() % n); }

  Floats units(size_t n) {
    Floats list(n);
    for (float& x : list) x = unit();
    return list;
  }
  // Every few elements one of the special values.
  Floats mixed(size_t n) {
    Floats list = units(n);
    for (float& x : list) {
      if (below(3) == 0) x = special[below(uint32_t(special.size()))];
    }
    return list;
  }

 private:
  std::mt19937 next_;
};

}  // namespace simdescent::tests
