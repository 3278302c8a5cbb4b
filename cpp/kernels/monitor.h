// What is told of a step, of each variable: the squares of its gradient, of the update and of the weights,
// summed in numpy's order (reduce.h), and counts. The usual rules sum while they step, in one loop; of the
// others the weights of a piece are kept, and looked at with those after it while both are in the cache. The
// sums are the same either way. It steps nothing by itself, and knows no option.
#pragma once
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/leaves.h"
#include "kernels/sweep.h"

namespace simdescent {

inline void merge(Tally& to, const Tally& more) {
  to.gradient = to.gradient + more.gradient;
  to.clipped = to.clipped + more.clipped;
  to.update = to.update + more.update;
  to.weights = to.weights + more.weights;
  to.zeros += more.zeros, to.nonfinite += more.nonfinite;
}

// Of nothing there may be no array.
inline void copy(const float* from, uint32_t n, float* to) {
  if (n > 0) __builtin_memcpy(to, from, n * sizeof(float));
}

// Where there may be something to count.
[[gnu::noinline]] inline void count(const float* g, uint32_t n, Tally* out) {
  Lanes zeros(0.f), others(0.f);
  uint32_t i = 0;
  for (; i + Lanes::lanes <= n; i += Lanes::lanes) {
    const Lanes x = Lanes::load(g + i);
    zeros = count_zeros(zeros, x), others = count_zeros(others, x - x);
  }
  uint32_t zero = counted(zeros), finite = counted(others);
  for (; i < n; i++) zero += g[i] == 0, finite += g[i] - g[i] == 0;
  out->zeros = zero, out->nonfinite = n - finite;
}

// Of a piece: at<V>(i, gradient, weights before, weights after) gives its elements. Only where the least
// square is 0, or their sum not finite, there is something to count.
template <class At>
[[gnu::always_inline]] inline void tally_piece(uint32_t n, const float* g, Leaf* leaves, Tally* out, At at) {
  Leaf* leaf = leaves;
  Lanes least(__builtin_inff());
  uint32_t from = 0;
  do {  // of nothing there is a leaf, too
    uint32_t depth;
    const uint32_t length = leaf_at(from, n, depth, leaf->ends), end = from + length - length % 8;
    // A register at a time, so that all of a loop's values are in registers; what they hold is summed in the
    // same order.
    for (uint32_t k = 0; k < 8; k += Lanes::lanes) {
      Lanes gradients(0.f), updates(0.f), weights(0.f);
      for (uint32_t i = from + k; i < end; i += 8) {
        Lanes gradient, before, after;
        at.template operator()<Lanes>(i, gradient, before, after);
        const Lanes update = after - before, square = gradient * gradient;
        gradients = gradients + square;
        updates = updates + update * update;
        weights = weights + after * after;
        least = at_most(least, square);
      }
      gradients.store(leaf->gradient + k), updates.store(leaf->update + k), weights.store(leaf->weights + k);
    }
    from += length, leaf++;
  } while (from < n);
  const Leaf* const end = leaf;
  bool met_zero = least_of(least) == 0;
  for (uint32_t i = n - n % 8; i < n; i++, leaf++) {
    f32x1 gradient, before, after;
    at.template operator()<f32x1>(i, gradient, before, after);
    const f32x1 update = after - before;
    float* const squares = leaf->gradient;
    (gradient * gradient).store(squares), (gradient * gradient).store(squares + 1);
    (update * update).store(squares + 2), (after * after).store(squares + 3);
    met_zero = met_zero || gradient.v == 0;
  }
  add_up(leaves, end, n % 8, &out->gradient);
  out->zeros = out->nonfinite = 0;
  if (met_zero || !(out->gradient - out->gradient == 0)) count(g, n, out);
}

// Of elements that have been stepped. `out` has room behind it for the tallies of deeper levels.
[[gnu::noinline]] inline void tally(const float* g, const float* before, const float* w, uint32_t n,
                                    Leaf* leaves, Tally* out) {
  if (n > piece_size) {
    const uint32_t half = n / 2 - n / 2 % 8;
    tally(g, before, w, half, leaves, out);
    tally(g + half, before + half, w + half, n - half, leaves, out + 1);
    merge(out[0], out[1]);
    return;
  }
  tally_piece(
      n, g, leaves, out, [=]<class V>(uint32_t i, V & x, V & was, V & is) __attribute__((always_inline)) {
        x = V::load(g + i), was = V::load(before + i), is = V::load(w + i);
      });
}

// Of a piece that is stepped meanwhile, from `from` on, by prepared gradients.
template <class R, bool decays, size_t... K>
[[gnu::always_inline]] inline void step_tallied(std::index_sequence<K...>, const Row& r, uint32_t from,
                                                uint32_t n, const float* g, Leaf* leaves, Tally* out) {
  constexpr Stages s{.decay = decays};
  float* const w = r.w + from;
  float* const slot[slot_room<R>] = {r.slot[K] + from...};
  const auto pipes = broadcast<Lanes>(*r.pipe);
  const auto coefs = coefficients<R, Lanes>(r.coef);
  tally_piece(
      n, g, leaves, out, [&]<class V>(uint32_t i, V & x, V & was, V & is) __attribute__((always_inline)) {
        V state[slot_room<R>] = {V::load(slot[K] + i)...}, none(0.f);
        x = V::load(g + i), was = is = V::load(w + i);
        if constexpr (std::is_same_v<V, Lanes>) {
          element<R, V>(s, pipes, coefs, is, x, state, none);
        } else {
          element<R, V>(s, broadcast<V>(*r.pipe), coefficients<R, V>(r.coef), is, x, state, none);
        }
        is.store(w + i);
        (state[K].store(slot[K] + i), ...);
      });
}
template <class R, bool decays>
[[gnu::noinline]] void step_tallied(const Row& r, uint32_t from, uint32_t n, const float* g, Leaf* leaves,
                                    Tally* out) {
  step_tallied<R, decays>(std::make_index_sequence<R::slots.size()>{}, r, from, n, g, leaves, out);
}

// `n` gradients of the row's from `from` on as clipping sees them, which changes them.
inline void see(const Row& r, uint32_t from, uint32_t n, float* out) {
  Stages raw = Stages::of(r.stages);
  raw.clamp_first = false;
  const float *const g = r.g + from, *const acc = raw.gathers() ? r.acc + from : g;
  each(
      *r.pipe, n, [=]<class V>(const Pipe<V>& k, uint32_t i) __attribute__((always_inline)) {
        prologue(raw, k, V::load(g + i), V::load(acc + i)).store(out + i);
      });
}

// `n` prepared gradients of the row's from `from` on, at `prepared` if they are not as they came. Where
// clipping changes them, `scratch.seen` gets the tally of those that it sees; `room` is as long.
inline const float* prepare_tallied(const Row& r, uint32_t from, uint32_t n, float* prepared, float* room,
                                    Tally* out, Scratch& scratch) {
  const Stages s = Stages::of(r.stages);
  if (s.grad == Grad::none) return r.g + from;
  if (s.clips) {
    see(r, from, n, room);
    tally(room, room, room, n, scratch.leaves, out);
    scratch.seen = *out;
  }
  prepare(r, from, n, prepared);
  return prepared;
}

// The tally of the prepared gradients becomes that of the step.
inline void with_seen(const Row& r, Tally& out, const Tally& seen) {
  const Stages s = Stages::of(r.stages);
  if (s.grad == Grad::none || !s.clips) return;
  out.gradient = seen.gradient, out.zeros = seen.zeros, out.nonfinite = seen.nonfinite;
}

}  // namespace simdescent
