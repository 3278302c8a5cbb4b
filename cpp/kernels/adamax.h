// Adamax, Adam with the infinity norm in place of the second moment: Kingma & Ba 2015, Algorithm 2.
// Keras adds epsilon to the denominator; PyTorch adds it inside the maximum and has another rule for it.
#pragma once
#include <cmath>

#include "kernels/rule.h"

namespace simdescent {

struct Adamax {
  static constexpr std::string_view name = "adamax";
  static constexpr std::array slots{Slot{"momentum", 0}, Slot{"norm", 0}};
  static constexpr std::array<std::string_view, 5> coefs{"one_minus_beta1", "beta2", "learning_rate", "bias1",
                                                         "epsilon"};

  template <class V>
  struct Coef {
    V one_minus_beta1, beta2, learning_rate, bias1, epsilon;
  };

  static std::array<float, 5> coef(const Hyper& h, double rate, uint32_t t) {
    const float beta1 = float(h.beta1);
    const float power1 = h.dialect == Dialect::tfjs ? running_power(beta1, t) : powf(beta1, float(t));
    return {float(1 - h.beta1), float(h.beta2), float(rate), 1 - power1, float(h.epsilon)};
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
  static constexpr std::array<std::string_view, 4> coefs{"one_minus_beta1", "beta2", "step_size", "epsilon"};

  template <class V>
  struct Coef {
    V one_minus_beta1, beta2, step_size, epsilon;
  };

  static std::array<float, 4> coef(const Hyper& h, double rate, uint32_t t) {
    return {float(1 - h.beta1), float(h.beta2), float(rate / (1 - power(h.beta1, t))), float(h.epsilon)};
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[0] = s[0] + (g - s[0]) * k.one_minus_beta1;
    s[1] = max_magnitude(k.beta2 * s[1], abs(g) + k.epsilon);
    w = w - k.step_size * (s[0] / s[1]);
  }
};

}  // namespace simdescent
