// The table of update rules: one line each. Selection, slots, coefficients and tests all read it.
#pragma once
#include <span>
#include <tuple>

#include "kernels/adam.h"
#include "kernels/adamax.h"
#include "kernels/sweep.h"

namespace simdescent {

using Rules = std::tuple<  //
    Adam,                  //
    AmsGrad,               //
    Adamax,                //
    TorchAdamax>;

inline constexpr uint32_t rule_count = std::tuple_size_v<Rules>;

// f.template operator()<R>() for rule number `rule`. Chains of comparisons, not a table of function
// pointers: the memory-less module has no place to keep one.
template <class F>
[[gnu::always_inline]] inline void with_rule(uint32_t rule, F f) {
  [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    ((rule == K ? f.template operator()<std::tuple_element_t<K, Rules>>() : void()), ...);
  }
  (std::make_index_sequence<rule_count>{});
}

// Rows from `r` on through one update by rule number `rule`, as many as have the stages of the first, which
// must be those of a vector loop. Returns the first row that is left.
[[gnu::noinline]] inline const Row* update(uint32_t rule, const Row* r, const Row* end) {
  const uint32_t stages = r->stages;
  with_rule(
      rule, [&]<Rule R>() __attribute__((always_inline)) {
        [&]<size_t... S>(std::index_sequence<S...>) __attribute__((always_inline)) {
          ((stages == loop_stages(S).word() ? void(r = update<R, loop_stages(S).word()>(r, end)) : void()),
           ...);
        }
        (std::make_index_sequence<loop_count>{});
      });
  return r;
}

// What a step of a `general` row needs beside its own arrays. The host gives it: there is no stack to have it
// on.
inline constexpr uint32_t tile_size = 16384;  // floats: a pair of tiles stays in the second-level cache
struct Scratch {
  Row row;
  alignas(16) float gradient[tile_size];
};

// A `general` row through one update.
[[gnu::always_inline]] inline void update_prepared(uint32_t rule, Stages s, const Row& row,
                                                   Scratch& scratch) {
  for (uint32_t from = 0; from < row.n; from += tile_size) {
    const uint32_t count = row.n - from < tile_size ? row.n - from : tile_size;
    scratch.row = row.part(from, count, row.g + from, row.w + from);
    prepare(s, scratch.row, scratch.gradient);
    scratch.row.g = scratch.gradient;
    scratch.row.stages = Stages{.decay = s.decay, .average = s.average}.word();
    update(rule, &scratch.row, &scratch.row + 1);
  }
}

// Variables through one step: the gathering of a micro step, or the update.
[[gnu::noinline]] inline void step(uint32_t rule, const Row* r, uint32_t count, Scratch& scratch) {
  for (const Row* const end = r + count; r != end;) {
    const Stages s = Stages::of(r->stages);
    if (s.grad != Grad::general && !s.micro) {
      r = update(rule, r, end);
      continue;
    }
    if (s.micro) {
      gather(*r, s.exact);
      if (s.average) average(*r);
    } else {
      update_prepared(rule, s, *r, scratch);
    }
    r++;
  }
}

inline std::span<const Slot> slots(uint32_t rule) {
  std::span<const Slot> found;
  with_rule(rule, [&]<Rule R> { found = R::slots; });
  return found;
}

inline void coefficients(uint32_t rule, const Hyper& h, double rate, uint32_t t, float (&out)[max_coefs]) {
  with_rule(rule, [&]<Rule R> {
    uint32_t k = 0;
    for (const float c : R::coef(h, rate, t)) out[k++] = c;
  });
}

inline std::string_view rule_name(uint32_t rule) {
  std::string_view found;
  with_rule(rule, [&]<Rule R> { found = R::name; });
  return found;
}

}  // namespace simdescent
