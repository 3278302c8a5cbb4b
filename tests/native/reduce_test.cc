// The reduction: numpy's pairwise order, bit for bit, for arrays, for squares of the gradient that clipping
// sees in every mode, and the finite check.
#include "kernels/reduce.h"

#include "arrays.h"
#include "reference.h"

namespace simdescent::tests {
namespace {

std::vector<uint32_t> sizes() {
  std::vector<uint32_t> list;
  for (uint32_t n = 0; n <= 300; n++) list.push_back(n);
  list.insert(list.end(), {1000, 4096, 65537});
  return list;
}

// So unlike in size that another order of summation gives another sum.
Floats uneven(uint32_t n, uint32_t seed) {
  Random random(seed);
  Floats list(n);
  for (float& x : list) x = std::ldexp(random.unit(), int(random.below(20)) - 10);
  return list;
}

TEST(Reduce, SumsInNumpysOrder) {
  for (const uint32_t n : sizes()) {
    for (const uint32_t from : {0u, 1u, 5u}) {
      const Floats x = uneven(n + from, n);
      ExactArray exact(x, 0);
      ASSERT_TRUE(same(pairwise_sum<Plain>(*exact.data(), from, n), numpy_sum(std::span(x).subspan(from))))
          << "n " << n << ", from " << from;
      ASSERT_TRUE(same(pairwise_sum<Square>(*exact.data(), from, n),
                       numpy_sum_of_squares(std::span(x).subspan(from))))
          << "n " << n << ", from " << from;
    }
  }
}

// 1, 2^-24, 2^-24, …: added to 1 one by one they are lost to ties, among themselves they count. By hand.
TEST(Reduce, SumsWorkedOutByHand) {
  const auto sum = [](uint32_t n) {
    Floats x(n, 0x1p-24f);
    x[0] = 1;
    return pairwise_sum<Plain>(*x.data(), 0, n);
  };
  EXPECT_EQ(sum(7), 1.f);
  EXPECT_EQ(sum(8), 1 + 3 * 0x1p-23f);
  EXPECT_EQ(sum(9), 1 + 4 * 0x1p-23f);
  EXPECT_EQ(sum(16), 1 + 7 * 0x1p-23f);
  EXPECT_EQ(sum(256), 1 + 15 * 0x1p-20f);
}

// Every mode of sum_of_squares against the squares of a gradient written out by plain arithmetic.
void check_sum_of_squares(Stages s) {
  const Pipe<float> k = lively_pipe();
  const float no_coefficients[max_coefs] = {};
  for (const uint32_t n : sizes()) {
    Random random(n);
    Contents c(n, random, false);
    c.g = uneven(n, n + 1);
    GuardedRow arrays(c, n % GuardedRow::shifts);
    Floats g = c.g;
    for (uint32_t i = 0; i < n; i++) {
      if (s.grad == Grad::general) {
        g[i] = g[i] / k.unscale;
        if (s.gathered) g[i] = (g[i] + c.acc[i]) / k.steps;
        if (s.clamp_first) g[i] = g[i] < k.lo ? k.lo : g[i] > k.hi ? k.hi : g[i];
      } else if (s.grad != Grad::none) {
        g[i] = g[i] * k.scale;
        if (s.grad == Grad::accumulate) g[i] = (g[i] + c.acc[i]) * k.mean;
      }
    }
    ASSERT_TRUE(same(sum_of_squares(arrays.row(k, no_coefficients, s.word())), numpy_sum_of_squares(g)))
        << "n " << n;
    GuardedRow untouched(c, 0);
    ASSERT_TRUE(arrays.same_as(untouched)) << "n " << n;
  }
}

TEST(Reduce, SquaresOfTheGradientAsItIs) { check_sum_of_squares({.grad = Grad::none}); }
TEST(Reduce, SquaresOfTheScaledGradient) { check_sum_of_squares({.grad = Grad::scale}); }
TEST(Reduce, SquaresOfTheGradientToBeDivided) { check_sum_of_squares({.grad = Grad::divide}); }
TEST(Reduce, SquaresOfTheAccumulatedGradient) { check_sum_of_squares({.grad = Grad::accumulate}); }
TEST(Reduce, SquaresOfTheGeneralGradient) {
  for (const bool gathered : {false, true}) {
    for (const bool clamp_first : {false, true}) {
      check_sum_of_squares({.grad = Grad::general, .gathered = gathered, .clamp_first = clamp_first});
    }
  }
}

TEST(Reduce, ANonFiniteTermMakesTheSumNonFinite) {
  for (const uint32_t n : {1u, 7u, 8u, 9u, 128u, 129u, 300u}) {
    for (uint32_t at = 0; at < n; at++) {
      Floats x(n, 0.5f);
      x[at] = from_bits(0xffc00000u);
      ASSERT_TRUE(std::isnan(pairwise_sum<Square>(*x.data(), 0, n))) << "n " << n << ", at " << at;
      x[at] = 1e20f;
      ASSERT_EQ(pairwise_sum<Square>(*x.data(), 0, n), infinity) << "n " << n << ", at " << at;
    }
  }
}

TEST(Reduce, AllFiniteFindsOneAnywhere) {
  const Floats no_number = {infinity, -infinity, from_bits(0x7fc00000u), from_bits(0xffc00000u)};
  for (uint32_t n = 0; n <= 40; n++) {
    Floats x(n);
    for (uint32_t i = 0; i < n; i++) x[i] = i % 3 ? std::numeric_limits<float>::max() : -0x1p-149f;
    for (uint32_t offset = 0; offset < 4; offset++) {
      ExactArray exact(x, offset);
      ASSERT_TRUE(all_finite(exact.data(), n)) << "n " << n;
      for (uint32_t at = 0; at < n; at++) {
        for (const float value : no_number) {
          exact.data()[at] = value;
          ASSERT_FALSE(all_finite(exact.data(), n)) << "n " << n << ", " << shown(value) << " at " << at;
        }
        exact.data()[at] = x[at];
      }
    }
  }
}

}  // namespace
}  // namespace simdescent::tests
