// What Keras does to every element round the update rule, in its order and with one rounding per operation:
// unscale, accumulate, clip, decay before it; the moving average after it. The first three make the gradient
// and know no rule; the last two are done with the rule.
// A stage that is off costs nothing: a vector loop is made for each constant `Stages`, and everything here is
// inlined into it by force; one shared loop with its flags at run time took half as long again.
#pragma once
#include <cstdint>

#include "kernels/rule.h"
#include "kernels/storage.h"
#include "simd/f32x1.h"

namespace simdescent {

// How the gradient reaches the rule. Multiplying by the reciprocal of a power of two gives the bits of the
// division, so one division is enough for nearly every mix of options; `general` serves the others.
enum class Grad : uint32_t {
  none,        // as it is
  scale,       // clamp(g * scale * clip)
  divide,      // clamp(g * scale * clip / divide)
  accumulate,  // clamp((g * scale + acc) * mean * clip / divide), acc = 0
  general,     // every operation a division of its own, with its flags at run time
};

// A bit for each slot.
inline constexpr uint32_t all_slots = (1u << max_slots) - 1;

struct Stages {
  Grad grad = Grad::none;
  bool decay = false, average = false;
  // Only read when grad is general.
  bool gathered = false, clamp_first = false, l2 = false;
  // A micro step of accumulation: nothing but the gathering, and the average. `exact`: by `scale`, not
  // `unscale`.
  bool micro = false, exact = false;
  // Only read when grad is accumulate: `divide` is 1, and the division is left out.
  bool undivided = false;
  // Of a rule in two passes: the first one, and its sums.
  bool first = false;
  // How the slots are stored; by the bits of the other two, which of them are float32 all the same, and which
  // are never negative.
  Storage storage = Storage::float32;
  uint32_t wide = 0, positive = 0;
  // The step is told of (monitor.h); and its gradient is another one after clipping, or with L2 decay.
  bool monitored = false, clips = false;

  // Whether what was gathered belongs to the gradient.
  constexpr bool gathers() const { return gathered || grad == Grad::accumulate; }

  // As a word in a Row.
  constexpr uint32_t word() const {
    return (uint32_t(grad) & 3) | uint32_t(decay) << 2 | uint32_t(average) << 3 |
           uint32_t(grad == Grad::general) << 4 | uint32_t(gathered) << 5 | uint32_t(clamp_first) << 6 |
           uint32_t(l2) << 7 | uint32_t(micro) << 8 | uint32_t(exact) << 9 | uint32_t(undivided) << 10 |
           uint32_t(first) << 11 | uint32_t(storage) << 12 | wide << 14 | positive << (14 + max_slots) |
           uint32_t(monitored) << 20 | uint32_t(clips) << 21;
  }
  static constexpr Stages of(uint32_t w) {
    const auto bit = [w](uint32_t k) { return (w >> k & 1) != 0; };
    return {bit(4) ? Grad::general : Grad(w & 3),
            bit(2),
            bit(3),
            bit(5),
            bit(6),
            bit(7),
            bit(8),
            bit(9),
            bit(10),
            bit(11),
            Storage(w >> 12 & 3),
            w >> 14 & all_slots,
            w >> (14 + max_slots) & all_slots,
            bit(20),
            bit(21)};
  }

  // How slot k is stored.
  constexpr Storage of_slot(size_t k) const { return wide >> k & 1 ? Storage::float32 : storage; }
  constexpr bool is_signed(size_t k) const { return (positive >> k & 1) == 0; }
};

// The scalars of the stages. Defaults are exact identities.
template <class V>
struct Pipe {
  FIELDS(V, scale = 1,          // 1 / loss scale, where that is exact
         mean = 1,              // 1 / accumulation steps, where that is exact
         clip = 1, divide = 1,  // clipnorm c and max(norm, c); or the global factor k and 1
         lo = -__builtin_inff(), hi = __builtin_inff(),  // clipvalue
         decay = 0, rate = 0,
         keep = 1,  // decoupled weight decay, times the learning rate; PyTorch's is in `keep`
         momentum = 0, complement = 1,    // of the moving average
         unscale = 1, steps = 1, l2 = 0,  // general only: loss scale, accumulation steps, L2 factor
         seed = 0);                       // the number of the update, by which slots are rounded
};

// The same scalars in all lanes of another lane type.
template <class V>
[[gnu::always_inline]] inline Pipe<V> broadcast(const Pipe<float>& p) {
  return broadcast_fields<Pipe<V>, V>(&p.scale);
}

template <class V>
[[gnu::always_inline]] inline V clamp(const Pipe<V>& k, V g) {
  return at_most(at_least(g, k.lo), k.hi);
}

// The gradient whose norm is clipped: unscaled and averaged over the accumulation.
template <class V>
[[gnu::always_inline]] inline V prologue(Stages s, const Pipe<V>& k, V g, V acc) {
  switch (s.grad) {
    case Grad::none:
      return g;
    case Grad::scale:
    case Grad::divide:
      return g * k.scale;
    case Grad::accumulate:
      return (g * k.scale + acc) * k.mean;
    case Grad::general:
      break;
  }
  g = g / k.unscale;
  if (s.gathered) g = (g + acc) / k.steps;
  return s.clamp_first ? clamp(k, g) : g;
}

template <class V>
[[gnu::always_inline]] inline V clip(Stages s, const Pipe<V>& k, V g) {
  if (s.grad == Grad::none) return g;
  g = g * k.clip;
  if (s.grad != Grad::scale && !s.undivided) g = g / k.divide;
  return s.clamp_first ? g : clamp(k, g);
}

template <class V>
[[gnu::always_inline]] inline V pull(const Pipe<V>& k, V w) {
  return (w * k.decay) * k.rate;
}
template <class V>
[[gnu::always_inline]] inline V decay(const Pipe<V>& k, V w) {
  return w * k.keep - pull(k, w);
}

template <class V>
[[gnu::always_inline]] inline V average(const Pipe<V>& k, V avg, V w) {
  return k.momentum * avg + k.complement * w;
}

// The gradient of one element as the rule shall see it; resets what was gathered.
// L2 decay (PyTorch's Adam and Adamax) belongs to the gradient, after any clipping.
template <class V>
[[gnu::always_inline]] inline V prepare(Stages s, const Pipe<V>& k, V g, V w, V& acc) {
  g = clip(s, k, prologue(s, k, g, acc));
  if (s.l2) g = g + w * k.l2;
  if (s.gathers()) acc = V(0);
  return g;
}

// One element of one variable through one update by a prepared gradient: the only place where the stages and
// the rule meet.
template <class R, class V>
[[gnu::always_inline]] inline void element(Stages s, const Pipe<V>& k, const CoefOf<R, V>& c, V& w, V g,
                                           V* slot, V& avg) {
  if (s.decay) w = decay(k, w);
  R::template update<V>(c, w, g, slot);
  if (s.average) avg = average(k, avg, w);
}

}  // namespace simdescent
