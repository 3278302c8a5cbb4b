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

// One variable through one update by rule number `rule`: its stages must be those of a vector loop.
[[gnu::always_inline]] inline void update(uint32_t rule, const Row& row) {
  with_rule(
      rule, [&]<Rule R>() __attribute__((always_inline)) {
        [&]<size_t... S>(std::index_sequence<S...>) __attribute__((always_inline)) {
          ((row.stages == loop_stages(S).word() ? update<R, loop_stages(S).word()>(row) : void()), ...);
        }
        (std::make_index_sequence<loop_count>{});
      });
}

// What a step of a `general` row needs beside its own arrays. The host gives it: there is no stack to have it
// on.
inline constexpr uint32_t tile_size = 16384;  // floats: a pair of tiles stays in the second-level cache
struct Scratch {
  Row row;
  alignas(16) float gradient[tile_size];
};

// One variable through one step: the gathering of a micro step, or the update.
[[gnu::noinline]] inline void step(uint32_t rule, const Row& row, Scratch& scratch) {
  const Stages s = Stages::of(row.stages);
  if (s.micro) {
    gather(row, s.exact);
    if (s.average) average(row);
  } else if (s.grad != Grad::general) {
    update(rule, row);
  } else {
    for (uint32_t from = 0; from < row.n; from += tile_size) {
      const uint32_t count = row.n - from < tile_size ? row.n - from : tile_size;
      scratch.row = row.part(from, count, row.g + from, row.w + from);
      prepare(s, scratch.row, scratch.gradient);
      scratch.row.g = scratch.gradient;
      scratch.row.stages = Stages{.decay = s.decay, .average = s.average}.word();
      update(rule, scratch.row);
    }
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
