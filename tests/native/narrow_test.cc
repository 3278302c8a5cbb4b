// Steps of rows whose slots are stored in fewer bits: an update is the one of float32 from what the slots
// stand for, and what it leaves in them is stored; wherever the row lies and however it is cut.
#include <algorithm>

#include "driver.h"
#include "kernels/quantize.h"
#include "mixes.h"

namespace simdescent::tests {
namespace {

// What is left of values when they are stored.
Floats stored(Storage storage, const Slot& slot, Floats values, float step) {
  static DynamicMaps maps;
  if (slot.value == initial::weights) return values;
  const uint32_t n = uint32_t(values.size());
  Floats words(stored_floats(storage, n));
  narrow(maps, storage, !slot.never_negative, values.data(), n, words.data(), step);
  widen(maps, storage, !slot.never_negative, words.data(), n, values.data());
  return values;
}

bool has_one_pass(uint32_t rule) { return !is_whole(rule) && sums_of(rule) == 0; }

class Narrow : public ::testing::TestWithParam<Storage> {};

TEST_P(Narrow, StepsAsFloat32BetweenLoadingAndStoring) {
  const std::vector<Mix> all = mixes();
  for (uint32_t rule = 0; rule < rule_count; rule++) {
    if (is_whole(rule)) continue;
    for (size_t m = 0; m < all.size(); m++) {
      if ((m + rule) % mixes_apart != 0) continue;
      for (const Place place : {Place::resident, Place::parts, Place::elsewhere, Place::foreign}) {
        Random random(uint32_t(m) + 100 * rule);
        const std::vector<Floats> initial = {random.units(2571), random.units(5)};
        Options narrow_options = all[m].options;
        narrow_options.storage = GetParam();
        Driver driver(rule, narrow_options, initial, place);
        Driver wide(rule, all[m].options, initial, place);
        for (Driver* d : {&driver, &wide}) d->optimizer.set_rate(0, 0.01);
        for (uint32_t call = 0; call < 6; call++) {
          const bool updating = wide.optimizer.updating();
          const float step = float(wide.optimizer.updates() + 1);
          for (uint32_t row = 0; row < 2; row++) {
            for (uint32_t k = 0; k < slots(rule).size(); k++) {
              const Floats now = driver.slot(row, k);
              std::copy(now.begin(), now.end(), wide.optimizer.row(row).slot[k]);
            }
          }
          const Gradients gradients = {random.units(2571),
                                       call == 3 ? std::nullopt : std::optional(random.units(5))};
          driver.step(gradients), wide.step(gradients);
          for (uint32_t row = 0; row < 2; row++) {
            for (uint32_t k = 0; k < slots(rule).size(); k++) {
              if (!updating || !gradients[row]) continue;
              Floats expected = stored(GetParam(), slots(rule)[k], wide.slot(row, k), step);
              std::copy(expected.begin(), expected.end(), wide.optimizer.row(row).slot[k]);
            }
          }
          ASSERT_TRUE(same(state_of(driver), state_of(wide)))
              << rule_name(rule) << ", " << all[m].name << ", place " << int(place) << ", call " << call;
        }
      }
    }
  }
}

// What is told of a step is what is told of the one of float32, and the step is the one that is not told of.
TEST_P(Narrow, TellsWhatIsToldOfFloat32) {
  const std::vector<Options> all = monitored_mixes();
  const std::vector<uint32_t> extents{0, 1, 7, 100, 129, 2571, tile_size + 700};
  for (uint32_t rule = 0; rule < rule_count; rule++) {
    if (is_whole(rule)) continue;
    for (size_t m = 0; m < all.size(); m++) {
      if ((m + rule) % mixes_apart != 0) continue;
      const Place place = Place((m + rule) % 6);
      Random random(uint32_t(m) + 100 * rule);
      std::vector<Floats> initial;
      for (const uint32_t n : extents) initial.push_back(random.units(n));
      Options narrow_options = all[m];
      narrow_options.storage = GetParam();
      Driver driver(rule, narrow_options, initial, place), plain(rule, narrow_options, initial, place);
      Driver wide(rule, all[m], initial, place);
      for (Driver* d : {&driver, &plain, &wide}) d->optimizer.set_rate(0, 0.01);
      for (Driver* d : {&driver, &wide}) d->optimizer.monitor(1);
      for (uint32_t call = 0; call < 4; call++) {
        for (uint32_t row = 0; row < extents.size(); row++) {
          wide.weights[row] = driver.weights[row];
          for (uint32_t k = 0; k < slots(rule).size(); k++) {
            const Floats now = driver.slot(row, k);
            std::copy(now.begin(), now.end(), wide.optimizer.row(row).slot[k]);
          }
        }
        Gradients gradients;
        for (const uint32_t n : extents) gradients.push_back(call == 3 ? random.mixed(n) : random.units(n));
        (*gradients[3])[17] = 0, (*gradients[5])[2100] = 0;
        gradients[call + 1] = std::nullopt;
        for (Driver* d : {&driver, &plain, &wide}) d->step(gradients);
        std::vector<ReferenceTold> expected;
        const Optimizer::Report& report = wide.optimizer.report();
        for (uint32_t j = 0; j < report.count; j++)
          expected.push_back({report.rows[j].row, report.rows[j].tally});
        ASSERT_TRUE(tells(driver.optimizer.report(), expected))
            << rule_name(rule) << ", mix " << m << ", place " << int(place) << ", call " << call;
        ASSERT_TRUE(same(state_of(driver), state_of(plain)))
            << rule_name(rule) << ", mix " << m << ", place " << int(place) << ", call " << call;
      }
    }
  }
}

// Rows of an embedding, of an odd width: bfloat16 has no blocks, and a row may begin at any element.
TEST(NarrowRows, StepAsFloat32BetweenLoadingAndStoring) {
  constexpr uint32_t width = 37, height = 11, n = width * height;
  const std::vector<Mix> all = mixes();
  for (uint32_t rule = 0; rule < rule_count; rule++) {
    if (!has_one_pass(rule)) continue;
    for (size_t m = 0; m < all.size(); m++) {
      if ((m + rule) % mixes_apart != 0) continue;
      Random random(uint32_t(m) + 100 * rule);
      const std::vector<Floats> initial = {random.units(n)};
      Options halves = all[m].options;
      halves.storage = Storage::bfloat16;
      Driver driver(rule, halves, initial, Place::foreign),
          wide(rule, all[m].options, initial, Place::foreign);
      for (uint32_t call = 0; call < 6; call++) {
        const float step = float(wide.optimizer.updates() + 1);
        for (uint32_t k = 0; k < slots(rule).size(); k++) {
          const Floats now = driver.slot(0, k);
          std::copy(now.begin(), now.end(), wide.optimizer.row(0).slot[k]);
        }
        const Floats g = random.units(n);
        for (Driver* d : {&driver, &wide}) {
          d->optimizer.set_rate(0, 0.01);
          d->optimizer.reserve(1)[0] = {
              .row = 0, .g = nullptr, .sum_of_squares = 9, .clipped = 0, .partial = 1};
          d->optimizer.begin(1);
          d->optimizer.plan();
          for (const uint32_t r : {call % 5, 5u, 6u, 10u}) {
            std::copy_n(g.data() + r * width, width, gradient_tile());
            std::copy_n(d->weights[0].data() + r * width, width, weights_tile());
            d->optimizer.chunk(0, r * width, width);
            std::copy_n(weights_tile(), width, d->weights[0].data() + r * width);
          }
          d->optimizer.end();
        }
        for (uint32_t k = 0; k < slots(rule).size(); k++) {
          const Floats expected = stored(Storage::bfloat16, slots(rule)[k], wide.slot(0, k), step);
          std::copy(expected.begin(), expected.end(), wide.optimizer.row(0).slot[k]);
        }
        ASSERT_TRUE(same(state_of(driver), state_of(wide)))
            << rule_name(rule) << ", " << all[m].name << ", call " << call;
      }
    }
  }
}

// Round the borders of vectors, blocks and pieces; and where the numbers of updates are more than a float can
// tell apart. Slots are rounded by chance there, too, in the loop that some rules have of their own (Adam's)
// and in the pieces of the others (RMSprop's).
TEST_P(Narrow, StepsAtEverySize_AndWhateverTheNumberOfTheStep) {
  const std::vector<uint32_t> extents{0, 1, 7, 8, 9, 255, 256, 257, 1023, 1025, 2047, 2049, 4095, 4096, 4097};
  for (const uint32_t rule : {0u, 9u}) {
    ASSERT_EQ(rule_name(rule), rule == 0 ? "adam" : "rmsprop");
    for (const Place place : {Place::resident, Place::parts, Place::elsewhere, Place::foreign,
                              Place::foreign_weights, Place::foreign_gradient}) {
      Random random(77 + rule);
      std::vector<Floats> initial;
      for (const uint32_t n : extents) initial.push_back(random.units(n));
      Options narrow_options;
      narrow_options.storage = GetParam();
      Driver driver(rule, narrow_options, initial, place), wide(rule, {}, initial, place);
      for (Driver* d : {&driver, &wide}) {
        d->optimizer.set_rate(0, 0.01);
        d->optimizer.count_from((1u << 24) - 2);
      }
      for (const float step : {0x1p24f - 1, 0x1p24f, 1.f, 2.f}) {
        Gradients gradients;
        for (uint32_t row = 0; row < extents.size(); row++) {
          for (uint32_t k = 0; k < slots(rule).size(); k++) {
            const Floats now = driver.slot(row, k);
            std::copy(now.begin(), now.end(), wide.optimizer.row(row).slot[k]);
          }
          gradients.push_back(random.units(extents[row]));
        }
        driver.step(gradients), wide.step(gradients);
        for (uint32_t row = 0; row < extents.size(); row++) {
          for (uint32_t k = 0; k < slots(rule).size(); k++) {
            const Floats expected = stored(GetParam(), slots(rule)[k], wide.slot(row, k), step);
            std::copy(expected.begin(), expected.end(), wide.optimizer.row(row).slot[k]);
          }
        }
        ASSERT_TRUE(same(state_of(driver), state_of(wide)))
            << rule_name(rule) << ", place " << int(place) << ", step " << step;
      }
    }
  }
}

// Which slots these are is said by the row: a host of the kernels may choose.
TEST_P(Narrow, ASlotThatIsFloat32AllTheSameIsNotRounded) {
  constexpr uint32_t rule = 0, n = 300;
  static Scratch scratch;
  Random random(3);
  float coef[max_coefs];
  coefficients(rule, default_hypers(rule), {0.01, 3}, first_scalars(rule), coef);
  Pipe<float> pipe;
  pipe.seed = 3;
  const Floats g = random.units(n);
  Floats w = random.units(n), velocity(n, 0.5f), momentum(stored_floats(GetParam(), n));
  Floats wide_w = w, wide_velocity = velocity, wide_momentum(n);
  const auto run = [&](Stages s, Floats& weights, Floats& first, Floats& second) {
    const Row row{weights.data(), g.data(), {first.data(), second.data(), nullptr},
                  nullptr,        nullptr,  &pipe,
                  coef,           n,        s.word(),
                  nullptr,        0,        0};
    step(rule, &row, 1, scratch);
  };
  run({.storage = GetParam(), .wide = 2}, w, momentum, velocity);
  run({}, wide_w, wide_momentum, wide_velocity);
  Floats got(n);
  widen(scratch.maps, GetParam(), true, momentum.data(), n, got.data());
  const Floats expected = stored(GetParam(), slots(rule)[0], wide_momentum, 3);
  for (uint32_t i = 0; i < n; i++) {
    ASSERT_TRUE(same(w[i], wide_w[i])) << i;
    ASSERT_TRUE(same(velocity[i], wide_velocity[i])) << i;
    ASSERT_TRUE(same(got[i], expected[i])) << i;
  }
}

TEST_P(Narrow, TheRuleAloneRoundsAsAStepDoes) {
  Options o;
  o.storage = GetParam();
  Random random(8);
  const Floats w = random.units(600), g = random.units(600);
  Driver alone(0, o, {w}), step(0, o, {w});
  for (Driver* d : {&alone, &step}) d->optimizer.set_rate(0, 0.01), d->optimizer.count_from(6);
  alone.update_only(0, g, 0.01), step.step({g});
  EXPECT_TRUE(same(alone.slot(0, 0), step.slot(0, 0)));
  EXPECT_TRUE(same(alone.slot(0, 1), step.slot(0, 1)));
}

TEST_P(Narrow, TakesTheMemoryThatItSays) {
  Options o;
  o.storage = GetParam();
  const Driver d(0, o, {Floats(1100, 1)});
  const uint32_t bytes = 4 * d.optimizer.slot_floats(0, 0);
  EXPECT_EQ(bytes, GetParam() == Storage::int8 ? 5u * 260 : 2200u);
}

INSTANTIATE_TEST_SUITE_P(Dtypes, Narrow, ::testing::Values(Storage::bfloat16, Storage::int8));

}  // namespace
}  // namespace simdescent::tests
