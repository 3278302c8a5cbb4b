// Lamb (You et al. 2020, Algorithm 2): Adam's corrected step, scaled per variable by the ratio of two norms.
#pragma once
#include <array>
#include <cmath>

#include "kernels/adam.h"

namespace simdescent {

struct Lamb {
  static constexpr std::string_view name = "lamb";
  static constexpr std::array slots = Adam::slots;
  static constexpr bool uses_weights = true;
  static constexpr size_t sums = 2;  // squares of the weights, and of the direction

  struct Hyper {
    FIELDS(double, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7);
  };

  template <class V>
  struct Coef {
    FIELDS(V, one_minus_beta1, one_minus_beta2, bias1, bias2, epsilon, learning_rate);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    const float t = float(at.t);
    return {float(1 - h.beta_1),          float(1 - h.beta_2), 1 - powf(float(h.beta_1), t),
            1 - powf(float(h.beta_2), t), float(h.epsilon),    float(at.rate)};
  }

  template <class V>
  [[gnu::always_inline]] static void first(const Coef<V>& k, V g, V* s) {
    s[0] = s[0] + (g - s[0]) * k.one_minus_beta1;
    s[1] = s[1] + (g * g - s[1]) * k.one_minus_beta2;
  }

  template <class V>
  [[gnu::always_inline]] static V direction(const Coef<V>& k, const V* s) {
    return divided(s[0], k.bias1) / (sqrt(divided(s[1], k.bias2)) + k.epsilon);
  }

  template <size_t sum, class V>
  [[gnu::always_inline]] static V term(V w, V direction) {
    const V x = sum == 0 ? w : direction;
    return x * x;
  }

  // The trust ratio, where both norms are above 0.
  template <class V>
  static void resolve(const V* squares, Coef<V>& k) {
    const V weights = sqrt(squares[0]), direction = sqrt(squares[1]), rate = k.learning_rate;
    k.learning_rate = if_positive(weights, if_positive(direction, (weights / direction) * rate, rate), rate);
  }

  template <class V>
  [[gnu::always_inline]] static void move(const Coef<V>& k, V& w, V direction) {
    w = w - k.learning_rate * direction;
  }
  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V, V* s) {
    move(k, w, direction(k, s));
  }
};

}  // namespace simdescent
