// What is told of an update: the same bits as from plain loops over whole arrays (reference.h), for every
// rule and every mix of options, wherever the arrays are; and the step is what it would have been.
#include "driver.h"
#include "mixes.h"

namespace simdescent::tests {
namespace {

const std::vector<uint32_t> extents{0, 1, 7, 8, 100, 129, 2500, tile_size + 700};

class Monitor : public ::testing::TestWithParam<Place> {};

void run_monitored(uint32_t rule, const Options& o, Place place, bool special) {
  Random random(rule + 1);
  std::vector<Floats> initial;
  for (const uint32_t n : extents) initial.push_back(random.units(n));
  Driver driver(rule, o, initial, place), plain(rule, o, initial, place);
  Reference reference(rule, o, initial);
  driver.optimizer.set_rate(0, 0.01), plain.optimizer.set_rate(0, 0.01);
  for (ReferenceVariable& v : reference.variables) v.rate = 0.01;
  driver.optimizer.monitor(1);
  for (uint32_t call = 0; call < 4; call++) {
    Gradients gradients;
    for (const uint32_t n : extents) gradients.push_back(special ? random.mixed(n) : random.units(n));
    (*gradients[4])[17] = 0, (*gradients[6])[2100] = 0;
    gradients[call] = std::nullopt;
    driver.step(gradients), plain.step(gradients), reference.step(gradients);
    ASSERT_TRUE(tells(driver.optimizer.report(), reference.told)) << rule_name(rule) << ", call " << call;
    ASSERT_TRUE(same(state_of(driver), state_of(plain))) << rule_name(rule) << ", call " << call;
  }
}

TEST_P(Monitor, TellsWhatTheReferenceCounts) {
  const std::vector<Options> all = monitored_mixes();
  for (uint32_t rule = 0; rule < element_rule_count; rule++) {
    for (size_t mix = 0; mix < all.size() && !HasFatalFailure(); mix++) {
      if ((mix + rule + size_t(GetParam())) % mixes_apart != 0) continue;
      SCOPED_TRACE(mix);
      run_monitored(rule, all[mix], GetParam(), false);
    }
  }
}

// NaN, infinities and denormals.
TEST_P(Monitor, CountsWhatIsNotFinite) {
  const std::vector<Options> all = monitored_mixes();
  for (const uint32_t rule : {0u, 4u, element_rule_count - 1}) {
    for (size_t mix = 0; mix < all.size() && !HasFatalFailure(); mix++) {
      if ((mix + rule + size_t(GetParam())) % mixes_apart != 0) continue;
      SCOPED_TRACE(mix);
      run_monitored(rule, all[mix], GetParam(), true);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Places, Monitor,
                         ::testing::Values(Place::resident, Place::foreign, Place::foreign_weights,
                                           Place::foreign_gradient, Place::elsewhere, Place::parts));

// Rules that read whole variables: the step is the same, and what is told is what has changed.
TEST(MonitorWhole, TellsWhatHasChanged) {
  const auto stepped = [](uint32_t rule, uint32_t rows, bool monitored, Floats w, const Floats& g) {
    Optimizer optimizer(rule);
    optimizer.clipvalue = 0.4, optimizer.loss_scale = 4, optimizer.decays = true;
    optimizer.weight_decay = 0.1;
    optimizer.add(uint32_t(w.size()), w.data(), false, false);
    if (rows) optimizer.set_matrix(0, 1, rows, uint32_t(w.size()) / rows);
    EXPECT_TRUE(optimizer.build());
    optimizer.set_rate(0, 0.01);
    optimizer.monitor(monitored);
    optimizer.reserve(1)[0] = {0, g.data(), 0, 0};
    optimizer.step(1, true);
    const bool told = optimizer.report().count > 0;
    return std::pair(w, told ? optimizer.report().rows[0].tally : Tally{});
  };
  for (uint32_t rule = element_rule_count; rule < rule_count; rule++) {
    for (const uint32_t rows : {0u, 20u, 50u}) {
      Random random(3);
      const Floats before = random.units(1200);
      Floats g = random.units(1200);
      for (float& x : g) x *= 4;
      const auto [plain, none] = stepped(rule, rows, false, before, g);
      const auto [after, t] = stepped(rule, rows, true, before, g);
      ASSERT_TRUE(same(after, plain));
      Floats update, seen, clipped;
      for (size_t i = 0; i < g.size(); i++) {
        update.push_back(after[i] - before[i]);
        seen.push_back(g[i] / 4);
        clipped.push_back(std::clamp(g[i] / 4, -0.4f, 0.4f));
      }
      EXPECT_EQ(none.weights, 0.f);
      EXPECT_EQ(t.gradient, numpy_sum_of_squares(seen));
      EXPECT_EQ(t.clipped, numpy_sum_of_squares(clipped));
      EXPECT_EQ(t.update, numpy_sum_of_squares(update));
      EXPECT_EQ(t.weights, numpy_sum_of_squares(after));
    }
  }
}

TEST(MonitorEvery, TellsOfEverySoManyUpdates) {
  Options o;
  o.accumulation_steps = 2;
  Driver driver(0, o, {Floats(10, 1)});
  const auto told = [&] {
    driver.step({Floats(10, 0.5f)});
    return driver.optimizer.report().update;
  };
  EXPECT_EQ(told() + told(), 0u);  // not asked for
  driver.optimizer.monitor(3);
  EXPECT_EQ(told() + told() + told(), 0u);
  for (int call = 0; call < 6; call++) EXPECT_EQ(told(), 3u) << call;
  EXPECT_EQ(told(), 6u);
  driver.optimizer.monitor(0);
  for (int call = 0; call < 12; call++) EXPECT_EQ(told(), 6u);
}

}  // namespace
}  // namespace simdescent::tests
