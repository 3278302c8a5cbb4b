// Lion (Chen et al. 2023, Algorithm 2): the sign of an interpolation; the momentum moves after the variable.
#pragma once
#include <array>

#include "kernels/rule.h"

namespace simdescent {

struct Lion {
  static constexpr std::string_view name = "lion";
  static constexpr std::array slots{Slot{"momentum"}};

  struct Hyper {
    FIELDS(double, beta_1 = 0.9, beta_2 = 0.99);
  };

  template <class V>
  struct Coef {
    FIELDS(V, beta1, one_minus_beta1, beta2, one_minus_beta2, learning_rate);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    const float beta1 = float(h.beta_1), beta2 = float(h.beta_2);
    return {beta1, 1 - beta1, beta2, 1 - beta2, float(at.rate)};
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    w = w - k.learning_rate * sign(s[0] * k.beta1 + g * k.one_minus_beta1);
    s[0] = s[0] * k.beta2 + g * k.one_minus_beta2;
  }
};

}  // namespace simdescent
