#include "engine/cosine.h"

#include <bit>
#include <cstdint>

namespace simdescent {
namespace {

// The bits of 2 / pi from weight 2^63 on, as far as the largest float needs them.
constexpr uint32_t two_over_pi[] = {0,          0,          0xA2F9836E, 0x4E441529, 0xFC2757D1,
                                    0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB};
constexpr double half_pi = 1.57079632679489661923;

// x * 2 / pi modulo 4, in units of 2^-62: what lies above, and below 2^-70, changes nothing. x = m * 2^e.
uint64_t quarters(uint64_t m, int e) {
  const uint32_t first = uint32_t(e + 62), shift = first % 32;
  const uint32_t* const at = two_over_pi + first / 32;
  const auto word = [=](int k) { return ((uint64_t(at[k]) << 32 | at[k + 1]) << shift) >> 32; };
  return (m * word(0) << 32) + m * word(1) + (m * word(2) >> 32);
}

// On [-pi / 4, pi / 4], the polynomials of FreeBSD's k_cosf.c and k_sinf.c.
double near_cosine(double x) {
  const double z = x * x, w = z * z, r = -0x16c087e80f1e27p-62 + z * 0x199342e0ee5069p-68;
  return ((1 + z * -0x1ffffffd0c5e81p-54) + w * 0x155553e1053a42p-57) + (w * z) * r;
}
double near_sine(double x) {
  const double z = x * x, w = z * z, s = z * x, r = -0x1a00f9e2cae774p-65 + z * 0x16cd878c3b46a7p-71;
  return (x + s * (-0x15555554cbac77p-55 + z * 0x111110896efbb2p-59)) + s * w * r;
}

}  // namespace

float cosine(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x) & 0x7fffffff;
  if (bits < 0x39800000) return 1;       // less than 2^-12
  if (bits >= 0x7f800000) return x - x;  // infinite, or NaN
  const uint64_t q = quarters((bits & 0x7fffff) | 0x800000, int(bits >> 23) - 150);
  const uint64_t nearest = (q + (uint64_t(1) << 61)) >> 62;
  const double y = double(int64_t(q - (nearest << 62))) * (half_pi * 0x1p-62);
  const double value = nearest & 1 ? -near_sine(y) : near_cosine(y);
  return float(nearest & 2 ? -value : value);
}

}  // namespace simdescent
