// The update loop: for every rule and every combination of stages, whole vectors plus tail give the bits of
// the scalar lane alone, at every length and misalignment, and touch nothing else. That the scalar lane
// computes what it should is pipeline_test.cc's and rules_test.cc's.
#include "kernels/sweep.h"

#include "arrays.h"
#include "kernels/table.h"

namespace simdescent::tests {
namespace {

template <class R>
uint32_t number_of() {
  uint32_t number = rule_count;
  for (uint32_t rule = 0; rule < rule_count; rule++) {
    if (rule_name(rule) == R::name) number = rule;
  }
  return number;
}

std::vector<uint32_t> counts() {
  std::vector<uint32_t> list;
  for (uint32_t n = 0; n <= 2 * Lanes::lanes + 1; n++) list.push_back(n);
  list.insert(list.end(), {31, 32, 67});
  return list;
}

template <class R>
class Sweep : public ::testing::Test {
 protected:
  Sweep() {
    const auto values = R::coef({.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3}, 0.05, 3);
    std::copy(values.begin(), values.end(), coef_);
  }

  // update() against the scalar lane, from the same contents.
  void expect_as_scalar(const Contents& contents, uint32_t shift, uint32_t stages) {
    GuardedRow vectors(contents, shift), scalars(contents, 0);
    update(rule_, vectors.row(pipe_, coef_, stages));
    const Row r = scalars.row(pipe_, coef_, stages);
    const uint32_t end = sweep<R, f32x1>(Stages::of(stages), r, 0);
    ASSERT_EQ(end, r.n);
    ASSERT_TRUE(vectors.same_as(scalars)) << "n " << r.n << ", shift " << shift << ", stages " << stages;
  }

  const uint32_t rule_ = number_of<R>();
  const Pipe<float> pipe_ = lively_pipe();
  float coef_[max_coefs] = {};
};

TYPED_TEST_SUITE(Sweep, TypesOf<Rules>::type, RuleNames);

TYPED_TEST(Sweep, EveryLengthAtEveryMisalignment) {
  Random random(3);
  for (const uint32_t n : counts()) {
    for (uint32_t shift = 0; shift < GuardedRow::shifts; shift++) {
      const Contents contents(n, random, shift % 2);
      for (uint32_t stages = 0; stages < Stages::loops; stages++) {
        this->expect_as_scalar(contents, shift, stages);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(Sweep, LongArraysWithSpecialValues) {
  Random random(4);
  for (uint32_t stages = 0; stages < Stages::loops; stages++) {
    this->expect_as_scalar(Contents(3001, random, true), stages, stages);
    this->expect_as_scalar(Contents(3002, random, false), stages, stages);
    if (this->HasFatalFailure()) return;
  }
}

// The stages one by one, by plain arithmetic: what the loop hands to the rule and what it keeps for itself.
TYPED_TEST(Sweep, StagesInKerasOrder) {
  using R = TypeParam;
  const Pipe<float>& k = this->pipe_;
  Random random(5);
  const Contents c(37, random, true);
  for (uint32_t stages = 0; stages < Stages::loops; stages++) {
    const Stages s = Stages::of(stages);
    ASSERT_EQ(s.word(), stages);
    GuardedRow got(c, 0);
    update(this->rule_, got.row(k, this->coef_, stages));
    Contents expected = c;
    for (size_t i = 0; i < c.w.size(); i++) {
      float g = c.g[i];
      if (s.grad != Grad::none) {
        g = g * k.scale;
        if (s.grad == Grad::accumulate) g = (g + c.acc[i]) * k.mean, expected.acc[i] = 0;
        g = g * k.clip;
        if (s.grad != Grad::scale) g = g / k.divide;
        g = g < k.lo ? k.lo : g > k.hi ? k.hi : g;
      }
      float w = c.w[i];
      if (s.decay) {
        const float part = w * k.decay;
        w = w - part * k.rate;
      }
      f32x1 x = w, state[R::slots.size()];
      for (size_t j = 0; j < R::slots.size(); j++) state[j] = c.slot[j][i];
      R::template update<f32x1>(coefficients<R, f32x1>(this->coef_), x, g, state);
      expected.w[i] = x.v;
      for (size_t j = 0; j < R::slots.size(); j++) expected.slot[j][i] = state[j].v;
      if (s.average) {
        const float kept = k.momentum * c.avg[i];
        expected.avg[i] = kept + k.complement * x.v;
      }
    }
    GuardedRow wanted(expected, 0);
    ASSERT_TRUE(got.same_as(wanted)) << "stages " << stages;
  }
}

// Arrays that no stage needs may be missing, and no array is read past its end.
TYPED_TEST(Sweep, NeedsOnlyTheArraysOfItsStages) {
  using R = TypeParam;
  Random random(6);
  for (const uint32_t n : counts()) {
    for (uint32_t stages = 0; stages < Stages::loops; stages++) {
      const Contents c(n, random, false);
      const Stages s = Stages::of(stages);
      const uint32_t offset = (n + stages) % 4;
      ExactArray w(c.w, offset), g(c.g, offset), acc(c.acc, offset), avg(c.avg, offset);
      std::vector<ExactArray> slot;
      for (size_t j = 0; j < R::slots.size(); j++) slot.emplace_back(c.slot[j], offset);
      Row r{};
      r.w = w.data(), r.g = g.data(), r.n = n, r.stages = stages;
      for (size_t j = 0; j < R::slots.size(); j++) r.slot[j] = slot[j].data();
      if (s.grad == Grad::accumulate) r.acc = acc.data();
      if (s.average) r.avg = avg.data();
      r.pipe = &this->pipe_, r.coef = this->coef_;
      update(this->rule_, r);
      GuardedRow expected(c, 0);
      update(this->rule_, expected.row(this->pipe_, this->coef_, stages));
      ASSERT_TRUE(same(w.values(), expected.w.values())) << "n " << n << ", stages " << stages;
    }
  }
}

TYPED_TEST(Sweep, PartsGiveTheWhole) {
  constexpr uint32_t n = 41, stages = Stages{Grad::accumulate, true, true}.word();
  Random random(7);
  const Contents c(n, random, true);
  GuardedRow whole(c, 0);
  update(this->rule_, whole.row(this->pipe_, this->coef_, stages));
  for (uint32_t cut = 0; cut <= n; cut++) {
    GuardedRow parts(c, cut);
    const Row r = parts.row(this->pipe_, this->coef_, stages);
    // The second part has its weights and its gradient elsewhere.
    Floats gradient(c.g.begin() + cut, c.g.end()), weights(c.w.begin() + cut, c.w.end());
    update(this->rule_, r.part(0, cut, r.g, r.w));
    update(this->rule_, r.part(cut, n - cut, gradient.data(), weights.data()));
    ASSERT_TRUE(same(Floats(parts.w.data() + cut, parts.w.data() + n), Floats(c.w.begin() + cut, c.w.end())));
    std::copy(weights.begin(), weights.end(), parts.w.data() + cut);
    ASSERT_TRUE(parts.same_as(whole)) << "cut at " << cut;
  }
}

}  // namespace
}  // namespace simdescent::tests
