// The cosine of the schedules: the bits of the C library's cosf where that is Emscripten's, the nearest float
// or its neighbour elsewhere.
#include "engine/cosine.h"

#include <bit>
#include <cmath>

#include "floats.h"

namespace simdescent::tests {
namespace {

TEST(Cosine, IsThatOfTheLibrary) {
  for (uint32_t bits = 0; bits < 0x7f800000; bits += 10007) {
    const float x = std::bit_cast<float>(bits), got = cosine(x);
#ifdef __EMSCRIPTEN__
    ASSERT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(cosf(x))) << x;
#else
    const float nearest = float(std::cos(double(x)));
    ASSERT_GE(got, std::nextafter(nearest, -2.f)) << x;
    ASSERT_LE(got, std::nextafter(nearest, 2.f)) << x;
#endif
    ASSERT_EQ(cosine(-x), got) << x;
  }
}

TEST(Cosine, HasTheSameBitsInEveryBuild) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (uint32_t bits = 0; bits < 0x7f800000; bits += 10007)
    hash = (hash ^ std::bit_cast<uint32_t>(cosine(std::bit_cast<float>(bits)))) * 0x100000001b3;
  EXPECT_EQ(hash, 14577125272002114675u);
}

TEST(Cosine, OfWhatIsNotFiniteIsNaN) {
  EXPECT_TRUE(std::isnan(cosine(infinity)));
  EXPECT_TRUE(std::isnan(cosine(-infinity)));
  EXPECT_TRUE(std::isnan(cosine(NAN)));
}

}  // namespace
}  // namespace simdescent::tests
