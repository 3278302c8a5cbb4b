// The update loop: for every rule and every combination of stages, whole vectors plus tail give the bits of
// the scalar lane alone, at every length and misalignment, and touch nothing else. That the scalar lane
// computes what it should is pipeline_test.cc's and rules_test.cc's.
#include "kernels/sweep.h"

#include "arrays.h"
#include "kernels.h"
#include "reference.h"

namespace simdescent::tests {
namespace {

std::vector<uint32_t> counts() {
  std::vector<uint32_t> list;
  for (uint32_t n = 0; n <= 2 * Lanes::lanes + 1; n++) list.push_back(n);
  list.insert(list.end(), {31, 32, 67});
  return list;
}

class Sweep : public ::testing::TestWithParam<uint32_t> {
 protected:
  Sweep() {
    const HyperMap hypers{
        {"beta_1", 0.8}, {"beta_2", 0.95}, {"rho", 0.8}, {"momentum", 0.7}, {"epsilon", 1e-3}};
    coefficients(rule_, hypers_of(rule_, hypers), {0.05, 3}, first_scalars(rule_), coef_);
  }

  // The vector loop against the scalar lane, from the same contents.
  void expect_as_scalar(const Contents& contents, uint32_t shift, uint32_t stages) {
    GuardedRow vectors(contents, shift), scalars(contents, 0);
    step_row(rule_, vectors.row(pipe_, coef_, stages));
    update_by_scalars(rule_, scalars.row(pipe_, coef_, stages));
    ASSERT_TRUE(vectors.same_as(scalars))
        << "n " << contents.w.size() << ", shift " << shift << ", stages " << stages;
  }

  const uint32_t rule_ = GetParam();
  const uint32_t slots_ = uint32_t(slots(GetParam()).size());
  const Pipe<float> pipe_ = lively_pipe();
  float coef_[max_coefs] = {};
};

// A rule with loops of its own has one for each mix of stages. The others have one loop, and passes that all
// rules share: for them the stages take turns.
TEST_P(Sweep, EveryLengthAtEveryMisalignment) {
  Random random(3);
  bool has_own_loops = false;
  with_rule(rule_, [&]<Rule R> { has_own_loops = fused<R>; });
  const std::vector<uint32_t> words = update_words();
  uint32_t turn = 0;
  for (const uint32_t n : counts()) {
    for (uint32_t shift = 0; shift < GuardedRow::shifts; shift++) {
      const Contents contents(n, random, shift % 2);
      for (size_t k = 0; k < (has_own_loops ? words.size() : 3); k++) {
        expect_as_scalar(contents, shift, has_own_loops ? words[k] : words[turn++ % words.size()]);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(Sweep, LongArraysWithSpecialValues) {
  Random random(4);
  for (const uint32_t stages : update_words()) {
    expect_as_scalar(Contents(3001, random, true), stages % GuardedRow::shifts, stages);
    expect_as_scalar(Contents(3002, random, false), stages % GuardedRow::shifts, stages);
    if (HasFatalFailure()) return;
  }
}

// Once bias corrections are 1, by which the vector loop divides nothing.
TEST_P(Sweep, LateUpdates) {
  coefficients(rule_, default_hypers(rule_), {0.05, 20000}, Scalars{}, coef_);
  Random random(5);
  expect_as_scalar(Contents(3001, random, false), 0, Stages{}.word());
  expect_as_scalar(Contents(67, random, true), 1, Stages{}.word());
}

// Where a piece of prepared gradients ends and the next begins.
TEST_P(Sweep, PiecesMeet) {
  Random random(10);
  for (const uint32_t n : {piece_size - 1, piece_size, piece_size + 1, 2 * piece_size + 1}) {
    for (const uint32_t stages : update_words()) {
      expect_as_scalar(Contents(n, random, false), stages % GuardedRow::shifts, stages);
      if (HasFatalFailure()) return;
    }
  }
}

// The stages one by one, by plain arithmetic: what the loop hands to the rule and what it keeps for itself.
TEST_P(Sweep, StagesInKerasOrder) {
  const Pipe<float>& k = pipe_;
  Random random(5);
  const Contents c(37, random, true);
  for (const uint32_t stages : update_words()) {
    const Stages s = Stages::of(stages);
    ASSERT_EQ(s.word(), stages);
    GuardedRow got(c, 0);
    step_row(rule_, got.row(k, coef_, stages));
    Contents expected = c;
    for (size_t i = 0; i < c.w.size(); i++) {
      const float g = plain_gradient(s, k, c.g[i], c.w[i], expected.acc[i]);
      float w = c.w[i];
      if (s.decay) {
        const float part = w * k.decay;
        w = w - part * k.rate;
      }
      float* const elements[] = {&expected.slot[0][i], &expected.slot[1][i], &expected.slot[2][i]};
      update_element(rule_, coef_, w, g, elements);
      expected.w[i] = w;
      if (s.average) {
        const float kept = k.momentum * c.avg[i];
        expected.avg[i] = kept + k.complement * w;
      }
    }
    GuardedRow wanted(expected, 0);
    ASSERT_TRUE(got.same_as(wanted)) << "stages " << stages;
  }
}

// Arrays that no stage needs may be missing, and no array is read past its end.
TEST_P(Sweep, NeedsOnlyTheArraysOfItsStages) {
  Random random(6);
  for (const uint32_t n : counts()) {
    for (const uint32_t stages : update_words()) {
      const Contents c(n, random, false);
      const Stages s = Stages::of(stages);
      const uint32_t offset = (n + stages) % 4;
      ExactArray w(c.w, offset), g(c.g, offset), acc(c.acc, offset), avg(c.avg, offset);
      std::vector<ExactArray> slot;
      for (size_t j = 0; j < slots_; j++) slot.emplace_back(c.slot[j], offset);
      Row r{};
      r.w = w.data(), r.g = g.data(), r.n = n, r.stages = stages;
      for (size_t j = 0; j < slots_; j++) r.slot[j] = slot[j].data();
      if (s.gathers()) r.acc = acc.data();
      if (s.average) r.avg = avg.data();
      r.pipe = &pipe_, r.coef = coef_;
      step_row(rule_, r);
      GuardedRow expected(c, 0);
      step_row(rule_, expected.row(pipe_, coef_, stages));
      ASSERT_TRUE(same(w.values(), expected.w.values())) << "n " << n << ", stages " << stages;
    }
  }
}

TEST_P(Sweep, PartsGiveTheWhole) {
  constexpr uint32_t n = 41, stages = Stages{Grad::accumulate, true, true}.word();
  Random random(7);
  const Contents c(n, random, true);
  GuardedRow whole(c, 0);
  step_row(rule_, whole.row(pipe_, coef_, stages));
  for (uint32_t cut = 0; cut <= n; cut++) {
    GuardedRow parts(c, cut);
    const Row r = parts.row(pipe_, coef_, stages);
    // The second part has its weights and its gradient elsewhere.
    Floats gradient(c.g.begin() + cut, c.g.end()), weights(c.w.begin() + cut, c.w.end());
    step_row(rule_, r.part(0, cut, r.g, r.w));
    step_row(rule_, r.part(cut, n - cut, gradient.data(), weights.data()));
    ASSERT_TRUE(same(Floats(parts.w.data() + cut, parts.w.data() + n), Floats(c.w.begin() + cut, c.w.end())));
    std::copy(weights.begin(), weights.end(), parts.w.data() + cut);
    ASSERT_TRUE(parts.same_as(whole)) << "cut at " << cut;
  }
}

// Rules without a slot, with one coefficient and with none, go through the loops as any other does.
struct Descent {
  static constexpr std::string_view name = "descent";
  static constexpr std::array<Slot, 0> slots{};
  struct Hyper {};
  template <class V>
  struct Coef {
    FIELDS(V, learning_rate);
  };
  static Coef<float> coef(const Hyper&, const Step& at) { return {float(at.rate)}; }
  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>& k, V& w, V g, V*) {
    w = w - g * k.learning_rate;
  }
};
struct Difference {
  static constexpr std::string_view name = "difference";
  static constexpr std::array<Slot, 0> slots{};
  struct Hyper {};
  template <class V>
  struct Coef {};
  static Coef<float> coef(const Hyper&, const Step&) { return {}; }
  template <class V>
  [[gnu::always_inline]] static void update(const Coef<V>&, V& w, V g, V*) {
    w = w - g;
  }
};

template <Rule R>
void expect_descent(float rate) {
  static Scratch scratch;
  const Pipe<float> pipe = lively_pipe();
  Random random(11);
  for (const uint32_t n : counts()) {
    for (const uint32_t stages :
         {Stages{}.word(), Stages{.grad = Grad::scale}.word(), Stages{.grad = Grad::divide}.word()}) {
      const Contents c(n, random, false);
      GuardedRow vectors(c, n), scalars(c, 0);
      const Row row = vectors.row(pipe, &rate, stages);
      const Row* const left = update<R, false, false, false>(&row, &row + 1, scratch);
      EXPECT_EQ(left, &row + 1);
      Contents expected = c;
      for (uint32_t i = 0; i < n; i++) {
        const float g = plain_gradient(Stages::of(stages), pipe, c.g[i], c.w[i], expected.acc[i]);
        const float step = g * rate;
        expected.w[i] = c.w[i] - step;
        scalars.g.data()[i] = g;
      }
      tail<R>(0, scalars.row(pipe, &rate, 0), 0, n, scalars.g.data());
      GuardedRow wanted(expected, 0);
      ASSERT_TRUE(vectors.same_as(wanted)) << "n " << n;
      ASSERT_TRUE(same(scalars.w.values(), wanted.w.values())) << "n " << n;
    }
  }
}

TEST(SweepWithoutSlots, OneCoefficient) { expect_descent<Descent>(0.25f); }
TEST(SweepWithoutSlots, NoCoefficient) { expect_descent<Difference>(1); }

INSTANTIATE_TEST_SUITE_P(Rules, Sweep, ::testing::Range(0u, element_rule_count), name_of_rule);

}  // namespace
}  // namespace simdescent::tests
