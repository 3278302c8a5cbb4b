// Adadelta (Zeiler 2012, Algorithm 1), with a learning rate as in Keras and PyTorch; and as tf.train has it.
#pragma once
#include <array>

#include "kernels/rule.h"

namespace simdescent {

struct Adadelta {
  static constexpr std::string_view name = "adadelta";
  static constexpr std::array slots{squares("accumulated_grad"), squares("accumulated_delta_var")};

  struct Hyper {
    FIELDS(double, rho = 0.95, epsilon = 1e-7);
  };

  template <class V>
  struct Coef {
    FIELDS(V, rho, one_minus_rho, learning_rate, epsilon);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    return {float(h.rho), float(1 - h.rho), float(at.rate), float(h.epsilon)};
  }

  // Keras negates the change and adds it: the same bits.
  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[0] = k.rho * s[0] + k.one_minus_rho * (g * g);
    const V change = (sqrt(s[1] + k.epsilon) * g) / sqrt(s[0] + k.epsilon);
    s[1] = k.rho * s[1] + k.one_minus_rho * (change * change);
    w = w - k.learning_rate * change;
  }
};

// tf.train divides by the mean of squares as it was before this gradient.
struct TfjsAdadelta : Adadelta {
  static constexpr std::string_view name = "tfjs_adadelta";

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    const V change = (sqrt(s[1] + k.epsilon) / sqrt(s[0] + k.epsilon)) * g;
    s[0] = k.rho * s[0] + k.one_minus_rho * (g * g);
    s[1] = k.rho * s[1] + k.one_minus_rho * (change * change);
    w = w - k.learning_rate * change;
  }
};

}  // namespace simdescent
