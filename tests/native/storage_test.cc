// How slots are stored: the map of eight bits against one written from the paper and searched value by value,
// rounding to bfloat16 against what its bits say, and that vectors do what single elements do.
#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "floats.h"
#include "kernels/quantize.h"

namespace simdescent::tests {
namespace {

// The map as bitsandbytes 0.4x publishes it (create_dynamic_map): decades of 2^i values (unsigned: twice as
// many) in the middle of equal parts of 0.1 to 1, then 0 and 1, in ascending order.
std::vector<double> published_map(bool is_signed) {
  std::vector<double> map{0, 1};
  for (int i = 0; i < 7; i++) {
    const int count = 1 << (is_signed ? i : i + 1);
    for (int k = 0; k < count; k++) {
      const double value = std::pow(10., i - 6) * (0.1 + 0.9 * (k + 0.5) / count);
      map.push_back(value);
      if (is_signed) map.push_back(-value);
    }
  }
  std::sort(map.begin(), map.end());
  return map;
}

DynamicMaps& maps() {
  static DynamicMaps made;
  return made;
}

struct Packed {
  std::vector<float> words;
  // At a step; or, without one, to the nearest.
  explicit Packed(Storage storage, bool is_signed, const Floats& from, std::optional<float> step = 1.f)
      : words(stored_floats(storage, uint32_t(from.size()))) {
    Floats used = from;
    const uint32_t n = uint32_t(from.size());
    if (step) {
      narrow(maps(), storage, is_signed, used.data(), n, words.data(), *step);
    } else {
      narrow_to_nearest(maps(), storage, is_signed, used.data(), n, words.data());
    }
  }
  const uint8_t* codes(uint32_t block) const {
    return reinterpret_cast<const uint8_t*>(words.data() + block * block_floats + 1);
  }
  float scale(uint32_t block) const { return words[block * block_floats]; }
  Floats unpacked(Storage storage, bool is_signed, uint32_t n) const {
    Floats out(n);
    widen(maps(), storage, is_signed, words.data(), n, out.data());
    return out;
  }
};

TEST(Int8, ValuesAreThePublishedMap) {
  for (const bool is_signed : {true, false}) {
    const std::vector<double> map = published_map(is_signed);
    ASSERT_EQ(map.size(), 256u);
    std::vector<float> block(block_floats);
    block[0] = 1;
    for (int c = 0; c < 256; c++) reinterpret_cast<uint8_t*>(block.data() + 1)[c] = uint8_t(c);
    Floats values(256);
    widen(maps(), Storage::int8, is_signed, block.data(), 256, values.data());
    for (int c = 0; c < 256; c++) EXPECT_NEAR(values[c], map[c], 2e-6 * std::fabs(map[c])) << c;
    EXPECT_EQ(values[255], 1);
    EXPECT_TRUE(same(values[is_signed ? 127 : 0], 0));
  }
}

TEST(Int8, CodesAreThoseOfTheNearestValue) {
  Random random(5);
  for (const bool is_signed : {true, false}) {
    const std::vector<double> map = published_map(is_signed);
    for (int round = 0; round < 400; round++) {
      const uint32_t n = round < 300 ? 256 : 1 + uint32_t(round) % 255;
      Floats x(n);
      // At times so large or so small that the reciprocal of the scale is no normal float.
      const float unit = round % 10 == 8 ? 0x1p125f : round % 10 == 9 ? 0x1p-124f : 7;
      for (float& v : x) {
        v = std::pow(10.f, -8 * (random.unit() * 0.5f + 0.5f)) * unit;
        if (is_signed && random.unit() < 0) v = -v;
      }
      const Packed packed(Storage::int8, is_signed, x);
      const double scale = packed.scale(0);
      ASSERT_EQ(scale, std::fabs(*std::max_element(x.begin(), x.end(), [](float a, float b) {
                  return std::fabs(a) < std::fabs(b);
                })));
      for (uint32_t i = 0; i < n; i++) {
        const double y = double(x[i]) / scale;
        double best = 9;
        for (const double m : map) best = std::min(best, std::fabs(m - y));
        const double got = std::fabs(map[packed.codes(0)[i]] - y);
        // Where two are as near, but for the last bits, either will do.
        ASSERT_LE(got, best + 4e-7 * std::fabs(y)) << shown(x[i]) << " of " << scale;
      }
    }
  }
}

TEST(Int8, WhatWasUnpackedHasTheSameCodesAgain) {
  for (const bool is_signed : {true, false}) {
    Floats x(256);
    std::vector<float> block(block_floats);
    block[0] = 0.37f;
    uint8_t* const codes = reinterpret_cast<uint8_t*>(block.data() + 1);
    for (int c = 0; c < 256; c++) codes[c] = uint8_t(c);
    widen(maps(), Storage::int8, is_signed, block.data(), 256, x.data());
    const Packed again(Storage::int8, is_signed, x);
    EXPECT_EQ(again.scale(0), 0.37f);
    for (int c = 0; c < 256; c++) EXPECT_EQ(again.codes(0)[c], c);
  }
}

TEST(Int8, ABlockOfZerosStaysSo_AndWhatIsNotFiniteShows) {
  const Floats zeros(300), got = Packed(Storage::int8, true, zeros).unpacked(Storage::int8, true, 300);
  for (const float x : got) ASSERT_TRUE(same(x, 0));
  std::vector<float> untouched(stored_floats(Storage::int8, 300));  // as allocated
  Floats fresh(300, 5);
  widen(maps(), Storage::int8, true, untouched.data(), 300, fresh.data());
  for (const float x : fresh) ASSERT_TRUE(same(x, 0));
  for (const float odd : {float(NAN), float(INFINITY), -float(INFINITY)}) {
    for (const uint32_t at : {0u, 258u, 299u}) {
      Floats x(300, 0.5f);
      x[at] = odd;
      const Floats out = Packed(Storage::int8, true, x).unpacked(Storage::int8, true, 300);
      for (uint32_t i = 0; i < 300; i++) {
        if (i / 256 == at / 256) {
          ASSERT_TRUE(std::isnan(out[i]));
        } else {
          ASSERT_EQ(out[i], 0.5f);
        }
      }
    }
  }
}

// Vectors and single elements: the same list, shifted so that each value has been in each lane and in the
// tail.
TEST(Storage, EveryLaneStoresTheSame) {
  Random random(11);
  Floats x(301);
  for (float& v : x) v = random.any();
  for (size_t k = 0; k < special.size(); k++) x[k] = special[k];
  for (const Storage storage : {Storage::bfloat16, Storage::int8}) {
    for (uint32_t i = 0; i < 296; i++) {
      Floats one{x[i]}, several(9, x[i]);
      const Floats a = Packed(storage, true, one).unpacked(storage, true, 1);
      const Floats b = Packed(storage, true, several).unpacked(storage, true, 9);
      for (const float v : b)
        ASSERT_TRUE(same(v, a[0])) << shown(x[i]) << ": " << shown(v) << ", " << shown(a[0]);
    }
  }
}

float half(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

TEST(Bfloat16, WritesToTheNearestEven) {
  Random random(3);
  Floats x;
  for (int i = 0; i < 4000; i++) x.push_back(random.any());
  for (const float v : special) x.push_back(v);
  for (const uint32_t v : {0x3f808000u, 0x3f818000u, 0x3f808001u, 0x3f807fffu, 0x7f7fffffu})
    x.push_back(std::bit_cast<float>(v));
  const Floats got =
      Packed(Storage::bfloat16, true, x, std::nullopt).unpacked(Storage::bfloat16, true, uint32_t(x.size()));
  for (size_t i = 0; i < x.size(); i++) {
    const uint32_t bits = std::bit_cast<uint32_t>(x[i]);
    if (std::isnan(x[i])) {
      ASSERT_TRUE(std::isnan(got[i]));
      continue;
    }
    const float down = half(uint16_t(bits >> 16)), up = half(uint16_t((bits >> 16) + 1));
    const uint32_t rest = bits & 0xffff;
    const bool rounds_up = std::isfinite(x[i]) && (rest > 0x8000 || (rest == 0x8000 && (bits >> 16 & 1)));
    ASSERT_TRUE(same(got[i], rounds_up ? up : down)) << shown(x[i]);
  }
}

TEST(Bfloat16, AtAStepTheMeanIsRight_AndNothingElseThanTheTwoNeighbours) {
  Random random(7);
  for (int round = 0; round < 40; round++) {
    const float x = random.any();
    if (!std::isfinite(x) || std::fabs(x) < 1e-30f || std::fabs(x) > 1e30f) continue;
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    const float down = half(uint16_t(bits >> 16)), up = half(uint16_t((bits >> 16) + 1));
    const double share = (bits & 0xffff) / 65536.;
    int ups = 0;
    constexpr int steps = 20000;
    for (int t = 1; t <= steps; t++) {
      const Floats got =
          Packed(Storage::bfloat16, true, Floats{x}, float(t)).unpacked(Storage::bfloat16, true, 1);
      ASSERT_TRUE(got[0] == down || got[0] == up);
      ups += got[0] == up && up != down;
    }
    const double sigma = std::sqrt(share * (1 - share) * steps) + 1;
    EXPECT_NEAR(ups, share * steps, 5 * sigma) << shown(x);
  }
}

// Those of any payload, whatever is added to their bits; and what the upper half can hold is not moved.
TEST(Bfloat16, ANaNStaysOne_AndWhatIsExactStaysAsItIs) {
  Floats nans, exact, signaling;  // the last ones only where they are written: arithmetic leaves none
  for (const uint32_t v : {0x7fffffffu, 0x7fff0001u, 0x7fc00000u, 0x7f810000u}) {
    nans.push_back(from_bits(v)), nans.push_back(from_bits(v | 0x80000000u));
  }
  for (const uint32_t v : {0x0000u, 0x0001u, 0x3f80u, 0x7f7fu, 0x7f80u}) {
    exact.push_back(half(uint16_t(v))), exact.push_back(half(uint16_t(v | 0x8000u)));
  }
  for (const uint32_t v : {0x7f800001u, 0x7f80ffffu, 0x7f808000u}) {
    signaling.push_back(from_bits(v)), signaling.push_back(from_bits(v | 0x80000000u));
  }
  for (const size_t copies : {1u, 9u}) {
    for (const float x : signaling) {
      const Floats got = Packed(Storage::bfloat16, true, Floats(copies, x), std::nullopt)
                             .unpacked(Storage::bfloat16, true, uint32_t(copies));
      for (const float y : got) ASSERT_TRUE(std::isnan(y)) << shown(x) << ": " << shown(y);
    }
    for (int step = 0; step < 1000; step++) {
      for (const float x : nans) {
        const Floats got = Packed(Storage::bfloat16, true, Floats(copies, x), float(step))
                               .unpacked(Storage::bfloat16, true, uint32_t(copies));
        for (const float y : got) ASSERT_TRUE(std::isnan(y)) << shown(x) << ": " << shown(y);
      }
      for (const float x : exact) {
        const Floats got = Packed(Storage::bfloat16, true, Floats(copies, x), float(step))
                               .unpacked(Storage::bfloat16, true, uint32_t(copies));
        for (const float y : got) ASSERT_TRUE(same(y, x)) << shown(x) << ": " << shown(y);
      }
    }
  }
}

// A second moment under beta_2 = 0.999: its increments are below half a unit. Rounded to the nearest it would
// not leave where it is; so it goes where it would have gone, on average within four standard errors.
TEST(Bfloat16, ASlowMomentDoesNotStandStill) {
  constexpr uint32_t n = 2048;
  Random random(9);
  Floats v(n), target(n);
  std::vector<double> exact(n);
  for (uint32_t i = 0; i < n; i++) exact[i] = v[i] = 1.5f + random.unit() / 2, target[i] = 4 + random.unit();
  Floats nearest = v;
  const auto move = [&](Floats& x, std::optional<float> step) {
    for (uint32_t i = 0; i < n; i++) x[i] += (target[i] - x[i]) * 0.001f;
    x = Packed(Storage::bfloat16, false, x, step).unpacked(Storage::bfloat16, false, n);
  };
  for (int t = 1; t <= 1000; t++) {
    move(v, float(t)), move(nearest, std::nullopt);
    for (uint32_t i = 0; i < n; i++) exact[i] += (target[i] - exact[i]) * 0.001;
  }
  double error = 0, square = 0, standing = 0;
  for (uint32_t i = 0; i < n; i++) {
    error += (v[i] - exact[i]) / n, square += (v[i] - exact[i]) * (v[i] - exact[i]) / n;
    standing += (nearest[i] - exact[i]) / n;
  }
  EXPECT_LT(std::fabs(error), 4 * std::sqrt(square / n));
  EXPECT_LT(std::sqrt(square), 0.1);
  EXPECT_LT(standing, -1);  // what is mended
}

}  // namespace
}  // namespace simdescent::tests
