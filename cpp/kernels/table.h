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

static_assert([]<class... R>(std::tuple<R...>*) { return ((R::slots.size() <= max_slots) && ...); }(
                  static_cast<Rules*>(nullptr)),
              "A rule has too many slots: raise max_slots in rule.h, and give them a place in a Row "
              "(kernels_exports.cc), roles in memory.h, arrays in shader.cc and memory-stepper.ts.");
static_assert(
    []<class... R>(std::tuple<R...>*) {
      return ((R::coefs.size() <= max_coefs) && ...);
    }(static_cast<Rules*>(nullptr)),
    "A rule has too many coefficients: raise max_coefs in rule.h, and with it the size of `coef` in "
    "shader.cc and web/gpu/control.ts, and coefWords in memory-stepper.ts.");

// f.template operator()<R>() for rule number `rule`. Chains of comparisons, not a table of function
// pointers: the memory-less module has no place to keep one.
template <class F>
[[gnu::always_inline]] inline void with_rule(uint32_t rule, F f) {
  [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    ((rule == K ? f.template operator()<std::tuple_element_t<K, Rules>>() : void()), ...);
  }
  (std::make_index_sequence<rule_count>{});
}

// Rows from `r` on through one update by rule number `rule`, as many as have the stages of the first. Returns
// the first row that is left.
[[gnu::noinline]] inline const Row* update(uint32_t rule, const Row* r, const Row* end, Scratch& scratch) {
  const Stages s = Stages::of(r->stages);
  with_rule(
      rule, [&]<Rule R>() __attribute__((always_inline)) {
        [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
          const size_t loop = (s.grad == Grad::scale ? 4 : 0) + (s.decay ? 2 : 0) + (s.average ? 1 : 0);
          ((loop == K ? void(r = update<R, (K & 4) != 0, (K & 2) != 0, (K & 1) != 0>(r, end, scratch))
                      : void()),
           ...);
        }
        (std::make_index_sequence<8>{});
      });
  return r;
}

inline constexpr uint32_t tile_size = 16384;  // floats: a pair of tiles stays in the second-level cache

// Variables through one step: the gathering of a micro step, or the update.
[[gnu::noinline]] inline void step(uint32_t rule, const Row* r, uint32_t count, Scratch& scratch) {
  for (const Row* const end = r + count; r != end;) {
    const Stages s = Stages::of(r->stages);
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
