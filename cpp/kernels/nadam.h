// Nadam (Dozat 2016), Adam with Nesterov's momentum and a schedule of it whose running product is state, as
// keras.optimizers.Nadam and torch.optim.NAdam; and torch.optim.RAdam (Liu et al. 2020, Algorithm 2), which
// stays with the first moment until the second one can be trusted.
#pragma once
#include <array>
#include <cmath>

#include "kernels/adam.h"

namespace simdescent {

struct Nadam {
  static constexpr std::string_view name = "nadam";
  static constexpr std::array slots = Adam::slots;

  struct Hyper {
    FIELDS(double, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7, momentum_decay = 0.004);
  };
  struct Scalars {
    FIELDS(float, variable = 1);  // Keras' name for the product
  };

  template <class V>
  struct Coef {
    FIELDS(V, one_minus_beta1, one_minus_beta2, next, next_bias, share, bias, bias2, learning_rate, epsilon);
  };

  // The momentum at update t: PyTorch's decay of 0.004 is a factor in the exponent, Keras has none.
  static float momentum(const Hyper& h, const Step& at, uint32_t t) {
    if (at.dialect == Dialect::torch)
      return float(h.beta_1 * (1 - 0.5 * power_of(0.96, t * h.momentum_decay)));
    return float(h.beta_1) * (1 - 0.5f * powf(0.96f, float(t)));
  }
  static float product(const Hyper& h, const Step& at, const Scalars& s) {
    if (at.dialect == Dialect::torch) return s.variable * momentum(h, at, at.t);
    return s.variable * float(h.beta_1) * (1 - 0.5f * powf(0.96f, float(at.t)));
  }

  static Coef<float> coef(const Hyper& h, const Step& at, const Scalars& s) {
    const float now = momentum(h, at, at.t), next = momentum(h, at, at.t + 1), all = product(h, at, s);
    if (at.dialect == Dialect::torch) {
      return {float(1 - h.beta_1),
              float(1 - h.beta_2),
              next,
              1 - all * next,
              1 - now,
              1 - all,
              float(1 - power(h.beta_2, at.t)),
              float(at.rate),
              float(h.epsilon)};
    }
    const float beta1 = float(h.beta_1), beta2 = float(h.beta_2);
    return {
        1 - beta1,      1 - beta2,       next, 1 - all * next, 1 - now, 1 - all, 1 - powf(beta2, float(at.t)),
        float(at.rate), float(h.epsilon)};
  }

  static void advance(const Hyper& h, const Step& at, Scalars& s) { s.variable = product(h, at, s); }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[0] = s[0] + (g - s[0]) * k.one_minus_beta1;
    s[1] = s[1] + (g * g - s[1]) * k.one_minus_beta2;
    const V ahead = divided(k.next * s[0], k.next_bias) + divided(k.share * g, k.bias);
    w = w - (ahead * k.learning_rate) / (sqrt(divided(s[1], k.bias2)) + k.epsilon);
  }
};

struct RAdam {
  static constexpr std::string_view name = "radam";
  static constexpr std::array slots = Adam::slots;

  struct Hyper {
    FIELDS(double, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-8);
  };

  // The denominator is root * sqrt(v) + epsilon; as long as the variance is not tractable, 1.
  template <class V>
  struct Coef {
    FIELDS(V, one_minus_beta1, one_minus_beta2, alpha, root, epsilon);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    const double power2 = power(h.beta_2, at.t), bias2 = 1 - power2, most = 2 / (1 - h.beta_2) - 1;
    const double length = most - 2 * at.t * power2 / bias2, alpha = at.rate / (1 - power(h.beta_1, at.t));
    Coef<float> k{float(1 - h.beta_1), float(1 - h.beta_2), float(alpha), 0, 1};
    if (length > 5) {
      const double rectified =
          std::sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length));
      k.alpha = float(alpha * rectified * std::sqrt(bias2));
      k.root = 1, k.epsilon = float(h.epsilon);
    }
    return k;
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[0] = s[0] + (g - s[0]) * k.one_minus_beta1;
    s[1] = s[1] + (g * g - s[1]) * k.one_minus_beta2;
    w = w - (s[0] * k.alpha) / (k.root * sqrt(s[1]) + k.epsilon);
  }
};

}  // namespace simdescent
