// What an update rule is: its slots, its hyperparameters, its coefficients, and a few lines of arithmetic
// over a lane type. A rule knows no memory, no loop and no other option of the optimizer; those are stage.h
// and sweep.h.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/fields.h"
#include "simd/f32x1.h"

namespace simdescent {

// What a slot holds before the first update: zeros, a copy of the variable, or the hyperparameter of this
// name.
namespace initial {
inline constexpr std::string_view zeros = "", weights = "weights";
}

// The size of a slot: the variable's; of a matrix, its rows or columns, and a number for what is none; or
// nothing of a matrix.
enum class Extent : uint32_t { same, rows, columns, no_matrix };

// A variable as a rule sees it that reads it whole: matrices over the last two axes, or 0 and 0.
struct Extents {
  uint32_t n, rows, columns;
  uint32_t count = 0;  // of matrices, where they are empty: n does not tell it then

  constexpr uint32_t of(Extent extent) const {
    const uint32_t matrices = rows && columns ? n / (rows * columns) : count;
    const bool is_matrix = rows || matrices;
    switch (extent) {
      case Extent::same:
        return n;
      case Extent::rows:
        return is_matrix ? matrices * rows : 1;
      case Extent::columns:
        return is_matrix ? matrices * columns : 1;
      case Extent::no_matrix:
        return is_matrix ? 0 : n;
    }
    return n;
  }
};

// One per-element state array. Keras lists the slots of group 0 interleaved per variable, then group 1.
struct Slot {
  std::string_view name;
  uint32_t group = 0;
  std::string_view value = initial::zeros;
  Extent extent = Extent::same;
  bool never_negative = false;
};

// A slot that sums or compares squares or magnitudes.
constexpr Slot squares(std::string_view name, uint32_t group = 0, std::string_view value = initial::zeros,
                       Extent extent = Extent::same) {
  return {name, group, value, extent, true};
}

// Whose scalar arithmetic the coefficients follow; the element-wise formulas do not depend on it.
enum class Dialect : uint32_t {
  keras,         // float32 scalars, fl(1 - beta) from double, 1 - beta^t from fl(beta)
  optimizer_v2,  // as keras, but 1 - fl(beta) in float32 (TensorFlow <= 2.10 and what derives from it)
  torch,         // scalars in double, epsilon added after the bias correction
  tfjs,          // as torch, but beta^t in float32, multiplied from step to step (tf.train)
};

// When the coefficients are wanted: for update number t, from 1, at this learning rate.
struct Step {
  double rate;
  uint32_t t;
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

// What a Row has room for; rules.h checks that its rules find it.
inline constexpr size_t max_slots = 3;

// The length of an array for one element's slots: an array of none is no C++.
template <class R>
inline constexpr size_t slot_room = R::slots.size() > 0 ? R::slots.size() : 1;

// Whether a rule has loops of its own for each mix of scaling, decay and average, where these hide behind its
// divisions; `static constexpr bool fused = true` says so. They are eight times the code of one: for the
// rules that most people run. The others have one loop, and passes that all rules share.
template <class R>
inline constexpr bool fused = requires {
  requires R::fused;
};

// Whether a rule does so little that its loop shows: it takes two vectors at a time, as `in_pairs` says.
template <class R>
inline constexpr bool in_pairs = requires {
  requires R::in_pairs;
};

// Whether an update depends on what the variable was, beyond adding to it: `uses_weights` says so.
template <class R>
inline constexpr bool uses_weights = requires {
  R::uses_weights;
};

template <class R, class V>
using CoefOf = typename R::template Coef<V>;

// A scalar state of the optimizer that a rule has beside its slots, by `struct Scalars { FIELDS(float, …) }`.
struct NoScalars {};
template <class R>
struct ScalarsOf {
  using type = NoScalars;
};
template <class R>
requires requires { typename R::Scalars; }
struct ScalarsOf<R> {
  using type = typename R::Scalars;
};

// `Hyper` are the hyperparameters, doubles as the user gave them. `Coef` is what changes from step to step
// but not from element to element; `coef` computes it on the host. `update` finds its slots at `s`, in their
// order, and is inlined by force: they are in registers. A rule with `Scalars` gives them to `coef` as they
// were before this update, and moves them by `advance` after it.
//
// A rule in two passes has `first`, which makes the slots, and `update`, which moves the variable by them
// alone. Between them stand `sums` sums over the variable of what `term<k>` gives for an element (weights
// after decay, slots after `first`), in numpy's order, of which `resolve` makes coefficients. What both need
// of the slots is `direction`: `term` and `move`, which is `update` by it, take it where it has been kept.
template <class R>
inline constexpr size_t sum_count = 0;
template <class R>
requires requires { R::sums; }
inline constexpr size_t sum_count<R> = R::sums;
template <class R>
inline constexpr bool two_passes = sum_count<R> > 0;

// A rule that is `whole` reads whole variables: `step` does all but the gradient, the decay (unless it decays
// itself) and the average, in the memory of `room` floats that it is given. The arithmetic in it is apart,
// for the shaders (engine/whole_shader.cc).
template <class R>
inline constexpr bool whole = requires {
  R::whole;
};

// A GPU takes such a rule in several passes, with `gpu_sums` sums between them.
template <class R>
inline constexpr size_t gpu_sum_count = sum_count<R>;
template <class R>
requires whole<R>
inline constexpr size_t gpu_sum_count<R> = R::gpu_sums;

template <class R>
concept Rule = requires(const typename R::Hyper& h, const Step& at, const CoefOf<R, f32x1>& k, f32x1& w,
                        f32x1 g, f32x1* s) {
  { R::name } -> std::convertible_to<std::string_view>;
  requires std::same_as<typename decltype(R::slots)::value_type, Slot>;
  requires whole<R> || requires { R::template update<f32x1>(k, w, g, s); };
}
&&(
    requires(const typename R::Hyper& h, const Step& at) {
      { R::coef(h, at) } -> std::same_as<CoefOf<R, float>>;
    } ||
    requires(const typename R::Hyper& h, const Step& at, typename ScalarsOf<R>::type& state) {
      { R::coef(h, at, state) } -> std::same_as<CoefOf<R, float>>;
      R::advance(h, at, state);
    });

}  // namespace simdescent
