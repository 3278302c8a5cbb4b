// The loop over elements that need no scalars of a row: as many at a time as fill so many vectors, then one
// by one. Loops over a row are sweep.h's.
#pragma once
#include <cstdint>

#include "simd/lanes.h"

namespace simdescent {

// f(lanes, index) over n elements.
template <uint32_t vectors = 1, class F>
[[gnu::always_inline]] inline void over(uint32_t n, F f) {
  constexpr uint32_t width = Lanes::lanes * vectors;
  uint32_t i = 0;
  for (; i + width <= n; i += width) f(Lanes(0.f), i);
  for (; i < n; i++) f(f32x1(0.f), i);
}

}  // namespace simdescent
