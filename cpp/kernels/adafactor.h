// Adafactor (Shazeer & Stern 2018, Algorithm 4): the second moment of a matrix is kept as a mean of each row
// and of each column over the last two axes. It reads whole variables, of which it is told the last two
// sizes.
#pragma once
#include <array>
#include <cmath>

#include "kernels/whole.h"

namespace simdescent {

struct Adafactor {
  static constexpr std::string_view name = "adafactor";
  static constexpr bool whole = true;
  static constexpr bool uses_weights = true;
  static constexpr std::array slots{squares("row", 0, initial::zeros, Extent::rows),
                                    squares("column", 0, initial::zeros, Extent::columns),
                                    squares("velocity")};

  struct Hyper {
    FIELDS(double, beta_2_decay = -0.8, epsilon_1 = 1e-30, epsilon_2 = 1e-3, clip_threshold = 1,
           relative_step = 1);
  };

  template <class V>
  struct Coef {
    FIELDS(V, rho, beta2, one_minus_beta2, epsilon1, epsilon2, threshold);
  };

  static Coef<float> coef(const Hyper& h, const Step& at) {
    const float t = float(at.t), slow = 1 / sqrtf(t), lr = float(at.rate);
    const float relative = h.relative_step && slow < lr ? slow : lr;
    const float beta2 = 1 - powf(t, float(h.beta_2_decay));
    return {slow < relative ? slow : relative,
            beta2,
            1 - beta2,
            float(h.epsilon_1),
            float(h.epsilon_2),
            float(h.clip_threshold)};
  }

  static uint32_t room(const Extents& x) { return x.n + x.columns; }

  // On a GPU, between what finds the direction and what moves by it: the squares of the variable and of the
  // direction.
  static constexpr size_t gpu_sums = 2;

  // The arithmetic. A square as the moments take it, and a moment moved on.
  template <class V>
  [[gnu::always_inline]] static V square(const Coef<V>& k, V g) {
    return g * g + k.epsilon1;
  }
  template <class V>
  [[gnu::always_inline]] static V moved(const Coef<V>& k, V moment, V now) {
    return k.beta2 * moment + k.one_minus_beta2 * now;
  }
  // The second moment of an element, by its column's and what its row has of the mean of all; and the
  // direction.
  template <class V>
  [[gnu::always_inline]] static V second(V share, V column) {
    return share * column;
  }
  template <class V>
  [[gnu::always_inline]] static V direction(V g, V second) {
    return g / sqrt(second);
  }
  // How far the variable moves, by the root mean squares of itself and of the direction.
  template <class V>
  struct Pace {
    V alpha, divisor;
  };
  template <class V>
  [[gnu::always_inline]] static Pace<V> pace(const Coef<V>& k, V weights, V directions) {
    // What may be NaN first, which stays: then all of the variable is, as in Keras.
    return {at_least(weights, k.epsilon2) * k.rho, at_least(directions / k.threshold, V(1.f))};
  }
  template <class V>
  [[gnu::always_inline]] static V move(V w, V direction, V alpha, V divisor) {
    return w - alpha * (direction / divisor);
  }

  // f(coefficients, index) over n elements.
  template <class F>
  [[gnu::always_inline]] static void over(const float* coef, uint32_t n, F f) {
    const auto vectors = coefficients<Adafactor, Lanes>(coef);
    const auto single = coefficients<Adafactor, f32x1>(coef);
    uint32_t i = 0;
    for (; i + Lanes::lanes <= n; i += Lanes::lanes) f(vectors, i);
    for (; i < n; i++) f(single, i);
  }

  // The direction of every element into `u`, and its second moment, by those of rows and columns, into
  // `velocity`. A row at a time, which stays in the cache: where u will be are its squares first.
  [[gnu::always_inline]] static void factor(const Row& r, const float* g, float* u, float* mean) {
    const uint32_t rows = r.rows, columns = r.columns, area = rows * columns;
    const auto k = coefficients<Adafactor, f32x1>(r.coef);
    for (uint32_t o = 0; area && o < r.n / area; o++, g += area, u += area) {
      float *const row = r.slot[0] + o * rows, *const column = r.slot[1] + o * columns,
                   *const velocity = r.slot[2] + o * area;
      // numpy: a mean over the last axis adds in pairs, one over another axis whole rows after each other.
      for (uint32_t i = 0; i < rows; i++) {
        const float* const gradient = g + i * columns;
        over(
            r.coef, columns, [=]<class V>(const Coef<V>& k, uint32_t j) __attribute__((always_inline)) {
              const V x = square(k, V::load(gradient + j));
              x.store(u + j);
              (i == 0 ? x : V::load(mean + j) + x).store(mean + j);
            });
        const float here = pairwise_sum<Plain>(*u, 0, columns) / float(columns);
        row[i] = moved<f32x1>(k, row[i], here).v;
      }
      for (uint32_t j = 0; j < columns; j++) column[j] = moved<f32x1>(k, column[j], mean[j] / float(rows)).v;
      const float all = pairwise_sum<Plain>(*row, 0, rows) / float(rows);
      for (uint32_t i = 0; i < rows; i++) {
        const float share = row[i] / all;
        const uint32_t at = i * columns;
        over(
            r.coef, columns, [=]<class V>(const Coef<V>&, uint32_t j) __attribute__((always_inline)) {
              const V moment = second(V(share), V::load(column + j));
              moment.store(velocity + at + j);
              direction(V::load(g + at + j), moment).store(u + at + j);
            });
      }
    }
  }

  // The same of what is no matrix.
  [[gnu::always_inline]] static void scale(const Row& r, const float* g, float* u) {
    float* const velocity = r.slot[2];
    over(
        r.coef, r.n, [=]<class V>(const Coef<V>& k, uint32_t i) __attribute__((always_inline)) {
          const V x = V::load(g + i), moment = moved(k, V::load(velocity + i), square(k, x));
          moment.store(velocity + i);
          direction(x, moment).store(u + i);
        });
  }

  [[gnu::always_inline]] static void step(const Row& r, const float* g, float* room) {
    float *const u = room, *const w = r.w;
    if (r.rows) {
      factor(r, g, u, room + r.n);
    } else {
      scale(r, g, u);
    }
    const auto [alpha, divisor] = pace<f32x1>(coefficients<Adafactor, f32x1>(r.coef),
                                              root_mean_square(w, r.n), root_mean_square(u, r.n));
    const float far = alpha.v, by = divisor.v;
    over(
        r.coef, r.n, [=]<class V>(const Coef<V>&, uint32_t i) __attribute__((always_inline)) {
          move(V::load(w + i), V::load(u + i), V(far), V(by)).store(w + i);
        });
  }

  static float root_mean_square(const float* x, uint32_t n) {
    return n ? sqrtf(pairwise_sum<Square>(*x, 0, n) / float(n)) : 0;
  }
};

}  // namespace simdescent
