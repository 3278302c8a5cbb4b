// The loops beside the update (gather, average, prepare) against plain float arithmetic, at every length and
// misalignment; and the defaults of the stages' scalars, which must be identities for a gradient.
#include "arrays.h"
#include "kernels/stage.h"

namespace simdescent::tests {
namespace {

constexpr float no_coefficients[max_coefs] = {};

// Runs `loop` on rows of every small length and misalignment; `expect` changes the contents as it should.
template <class Loop, class Expect>
void check(Loop loop, Expect expect) {
  Random random(8);
  const Pipe<float> pipe = lively_pipe();
  for (uint32_t n = 0; n <= 35; n++) {
    for (uint32_t shift = 0; shift < GuardedRow::shifts; shift++) {
      Contents contents(n, random, shift % 2);
      GuardedRow got(contents, shift);
      loop(got.row(pipe, no_coefficients, 0), contents);
      for (uint32_t i = 0; i < n; i++) expect(pipe, contents, i);
      GuardedRow expected(contents, 0);
      ASSERT_TRUE(got.same_as(expected)) << "n " << n << ", shift " << shift;
    }
  }
}

TEST(Stages, GatherAddsTheUnscaledGradient) {
  check([](const Row& r, const Contents&) { gather(r, true); },
        [](const Pipe<float>& k, Contents& c, uint32_t i) {
          const float g = c.g[i] * k.scale;
          c.acc[i] = g + c.acc[i];
        });
  check([](const Row& r, const Contents&) { gather(r, false); },
        [](const Pipe<float>& k, Contents& c, uint32_t i) {
          const float g = c.g[i] / k.unscale;
          c.acc[i] = g + c.acc[i];
        });
}

TEST(Stages, AverageMovesTowardsTheWeights) {
  check([](const Row& r, const Contents&) { average(r); },
        [](const Pipe<float>& k, Contents& c, uint32_t i) {
          const float kept = k.momentum * c.avg[i], added = k.complement * c.w[i];
          c.avg[i] = kept + added;
        });
}

TEST(Stages, PrepareGivesTheGradientOfPlainArithmetic) {
  std::vector<Stages> list = {
      {.grad = Grad::divide}, {.grad = Grad::accumulate}, {.grad = Grad::accumulate, .undivided = true}};
  for (uint32_t bits = 0; bits < 8; bits++) {
    list.push_back({.grad = Grad::general,
                    .gathered = (bits & 1) != 0,
                    .clamp_first = (bits & 2) != 0,
                    .l2 = (bits & 4) != 0});
  }
  for (const Stages s : list) {
    // The result goes where the slot is: an array of the row that prepare() has no other business with.
    check(
        [s](Row r, const Contents&) {
          r.stages = s.word();
          prepare(r, 0, r.n, r.slot[0]);
        },
        [s](const Pipe<float>& k, Contents& c, uint32_t i) {
          c.slot[0][i] = plain_gradient(s, k, c.g[i], c.w[i], c.acc[i]);
        });
  }
}

TEST(Stages, DefaultScalarsChangeNoBitOfAGradient) {
  const Pipe<float> identity;
  const auto k = broadcast<f32x1>(identity);
  Random random(9);
  Floats values = special;
  for (int i = 0; i < 10000; i++) values.push_back(random.any());
  for (const Grad grad : {Grad::none, Grad::scale, Grad::divide, Grad::general}) {
    for (const bool clamp_first : {false, true}) {
      const Stages s{.grad = grad, .clamp_first = clamp_first};
      for (const float g : values)
        ASSERT_TRUE(same(clip(s, k, prologue(s, k, f32x1(g), f32x1(0.f))).v, g)) << shown(g);
    }
  }
}

TEST(Stages, WordsAreReadBack) {
  for (uint32_t word = 0; word < 2048; word++) {
    const Stages s = Stages::of(word);
    EXPECT_EQ(s.grad == Grad::general, (word & 16) != 0);
    EXPECT_EQ(Stages::of(s.word()).word(), s.word());
    if (s.grad != Grad::general) {
      EXPECT_EQ(s.word(), word);
    }
  }
}

}  // namespace
}  // namespace simdescent::tests
