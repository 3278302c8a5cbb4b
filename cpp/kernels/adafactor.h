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

  // f<V>(index) over n elements.
  template <class F>
  [[gnu::always_inline]] static void over(uint32_t n, F f) {
    uint32_t i = 0;
    for (; i + Lanes::lanes <= n; i += Lanes::lanes) f.template operator()<Lanes>(i);
    for (; i < n; i++) f.template operator()<f32x1>(i);
  }

  // g / sqrt(second moment) of every element into `u`, and that moment, by those of rows and columns, into
  // `velocity`. A row at a time, which stays in the cache: where u will be are its squares first.
  static void factor(const Row& r, const Coef<float>& k, const float* g, float* u, float* mean) {
    const uint32_t rows = r.rows, columns = r.columns, area = rows * columns;
    for (uint32_t o = 0; area && o < r.n / area; o++, g += area, u += area) {
      float *const row = r.slot[0] + o * rows, *const column = r.slot[1] + o * columns,
                   *const velocity = r.slot[2] + o * area;
      // numpy: a mean over the last axis adds in pairs, one over another axis whole rows after each other.
      for (uint32_t i = 0; i < rows; i++) {
        const float* const gradient = g + i * columns;
        over(
            columns, [=]<class V>(uint32_t j) __attribute__((always_inline)) {
              const V x = V::load(gradient + j), square = x * x + V(k.epsilon1);
              square.store(u + j);
              (i == 0 ? square : V::load(mean + j) + square).store(mean + j);
            });
        const float here = pairwise_sum<Plain>(*u, 0, columns) / float(columns);
        row[i] = k.beta2 * row[i] + k.one_minus_beta2 * here;
      }
      for (uint32_t j = 0; j < columns; j++)
        column[j] = k.beta2 * column[j] + k.one_minus_beta2 * (mean[j] / float(rows));
      const float all = pairwise_sum<Plain>(*row, 0, rows) / float(rows);
      for (uint32_t i = 0; i < rows; i++) {
        const float share = row[i] / all;
        const uint32_t at = i * columns;
        over(
            columns, [=]<class V>(uint32_t j) __attribute__((always_inline)) {
              const V second = V(share) * V::load(column + j);
              second.store(velocity + at + j);
              (V::load(g + at + j) / sqrt(second)).store(u + at + j);
            });
      }
    }
  }

  // The same of what is no matrix.
  static void scale(const Row& r, const Coef<float>& k, const float* g, float* u) {
    float* const velocity = r.slot[2];
    over(
        r.n, [=]<class V>(uint32_t i) __attribute__((always_inline)) {
          const V x = V::load(g + i);
          const V second =
              V(k.beta2) * V::load(velocity + i) + V(k.one_minus_beta2) * (x * x + V(k.epsilon1));
          second.store(velocity + i);
          (x / sqrt(second)).store(u + i);
        });
  }

  static void step(const Row& r, const Coef<float>& k, const float* g, float* room) {
    float *const u = room, *const w = r.w;
    if (r.rows) {
      factor(r, k, g, u, room + r.n);
    } else {
      scale(r, k, g, u);
    }
    const float weights = root_mean_square(w, r.n);
    const float alpha = (k.epsilon2 < weights ? weights : k.epsilon2) * k.rho;
    const float excess = root_mean_square(u, r.n) / k.threshold, divisor = 1 < excess ? excess : 1;
    over(
        r.n, [=]<class V>(uint32_t i) __attribute__((always_inline)) {
          (V::load(w + i) - V(alpha) * (V::load(u + i) / V(divisor))).store(w + i);
        });
  }

  static float root_mean_square(const float* x, uint32_t n) {
    return n ? sqrtf(pairwise_sum<Square>(*x, 0, n) / float(n)) : 0;
  }
};

}  // namespace simdescent
