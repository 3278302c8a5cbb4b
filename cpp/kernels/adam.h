// Adam and AMSGrad: Kingma & Ba 2015, Algorithm 1; Reddi et al. 2018, Algorithm 2.
// Keras' form: the learning rate carries the bias correction and epsilon is "epsilon hat", added to the
// uncorrected root. With adaptive epsilon it is the paper's Algorithm 1, which is PyTorch's placement.
#pragma once
#include <cmath>

#include "kernels/rule.h"

namespace simdescent {

struct Adam {
  static constexpr std::string_view name = "adam";
  static constexpr std::array slots{Slot{"momentum", 0}, Slot{"velocity", 0}};
  static constexpr std::array<std::string_view, 4> coefs{"one_minus_beta1", "one_minus_beta2", "alpha",
                                                         "epsilon"};

  template <class V>
  struct Coef {
    V one_minus_beta1, one_minus_beta2, alpha, epsilon;
  };

  static std::array<float, 4> coef(const Hyper& h, double rate, uint32_t t) {
    if (h.dialect == Dialect::torch || h.dialect == Dialect::tfjs) {
      const bool exact = h.dialect == Dialect::torch;
      const double bias1 = exact ? 1 - power(h.beta1, t) : 1 - running_power(float(h.beta1), t);
      const double bias2 = exact ? 1 - power(h.beta2, t) : 1 - running_power(float(h.beta2), t);
      const double root2 = std::sqrt(bias2);
      return {float(1 - h.beta1), float(1 - h.beta2), float(rate * root2 / bias1), float(h.epsilon * root2)};
    }
    const float beta1 = float(h.beta1), beta2 = float(h.beta2), lr = float(rate);
    const float bias1 = 1 - powf(beta1, float(t)), root2 = sqrtf(1 - powf(beta2, float(t)));
    const bool from_float = h.dialect == Dialect::optimizer_v2;
    return {from_float ? 1 - beta1 : float(1 - h.beta1), from_float ? 1 - beta2 : float(1 - h.beta2),
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
  static constexpr std::array slots{Slot{"momentum", 0}, Slot{"velocity", 0}, Slot{"velocity_hat", 1}};

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    moments(k, g, s[0], s[1]);
    s[2] = at_least(s[1], s[2]);  // v first: its NaN must stay
    w = w - (s[0] * k.alpha) / (sqrt(s[2]) + k.epsilon);
  }
};

}  // namespace simdescent
