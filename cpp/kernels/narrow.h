// The loops over rows whose slots are stored in fewer bits than float32 (storage.h, quantize.h), by rules
// that go over elements. The update is the rule's own, and knows nothing of it.
#pragma once
#include "kernels/quantize.h"
#include "kernels/reduce.h"
#include "kernels/sweep.h"
#include "kernels/trail.h"

namespace simdescent {

// n elements, while a whole V fits, of a rule whose slots are all bfloat16; returns how many it were.
template <class R, class V, class... P>
[[gnu::always_inline]] inline uint32_t sweep_halves(const CoefOf<R, V>& c, Chance chance, uint32_t n,
                                                    const float* __restrict g, float* __restrict w,
                                                    P* __restrict... slot) {
  using H = Halves<V>;
  constexpr uint32_t width = V::lanes * H::vectors;
  constexpr std::index_sequence_for<P...> all;
  uint32_t i = 0;
  for (; i + width <= n; i += width) {
    V states[slot_room<R>][H::vectors];
    [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
      (H::load(slot + i).floats(states[K]), ...);
      for (uint32_t k = 0; k < H::vectors; k++) {
        const uint32_t at = i + k * V::lanes;
        V x = V::load(w + at), state[slot_room<R>] = {states[K][k]...};
        R::template update<V>(c, x, V::load(g + at), state);
        x.store(w + at);
        ((states[K][k] = state[K]), ...);
      }
      (rounded<V>(states[K], chance).store(slot + i), ...);
    }
    (all);
  }
  return i;
}

// The same of a row, tail and all. For the rules that most people run: it takes less than piece by piece.
template <class R>
[[gnu::noinline]] void update_halves(const Row& r, Scratch& scratch) {
  const Stages s = Stages::of(r.stages);
  const Chance chance = Chance::of(r.pipe->seed);
  for (uint32_t from = 0; from < r.n;) {
    const uint32_t count = r.n - from < piece_size ? r.n - from : piece_size;
    const float* g = r.g + from;
    if (s.grad != Grad::none) g = scratch.gradient, prepare(r, from, count, scratch.gradient);
    if (s.decay) decay(r, from, count);
    const auto run = [&]<class V>(uint32_t at, uint32_t n) __attribute__((always_inline)) {
      return [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
        return sweep_halves<R, V>(coefficients<R, V>(r.coef), chance, n, g + at, r.w + from + at,
                                  (reinterpret_cast<uint16_t*>(r.slot[K]) + from + at)...);
      }
      (std::make_index_sequence<R::slots.size()>{});
    };
    const uint32_t swept = run.template operator()<Lanes>(0, count);
    run.template operator()<f32x1>(swept, count - swept);
    if (s.average) average(r, from, count);
    from += count;
  }
}

// A row whose slots are stored in fewer bits, by a rule that goes over elements: piece by piece they become
// float32 in the first-level cache and go back. Pieces are whole blocks, so that it does not matter who has
// which.
template <class F>
[[gnu::always_inline]] inline void update_pieces(const Row& r, Scratch& scratch, F update) {
  const Stages s = Stages::of(r.stages);
  static_assert(narrow_size % block_size == 0);
  Row& piece = scratch.wide;  // written field by field: there may be no stack
  piece.pipe = r.pipe, piece.coef = r.coef;
  Stages there = s;
  there.storage = Storage::float32;
  piece.stages = there.word();
  for (uint32_t from = 0; from < r.n; from += narrow_size) {
    piece.n = r.n - from < narrow_size ? r.n - from : narrow_size;
    piece.w = r.w + from, piece.g = r.g + from;
    piece.acc = r.acc ? r.acc + from : nullptr, piece.avg = r.avg ? r.avg + from : nullptr;
    for (size_t k = 0; k < max_slots; k++) {
      if (!r.slot[k]) continue;
      const Storage storage = s.of_slot(k);
      piece.slot[k] = stored_at(storage, r.slot[k], from);
      if (storage == Storage::float32) continue;
      widen(scratch.maps, storage, s.is_signed(k), piece.slot[k], piece.n, scratch.slots[k]);
      piece.slot[k] = scratch.slots[k];
    }
    update(piece);
    for (size_t k = 0; k < max_slots; k++) {
      const Storage storage = s.of_slot(k);
      if (!r.slot[k] || storage == Storage::float32) continue;
      float* const stored = stored_at(storage, r.slot[k], from);
      narrow(scratch.maps, storage, s.is_signed(k), scratch.slots[k], piece.n, stored, r.pipe->seed);
    }
  }
}

// The first pass of a rule in two over such a row: its sums alone. The arrays stay as they are, because what
// it makes of them goes into the second pass unrounded: BothPasses. The elements from `from` on of a variable
// of n, after those before them.
template <class R>
[[gnu::noinline]] void look(const Row& r, uint32_t from, uint32_t n, Scratch& scratch) {
  constexpr size_t found = FirstPass<R>::found;
  const Stages s = Stages::of(r.stages);
  if (from == 0) scratch.trail = {};
  uint32_t at = 0;
  do {
    const uint32_t count = r.n - at < narrow_size ? r.n - at : narrow_size, kept = scratch.trail.kept;
    Row& piece = scratch.piece;  // written field by field: there may be no stack
    piece.w = scratch.before + kept, piece.g = r.g + at, piece.acc = scratch.after, piece.n = count;
    piece.pipe = r.pipe, piece.coef = r.coef, piece.stages = r.stages;
    copy(r.w + at, count, piece.w);
    if (s.gathers()) copy(r.acc + at, count, piece.acc);
    if (s.grad != Grad::none) prepare(piece, 0, count, scratch.gradient), piece.g = scratch.gradient;
    if (s.decay) decay(piece, 0, count);
    for (size_t k = 0; k < R::slots.size(); k++) {
      const float* const stored = stored_at(s.of_slot(k), r.slot[k], at);
      piece.slot[k] = scratch.slots[k];
      if (s.of_slot(k) == Storage::float32) {
        copy(stored, count, piece.slot[k]);
      } else {
        widen(scratch.maps, s.of_slot(k), s.is_signed(k), stored, count, piece.slot[k]);
      }
    }
    piece.slot[found] = scratch.found + kept;
    piece.stages = Stages{}.word();
    update<FirstPass<R>, false, false, false>(&piece, &piece + 1, scratch);
    piece.w = scratch.before, piece.slot[found] = scratch.found;
    const uint32_t summed = follow(
        scratch.trail, count, n,
        [&](uint32_t first, uint32_t length, uint32_t depth) __attribute__((always_inline)) {
          float* const out = scratch.sums + depth * R::sums;
          [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
            ((out[K] = pairwise_sum<TermOf<R, K>>(piece, first, length)), ...);
          }
          (std::make_index_sequence<R::sums>{});
        },
        [&](uint32_t depth) __attribute__((always_inline)) {
          float* const out = scratch.sums + depth * R::sums;
          for (size_t k = 0; k < R::sums; k++) out[k] = out[k] + out[R::sums + k];
        });
    keep(scratch.trail, summed, scratch.before), keep(scratch.trail, summed, scratch.found);
    at += count;
  } while (at < r.n);
  if (scratch.trail.told < n) return;
  for (size_t k = 0; k < R::sums; k++) r.sums[k] = scratch.sums[k];
}

}  // namespace simdescent
