// Learning-rate schedules against Keras' recorded values, within four steps of a float32 of the size of the
// initial rate (the C libraries differ in the last bits of cosf), away from the recorded ambiguous steps.
#include "engine/schedules.h"

#include <cmath>
#include <map>
#include <string_view>

#include "floats.h"
#include "vectors.h"

namespace simdescent::tests {

void PrintTo(const RecordedSchedule& s, std::ostream* out) { *out << s.name; }

namespace {

float rate_at(const RecordedSchedule& s, float step) {
  const std::string_view name = s.name;
  const std::span<const double> p = s.parameters;
  const auto f = [p](size_t k) { return float(p[k]); };
  if (name == "ExponentialDecay") return exponential_decay(f(0), step, f(1), f(2), p[3] != 0);
  if (name == "PolynomialDecay") return polynomial_decay(f(0), step, f(1), f(2), f(3), p[4] != 0);
  if (name == "InverseTimeDecay") return inverse_time_decay(f(0), step, f(1), f(2), p[3] != 0);
  if (name == "CosineDecay") return cosine_decay(f(0), step, f(1), p[2]);
  if (name == "CosineDecayWarmup") return cosine_decay_warmup(f(0), step, f(1), p[2], f(3), f(4));
  if (name == "CosineDecayRestarts") return cosine_decay_restarts(f(0), step, f(1), f(2), f(3), f(4));
  ADD_FAILURE() << "no schedule " << name;
  return NAN;
}

class Schedule : public ::testing::TestWithParam<RecordedSchedule> {};

TEST_P(Schedule, FollowsKeras) {
  const RecordedSchedule& s = GetParam();
  const float initial = float(s.initial), tolerance = 4 * (std::nextafter(initial, infinity) - initial);
  ASSERT_GT(s.rates.size(), 30u);
  for (const RecordedRate& r : s.rates) {
    const float got = rate_at(s, float(r.step));
    const double distance = std::min(std::fabs(got - r.value), std::fabs(got - r.value_numpy));
    EXPECT_LE(distance, tolerance) << "step " << r.step << ": got " << shown(got) << ", recorded " << r.value;
  }
}

INSTANTIATE_TEST_SUITE_P(Keras, Schedule,
                         ::testing::ValuesIn(recorded_schedules().begin(), recorded_schedules().end()),
                         [](const auto& info) { return info.param.name + std::to_string(info.index); });

TEST(RecordedSchedules, CoverEveryFormula) {
  std::map<std::string_view, int> count;
  for (const RecordedSchedule& s : recorded_schedules()) count[s.name]++;
  EXPECT_EQ(count.size(), 6u);
}

TEST(Schedules, EndsAndBoundaries) {
  EXPECT_EQ(exponential_decay(0.5f, 0, 10, 0.5f, false), 0.5f);
  EXPECT_EQ(exponential_decay(0.5f, 10, 10, 0.5f, false), 0.25f);
  EXPECT_EQ(exponential_decay(0.5f, 19, 10, 0.5f, true), 0.25f);
  EXPECT_EQ(polynomial_decay(1, 0, 4, 0.25f, 1, false), 1.f);
  EXPECT_EQ(polynomial_decay(1, 4, 4, 0.25f, 1, false), 0.25f);
  EXPECT_EQ(polynomial_decay(1, 400, 4, 0.25f, 1, false), 0.25f);
  EXPECT_EQ(polynomial_decay(1, 4, 4, 0.25f, 1, true), 0.25f);  // a cycle includes its end
  EXPECT_EQ(polynomial_decay(1, 6, 4, 0, 1, true), 0.25f);      // 6 of 8
  EXPECT_EQ(polynomial_decay(1, 0, 4, 0, 0, false), 1.f);
  EXPECT_EQ(polynomial_decay(1, 4, 4, 0, 0, false), 1.f);  // pow(0, 0)
  EXPECT_EQ(inverse_time_decay(1, 3, 3, 1, false), 0.5f);
  EXPECT_EQ(inverse_time_decay(1, 5, 3, 1, true), 0.5f);
  EXPECT_EQ(cosine_decay(0.5f, 0, 10, 0.125), 0.5f);
  EXPECT_EQ(cosine_decay(0.5f, 10, 10, 0.125), 0.0625f);
  EXPECT_EQ(cosine_decay(0.5f, 1000, 10, 0.125), 0.0625f);
  EXPECT_EQ(cosine_decay_warmup(0.5f, 0, 10, 0.25, 1, 4), 0.5f);
  EXPECT_EQ(cosine_decay_warmup(0.5f, 2, 10, 0.25, 1, 4), 0.75f);
  EXPECT_EQ(cosine_decay_warmup(0.5f, 4, 10, 0.25, 1, 4), 1.f);
  EXPECT_EQ(cosine_decay_warmup(0.5f, 14, 10, 0.25, 1, 4), 0.25f);
  EXPECT_EQ(cosine_decay_warmup(3, 4, 10, 0, 0.1f, 4), 0.1f);  // not (0.1 - 3) + 3
  EXPECT_EQ(cosine_decay_restarts(0.5f, 0, 4, 2, 0.5f, 0), 0.5f);
  EXPECT_EQ(cosine_decay_restarts(0.5f, 4, 4, 2, 0.5f, 0), 0.25f);    // the first restart, at half the height
  EXPECT_EQ(cosine_decay_restarts(0.5f, 12, 4, 2, 0.5f, 0), 0.125f);  // the second one, after 4 + 8
}

}  // namespace
}  // namespace simdescent::tests
