// How the elements of a slot lie in memory. What is computed with them is always float32: quantize.h.
#pragma once
#include <cstdint>

namespace simdescent {

enum class Storage : uint32_t {
  float32,
  bfloat16,
  int8,  // codes in blocks, each with its largest magnitude before it
};

inline constexpr uint32_t block_size = 256;                   // elements that share a scale
inline constexpr uint32_t block_floats = 1 + block_size / 4;  // of memory

// The floats of memory that n elements take.
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

// Where element n of a slot is; of blocks, one begins there.
inline float* stored_at(Storage storage, float* slot, uint32_t n) {
  if (storage != Storage::bfloat16) return slot + stored_floats(storage, n);
  return reinterpret_cast<float*>(reinterpret_cast<uint16_t*>(slot) + n);
}

}  // namespace simdescent
