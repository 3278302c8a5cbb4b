// Ftrl, "follow the regularized leader" (McMahan et al. 2013, Algorithm 1, with Keras' l2 shrinkage and
// beta). The usual power of the learning rate, -0.5, is a root; any other takes the lane's `power`.
#pragma once
#include <array>

#include "kernels/rule.h"

namespace simdescent {

template <bool rooted>
struct FtrlOf {
  static constexpr std::string_view name = rooted ? "ftrl" : "ftrl_power";
  static constexpr std::array slots{squares("accumulator", 0, "initial_accumulator_value"), Slot{"linear"}};
  static constexpr bool uses_weights = true;

  struct Hyper {
    FIELDS(double, learning_rate_power = -0.5, initial_accumulator_value = 0.1,
           l1_regularization_strength = 0, l2_regularization_strength = 0,
           l2_shrinkage_regularization_strength = 0, beta = 0);
  };

  template <class V>
  struct Coef {
    FIELDS(V, learning_rate, exponent, l1, minus_l1, twice_l2, twice_shrinkage);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    const float lr = float(at.rate), l1 = float(h.l1_regularization_strength);
    const float l2 = float(h.l2_regularization_strength) + float(h.beta) / (2 * lr);
    return {lr,     float(-h.learning_rate_power),
            l1,     -l1,
            2 * l2, float(2 * h.l2_shrinkage_regularization_strength)};
  }

  template <class V>
  [[gnu::always_inline]] static V raised(const Coef<V>& k, V x) {
    if constexpr (rooted) return sqrt(x);
    return power(x, k.exponent);
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    const V next = s[0] + g * g, raised_next = raised(k, next);
    s[1] = s[1] + ((g + k.twice_shrinkage * w) - ((raised_next - raised(k, s[0])) / k.learning_rate) * w);
    w = (at_most(at_least(s[1], k.minus_l1), k.l1) - s[1]) / (raised_next / k.learning_rate + k.twice_l2);
    s[0] = next;
  }
};

using Ftrl = FtrlOf<true>;
using FtrlPower = FtrlOf<false>;

}  // namespace simdescent
