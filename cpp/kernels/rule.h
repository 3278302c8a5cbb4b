// What an update rule is: its slots, its coefficients, and a few lines of arithmetic over a lane type.
// A rule knows no memory, no loop and no other option of the optimizer; those are stage.h and sweep.h.
#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "simd/f32x1.h"

namespace simdescent {

// One per-element state array. Keras lists the slots of group 0 interleaved per variable, then group 1.
struct Slot {
  std::string_view name;
  uint32_t group;
};

// Whose scalar arithmetic the coefficients follow; the element-wise formulas do not depend on it.
enum class Dialect : uint32_t {
  keras,         // float32 scalars, fl(1 - beta) from double, 1 - beta^t from fl(beta)
  optimizer_v2,  // as keras, but 1 - fl(beta) in float32 (TensorFlow <= 2.10 and what derives from it)
  torch,         // scalars in double, epsilon added after the bias correction
  tfjs,          // as torch, but beta^t in float32, multiplied from step to step (tf.train)
};

// The hyperparameters of all rules, as given by the user (doubles); a rule reads those that it has.
struct Hyper {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7;
  bool adaptive_epsilon = false;
  Dialect dialect = Dialect::keras;
};

// beta^t in double, by squaring: std::pow and its tables would be a fifth of the wasm module.
constexpr double power(double beta, uint32_t t) {
  double result = 1;
  for (; t > 0; t >>= 1, beta *= beta) {
    if (t & 1) result *= beta;
  }
  return result;
}

// beta^t as a float that is multiplied by beta from step to step; after a thousand steps nobody can tell.
constexpr float running_power(float beta, uint32_t t) {
  if (t > 1000) return float(power(beta, t));
  float p = 1;
  for (uint32_t i = 0; i < t; i++) p *= beta;
  return p;
}

// What there is room for; table.h checks that its rules find it.
inline constexpr size_t max_slots = 3, max_coefs = 8;

// The length of an array for one element's slots: an array of none is no C++.
template <class R>
inline constexpr size_t slot_room = R::slots.size() > 0 ? R::slots.size() : 1;

// `coefs` names what changes from step to step but not from element to element, in the order of Coef<V>;
// `coef` computes them on the host for update number t (from 1) at the learning rate given. `update` finds
// its slots at `s`, in their order, and is inlined by force: they are in registers.
template <class R>
concept Rule = requires(const Hyper& h, double rate, uint32_t t, const typename R::template Coef<f32x1>& k,
                        f32x1& w, f32x1 g, f32x1* s) {
  { R::name } -> std::convertible_to<std::string_view>;
  requires std::same_as<typename decltype(R::slots)::value_type, Slot>;
  { R::coef(h, rate, t) } -> std::same_as<std::array<float, R::coefs.size()>>;
  R::template update<f32x1>(k, w, g, s);
};

}  // namespace simdescent
