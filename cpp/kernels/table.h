// The rules by their number: what the engine, the kernel module and the tests call. Which rules there are is
// rules.h.
#pragma once
#include <array>
#include <cstring>
#include <span>

#include "kernels/narrow.h"
#include "kernels/rules.h"

namespace simdescent {

// A struct of fields from the list of its values.
template <class T, class F>
T from_list(const F* list) {
  T values;
  std::memcpy(static_cast<void*>(&values), list, field_count<T> * sizeof(F));
  return values;
}

// A variable through an update that reads it whole.
template <class R>
__attribute__((noinline)) void step_whole(const Row& r, Scratch& scratch) {
  const Stages s = Stages::of(r.stages);
  float* const room = r.sums;
  float* before = nullptr;
  const float* g = r.g;
  if (s.monitored) {
    before = room + r.n + R::room({r.n, r.rows, r.columns});
    g = prepare_tallied(r, 0, r.n, room, before, scratch.tallies, scratch);
    copy(r.w, r.n, before);
  } else if (s.grad != Grad::none) {
    g = room, prepare(r, 0, r.n, room);
  }
  constexpr bool decays_itself = requires { R::decays_itself; };
  if (s.decay && !decays_itself) decay(r, 0, r.n);
  R::step(r, g, room + r.n);
  if (s.monitored) {
    tally(g, before, r.w, r.n, scratch.leaves, scratch.tallies);
    with_seen(r, scratch.tallies[0], scratch.seen);
    *r.tally = scratch.tallies[0];
  }
  if (s.average) average(r, 0, r.n);
}

// How many sums a rule in two passes has; 0 for the others.
inline uint32_t sums_of(uint32_t rule) {
  uint32_t count = 0;
  with_rule(rule, [&]<Rule R> { count = sum_count<R>; });
  return count;
}

// The first pass of a rule in two over a row whose slots are stored in fewer bits.
inline void look(uint32_t rule, const Row& r, uint32_t from, uint32_t n, Scratch& scratch) {
  with_rule(
      rule, [&]<Rule R>() __attribute__((always_inline)) {
        if constexpr (two_passes<R>) look<R>(r, from, n, scratch);
      });
}

// Rows from `r` on through one update by rule number `rule`, as many as have the stages of the first. Returns
// the first row that is left.
[[gnu::noinline]] inline const Row* update(uint32_t rule, const Row* r, const Row* end, Scratch& scratch) {
  const Stages s = Stages::of(r->stages);
  if (s.storage != Storage::float32) {
    if (s.first) {
      look(rule, *r, 0, r->n, scratch);
      return r + 1;
    }
    bool done = false;
    if (s.storage == Storage::bfloat16 && !s.wide) {
      with_rule(
          rule, [&]<Rule R>() __attribute__((always_inline)) {
            if constexpr (fused<R>) update_halves<R>(*r, scratch), done = true;
          });
    }
    if (!done) {
      update_pieces(
          *r, scratch, [ rule, &scratch ](const Row& piece) __attribute__((always_inline)) {
            bool both = false;
            with_rule(
                rule, [&]<Rule R>() __attribute__((always_inline)) {
                  if constexpr (two_passes<R>)
                    both = true, update<BothPasses<R>, false, false, false>(&piece, &piece + 1, scratch);
                });
            if (!both) update(rule, &piece, &piece + 1, scratch);
          });
    }
    return r + 1;
  }
  with_rule(
      rule, [&]<Rule R>() __attribute__((always_inline)) {
        if constexpr (whole<R>) {
          step_whole<R>(*r, scratch);
          r++;
        } else if constexpr (fused<R>) {
          [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
            const size_t loop = (s.grad == Grad::scale ? 4 : 0) + (s.decay ? 2 : 0) + (s.average ? 1 : 0);
            ((loop == K ? void(r = update<R, (K & 4) != 0, (K & 2) != 0, (K & 1) != 0>(r, end, scratch))
                        : void()),
             ...);
          }
          (std::make_index_sequence<8>{});
        } else if constexpr (two_passes<R>) {
          if (!s.first) {
            r = update<R, false, false, false>(r, end, scratch);
          } else {
            first_pass<R>(*r, 0, r->n, scratch.sums, nullptr, scratch.tallies, scratch);
            if (s.monitored) *r->tally = scratch.tallies[0];
            for (size_t k = 0; k < R::sums; k++) r->sums[k] = scratch.sums[k];
            r++;
          }
        } else {
          r = update<R, false, false, false>(r, end, scratch);
        }
      });
  return r;
}

// n elements of a row from `from` on through an update by the prepared gradients `g`, with their weights
// before it in `before`.
[[gnu::noinline]] inline void step_kept(uint32_t rule, const Row& r, uint32_t from, uint32_t n,
                                        const float* g, float* before, Scratch& scratch) {
  const Stages s = Stages::of(r.stages);
  Row& piece = scratch.piece;  // written field by field: there may be no stack
  piece.w = r.w + from, piece.g = g, piece.n = n;
  for (size_t k = 0; k < max_slots; k++)
    piece.slot[k] = r.slot[k] ? stored_at(s.of_slot(k), r.slot[k], from) : nullptr;
  piece.avg = r.avg ? r.avg + from : nullptr;
  piece.pipe = r.pipe, piece.coef = r.coef;
  piece.stages = Stages{.decay = s.decay,
                        .average = s.average,
                        .storage = s.storage,
                        .wide = s.wide,
                        .positive = s.positive}
                     .word();
  copy(piece.w, n, before);
  update(rule, &piece, &piece + 1, scratch);
}

// A row whose slots are stored in blocks through the first pass of two, or an update that is monitored: the
// elements from `from` on of a variable of n, after those before them.
[[gnu::noinline]] inline void step_trailed(uint32_t rule, const Row& r, uint32_t from, uint32_t n,
                                           Scratch& scratch) {
  const Stages s = Stages::of(r.stages);
  if (s.first) return look(rule, r, from, n, scratch);
  if (from == 0) scratch.trail = {};
  uint32_t at = 0;
  do {
    const uint32_t count = r.n - at < narrow_size ? r.n - at : narrow_size, kept = scratch.trail.kept;
    float *const g = scratch.gradient + kept, *const after = scratch.after + kept;
    if (s.grad != Grad::none && s.clips) see(r, at, count, scratch.found + kept);
    if (s.grad == Grad::none) {
      copy(r.g + at, count, g);
    } else {
      prepare(r, at, count, g);
    }
    step_kept(rule, r, at, count, g, scratch.before + kept, scratch);
    copy(r.w + at, count, after);
    tell(r, count, n, scratch);
    at += count;
  } while (at < r.n);
  if (scratch.trail.told == n) *r.tally = scratch.tallies[0];
}

// n elements of a row from `from` on through an update that is monitored, but for one that reads whole
// variables. Of two passes the second one, which adds to what the first has told.
[[gnu::noinline]] inline void step_monitored(uint32_t rule, const Row& r, uint32_t from, uint32_t n,
                                             Tally* out, Scratch& scratch) {
  if (n > piece_size) {
    const uint32_t half = n / 2 - n / 2 % 8;
    step_monitored(rule, r, from, half, out, scratch);
    step_monitored(rule, r, from + half, n - half, out + 1, scratch);
    merge(out[0], out[1]);
    return;
  }
  const Stages s = Stages::of(r.stages);
  const float* const g = prepare_tallied(r, from, n, scratch.gradient, scratch.found, out, scratch);
  bool stepped = false;
  with_rule(
      rule, [&]<Rule R>() __attribute__((always_inline)) {
        if constexpr (fused<R>) {
          if (s.storage != Storage::float32) return;
          stepped = true;
          if (s.decay) {
            step_tallied<R, true>(r, from, n, g, scratch.leaves, out);
          } else {
            step_tallied<R, false>(r, from, n, g, scratch.leaves, out);
          }
        }
      });
  if (stepped) {
    if (s.average) average(r, from, n);
  } else {
    step_kept(rule, r, from, n, g, scratch.before, scratch);
    tally(g, scratch.before, r.w + from, n, scratch.leaves, out);
  }
  with_seen(r, *out, scratch.seen);
}
[[gnu::noinline]] inline void step_monitored(uint32_t rule, const Row& r, Scratch& scratch) {
  if (Stages::of(r.stages).storage == Storage::int8) return step_trailed(rule, r, 0, r.n, scratch);
  step_monitored(rule, r, 0, r.n, scratch.tallies, scratch);
  const Tally& told = scratch.tallies[0];
  r.tally->update = told.update, r.tally->weights = told.weights;
  if (sums_of(rule) > 0 && Stages::of(r.stages).storage == Storage::float32) return;
  r.tally->gradient = told.gradient, r.tally->clipped = told.clipped;
  r.tally->zeros = told.zeros, r.tally->nonfinite = told.nonfinite;
}

inline constexpr uint32_t tile_size = 16384;  // floats: a pair of tiles stays in the second-level cache

// Variables through one step: the gathering of a micro step, or the update.
[[gnu::noinline]] inline void step(uint32_t rule, const Row* r, uint32_t count, Scratch& scratch) {
  for (const Row* const end = r + count; r != end;) {
    const Stages s = Stages::of(r->stages);
    if (s.monitored && !s.first && rule < element_rule_count) {
      step_monitored(rule, *r++, scratch);
      continue;
    }
    if (!s.micro) {
      r = update(rule, r, end, scratch);
      continue;
    }
    gather(*r, s.exact);
    if (s.average) average(*r);
    r++;
  }
}

inline std::span<const Slot> slots(uint32_t rule) {
  std::span<const Slot> found;
  with_rule(rule, [&]<Rule R> { found = R::slots; });
  return found;
}

// The values of a rule's hyperparameters, and of the scalars that are its state, in their order.
using Hypers = std::array<double, max_hypers>;
using Scalars = std::array<float, max_scalars>;

// What they are at first.
inline Hypers default_hypers(uint32_t rule) {
  Hypers list{};
  with_rule(rule, [&]<Rule R> {
    const typename R::Hyper h;
    std::memcpy(list.data(), &h, field_count<typename R::Hyper> * sizeof(double));
  });
  return list;
}
inline Scalars first_scalars(uint32_t rule) {
  Scalars list{};
  with_rule(rule, [&]<Rule R> {
    const typename ScalarsOf<R>::type s;
    std::memcpy(list.data(), &s, field_count<typename ScalarsOf<R>::type> * sizeof(float));
  });
  return list;
}

// The scalars are those before this update.
inline void coefficients(uint32_t rule, const Hypers& hypers, const Step& at, const Scalars& scalars,
                         float (&out)[max_coefs]) {
  with_rule(rule, [&]<Rule R> {
    const auto h = from_list<typename R::Hyper>(hypers.data());
    CoefOf<R, float> k;
    if constexpr (requires { R::coef(h, at); }) {
      k = R::coef(h, at);
    } else {
      k = R::coef(h, at, from_list<typename R::Scalars>(scalars.data()));
    }
    std::memcpy(out, &k, field_count<decltype(k)> * sizeof(float));
  });
}

// What becomes of the coefficients of a rule in two passes by its sums.
inline void resolve(uint32_t rule, const float* sums, float* coef) {
  with_rule(rule, [&]<Rule R> {
    if constexpr (two_passes<R>) {
      auto k = from_list<CoefOf<R, f32x1>>(coef);
      f32x1 found[R::sums];
      for (size_t i = 0; i < R::sums; i++) found[i] = sums[i];
      R::template resolve<f32x1>(found, k);
      std::memcpy(coef, &k, field_count<CoefOf<R, float>> * sizeof(float));
    }
  });
}

// A variable that lies here whole through both passes. `room`, as long as it, keeps what the first one finds
// for the second; `coef` has room for coefficients of its own.
inline void both_passes(uint32_t rule, Row r, float* room, float* coef, Scratch& scratch) {
  with_rule(rule, [&]<Rule R> {
    if constexpr (two_passes<R>) {
      Stages s = Stages::of(r.stages);
      if (s.storage != Storage::float32) {
        look<R>(r, 0, r.n, scratch);
        std::memcpy(coef, r.coef, field_count<CoefOf<R, float>> * sizeof(float));
        resolve(rule, r.sums, coef);
        s.first = false;
        r.coef = coef, r.stages = s.word();
        update(rule, &r, &r + 1, scratch);
        return;
      }
      first_pass<R>(r, 0, r.n, scratch.sums, room, scratch.tallies, scratch);
      std::memcpy(coef, r.coef, field_count<CoefOf<R, float>> * sizeof(float));
      resolve(rule, scratch.sums, coef);
      r.g = room, r.coef = coef, r.stages = Stages{.average = s.average}.word();
      update<SecondPass<R>, false, false, false>(&r, &r + 1, scratch);
    }
  });
}

// For a rule that reads whole variables: how many floats it works in, with those of a prepared gradient.
inline bool is_whole(uint32_t rule) {
  bool found = false;
  with_rule(rule, [&]<Rule R> { found = whole<R>; });
  return found;
}
inline size_t room(uint32_t rule, const Extents& x) {
  size_t floats = 0;
  with_rule(rule, [&]<Rule R> {
    if constexpr (whole<R>) floats = size_t(x.n) + R::room(x);
  });
  return floats;
}

// How many sums a row has on a GPU, where it has any: between passes there, or of squares.
inline uint32_t gpu_sums_of(uint32_t rule) {
  uint32_t count = 1;
  with_rule(rule, [&]<Rule R> {
    if constexpr (gpu_sum_count < R >> 0) count = gpu_sum_count<R>;
  });
  return count;
}

// The scalars after an update.
inline void advance(uint32_t rule, const Hypers& hypers, const Step& at, Scalars& scalars) {
  with_rule(rule, [&]<Rule R> {
    if constexpr (requires { typename R::Scalars; }) {
      auto s = from_list<typename R::Scalars>(scalars.data());
      R::advance(from_list<typename R::Hyper>(hypers.data()), at, s);
      std::memcpy(scalars.data(), &s, field_count<typename R::Scalars> * sizeof(float));
    }
  });
}

inline std::string_view rule_name(uint32_t rule) {
  std::string_view found;
  with_rule(rule, [&]<Rule R> { found = R::name; });
  return found;
}

}  // namespace simdescent
