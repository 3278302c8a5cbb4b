// Muon (Jordan et al. 2024), as keras.optimizers.Muon: the momentum of a matrix, made nearly orthogonal by
// Newton-Schulz iterations; AdamW for everything else. It reads whole variables, and is told which are
// matrices.
#pragma once
#include <array>
#include <cmath>
#include <utility>

#include "kernels/adam.h"
#include "kernels/whole.h"

namespace simdescent {

struct Muon {
  static constexpr std::string_view name = "muon";
  static constexpr bool whole = true;
  static constexpr bool decays_itself = true;
  static constexpr std::array slots{Slot{"momentum"},
                                    squares("velocity", 0, initial::zeros, Extent::no_matrix)};

  struct Hyper {
    FIELDS(double, adam_beta_1 = 0.9, adam_beta_2 = 0.999, epsilon = 1e-7, muon_a = 3.4445, muon_b = -4.775,
           muon_c = 2.0315, adam_lr_ratio = 1, momentum = 0.95, ns_steps = 5, nesterov = 1, rms_rate = 0.2,
           scaled = 1, weight_decay = 0.004, adam_weight_decay = 0.004);
  };

  // A decay that is off is negative.
  template <class V>
  struct Coef {
    FIELDS(V, one_minus_beta1, one_minus_beta2, alpha, epsilon, learning_rate, momentum, back, nesterov, a, b,
           c, steps, rms_rate, decay, adam_decay);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    const float lr = float(at.rate);  // Keras: its ratio comes after, in float32
    const auto k = Adam::coef({h.adam_beta_1, h.adam_beta_2, h.epsilon},
                              {lr * float(h.adam_lr_ratio), at.t, at.dialect});
    return {k.one_minus_beta1,
            k.one_minus_beta2,
            k.alpha,
            k.epsilon,
            lr,
            float(h.momentum),
            float(h.momentum - 1),
            float(h.nesterov),
            float(h.muon_a),
            float(h.muon_b),
            float(h.muon_c),
            float(h.ns_steps),
            h.scaled ? float(h.rms_rate) : 0,
            float(h.weight_decay),
            float(h.adam_weight_decay)};
  }

  static uint32_t room(const Extents& x) {
    const uint32_t side = x.rows < x.columns ? x.rows : x.columns;
    return 2 * x.n + 3 * side * side;
  }

  // On a GPU, before the iterations: the squares of what they begin with.
  static constexpr size_t gpu_sums = 1;

  // The arithmetic. The decay `by` of its own, of matrices and of others.
  template <class V>
  [[gnu::always_inline]] static V decayed(const Coef<V>& k, V w, V by) {
    Pipe<V> pull;
    pull.decay = by;
    pull.rate = k.learning_rate;
    return decay(pull, w);
  }
  // The momentum moves on; what the iterations begin with, and that by the root of its sum of squares.
  template <class V>
  [[gnu::always_inline]] static V begin(const Coef<V>& k, V g, V& momentum) {
    momentum = momentum + (g + momentum * k.back);
    return if_positive(k.nesterov, g + k.momentum * momentum, momentum);
  }
  template <class V>
  [[gnu::always_inline]] static V normalized(V x, V norm) {
    return x / (norm + V(1e-7f));
  }
  // An iteration: with a = x x^T, x becomes k.a x + (k.b a + k.c a a) x.
  template <class V>
  [[gnu::always_inline]] static V polynomial(const Coef<V>& k, V a, V square) {
    return k.b * a + k.c * square;
  }
  template <class V>
  [[gnu::always_inline]] static V scaled(const Coef<V>& k, V x) {
    return k.a * x;
  }
  // `size`: the root of the longer side.
  template <class V>
  [[gnu::always_inline]] static V move(const Coef<V>& k, V w, V x, V size) {
    const V by = k.learning_rate * x;
    return w - if_positive(abs(k.rms_rate), (by * size) * k.rms_rate, by);
  }
  // What is no matrix.
  template <class V>
  [[gnu::always_inline]] static void adam(const Coef<V>& k, V& w, V g, V* s) {
    Adam::update<V>({k.one_minus_beta1, k.one_minus_beta2, k.alpha, k.epsilon}, w, g, s);
  }

  [[gnu::always_inline]] static void step(const Row& r, const float* g, float* room) {
    const auto k = coefficients<Muon, f32x1>(r.coef);
    const f32x1 by = r.rows ? k.decay : k.adam_decay;
    if (Stages::of(r.stages).decay && by.v >= 0) {
      for (uint32_t i = 0; i < r.n; i++) r.w[i] = decayed<f32x1>(k, r.w[i], by).v;
    }
    if (r.rows) {
      matrix(r, k, g, room);
      return;
    }
    for (uint32_t i = 0; i < r.n; i++) {
      f32x1 w = r.w[i], s[] = {r.slot[0][i], r.slot[1][i]};
      adam<f32x1>(k, w, g[i], s);
      r.w[i] = w.v, r.slot[0][i] = s[0].v, r.slot[1][i] = s[1].v;
    }
  }

 private:
  // [rows, columns] with rows <= columns from here on: otherwise the transpose is worked on.
  [[gnu::always_inline]] static void matrix(const Row& r, const Coef<f32x1>& k, const float* g, float* room) {
    const bool turned = r.rows > r.columns;
    const uint32_t rows = turned ? r.columns : r.rows, columns = turned ? r.rows : r.columns;
    const auto place = [&](uint32_t i) { return turned ? i % r.columns * r.rows + i / r.columns : i; };
    float *x = room, *next = x + r.n, *const a = next + r.n, *const square = a + rows * rows,
          *const b = square + rows * rows;
    float* const m = r.slot[0];
    for (uint32_t i = 0; i < r.n; i++) {
      f32x1 momentum = m[i];
      x[place(i)] = begin<f32x1>(k, g[i], momentum).v;
      m[i] = momentum.v;
    }
    const float norm = sqrtf(pairwise_sum<Square>(*x, 0, r.n));
    for (uint32_t i = 0; i < r.n; i++) x[i] = normalized<f32x1>(x[i], norm).v;
    for (int step = 0; step < int(k.steps.v); step++) {
      gram(x, rows, columns, a);
      gram(a, rows, rows, square);  // a is symmetric
      for (uint32_t i = 0; i < rows * rows; i++) b[i] = polynomial<f32x1>(k, a[i], square[i]).v;
      for (uint32_t i = 0; i < r.n; i++) next[i] = scaled<f32x1>(k, x[i]).v;
      multiply(b, x, rows, columns, next);
      std::swap(x, next);
    }
    const float size = sqrtf(float(columns));
    for (uint32_t i = 0; i < r.n; i++) r.w[i] = move<f32x1>(k, r.w[i], x[place(i)], size).v;
  }
};

}  // namespace simdescent
