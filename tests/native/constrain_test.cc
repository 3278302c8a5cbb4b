// Weight constraints: Keras' formulas over one axis of [outer, axis, inner], and that the width of the strips
// in which wide arrays are done does not show.
#include "kernels/constrain.h"

#include "arrays.h"
#include "reference.h"

namespace simdescent::tests {
namespace {

enum class Kind { max_norm, unit_norm, min_max_norm, min_max_norm_partly };
constexpr Kind kinds[] = {Kind::max_norm, Kind::unit_norm, Kind::min_max_norm, Kind::min_max_norm_partly};

NormRange range_of(Kind kind) {
  switch (kind) {
    case Kind::max_norm:
      return {0, 1.5f, NAN, false};
    case Kind::unit_norm:
      return {1, 1, 1, true};
    case Kind::min_max_norm:
      return {1.25f, 1.75f, 1, false};
    case Kind::min_max_norm_partly:
      return {1.25f, 1.75f, 0.3, false};
  }
  return {};
}

// As in keras.constraints, with numpy's clip.
float constrained(Kind kind, float x, float norm) {
  const NormRange range = range_of(kind);
  const float floor = 1e-7f + norm;
  if (kind == Kind::unit_norm) return x / floor;
  float desired = norm < range.least ? range.least : norm > range.most ? range.most : norm;
  if (kind != Kind::max_norm) {
    const float rate = kind == Kind::min_max_norm ? 1 : 0.3f, rest = kind == Kind::min_max_norm ? 0 : 0.7f;
    const float moved = rate * desired;
    desired = moved + rest * norm;
  }
  return x * (desired / floor);
}

Floats expected(Kind kind, const Floats& w, uint32_t outer, uint32_t axis, uint32_t inner) {
  Floats result = w;
  for (uint32_t o = 0; o < outer; o++) {
    for (uint32_t i = 0; i < inner; i++) {
      const auto index = [&](uint32_t a) { return (o * axis + a) * inner + i; };
      Floats line(axis);
      for (uint32_t a = 0; a < axis; a++) line[a] = w[index(a)];
      float sum = 0;  // along the last axis numpy adds pairwise, along another one row by row
      if (inner == 1) sum = numpy_sum_of_squares(line);
      for (uint32_t a = 0; inner != 1 && a < axis; a++) sum = sum + line[a] * line[a];
      for (uint32_t a = 0; a < axis; a++) result[index(a)] = constrained(kind, w[index(a)], std::sqrt(sum));
    }
  }
  return result;
}

void check(const Floats& w, uint32_t outer, uint32_t axis, uint32_t inner) {
  for (const Kind kind : kinds) {
    for (const uint32_t room : {1u, 3u, 8u, 1000u}) {
      GuardedArray got(w, outer % 4);
      GuardedArray norms(Floats(room), 0);
      constrain_norm(got.data(), outer, axis, inner, range_of(kind), norms.data(), room);
      ASSERT_TRUE(same(got.values(), expected(kind, w, outer, axis, inner)))
          << outer << " x " << axis << " x " << inner << ", kind " << int(kind) << ", room " << room;
      ASSERT_TRUE(got.guards_intact() && norms.guards_intact());
    }
  }
}

TEST(Constrain, NormsAlongAnAxis) {
  Random random(10);
  for (const uint32_t outer : {1u, 2u, 3u}) {
    for (const uint32_t axis : {1u, 2u, 7u, 8u, 150u}) {
      for (const uint32_t inner : {1u, 2u, 3u, 8u, 9u, 20u}) {
        Floats w = random.units(outer * axis * inner);
        for (float& x : w) x = 2 * x;  // norms on both sides of the limits
        check(w, outer, axis, inner);
      }
    }
  }
}

TEST(Constrain, ZerosAndNonFiniteWeights) {
  Random random(11);
  check(Floats(30), 2, 5, 3);
  check(Floats(30), 1, 30, 1);
  for (int round = 0; round < 20; round++) {
    check(random.mixed(30), 2, 5, 3);
    check(random.mixed(30), 3, 10, 1);
  }
}

TEST(Constrain, KnownNorms) {
  Floats w = {3, 4}, norms(1);
  constrain_norm(w.data(), 1, 2, 1, {0, 2, 1, false}, norms.data(), 1);  // MaxNorm(2)
  EXPECT_FLOAT_EQ(w[0], 1.2f);
  EXPECT_FLOAT_EQ(w[1], 1.6f);
  w = {3, 4};
  constrain_norm(w.data(), 1, 2, 1, {0, 10, 1, false}, norms.data(), 1);  // inside: only epsilon shows
  EXPECT_NEAR(w[0], 3, 1e-6);
  w = {3, 5, 4, 12};
  norms = {0, 0};
  constrain_norm(w.data(), 1, 2, 2, {1, 1, 1, true}, norms.data(), 2);  // UnitNorm over axis 0: columns
  EXPECT_FLOAT_EQ(w[0], 0.6f);
  EXPECT_FLOAT_EQ(w[1], 5.f / 13);
  EXPECT_FLOAT_EQ(w[2], 0.8f);
  EXPECT_FLOAT_EQ(w[3], 12.f / 13);
}

// A -0 becomes 0, too.
TEST(Constrain, NonNegativeKeepsNaN) {
  for (uint32_t n = 0; n <= 2 * special.size(); n++) {
    Floats w(n);
    for (uint32_t i = 0; i < n; i++) w[i] = special[i % special.size()];
    GuardedArray got(w, n % 4);
    constrain_non_negative(got.data(), n);
    for (float& x : w) x = x <= 0 ? 0 : x;
    ASSERT_TRUE(same(got.values(), w)) << "n " << n;
    ASSERT_TRUE(got.guards_intact());
  }
}

}  // namespace
}  // namespace simdescent::tests
