// Sums over a variable whose slots are stored in fewer bits: of what is told of a step (monitor.h), or
// between two passes. Its elements come piece by piece, whole blocks each, and the sums follow leaf by leaf
// of numpy's order (reduce.h), whose borders are no borders of blocks. What of a piece belongs to a leaf that
// goes on in the next one is kept for it, in `scratch`, also from one call to the next. It steps nothing by
// itself.
#pragma once
#include <cstdint>

#include "kernels/monitor.h"

namespace simdescent {

// `count` more elements of n, behind those that were kept: leaf(at, length, depth) is what is made of a leaf,
// `at` elements behind the first that was kept, and merge(depth) adds it to the one before it. Returns how
// many elements belong to whole leaves; the others are to be kept.
template <class Leaf, class Merge>
[[gnu::always_inline]] inline uint32_t follow(Trail& trail, uint32_t count, uint32_t n, Leaf leaf,
                                              Merge merge) {
  const uint32_t all = trail.kept + count;
  uint32_t at = 0;
  do {
    uint32_t depth, ends;
    const uint32_t length = leaf_at(trail.told, n, depth, ends);
    if (at + length > all) break;
    leaf(at, length, depth);
    for (; ends > 0; ends--) merge(--depth);
    at += length, trail.told += length;
  } while (trail.told < n);
  trail.kept = all - at;
  return at;
}
[[gnu::always_inline]] inline void keep(const Trail& trail, uint32_t from, float* x) {
  if (from > 0) __builtin_memmove(x, x + from, trail.kept * sizeof(float));
}

// Tells of a row's next `count` elements, of a variable of n, whose gradients and weights are in `scratch`
// behind what is kept there: as the rule got them, as clipping sees them where it changes them, and the
// weights before and after. Once all have been told of, `scratch.tallies[0]` is the sum.
inline void tell(const Row& r, uint32_t count, uint32_t n, Scratch& scratch) {
  const Stages s = Stages::of(r.stages);
  const bool clips = s.grad != Grad::none && s.clips;
  const uint32_t told = follow(
      scratch.trail, count, n,
      [&](uint32_t at, uint32_t length, uint32_t depth) __attribute__((always_inline)) {
        Tally* const out = scratch.tallies + depth;
        tally(scratch.gradient + at, scratch.before + at, scratch.after + at, length, scratch.leaves, out);
        if (!clips) return;
        const float* const seen = scratch.found + at;
        tally(seen, seen, seen, length, scratch.leaves, &scratch.seen);
        with_seen(r, *out, scratch.seen);
      },
      [&](uint32_t depth)
          __attribute__((always_inline)) { merge(scratch.tallies[depth], scratch.tallies[depth + 1]); });
  keep(scratch.trail, told, scratch.gradient), keep(scratch.trail, told, scratch.found);
  keep(scratch.trail, told, scratch.before), keep(scratch.trail, told, scratch.after);
}

}  // namespace simdescent
