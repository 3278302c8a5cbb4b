// Float arrays in the engine's memory, and the tiles through which arrays of a foreign heap pass.
// Large arrays start at a page offset of their own per role: four arrays at one page offset, a multiple of
// 128 MiB apart, defeat the way predictor of some caches, and some destinations make their memcpy slow.
#pragma once
#include <cstdint>

#include "kernels/table.h"

namespace simdescent {

enum class Role : uint32_t { weights, gradient, slot0, slot1, slot2, accumulator, average };

// Zeroed; nullptr if there is no room. `n` floats, also to be given back with `release`.
float* allocate(uint32_t n, Role role);
void release(float* array, uint32_t n);

// Whether so many bytes could be had in one piece. What has no other way to fail than a trap asks before.
bool has_room(uint32_t bytes);

float* weights_tile();
float* gradient_tile();

}  // namespace simdescent
