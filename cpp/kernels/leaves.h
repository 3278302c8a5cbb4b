// The leaves of numpy's order of summation (reduce.h) in a piece: where they begin and end, and what a loop
// leaves of each, to be joined and added up once it is through all of them. Joined as it goes, each leaf
// would stop the arithmetic round its loop. It sums nothing by itself.
#pragma once
#include <cstdint>

#include "simd/lanes.h"

namespace simdescent {

// How many elements the leaf has that begins at element `at` of n: 64 to 128, or n. `depth` is how many sums
// wait for its own to be added, `ends` to how many of them it is.
[[gnu::always_inline]] inline uint32_t leaf_at(uint32_t at, uint32_t n, uint32_t& depth, uint32_t& ends) {
  depth = ends = 0;
  while (n > 128) {
    const uint32_t half = n / 2 - n / 2 % 8;
    if (at < half) {
      n = half, ends = 0;
    } else {
      at -= half, n -= half, depth++, ends++;
    }
  }
  return n;
}

// Eight running sums of three kinds; and how many sums end with this leaf.
struct alignas(16) Leaf {
  float gradient[8], update[8], weights[8];
  uint32_t ends;
};

// Four sums: of gradients twice, updates and weights, as in Tally.
struct Four {
  static constexpr uint32_t width = Lanes::lanes, vectors = 4 / width;
  Lanes v[vectors];

  static Four load(const float* x) {
    Four r;
    for (uint32_t k = 0; k < vectors; k++) r.v[k] = Lanes::load(x + k * width);
    return r;
  }
  void store(float* x) const {
    for (uint32_t k = 0; k < vectors; k++) v[k].store(x + k * width);
  }
  void operator+=(const Four& more) {
    for (uint32_t k = 0; k < vectors; k++) v[k] = v[k] + more.v[k];
  }
};

// The sums of the leaves up to `end`, into four floats. Behind the last one are `rest` elements that filled
// no vector, each as four squares. What waits to be added is kept in leaves that are done.
[[gnu::noinline]] inline void add_up(Leaf* leaf, const Leaf* end, uint32_t rest, float* out) {
  Four sum;
  for (Leaf* waiting = leaf;; waiting++) {
    join(leaf->gradient, leaf->gradient, leaf->update, leaf->weights, sum.v);
    const uint32_t ends = leaf++->ends;
    if (leaf == end) {
      for (; rest > 0; rest--) sum += Four::load(leaf++->gradient);
    }
    for (uint32_t k = ends; k > 0; k--) {
      Four before = Four::load((--waiting)->gradient);
      before += sum, sum = before;
    }
    if (leaf >= end) break;
    sum.store(waiting->gradient);
  }
  sum.store(out);
}

}  // namespace simdescent
