// What rules that read whole variables share (Adafactor, Muon): what they are told of a variable, and
// products of matrices. They are no loops over elements, and work in memory that the engine gives them.
#pragma once
#include <cstdint>

#include "kernels/reduce.h"

namespace simdescent {

// The terms of a dot product of two rows.
struct Product {
  template <class V>
  [[gnu::always_inline]] static V at(const float& a, uint32_t i, const float& b) {
    return V::load(&a + i) * V::load(&b + i);
  }
};

// x x^T of [rows, columns].
inline void gram(const float* x, uint32_t rows, uint32_t columns, float* out) {
  for (uint32_t i = 0; i < rows; i++) {
    for (uint32_t j = 0; j <= i; j++)
      out[i * rows + j] = out[j * rows + i] =
          pairwise_sum<Product>(x[i * columns], 0, columns, x[j * columns]);
  }
}

// out += b x, of [rows, rows] and [rows, columns]. Four rows of x at a time, so that `out` is read and
// written less often.
inline void multiply(const float* b, const float* x, uint32_t rows, uint32_t columns, float* out) {
  const auto add = [=](uint32_t i, uint32_t from, uint32_t count) {
    float* const to = out + i * columns;
    each({}, columns, [=]<class V>(const Pipe<V>&, uint32_t c) {
      V sum = V::load(to + c);
      for (uint32_t j = from; j < from + count; j++)
        sum = sum + V::broadcast(b + i * rows + j) * V::load(x + j * columns + c);
      sum.store(to + c);
    });
  };
  for (uint32_t i = 0; i < rows; i++) {
    for (uint32_t j = 0; j < rows; j += 4) add(i, j, rows - j < 4 ? rows - j : 4);
  }
}

}  // namespace simdescent
