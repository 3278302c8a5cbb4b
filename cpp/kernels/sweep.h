// The loops over a variable, whole vectors first, then the tail by the same element functions. An update is
// two of them: one that prepares the gradient, which all rules share, and the rule's own. They take turns at
// pieces that stay in the first-level cache; a gradient that is only scaled and clamped, or taken as it is,
// needs the rule's loop alone, over the whole variable. And the loops of what Keras does without an update
// (gather, average).
#pragma once
#include <array>
#include <cstdint>
#include <utility>

#include "kernels/leaves.h"
#include "kernels/quantize.h"
#include "kernels/rule.h"
#include "kernels/stage.h"
#include "simd/lanes.h"

namespace simdescent {

// What is told of a step, of one variable or a part of it: monitor.h.
struct Tally {
  // Sums of squares: of the gradient that clipping sees and of the one that the rule gets, of what was added
  // to the weights, decay included, and of the weights then.
  float gradient, clipped, update, weights;
  // How many elements of the gradient that clipping sees are 0, and how many not finite.
  uint32_t zeros, nonfinite;
};

// How far the sums are that follow the elements of a variable: trail.h.
struct Trail {
  uint32_t told;  // elements, in whole leaves
  uint32_t kept;  // that have come and are in no sum yet
};

// One variable: where its arrays are and what is done to it. Plain words, so that a host may write it into
// any memory. Arrays must not overlap; slots beyond the rule's, acc and avg are unused where no stage needs
// them.
struct Row {
  float* w;
  const float* g;
  float* slot[max_slots];
  float *acc, *avg;
  const Pipe<float>* pipe;
  const float* coef;
  uint32_t n;
  uint32_t stages;  // Stages::word()
  float* sums;  // where the first pass of two leaves its sums; the room of a rule that reads whole variables
  uint32_t rows, columns;  // for such a rule, where the variable is of matrices
  Tally* tally = nullptr;  // of a step that is monitored

  // The same row from element `from` on, for `count` elements, with its gradient (and weights) elsewhere.
  // Where its slots are stored in blocks, `from` is where one begins.
  [[gnu::always_inline]] Row part(uint32_t from, uint32_t count, const float* gradient,
                                  float* weights) const {
    const auto at = [from](float* p) { return p ? p + from : p; };
    Row r = *this;
    r.w = weights, r.g = gradient, r.n = count;
    const Stages s = Stages::of(stages);
    for (size_t k = 0; k < max_slots; k++) {
      if (slot[k]) r.slot[k] = stored_at(s.of_slot(k), slot[k], from);
    }
    r.acc = at(acc), r.avg = at(avg);
    return r;
  }
};

// What a step of a row needs beside its own arrays where its gradient must be prepared. The host gives it:
// there is no stack to have it on.
inline constexpr uint32_t piece_size = 2048;  // floats: with the rule's arrays in the first-level cache
inline constexpr uint32_t narrow_size = 1024;
struct Scratch {
  alignas(16) float gradient[piece_size];
  float sums[64];  // of a reduction, level by level
  // A piece of a first pass, and what it found, where there is no room for that of the whole row. Or a piece
  // of a row that is monitored.
  Row piece;
  alignas(16) float found[piece_size];
  // A piece of a row whose slots are stored in fewer bits, and these as float32.
  Row wide;
  alignas(16) float slots[max_slots][narrow_size];
  DynamicMaps maps;  // zeroed by the host; they stay from step to step
  // Of a step that is monitored: the weights of a piece before it, what is told of its gradient before
  // clipping, and of pieces level by level.
  alignas(16) float before[piece_size];
  Tally seen, tallies[32];
  Leaf leaves[piece_size / 64 + 7];  // and the last elements, which fill no vector
  // Of one whose slots are stored in blocks, too: the weights after it, and how far the tallies are. A first
  // pass over slots in fewer bits has its weights in `before`, and what was gathered here.
  alignas(16) float after[piece_size];
  Trail trail;
};

template <class R, class V>
[[gnu::always_inline]] inline CoefOf<R, V> coefficients(const float* c) {
  return broadcast_fields<CoefOf<R, V>, V>(c);
}

// f(scalars, index) over n elements: a vector of lanes at a time, then one by one.
template <class F>
[[gnu::always_inline]] inline void each(const Pipe<float>& pipe, uint32_t n, F f) {
  const Pipe<Lanes> vectors = broadcast<Lanes>(pipe);
  const Pipe<f32x1> single = broadcast<f32x1>(pipe);
  uint32_t i = 0;
  constexpr uint32_t width = Lanes::lanes;
  for (; i + 4 * width <= n;
       i += 4 * width) {  // four at a time: so little arithmetic does not hide the loop's own work
    f(vectors, i), f(vectors, i + width), f(vectors, i + 2 * width), f(vectors, i + 3 * width);
  }
  for (; i + width <= n; i += width) f(vectors, i);
  for (; i < n; i++) f(single, i);
}

// A micro step of gradient accumulation: acc = g / loss scale + acc. `exact`: the pipe's `scale` is usable.
[[gnu::always_inline]] inline void gather(const Row& r, bool exact) {
  const float* const g = r.g;
  float* const acc = r.acc;
  if (exact) {
    each(
        *r.pipe, r.n, [=]<class V>(const Pipe<V>& k, uint32_t i) __attribute__((always_inline)) {
          (V::load(g + i) * k.scale + V::load(acc + i)).store(acc + i);
        });
  } else {
    each(
        *r.pipe, r.n, [=]<class V>(const Pipe<V>& k, uint32_t i) __attribute__((always_inline)) {
          (V::load(g + i) / k.unscale + V::load(acc + i)).store(acc + i);
        });
  }
}

// The moving average of a variable that is not updated in this step.
[[gnu::always_inline]] inline void average(const Row& r) {
  const float* const w = r.w;
  float* const avg = r.avg;
  each(
      *r.pipe, r.n, [=]<class V>(const Pipe<V>& k, uint32_t i) __attribute__((always_inline)) {
        average(k, V::load(avg + i), V::load(w + i)).store(avg + i);
      });
}

// `count` prepared gradients of the row's from `from` on, into `out`.
[[gnu::always_inline]] inline void prepare(Stages s, const Row& r, uint32_t from, uint32_t count,
                                           float* out) {
  const float *const g = r.g + from, *const w = r.w + from;
  float* const acc = s.gathers() ? r.acc + from : nullptr;
  each(
      *r.pipe, count, [=]<class V>(const Pipe<V>& k, uint32_t i) __attribute__((always_inline)) {
        V a = s.gathers() ? V::load(acc + i) : V(0);
        const V pulling = s.l2 ? V::load(w + i) : V(0);
        prepare(s, k, V::load(g + i), pulling, a).store(out + i);
        if (s.gathers()) a.store(acc + i);
      });
}

// The same by a loop for these constant stages; of `general` ones the row has the flags.
template <uint32_t word>
__attribute__((noinline)) void prepare(const Row& r, uint32_t from, uint32_t count, float* out) {
  constexpr Stages s = Stages::of(word);
  prepare(s.grad == Grad::general ? Stages::of(r.stages) : s, r, from, count, out);
}

// The same by the loop for the row's stages.
[[gnu::noinline]] inline void prepare(const Row& r, uint32_t from, uint32_t count, float* out) {
  const Stages s = Stages::of(r.stages);
  switch (s.grad) {
    case Grad::none:
      return;
    case Grad::scale:
      return prepare<Stages{.grad = Grad::scale}.word()>(r, from, count, out);
    case Grad::divide:
      return prepare<Stages{.grad = Grad::divide}.word()>(r, from, count, out);
    case Grad::accumulate:
      return s.undivided
                 ? prepare<Stages{.grad = Grad::accumulate, .undivided = true}.word()>(r, from, count, out)
                 : prepare<Stages{.grad = Grad::accumulate}.word()>(r, from, count, out);
    case Grad::general:
      return prepare<Stages{.grad = Grad::general}.word()>(r, from, count, out);
  }
}

// The passes of a rule in two, as the loops see them. The first one leaves the direction in a slot more;
// where that was kept, it is the gradient of the second one, which needs no slot then.
template <class R>
struct FirstPass : R {
  static constexpr size_t found = R::slots.size();
  static constexpr auto slots = [] {
    std::array<Slot, found + 1> all;
    for (size_t k = 0; k < found; k++) all[k] = R::slots[k];
    return all;
  }();
  static_assert(found < max_slots);
  template <class V>
  [[gnu::always_inline]] static void update(const CoefOf<R, V>& k, V&, V g, V* s) {
    R::first(k, g, s);
    s[found] = R::direction(k, s);
  }
  static constexpr bool is_first = true;
};
template <class R>
struct SecondPass : R {
  static constexpr std::array<Slot, 0> slots{};
  template <class V>
  [[gnu::always_inline]] static void update(const CoefOf<R, V>& k, V& w, V direction, V*) {
    R::move(k, w, direction);
  }
};
// Both at once, over slots that are stored in fewer bits: what the first one left there was rounded, so it
// only looks (narrow.h), and this one begins from what was there before.
template <class R>
struct BothPasses : R {
  template <class V>
  [[gnu::always_inline]] static void update(const CoefOf<R, V>& k, V& w, V g, V* s) {
    R::first(k, g, s);
    R::move(k, w, R::direction(k, s));
  }
};
template <class R>
inline constexpr bool moves = !requires {
  R::is_first;
};

// n elements, while a whole V fits; returns how many it were. The pointers are parameters because that is
// where __restrict counts.
template <class R, class V, class... P>
[[gnu::always_inline]] inline uint32_t sweep(Stages s, const Pipe<V>& k, const CoefOf<R, V>& c, uint32_t n,
                                             const float* __restrict g, float* __restrict w,
                                             float* __restrict avg, P* __restrict... slot) {
  uint32_t i = 0;
#ifdef __clang__
  constexpr int vectors = V::lanes > 1 && in_pairs<R> ? 2 : 1;
#pragma clang loop unroll_count(vectors)
#endif
  for (; i + V::lanes <= n; i += V::lanes) {
    V x = V::load(w + i), state[slot_room<R>] = {V::load(slot + i)...};
    V e = s.average ? V::load(avg + i) : V(0);
    V gathered(0.f);
    element<R, V>(s, k, c, x, prepare(s, k, V::load(g + i), x, gathered), state, e);
    if constexpr (moves<R>) x.store(w + i);
    [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
      (state[K].store(slot + i), ...);
    }
    (std::index_sequence_for<P...>{});
    if (s.average) e.store(avg + i);
  }
  return i;
}

// `count` elements of the row from `from` on, by the prepared gradients `g`.
template <class R, class V>
[[gnu::always_inline]] inline uint32_t sweep(Stages s, const Row& r, uint32_t from, uint32_t count,
                                             const float* g) {
  float* const avg = s.average ? r.avg + from : nullptr;
  return [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    return sweep<R, V>(s, broadcast<V>(*r.pipe), coefficients<R, V>(r.coef), count, g, r.w + from, avg,
                       (r.slot[K] + from)...);
  }
  (std::make_index_sequence<R::slots.size()>{});
}

// The passes of a rule's loop that does not have them itself. Of the decay only what is needed: here nothing
// hides a multiplication by 1.
[[gnu::noinline]] inline void decay(const Row& r, uint32_t from, uint32_t count) {
  float* const w = r.w + from;
  if (r.pipe->keep == 1) {
    each(
        *r.pipe, count, [=]<class V>(const Pipe<V>& k, uint32_t i) __attribute__((always_inline)) {
          const V x = V::load(w + i);
          (x - pull(k, x)).store(w + i);
        });
  } else {
    each(
        *r.pipe, count, [=]<class V>(const Pipe<V>& k, uint32_t i) __attribute__((always_inline)) {
          decay(k, V::load(w + i)).store(w + i);
        });
  }
}
[[gnu::noinline]] inline void average(const Row& r, uint32_t from, uint32_t count) {
  average(r.part(from, count, nullptr, r.w + from));
}

// The tail of every loop of a rule, with its stages known only at run time: three elements at most. It says
// which of them a rule's loop can have, so that no code is made for the others.
template <class R>
__attribute__((noinline)) void tail(uint32_t word, const Row& r, uint32_t from, uint32_t count,
                                    const float* g) {
  const Stages s = fused<R> ? Stages::of(word) : Stages{};
  sweep<R, f32x1>(
      {.grad = s.grad == Grad::scale ? Grad::scale : Grad::none, .decay = s.decay, .average = s.average}, r,
      from, count, g);
}

// The rows from `r` on that have the stages of the first, `end` at the latest. Returns the first row that is
// left. Rows come in one call because choosing the loop and calling it cost more than a few elements do.
// What a loop does not do itself is done before it or after it by a pass that all rules share, over a piece
// that stays in the first-level cache.
template <class R, bool scales, bool decays, bool averages>
__attribute__((noinline)) const Row* update(const Row* r, const Row* end, Scratch& scratch) {
  constexpr Stages loop{.grad = scales ? Grad::scale : Grad::none, .decay = decays, .average = averages};
  const uint32_t stages = r->stages;
  const Stages s = Stages::of(stages);
  const bool prepares = !scales && s.grad != Grad::none;
  const bool before = !fused<R> && s.decay, after = !fused<R> && s.average;
  do {
    uint32_t from = 0, count = r->n;
    do {
      if (prepares || before || after) count = r->n - from < piece_size ? r->n - from : piece_size;
      const float* g = r->g + from;
      if (prepares) g = scratch.gradient, prepare(*r, from, count, scratch.gradient);
      if (before) decay(*r, from, count);
      const uint32_t swept = sweep<R, Lanes>(loop, *r, from, count, g);
      if (swept < count) tail<R>(loop.word(), *r, from + swept, count - swept, g + swept);
      if (after) average(*r, from, count);
      from += count;
    } while (from < r->n);
  } while (++r != end && r->stages == stages);
  return r;
}

}  // namespace simdescent
