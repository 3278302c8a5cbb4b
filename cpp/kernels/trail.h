// What is told of a step of a variable whose slots are stored in blocks: its elements are stepped piece by
// piece, whole blocks each, and what they were like follows leaf by leaf of numpy's order (reduce.h), whose
// borders are no borders of blocks. What of a piece belongs to a leaf that goes on in the next one is kept
// for it, in `scratch`, also from one call to the next. It steps nothing by itself.
#pragma once
#include <cstdint>

#include "kernels/monitor.h"

namespace simdescent {

// How many elements the leaf has that begins at element `at` of n. `depth` is how many tallies wait for it to
// be merged, `ends` with how many of them it is.
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

// Tells of a row's next `count` elements, of a variable of n, whose gradients and weights are in `scratch`
// behind what is kept there: as the rule got them, as clipping sees them where it changes them, and the
// weights before and after. Once all have been told of, `scratch.tallies[0]` is the sum.
inline void tell(const Row& r, uint32_t count, uint32_t n, Scratch& scratch) {
  const Stages s = Stages::of(r.stages);
  Trail& trail = scratch.trail;
  const uint32_t all = trail.kept + count;
  uint32_t at = 0;
  do {
    uint32_t depth, ends;
    const uint32_t leaf = leaf_at(trail.told, n, depth, ends);
    if (at + leaf > all) break;
    Tally* const out = scratch.tallies + depth;
    tally(scratch.gradient + at, scratch.before + at, scratch.after + at, leaf, out);
    if (s.grad != Grad::none && s.clips) {
      const float* const seen = scratch.found + at;
      tally(seen, seen, seen, leaf, &scratch.seen);
      with_seen(r, *out, scratch.seen);
    }
    for (uint32_t k = 0; k < ends; k++) merge(*(out - k - 1), *(out - k));
    at += leaf, trail.told += leaf;
  } while (trail.told < n);
  const uint32_t kept = trail.kept = all - at;
  if (at == 0) return;
  const auto keep = [=](float* x) { __builtin_memmove(x, x + at, kept * sizeof(float)); };
  keep(scratch.gradient), keep(scratch.found), keep(scratch.before), keep(scratch.after);
}

}  // namespace simdescent
