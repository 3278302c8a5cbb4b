// The only reduction: numpy's pairwise order of summation, so that norms have Keras' bits on every machine.
// Below 8 terms one after another; up to 128 eight running sums; above, halves split at a multiple of 8.
#pragma once
#include <cstdint>

#include "kernels/monitor.h"
#include "kernels/stage.h"
#include "kernels/sweep.h"
#include "simd/lanes.h"

namespace simdescent {

// The sum of Term::at<V>(source, i) over n indices from `from` on. A Term is a type, and its source
// references to what the host wrote (`more` of them, where one is not enough), not a closure: a closure would
// live on a stack, which the memory-less module does not have.
template <class Term, class Source, class... More>
float pairwise_sum(const Source& source, uint32_t from, uint32_t n, const More&... more) {
  if (n > 128) {
    const uint32_t half = n / 2 - n / 2 % 8;
    const float first = pairwise_sum<Term>(source, from, half, more...);
    return first + pairwise_sum<Term>(source, from + half, n - half, more...);
  }
  float sum = 0;
  uint32_t i = 0;
  if (n >= 8) {
    constexpr uint32_t width = Lanes::lanes, registers = 8 / width;
    Lanes r[registers];
    for (uint32_t k = 0; k < registers; k++)
      r[k] = Term::template at<Lanes>(source, from + k * width, more...);
    for (i = 8; i + 8 <= n; i += 8) {
      for (uint32_t k = 0; k < registers; k++)
        r[k] = r[k] + Term::template at<Lanes>(source, from + i + k * width, more...);
    }
    sum = join(r);
  }
  for (; i < n; i++) sum = sum + Term::template at<f32x1>(source, from + i, more...).v;
  return sum;
}

// The terms themselves, or their squares, of an array.
struct Plain {
  template <class V>
  [[gnu::always_inline]] static V at(const float& source, uint32_t i) {
    return V::load(&source + i);
  }
};
struct Square {
  template <class V>
  [[gnu::always_inline]] static V at(const float& source, uint32_t i) {
    const V x = V::load(&source + i);
    return x * x;
  }
};

// The squares of the gradient that clipping will see.
template <Grad grad>
struct SquaredGradient {
  template <class V>
  [[gnu::always_inline]] static V at(const Row& r, uint32_t i) {
    const Stages s = grad == Grad::general ? Stages::of(r.stages) : Stages{.grad = grad};
    V acc(0.f);
    if (s.gathers()) acc = V::load(r.acc + i);
    const V g = prologue(s, broadcast<V>(*r.pipe), V::load(r.g + i), acc);
    return g * g;
  }
};

// As the row's stages say; each of the usual ones has a loop of its own.
inline float sum_of_squares(const Row& r) {
  switch (Stages::of(r.stages).grad) {
    case Grad::none:
      return pairwise_sum<SquaredGradient<Grad::none>>(r, 0, r.n);
    case Grad::scale:
    case Grad::divide:
      return pairwise_sum<SquaredGradient<Grad::scale>>(r, 0, r.n);
    case Grad::accumulate:
      return pairwise_sum<SquaredGradient<Grad::accumulate>>(r, 0, r.n);
    case Grad::general:
      return pairwise_sum<SquaredGradient<Grad::general>>(r, 0, r.n);
  }
  return 0;
}

// The k-th term of a rule in two passes, of a piece of its first one.
template <class R, size_t k>
struct TermOf {
  template <class V>
  [[gnu::always_inline]] static V at(const Row& piece, uint32_t i) {
    return R::template term<k>(V::load(piece.w + i), V::load(piece.slot[FirstPass<R>::found] + i));
  }
};

// The first pass over n elements from `from` on, piece by piece as numpy's order splits them, and the sums of
// each piece while it is in the cache. They are added up at `out`, which has room behind it for those of
// deeper levels. What is found stays in `room`, which is as long as the row, or null. Of a step that is
// monitored the tally has that of the gradient, and the weights are left as they were: the second pass
// decays.
template <class R>
void first_pass(const Row& r, uint32_t from, uint32_t n, float* out, float* room, Tally* told,
                Scratch& scratch) {
  if (n > piece_size) {
    const uint32_t half = n / 2 - n / 2 % 8;
    first_pass<R>(r, from, half, out, room, told, scratch);
    first_pass<R>(r, from + half, n - half, out + R::sums, room, told + 1, scratch);
    if (Stages::of(r.stages).monitored) merge(told[0], told[1]);
    for (size_t k = 0; k < R::sums; k++) out[k] = out[k] + out[R::sums + k];
    return;
  }
  Row& piece = scratch.piece;  // written field by field: there may be no stack
  piece.w = r.w + from, piece.g = r.g + from, piece.n = n;
  for (size_t k = 0; k < R::slots.size(); k++) piece.slot[k] = r.slot[k] + from;
  piece.slot[FirstPass<R>::found] = room ? room + from : scratch.found;
  piece.pipe = r.pipe, piece.coef = r.coef;
  const Stages s = Stages::of(r.stages);
  if (s.monitored) {
    piece.g = prepare_tallied(r, from, n, scratch.gradient, scratch.found, told, scratch);
    tally(piece.g, piece.g, piece.g, n, scratch.leaves, told);
    with_seen(r, *told, scratch.seen);
    copy(piece.w, n, scratch.before);
  } else if (s.grad != Grad::none) {
    piece.g = scratch.gradient, prepare(r, from, n, scratch.gradient);
  }
  if (s.decay) decay(r, from, n);
  piece.stages = Stages{}.word();  // the rest is done
  update<FirstPass<R>, false, false, false>(&piece, &piece + 1, scratch);
  [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    ((out[K] = pairwise_sum<TermOf<R, K>>(piece, 0, n)), ...);
  }
  (std::make_index_sequence<R::sums>{});
  if (s.monitored && s.decay) copy(scratch.before, n, piece.w);
}

// Whether all are finite: x - x is 0 for these and NaN for the others. Four sums, because one would wait for
// itself.
inline bool all_finite(const float* x, uint32_t n) {
  constexpr uint32_t width = Lanes::lanes;
  Lanes found[4] = {0.f, 0.f, 0.f, 0.f};
  f32x1 rest(0.f);
  uint32_t i = 0;
  for (; i + 4 * width <= n; i += 4 * width) {
    for (uint32_t k = 0; k < 4; k++) {
      const Lanes v = Lanes::load(x + i + k * width);
      found[k] = found[k] + (v - v);
    }
  }
  for (; i < n; i++) rest = rest + (f32x1(x[i]) - f32x1(x[i]));
  const Lanes sums[8 / width] = {(found[0] + found[1]) + (found[2] + found[3])};
  return join(sums) + rest.v == 0;
}

}  // namespace simdescent
