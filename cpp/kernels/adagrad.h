// Adagrad (Duchi, Hazan & Singer 2011): the sum of squares of all gradients. Keras and tf.train add epsilon
// under the root, PyTorch to it.
#pragma once
#include <array>

#include "kernels/rule.h"

namespace simdescent {

struct Adagrad {
  static constexpr std::string_view name = "adagrad";
  static constexpr std::array slots{squares("accumulator", 0, "initial_accumulator_value")};

  struct Hyper {
    FIELDS(double, initial_accumulator_value = 0.1, epsilon = 1e-7);
  };

  template <class V>
  struct Coef {
    FIELDS(V, learning_rate, epsilon);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) { return {float(at.rate), float(h.epsilon)}; }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[0] = s[0] + g * g;
    w = w - (k.learning_rate * g) / sqrt(s[0] + k.epsilon);
  }
};

struct TorchAdagrad : Adagrad {
  static constexpr std::string_view name = "torch_adagrad";

  struct Hyper {
    FIELDS(double, initial_accumulator_value = 0.1, epsilon = 1e-7, lr_decay = 0);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    return {float(at.rate / (1 + h.lr_decay * (at.t - 1))), float(h.epsilon)};
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[0] = s[0] + g * g;
    w = w - k.learning_rate * (g / (sqrt(s[0]) + k.epsilon));
  }
};

}  // namespace simdescent
