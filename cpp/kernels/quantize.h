// How elements of a slot that lie in fewer bits (storage.h) become float32 and back, by whichever of
// bfloat16.h and int8.h it is. What a rule does with them in between is narrow.h.
#pragma once
#include <cstdint>

#include "kernels/bfloat16.h"
#include "kernels/int8.h"
#include "kernels/storage.h"

namespace simdescent {

// n elements from a multiple of `block_size` on.
[[gnu::noinline]] inline void widen(DynamicMaps& maps, Storage storage, bool is_signed, const float* from,
                                    uint32_t n, float* to) {
  if (storage == Storage::bfloat16) return widen_halves(reinterpret_cast<const uint16_t*>(from), n, to);
  for (uint32_t i = 0; i < n; i += block_size, from += block_floats) {
    const uint32_t count = n - i < block_size ? n - i : block_size;
    widen_block(maps.of(is_signed), from, count, to + i);
  }
}

// What is narrowed is used up.
[[gnu::noinline]] inline void narrow_blocks(DynamicMaps& maps, bool is_signed, float* from, uint32_t n,
                                            float* to) {
  for (uint32_t i = 0; i < n; i += block_size, to += block_floats) {
    const uint32_t count = n - i < block_size ? n - i : block_size;
    narrow_block(maps, is_signed, from + i, count, to);
  }
}

// At a step, by whose number bfloat16 is rounded. Every number is one: 0, too.
[[gnu::noinline]] inline void narrow(DynamicMaps& maps, Storage storage, bool is_signed, float* from,
                                     uint32_t n, float* to, float step) {
  if (storage == Storage::int8) return narrow_blocks(maps, is_signed, from, n, to);
  narrow_halves(from, n, Chance::of(step), reinterpret_cast<uint16_t*>(to));
}

// Outside of one: what is written there is known, and comes as near as it can.
inline void narrow_to_nearest(DynamicMaps& maps, Storage storage, bool is_signed, float* from, uint32_t n,
                              float* to) {
  if (storage == Storage::int8) return narrow_blocks(maps, is_signed, from, n, to);
  narrow_halves(from, n, Nearest{}, reinterpret_cast<uint16_t*>(to));
}

}  // namespace simdescent
