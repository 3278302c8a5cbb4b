// One variable's part in a step: what the caller writes into the list (Optimizer::reserve) before `begin`.
#pragma once
#include <cstdint>

namespace simdescent {

// `g` null: the gradient comes through the gradient tile, by `chunk`.
struct Entry {
  uint32_t row;
  const float* g;
  float
      sum_of_squares;  // of the gradient that clipping sees; the caller fills it in where `g` is out of reach
  uint32_t clipped;    // not 0: already clipped by the caller
  uint32_t partial = 0;  // not 0: some of its elements are stepped, by any chunks, and nothing is told of it
};

}  // namespace simdescent
