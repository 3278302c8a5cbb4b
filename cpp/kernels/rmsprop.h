// RMSprop (Hinton, lecture 6e), plain or centered (Graves 2013, section 4.2), each with or without momentum.
// Keras and tf.train add epsilon under the root; a negative epsilon is tf.train's centered form. PyTorch adds
// it to the root, and multiplies the momentum by the rate.
#pragma once
#include <array>

#include "kernels/rule.h"

namespace simdescent {

struct RmsPropBase {
  struct Hyper {
    FIELDS(double, rho = 0.9, momentum = 0, epsilon = 1e-7);
  };

  template <class V>
  struct Coef {
    FIELDS(V, rho, one_minus_rho, learning_rate, momentum, epsilon);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    return {float(h.rho), float(1 - h.rho), float(at.rate), float(h.momentum), float(h.epsilon)};
  }

  template <class V>
  [[gnu::always_inline]] static void average(const Coef<V>& k, V x, V& mean) {
    mean = k.rho * mean + k.one_minus_rho * x;
  }
};

struct RmsProp : RmsPropBase {
  static constexpr std::string_view name = "rmsprop";
  static constexpr std::array slots{squares("velocity")};

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    average(k, g * g, s[0]);
    w = w - (k.learning_rate * g) / sqrt(s[0] + k.epsilon);
  }
};

struct RmsPropMomentum : RmsPropBase {
  static constexpr std::string_view name = "rmsprop_momentum";
  static constexpr std::array slots{squares("velocity"), Slot{"momentum", 1}};

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    average(k, g * g, s[0]);
    s[1] = k.momentum * s[1] + (k.learning_rate * g) / sqrt(s[0] + k.epsilon);
    w = w - s[1];
  }
};

struct RmsPropCentered : RmsPropBase {
  static constexpr std::string_view name = "rmsprop_centered";
  static constexpr std::array slots{squares("velocity"), Slot{"average_gradient", 1}};

  template <class V>
  [[gnu::always_inline]] static V step(const Coef<V>& k, V g, V& velocity, V& mean) {
    average(k, g * g, velocity);
    average(k, g, mean);
    return (k.learning_rate * g) / sqrt(velocity - mean * mean + k.epsilon);
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    w = w - step(k, g, s[0], s[1]);
  }
};

struct RmsPropCenteredMomentum : RmsPropCentered {
  static constexpr std::string_view name = "rmsprop_centered_momentum";
  static constexpr std::array slots{squares("velocity"), Slot{"momentum", 1}, Slot{"average_gradient", 2}};

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[1] = k.momentum * s[1] + step(k, g, s[0], s[2]);
    w = w - s[1];
  }
};

struct TorchRmsProp : RmsProp {
  static constexpr std::string_view name = "torch_rmsprop";

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    average(k, g * g, s[0]);
    w = w - (k.learning_rate * g) / (sqrt(s[0]) + k.epsilon);
  }
};

struct TorchRmsPropMomentum : RmsPropMomentum {
  static constexpr std::string_view name = "torch_rmsprop_momentum";

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    average(k, g * g, s[0]);
    s[1] = k.momentum * s[1] + g / (sqrt(s[0]) + k.epsilon);
    w = w - k.learning_rate * s[1];
  }
};

struct TorchRmsPropCentered : RmsPropCentered {
  static constexpr std::string_view name = "torch_rmsprop_centered";

  template <class V>
  [[gnu::always_inline]] static V direction(const Coef<V>& k, V g, V& velocity, V& mean) {
    average(k, g * g, velocity);
    average(k, g, mean);
    return g / (sqrt(velocity - mean * mean) + k.epsilon);
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    w = w - k.learning_rate * direction(k, g, s[0], s[1]);
  }
};

struct TorchRmsPropCenteredMomentum : TorchRmsPropCentered {
  static constexpr std::string_view name = "torch_rmsprop_centered_momentum";
  static constexpr std::array slots = RmsPropCenteredMomentum::slots;

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[1] = k.momentum * s[1] + direction(k, g, s[0], s[2]);
    w = w - k.learning_rate * s[1];
  }
};

}  // namespace simdescent
