// Gradient descent, with momentum (Polyak 1964) or Nesterov's, as keras.optimizers.SGD: the step is in the
// momentum. PyTorch and tf.train keep a running sum of gradients and multiply it by the rate (Sutskever et
// al. 2013, equation 3 against PyTorch's note on SGD).
#pragma once
#include <array>

#include "kernels/rule.h"

namespace simdescent {

struct Sgd {
  static constexpr std::string_view name = "sgd";
  static constexpr std::array<Slot, 0> slots{};

  struct Hyper {
    FIELDS(double, momentum = 0);
  };

  template <class V>
  struct Coef {
    FIELDS(V, learning_rate, momentum);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) { return {float(at.rate), float(h.momentum)}; }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V*) {
    w = w - g * k.learning_rate;
  }
};

struct SgdMomentum : Sgd {
  static constexpr std::string_view name = "sgd_momentum";
  static constexpr bool in_pairs = true;
  static constexpr std::array slots{Slot{"momentum"}};

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[0] = s[0] * k.momentum - g * k.learning_rate;
    w = w + s[0];
  }
};

struct SgdNesterov : SgdMomentum {
  static constexpr std::string_view name = "sgd_nesterov";

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    const V step = g * k.learning_rate;
    s[0] = s[0] * k.momentum - step;
    w = w + (s[0] * k.momentum - step);
  }
};

// The first gradient is not damped.
struct TorchMomentum {
  static constexpr std::string_view name = "torch_momentum";
  static constexpr bool in_pairs = true;
  static constexpr std::array slots{Slot{"momentum"}};

  struct Hyper {
    FIELDS(double, momentum = 0, dampening = 0);
  };

  template <class V>
  struct Coef {
    FIELDS(V, learning_rate, momentum, undamped);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    return {float(at.rate), float(h.momentum), at.t == 1 ? 1 : float(1 - h.dampening)};
  }

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[0] = s[0] * k.momentum + g * k.undamped;
    w = w - s[0] * k.learning_rate;
  }
};

struct TorchNesterov : TorchMomentum {
  static constexpr std::string_view name = "torch_nesterov";

  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V* s) {
    s[0] = s[0] * k.momentum + g * k.undamped;
    w = w - (g + s[0] * k.momentum) * k.learning_rate;
  }
};

}  // namespace simdescent
