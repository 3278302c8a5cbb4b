// Lane types: every operation of the vector lanes against the scalar reference, lane by lane and bit for bit;
// and that the scalar reference means what the rules rely on, NaN included.
#include <cmath>

#include "floats.h"
#include "simd/f32x1.h"
#include "simd/f32x4.h"

namespace simdescent::tests {
namespace {

template <class V>
class VectorLanes : public ::testing::Test {};
using VectorTypes = ::testing::Types<f32x4>;
TYPED_TEST_SUITE(VectorLanes, VectorTypes);

template <class V>
class AnyLanes : public ::testing::Test {};
using LaneTypes = ::testing::Types<f32x1, f32x4>;
TYPED_TEST_SUITE(AnyLanes, LaneTypes);

// Two lists that together hold every pair of special values, and pairs of random bits.
struct Pairs {
  Floats a, b;

  Pairs() {
    for (const float x : special) {
      for (const float y : special) add(x, y);
    }
    Random random(1);
    for (int i = 0; i < 20000; i++) add(random.any(), random.any());
    for (int i = 0; i < 20000; i++) add(random.unit(), random.unit());
  }
  void add(float x, float y) {
    a.push_back(x);
    b.push_back(y);
  }
};

// Applies f to all pairs in V and in f32x1; starting at 0, 1, … V::lanes - 1 puts each pair into each lane.
template <class V, class F>
void expect_as_scalar(const char* name, F f) {
  static const Pairs pairs;
  float got[V::lanes];
  for (uint32_t start = 0; start < V::lanes; start++) {
    for (size_t i = start; i + V::lanes <= pairs.a.size(); i += V::lanes) {
      f(V::load(&pairs.a[i]), V::load(&pairs.b[i])).store(got);
      for (uint32_t lane = 0; lane < V::lanes; lane++) {
        const float a = pairs.a[i + lane], b = pairs.b[i + lane], expected = f(f32x1(a), f32x1(b)).v;
        ASSERT_TRUE(same(got[lane], expected))
            << name << " of " << shown(a) << " and " << shown(b) << " in lane " << lane << ": got "
            << shown(got[lane]) << ", expected " << shown(expected);
      }
    }
  }
}

TYPED_TEST(VectorLanes, ArithmeticAsScalar) {
  using V = TypeParam;
  expect_as_scalar<V>("sum", [](auto a, auto b) { return a + b; });
  expect_as_scalar<V>("difference", [](auto a, auto b) { return a - b; });
  expect_as_scalar<V>("product", [](auto a, auto b) { return a * b; });
  expect_as_scalar<V>("quotient", [](auto a, auto b) { return a / b; });
  expect_as_scalar<V>("root", [](auto a, auto) { return sqrt(a); });
  expect_as_scalar<V>("magnitude", [](auto a, auto) { return abs(a); });
}

TYPED_TEST(VectorLanes, NothingIsFused) {
  expect_as_scalar<TypeParam>("a * b + a", [](auto a, auto b) { return a * b + a; });
  expect_as_scalar<TypeParam>("a - b * b", [](auto a, auto b) { return a - b * b; });
}

TYPED_TEST(VectorLanes, MaximaAsScalar) {
  using V = TypeParam;
  expect_as_scalar<V>("at_least", [](auto a, auto b) { return at_least(a, b); });
  expect_as_scalar<V>("at_most", [](auto a, auto b) { return at_most(a, b); });
  expect_as_scalar<V>("max_magnitude", [](auto a, auto b) { return max_magnitude(a, b); });
}

TYPED_TEST(VectorLanes, SplatFillsEveryLane) {
  using V = TypeParam;
  for (const float x : special) {
    float got[V::lanes];
    V(x).store(got);
    for (const float y : got) EXPECT_EQ(bits(y), bits(x));
    V::broadcast(&x).store(got);
    for (const float y : got) EXPECT_EQ(bits(y), bits(x));
  }
}

TYPED_TEST(VectorLanes, JoinsEightSumsAsScalar) {
  using V = TypeParam;
  Random random(2);
  for (int round = 0; round < 5000; round++) {
    const Floats x = round % 2 ? random.mixed(8) : random.units(8);
    V vectors[8 / V::lanes];
    f32x1 scalars[8];
    for (uint32_t i = 0; i < 8 / V::lanes; i++) vectors[i] = V::load(&x[i * V::lanes]);
    for (uint32_t i = 0; i < 8; i++) scalars[i] = x[i];
    ASSERT_TRUE(same(join(vectors), join(scalars)));
  }
}

// Also by 1, where nothing is divided.
TYPED_TEST(VectorLanes, DividesByOneNumberAsScalar) {
  using V = TypeParam;
  Random random(4);
  for (const float by :
       {1.f, -1.f, 0.1f, std::nextafter(1.f, 0.f), std::nextafter(1.f, 2.f), 0.f, INFINITY, NAN}) {
    for (int round = 0; round < 500; round++) {
      const Floats x = random.mixed(V::lanes);
      float got[V::lanes];
      divided(V::load(&x[0]), V(by)).store(got);
      for (uint32_t k = 0; k < V::lanes; k++) ASSERT_TRUE(same(got[k], x[k] / by)) << x[k] << " / " << by;
    }
  }
}

TYPED_TEST(AnyLanes, JoinsFourTimesEightAsOneByOne) {
  using V = TypeParam;
  Random random(3);
  for (int round = 0; round < 5000; round++) {
    const Floats x = round % 2 ? random.mixed(32) : random.units(32);
    V out[4 / V::lanes];
    join(&x[0], &x[8], &x[16], &x[24], out);
    float got[4];
    for (uint32_t k = 0; k < 4; k += V::lanes) out[k / V::lanes].store(got + k);
    for (uint32_t k = 0; k < 4; k++) {
      V r[8 / V::lanes];
      for (uint32_t i = 0; i < 8; i += V::lanes) r[i / V::lanes] = V::load(&x[8 * k + i]);
      ASSERT_TRUE(same(got[k], join(r)));
    }
  }
}

// numpy's order; one after another, or by strides of four, these eight numbers have other sums.
TYPED_TEST(AnyLanes, JoinsPairsOfPairs) {
  using V = TypeParam;
  const float x[8] = {1, 0x1p-24f, 0x1p-24f, 0x1p-24f, 0x1p-23f, 0x1p-24f, -1, 0x1p-25f};
  V r[8 / V::lanes];
  for (uint32_t i = 0; i < 8 / V::lanes; i++) r[i] = V::load(x + i * V::lanes);
  const float a = x[0] + x[1], b = x[2] + x[3], c = x[4] + x[5], d = x[6] + x[7];
  const float left = a + b, right = c + d;
  EXPECT_EQ(bits(join(r)), bits(left + right));
}

TYPED_TEST(AnyLanes, LoadsAndStoresAtEveryAlignmentAndNothingElse) {
  using V = TypeParam;
  constexpr uint32_t room = V::lanes + 8;
  for (uint32_t offset = 0; offset < 4; offset++) {
    alignas(16) float from[room], to[room];
    for (uint32_t i = 0; i < room; i++)
      from[i] = from_bits(0x7f800100u + i), to[i] = float(i);  // signalling NaNs
    V::load(from + 2 + offset).store(to + 1 + offset);
    for (uint32_t i = 0; i < room; i++) {
      const bool inside = i >= 1 + offset && i < 1 + offset + V::lanes;
      EXPECT_EQ(bits(to[i]), inside ? bits(from[i + 1]) : bits(float(i)))
          << "offset " << offset << ", float " << i;
    }
  }
}

template <class V>
float first(V v) {
  float lanes[V::lanes];
  v.store(lanes);
  return lanes[0];
}

TYPED_TEST(AnyLanes, AtLeastAndAtMostKeepTheirFirstOperandsNaN) {
  using V = TypeParam;
  const float nan = from_bits(0x7fc00000u), negative_nan = from_bits(0xffc00000u);
  for (const float x : {nan, negative_nan}) {
    EXPECT_TRUE(std::isnan(first(at_least(V(x), V(1.f)))));
    EXPECT_TRUE(std::isnan(first(at_most(V(x), V(1.f)))));
    EXPECT_EQ(first(at_least(V(1.f), V(x))), 1.f);
    EXPECT_EQ(first(at_most(V(1.f), V(x))), 1.f);
  }
  EXPECT_EQ(first(at_least(V(-infinity), V(-2.f))), -2.f);
  EXPECT_EQ(first(at_most(V(infinity), V(2.f))), 2.f);
  EXPECT_EQ(first(at_least(V(3.f), V(-2.f))), 3.f);
  EXPECT_EQ(first(at_most(V(-3.f), V(2.f))), -3.f);
  EXPECT_EQ(bits(first(at_least(V(-0.f), V(0.f)))), bits(-0.f));
  EXPECT_EQ(bits(first(at_most(V(0.f), V(-0.f)))), bits(0.f));
}

TYPED_TEST(AnyLanes, MaxMagnitudeIsTheLargerMagnitudeOrNaN) {
  using V = TypeParam;
  for (const float a : special) {
    for (const float b : special) {
      const float x = std::fabs(a), y = std::fabs(b), got = first(max_magnitude(V(a), V(b)));
      if (std::isnan(a) || std::isnan(b)) {
        EXPECT_TRUE(std::isnan(got)) << shown(a) << ", " << shown(b);
      } else {
        EXPECT_EQ(bits(got), bits(x > y ? x : y)) << shown(a) << ", " << shown(b);
      }
    }
  }
}

}  // namespace
}  // namespace simdescent::tests
