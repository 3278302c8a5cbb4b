// Adamax, Adam with the infinity norm in place of the second moment: Kingma & Ba 2015, Algorithm 2.
// Keras adds epsilon to the denominator; PyTorch adds it inside the maximum and has another rule for it.
#pragma once
#include <array>
#include <cmath>

#include "kernels/rule.h"

namespace simdescent {

struct Adamax {
  static constexpr std::string_view name = "adamax";
  static constexpr bool fused = true;
  static constexpr std::array slots{Slot{"momentum"}, squares("norm")};

  struct Hyper {
    FIELDS(double, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7);
  };

  template <class V>
  struct Coef {
    FIELDS(V, one_minus_beta1, beta2, learning_rate, bias1, epsilon);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    const float beta1 = float(h.beta_1);
    const float power1 = at.dialect == Dialect::tfjs ? running_power(beta1, at.t) : powf(beta1, float(at.t));
    return {float(1 - h.beta_1), float(h.beta_2), float(at.rate), 1 - power1, float(h.epsilon)};
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[0] = s[0] + (g - s[0]) * k.one_minus_beta1;
    s[1] = max_magnitude(k.beta2 * s[1], g);
    w = w - (k.learning_rate * s[0]) / (k.bias1 * (s[1] + k.epsilon));
  }
};

// PyTorch's Adamax: u = max(beta2 u, |g| + epsilon), and u itself is the denominator.
struct TorchAdamax {
  static constexpr std::string_view name = "torch_adamax";
  static constexpr std::array slots = Adamax::slots;
  using Hyper = Adamax::Hyper;

  template <class V>
  struct Coef {
    FIELDS(V, one_minus_beta1, beta2, step_size, epsilon);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    return {float(1 - h.beta_1), float(h.beta_2), float(at.rate / (1 - power(h.beta_1, at.t))),
            float(h.epsilon)};
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[0] = s[0] + (g - s[0]) * k.one_minus_beta1;
    s[1] = max_magnitude(k.beta2 * s[1], abs(g) + k.epsilon);
    w = w - k.step_size * (s[0] / s[1]);
  }
};

}  // namespace simdescent
