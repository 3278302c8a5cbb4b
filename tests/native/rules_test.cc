// The rules' own lines, by hand: first steps that can be written down, coefficients computed a second way,
// and what happens to zeros and NaN. (vectors_test.cc holds whole runs to numbers of another program.)
#include <cmath>
#include <cstring>

#include "arrays.h"
#include "kernels.h"
#include "reference.h"

namespace simdescent::tests {
namespace {

// A rule's steps for every element of its gradients, from zero slots, by the vector loop.
struct Stepped {
  uint32_t rule;
  HyperMap hypers;
  double rate;
  Dialect dialect;
  Floats w, slot[max_slots];

  // After update number 1.
  Stepped(uint32_t rule, const HyperMap& hypers, double rate, const Floats& weights, const Floats& g,
          Dialect dialect = Dialect::keras)
      : rule(rule), hypers(hypers), rate(rate), dialect(dialect), w(weights) {
    for (size_t k = 0; k < slots(rule).size(); k++) slot[k] = first_slot(rule, k, hypers, w);
    step(1, g);
  }
  void step(uint32_t t, const Floats& g) {
    float coef[max_coefs];
    coefficients(rule, hypers_of(rule, hypers), {rate, t, dialect}, first_scalars(rule), coef);
    const Pipe<float> identity;
    Row r{};
    r.w = w.data(), r.g = g.data(), r.n = uint32_t(w.size());
    for (size_t k = 0; k < slots(rule).size(); k++) r.slot[k] = slot[k].data();
    r.pipe = &identity, r.coef = coef;
    float sums[max_sums];
    if (sums_of(rule)) {
      r.stages = Stages{.first = true}.word(), r.sums = sums;
      step_row(rule, r);
      resolve(rule, sums, coef);
      r.stages = 0;
    }
    step_row(rule, r);
  }
};

class EveryRule : public ::testing::TestWithParam<uint32_t> {};

// Ftrl's variable is a function of its slots: what it was before does not matter.
bool follows(uint32_t rule) { return !rule_name(rule).starts_with("ftrl"); }

TEST_P(EveryRule, StaysWhereItIsWithoutAGradient) {
  if (!follows(GetParam())) return;
  const Floats w = {1, -2, 0, 1e-40f, 3e38f};
  EXPECT_TRUE(same(Stepped(GetParam(), {}, 0.5, w, Floats(w.size())).w, w));
}

TEST_P(EveryRule, MovesAgainstTheGradient) {
  if (!follows(GetParam())) return;
  const Floats g = {1, -1, 0.001f, -1000, 1e-3f}, w(g.size(), 0.5f);
  const Stepped stepped(GetParam(), {}, 0.01, w, g);
  for (size_t i = 0; i < g.size(); i++) EXPECT_EQ(stepped.w[i]<w[i], g[i]> 0) << g[i];
}

// In every lane, and into its own element only.
TEST_P(EveryRule, ANaNReachesItsWeight) {
  for (const uint32_t nan : {0x7fc00000u, 0xffc00000u}) {
    for (size_t at = 0; at < 9; at++) {
      Floats g(9, 0.25f);
      g[at] = from_bits(nan);
      Stepped stepped(GetParam(), {}, 0.01, Floats(9, 1), g);
      for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < 9; i++)
          ASSERT_EQ(std::isnan(stepped.w[i]), i == at) << "at " << at << ", i " << i;
        stepped.step(2, Floats(9, 0.25f));  // and stays there
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, EveryRule, ::testing::Range(0u, element_rule_count), name_of_rule);

const uint32_t adam = number_of<Adam>(), amsgrad = number_of<AmsGrad>(), adamax = number_of<Adamax>(),
               torch_adamax = number_of<TorchAdamax>();

// With no memory and no epsilon every rule of the Adam family steps by the learning rate.
class AdamFamily : public ::testing::TestWithParam<uint32_t> {};

TEST_P(AdamFamily, StepsByTheSignOfTheGradient) {
  for (const Dialect dialect : {Dialect::keras, Dialect::optimizer_v2, Dialect::torch}) {
    const HyperMap h{{"beta_1", 0}, {"beta_2", 0}, {"epsilon", 0}};
    const Floats g = {3, -0.007f, 1e15f, -1e-15f, 0.1f, -123456};
    const Stepped stepped(GetParam(), h, 1, Floats(g.size()), g, dialect);
    for (size_t i = 0; i < g.size(); i++) EXPECT_EQ(stepped.w[i], g[i] > 0 ? -1 : 1) << g[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, AdamFamily, ::testing::Values(adam, amsgrad, adamax, torch_adamax),
                         name_of_rule);

// Observed in Keras: its float32 scalars do not cancel, and the first step of 1 falls short by this much.
TEST(KnownSteps, TheFirstStepIsShortAsInKeras) {
  EXPECT_EQ(-Stepped(adam, {}, 1, {0}, {1}).w[0], 0.9999901f);
  EXPECT_EQ(-Stepped(adamax, {}, 1, {0}, {1}).w[0], 0.99999964f);
}

TEST(KnownSteps, SlotsAfterOneStep) {
  const HyperMap h{{"beta_1", 0.5}, {"beta_2", 0.75}, {"epsilon", 1}};
  const Stepped a(adam, h, 1, {10}, {4});
  EXPECT_EQ(a.slot[0][0], 2);       // 4 / 2
  EXPECT_EQ(a.slot[1][0], 4);       // 16 / 4
  EXPECT_EQ(a.w[0], 10 - 2.f / 3);  // alpha = sqrt(1 / 4) / (1 / 2) = 1; 2 / (sqrt(4) + 1)
  const Stepped x(adamax, h, 1, {10}, {4});
  EXPECT_EQ(x.slot[0][0], 2);
  EXPECT_EQ(x.slot[1][0], 4);
  EXPECT_EQ(x.w[0], 10 - 2 / 2.5f);  // 2 / (0.5 * (4 + 1))
  const Stepped t(torch_adamax, h, 1, {10}, {4});
  EXPECT_EQ(t.slot[0][0], 2);
  EXPECT_EQ(t.slot[1][0], 5);  // epsilon inside the maximum
  EXPECT_EQ(t.w[0], 10 - 2 * (2 / 5.f));
}

TEST(KnownSteps, MaximaRemember) {
  const HyperMap h{{"beta_1", 0.5}, {"beta_2", 0.75}, {"epsilon", 1}};
  Stepped a(amsgrad, h, 1, {0}, {4});
  a.step(2, {0});
  EXPECT_EQ(a.slot[1][0], 3);  // 4 * 3 / 4
  EXPECT_EQ(a.slot[2][0], 4);
  Stepped x(adamax, h, 1, {0}, {-4});
  EXPECT_EQ(x.slot[1][0], 4);
  x.step(2, {1});
  EXPECT_EQ(x.slot[1][0], 3);  // 0.75 * 4
  x.step(3, {-9});
  EXPECT_EQ(x.slot[1][0], 9);
}

// AMSGrad's velocity may be the negative NaN of Inf - Inf: the maximum must not lose it.
TEST(KnownSteps, AmsGradKeepsTheNaNOfItsVelocity) {
  Stepped a(amsgrad, {}, 0.1, {1}, {1e30f});
  EXPECT_EQ(a.slot[1][0], infinity);
  a.step(2, {1e30f});
  EXPECT_TRUE(std::isnan(a.slot[1][0]));
  EXPECT_TRUE(std::isnan(a.slot[2][0]));
  EXPECT_TRUE(std::isnan(a.w[0]));
}

// The coefficients again, in double with a rounding to float after every operation, and the powers by
// repeated multiplication. (Rounding the double result of one operation on floats is the float operation.)
float f(double x) { return float(x); }
double power(double x, uint32_t t) {
  double product = 1;
  for (uint32_t i = 0; i < t; i++) product *= x;
  return product;
}

template <class T>
Floats floats_of(const T& fields) {
  Floats list(field_count<T>);
  std::memcpy(list.data(), &fields, sizeof fields);
  return list;
}

class Coefficients : public ::testing::TestWithParam<uint32_t> {};

TEST_P(Coefficients, AreKerasFloats) {
  const uint32_t t = GetParam();
  const double b1 = 0.9, b2 = 0.999, eps = 1e-7, rate = 0.003;
  const float bias1 = f(1 - double(f(power(f(b1), t)))), bias2 = f(1 - double(f(power(f(b2), t))));
  const float root2 = f(std::sqrt(double(bias2))), alpha = f(double(f(double(f(rate)) * root2)) / bias1);
  Adam::Hyper h{b1, b2, eps};
  const float adam[] = {f(1 - b1), f(1 - b2), alpha, f(eps)};
  EXPECT_TRUE(same(floats_of(Adam::coef(h, {rate, t})), adam));
  EXPECT_TRUE(same(floats_of(AmsGrad::coef(h, {rate, t})), adam));
  const float adamax[] = {f(1 - b1), f(b2), f(rate), bias1, f(eps)};
  EXPECT_TRUE(same(floats_of(Adamax::coef({b1, b2, eps}, {rate, t})), adamax));
  h.adaptive_epsilon = 1;
  const float adaptive[] = {f(1 - b1), f(1 - b2), alpha, f(double(f(eps)) * root2)};
  EXPECT_TRUE(same(floats_of(Adam::coef(h, {rate, t})), adaptive));
  h.adaptive_epsilon = 0;
  const float v2[] = {f(1 - double(f(b1))), f(1 - double(f(b2))), alpha, f(eps)};
  EXPECT_TRUE(same(floats_of(Adam::coef(h, {rate, t, Dialect::optimizer_v2})), v2));
}

TEST_P(Coefficients, AreTorchDoubles) {
  const uint32_t t = GetParam();
  const double bias1 = 1 - power(0.9, t), bias2 = 1 - power(0.999, t);
  const auto adam = floats_of(Adam::coef({0.9, 0.999, 1e-8}, {0.003, t, Dialect::torch}));
  EXPECT_EQ(adam[0], f(1 - 0.9));
  EXPECT_EQ(adam[1], f(1 - 0.999));
  // sqrt(v / bias2) + eps, times sqrt(bias2) above and below: within the error of the repeated product.
  EXPECT_FLOAT_EQ(adam[2], f(0.003 / bias1 * std::sqrt(bias2)));
  EXPECT_FLOAT_EQ(adam[3], f(1e-8 * std::sqrt(bias2)));
  const auto adamax = floats_of(TorchAdamax::coef({0.9, 0.999, 1e-8}, {0.003, t, Dialect::torch}));
  EXPECT_EQ(adamax[0], f(1 - 0.9));
  EXPECT_EQ(adamax[1], f(0.999));
  EXPECT_FLOAT_EQ(adamax[2], f(0.003 / bias1));
  EXPECT_EQ(adamax[3], f(1e-8));
}

INSTANTIATE_TEST_SUITE_P(AtUpdate, Coefficients, ::testing::Values(1, 2, 3, 10, 50, 1000));

// Observed in Keras: fl(0.999)^1000 in float32, 1.3e-5 away from the double.
TEST(KnownCoefficients, BiasOfTheThousandthUpdate) {
  EXPECT_EQ(Adam::coef({0, 0.999}, {1, 1000}).alpha, std::sqrt(0.63229984f));
}

}  // namespace
}  // namespace simdescent::tests
