// The only update loop: one fused pass over a variable, whole vectors first, then the tail by the same
// element function. And the loops of what Keras does without an update (gather, average, prepare).
#pragma once
#include <cstdint>
#include <utility>

#include "kernels/rule.h"
#include "kernels/stage.h"
#include "simd/lanes.h"

namespace simdescent {

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

  // The same row from element `from` on, for `count` elements, with its gradient (and weights) elsewhere.
  Row part(uint32_t from, uint32_t count, const float* gradient, float* weights) const {
    const auto at = [from](float* p) { return p ? p + from : p; };
    return {weights, gradient, {at(slot[0]), at(slot[1]), at(slot[2])}, at(acc), at(avg), pipe, coef,
            count,   stages};
  }
};

template <class R, class V>
inline typename R::template Coef<V> coefficients(const float* c) {
  return [c]<size_t... K>(std::index_sequence<K...>) {
    return typename R::template Coef<V>{V::broadcast(c + K)...};
  }
  (std::make_index_sequence<R::coefs.size()>{});
}

// From element i on while a whole V fits; returns where it stopped. The pointers are parameters because
// that is where __restrict counts.
template <class R, class V, class... P>
[[gnu::always_inline]] inline uint32_t sweep(Stages s, const Pipe<V>& k,
                                             const typename R::template Coef<V>& c, uint32_t i, uint32_t n,
                                             float* __restrict w, const float* __restrict g,
                                             float* __restrict acc, float* __restrict avg,
                                             P* __restrict... slot) {
  for (; i + V::lanes <= n; i += V::lanes) {
    V x = V::load(w + i), state[] = {V::load(slot + i)...};
    V a = s.grad == Grad::accumulate ? V::load(acc + i) : V(0), e = s.average ? V::load(avg + i) : V(0);
    element<R, V>(s, k, c, x, V::load(g + i), state, a, e);
    x.store(w + i);
    [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
      (state[K].store(slot + i), ...);
    }
    (std::index_sequence_for<P...>{});
    if (s.grad == Grad::accumulate) a.store(acc + i);
    if (s.average) e.store(avg + i);
  }
  return i;
}

template <class R, class V>
[[gnu::always_inline]] inline uint32_t sweep(Stages s, const Row& r, uint32_t i) {
  return [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    return sweep<R, V>(s, broadcast<V>(*r.pipe), coefficients<R, V>(r.coef), i, r.n, r.w, r.g, r.acc, r.avg,
                       r.slot[K]...);
  }
  (std::make_index_sequence<R::slots.size()>{});
}

// The tail of every loop of a rule, with its stages known only at run time: three elements at most.
template <class R>
__attribute__((noinline)) void tail(const Row& r, uint32_t i) {
  sweep<R, f32x1>(Stages::of(r.stages), r, i);
}

// The rows from `r` on that have these constant stages, `end` at the latest: of each the whole vectors, then
// the tail. Returns the first row that is left. Rows come in one call because choosing the loop and calling
// it cost more than a few elements do.
template <class R, uint32_t word>
__attribute__((noinline)) const Row* update(const Row* r, const Row* end) {
  do {
    const uint32_t i = sweep<R, Lanes>(Stages::of(word), *r, 0);
    if (i < r->n) tail<R>(*r, i);
  } while (++r != end && r->stages == word);
  return r;
}

// f(scalars, index) over n elements: a vector of lanes at a time, then one by one.
template <class F>
[[gnu::always_inline]] inline void each(const Pipe<float>& pipe, uint32_t n, F f) {
  const Pipe<Lanes> vectors = broadcast<Lanes>(pipe);
  const Pipe<f32x1> single = broadcast<f32x1>(pipe);
  uint32_t i = 0;
  for (; i + Lanes::lanes <= n; i += Lanes::lanes) f(vectors, i);
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

// The gradient of a `general` row as the rule shall see it, into `out`; resets what was gathered.
// L2 decay (PyTorch's Adam and Adamax) belongs to the gradient, after any clipping.
[[gnu::always_inline]] inline void prepare(Stages s, const Row& r, float* out) {
  const float *const g = r.g, *const w = r.w;
  float* const acc = r.acc;
  each(
      *r.pipe, r.n, [=]<class V>(const Pipe<V>& k, uint32_t i) __attribute__((always_inline)) {
        V x = clip(s, k, prologue(s, k, V::load(g + i), s.gathered ? V::load(acc + i) : V(0)));
        if (s.l2) x = x + V::load(w + i) * k.l2;
        x.store(out + i);
        if (s.gathered) V(0).store(acc + i);
      });
}

}  // namespace simdescent
