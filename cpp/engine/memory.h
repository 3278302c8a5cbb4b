// Float arrays in the engine's memory, and the tiles through which arrays of a foreign heap pass.
// Large arrays start at a page offset of their own per role: four arrays at one page offset, a multiple of
// 128 MiB apart, defeat the way predictor of some caches, and some destinations make their memcpy slow.
#pragma once
#include <cstdint>
#include <iterator>

#include "kernels/table.h"

namespace simdescent {

enum class Role : uint32_t { weights, gradient, accumulator, average, slots };
constexpr Role slot_role(size_t k) { return Role(uint32_t(Role::slots) + uint32_t(k)); }

inline constexpr uint32_t page = 4096;  // bytes

// Where in a page a large array starts, in bytes.
constexpr uint32_t page_offset(Role role) {
  constexpr uint32_t of_others[] = {3072, 1024, 1536, 2560}, of_slots[] = {0, 2048, 512, 3584};
  const uint32_t k = uint32_t(role), first = uint32_t(Role::slots);
  return k < first ? of_others[k] : of_slots[(k - first) % std::size(of_slots)];
}

// Zeroed; nullptr if there is no room. `n` floats, also to be given back with `release`.
float* allocate(uint32_t n, Role role);
void release(float* array, uint32_t n);

// Whether so many bytes could be had in one piece. What has no other way to fail than a trap asks before.
bool has_room(uint32_t bytes);

float* weights_tile();
float* gradient_tile();
extern Scratch scratch;  // one step is made at a time

}  // namespace simdescent
