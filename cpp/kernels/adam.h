// Adam and AMSGrad: Kingma & Ba 2015, Algorithm 1; Reddi et al. 2018, Algorithm 2.
// Keras' form: the learning rate carries the bias correction and epsilon is "epsilon hat", added to the
// uncorrected root. With adaptive epsilon it is the paper's Algorithm 1, which is PyTorch's placement.
#pragma once
#include <array>
#include <cmath>

#include "kernels/rule.h"

namespace simdescent {

struct Adam {
  static constexpr std::string_view name = "adam";
  static constexpr bool fused = true;
  static constexpr std::array slots{Slot{"momentum"}, squares("velocity")};

  struct Hyper {
    FIELDS(double, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7, adaptive_epsilon = 0);
  };

  template <class V>
  struct Coef {
    FIELDS(V, one_minus_beta1, one_minus_beta2, alpha, epsilon);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    if (at.dialect == Dialect::torch || at.dialect == Dialect::tfjs) {
      const bool exact = at.dialect == Dialect::torch;
      const double bias1 = 1 - (exact ? power(h.beta_1, at.t) : running_power(float(h.beta_1), at.t));
      const double bias2 = 1 - (exact ? power(h.beta_2, at.t) : running_power(float(h.beta_2), at.t));
      const double root2 = std::sqrt(bias2);
      return {float(1 - h.beta_1), float(1 - h.beta_2), float(at.rate * root2 / bias1),
              float(h.epsilon * root2)};
    }
    const float beta1 = float(h.beta_1), beta2 = float(h.beta_2), lr = float(at.rate), t = float(at.t);
    const float bias1 = 1 - powf(beta1, t), root2 = sqrtf(1 - powf(beta2, t));
    const bool from_float = at.dialect == Dialect::optimizer_v2;
    return {from_float ? 1 - beta1 : float(1 - h.beta_1), from_float ? 1 - beta2 : float(1 - h.beta_2),
            (lr * root2) / bias1, h.adaptive_epsilon ? float(h.epsilon) * root2 : float(h.epsilon)};
  }

  template <class V>
  [[gnu::always_inline]] static void moments(const Coef<V>& k, V g, V& m, V& v) {
    m = m + (g - m) * k.one_minus_beta1;
    v = v + (g * g - v) * k.one_minus_beta2;
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    moments(k, g, s[0], s[1]);
    w = w - (s[0] * k.alpha) / (sqrt(s[1]) + k.epsilon);
  }
};

// Adam whose second moment never falls: the maximum is of the uncorrected velocity, as in Keras and PyTorch.
struct AmsGrad : Adam {
  static constexpr std::string_view name = "amsgrad";
  static constexpr std::array slots{Slot{"momentum"}, squares("velocity"), squares("velocity_hat", 1)};

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    moments(k, g, s[0], s[1]);
    s[2] = at_least(s[1], s[2]);  // v first: its NaN must stay
    w = w - (s[0] * k.alpha) / (sqrt(s[2]) + k.epsilon);
  }
};

}  // namespace simdescent
