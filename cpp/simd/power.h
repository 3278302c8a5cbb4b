// a^b, computed in double to some 1e-14: in float that is within half a unit and a few millionths. Its own,
// because the C library's has tables: the memory-less module has no place for them, and they would be a fifth
// of the engine.
#pragma once
#include <bit>
#include <cstdint>

namespace simdescent {

// For a >= 0; anything else is NaN. What a float cannot hold is infinite, or 0.
[[gnu::noinline]] inline double power_of(double a, double b) {
  if (b == 0) return 1;
  if (!(a >= 0) || b != b) return __builtin_nan("");
  if (a == 0) return b > 0 ? 0 : __builtin_inf();
  if (a == __builtin_inf()) return b > 0 ? __builtin_inf() : 0;
  // a = 2^e * m with m in [sqrt(1/2), sqrt(2)), and log2(m) = 2 / ln 2 * atanh((m - 1) / (m + 1)).
  const uint64_t bits = std::bit_cast<uint64_t>(a);
  constexpr uint64_t middle = 0x3fe6a09e667f3bcdull;  // sqrt(1/2)
  const int64_t e = int64_t(bits - middle) >> 52;
  const double m = std::bit_cast<double>(bits - (uint64_t(e) << 52));
  const double s = (m - 1) / (m + 1), q = s * s;
  double series = 0;
  for (int k = 21; k >= 1; k -= 2) series = series * q + 1.0 / k;
  const double exponent = b * (double(e) + 2.8853900817779268 * s * series);
  if (exponent >= 128) return __builtin_inf();
  if (exponent < -151) return 0;
  // 2^exponent = 2^n * e^(r ln 2) with r in [-1/2, 1/2].
  const int64_t n = int64_t(exponent + (exponent < 0 ? -0.5 : 0.5));
  const double r = (exponent - double(n)) * 0.6931471805599453;
  double value = 1;
  for (int k = 13; k >= 1; k--) value = 1 + value * r / k;
  return value * std::bit_cast<double>(uint64_t(n + 1023) << 52);
}

}  // namespace simdescent
