// Schedule-free AdamW (Defazio et al. 2024, Algorithm 1), as keras.optimizers.ScheduleFreeAdamW: the variable
// is y, where gradients are taken; the slot `momentum` is z, and the average x is recovered from both.
#pragma once
#include <array>
#include <cmath>

#include "kernels/rule.h"

namespace simdescent {

struct ScheduleFreeAdamW {
  static constexpr std::string_view name = "schedule_free_adamw";
  static constexpr std::array slots{Slot{"momentum", 0, initial::weights}, squares("velocity")};
  static constexpr bool uses_weights = true;

  struct Hyper {
    FIELDS(double, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-8, warmup_steps = 0);
  };

  template <class V>
  struct Coef {
    FIELDS(V, beta1, one_minus_beta1, one_minus_beta2, bias2, learning_rate, share, rest, epsilon);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    const float beta1 = float(h.beta_1), beta2 = float(h.beta_2), t = float(at.t), share = 1 / t;
    float lr = float(at.rate);
    if (h.warmup_steps > 0 && t < float(h.warmup_steps)) lr = lr * (t / float(h.warmup_steps));
    return {beta1, 1 - beta1, 1 - beta2, 1 - powf(beta2, t), lr, share, 1 - share, float(h.epsilon)};
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[1] = s[1] + (g * g - s[1]) * k.one_minus_beta2;
    const V x = (w - k.one_minus_beta1 * s[0]) / k.beta1;
    s[0] = s[0] - (k.learning_rate * g) / (sqrt(s[1] / k.bias2) + k.epsilon);
    w = k.one_minus_beta1 * s[0] + k.beta1 * (k.rest * x + k.share * s[0]);
  }
};

}  // namespace simdescent
