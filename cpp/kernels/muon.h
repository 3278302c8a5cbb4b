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

  static void step(const Row& r, const Coef<float>& k, const float* g, float* room) {
    Pipe<f32x1> pull;
    pull.decay = r.rows ? k.decay : k.adam_decay;
    pull.rate = k.learning_rate;
    if (Stages::of(r.stages).decay && pull.decay.v >= 0) {
      for (uint32_t i = 0; i < r.n; i++) r.w[i] = decay(pull, f32x1(r.w[i])).v;
    }
    if (r.rows) {
      matrix(r, k, g, room);
      return;
    }
    const Adam::Coef<f32x1> adam{k.one_minus_beta1, k.one_minus_beta2, k.alpha, k.epsilon};
    for (uint32_t i = 0; i < r.n; i++) {
      f32x1 w = r.w[i], s[] = {r.slot[0][i], r.slot[1][i]};
      Adam::update<f32x1>(adam, w, g[i], s);
      r.w[i] = w.v, r.slot[0][i] = s[0].v, r.slot[1][i] = s[1].v;
    }
  }

 private:
  // [rows, columns] with rows <= columns from here on: otherwise the transpose is worked on.
  static void matrix(const Row& r, const Coef<float>& k, const float* g, float* room) {
    const bool turned = r.rows > r.columns;
    const uint32_t rows = turned ? r.columns : r.rows, columns = turned ? r.rows : r.columns;
    const auto place = [&](uint32_t i) { return turned ? i % r.columns * r.rows + i / r.columns : i; };
    float *x = room, *next = x + r.n, *const a = next + r.n, *const square = a + rows * rows,
          *const b = square + rows * rows;
    float* const m = r.slot[0];
    for (uint32_t i = 0; i < r.n; i++) {
      m[i] = m[i] + (g[i] + m[i] * k.back);
      x[place(i)] = k.nesterov != 0 ? g[i] + k.momentum * m[i] : m[i];
    }
    const float norm = sqrtf(pairwise_sum<Square>(*x, 0, r.n)) + 1e-7f;
    for (uint32_t i = 0; i < r.n; i++) x[i] = x[i] / norm;
    for (int step = 0; step < int(k.steps); step++) {
      gram(x, rows, columns, a);
      gram(a, rows, rows, square);  // a is symmetric
      for (uint32_t i = 0; i < rows * rows; i++) b[i] = k.b * a[i] + k.c * square[i];
      for (uint32_t i = 0; i < r.n; i++) next[i] = k.a * x[i];
      multiply(b, x, rows, columns, next);
      std::swap(x, next);
    }
    const float size = sqrtf(float(columns));
    for (uint32_t i = 0; i < r.n; i++) {
      const float by = k.learning_rate * x[place(i)];
      r.w[i] = r.w[i] - (k.rms_rate != 0 ? (by * size) * k.rms_rate : by);
    }
  }
};

}  // namespace simdescent
