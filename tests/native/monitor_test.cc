// What is told of an update: the same bits as from plain loops over whole arrays (reference.h), for every
// rule and every mix of options, wherever the arrays are; and the step is what it would have been.
#include "driver.h"
#include "mixes.h"

namespace simdescent::tests {
namespace {

const std::vector<uint32_t> extents{0, 1, 7, 8, 100, 129, 2500, tile_size + 700, 2005};

class Monitor : public ::testing::TestWithParam<Place> {};

void run_monitored(uint32_t rule, const Options& o, Place place, bool special) {
  Random random(rule + 1);
  std::vector<Floats> initial;
  for (const uint32_t n : extents) initial.push_back(random.units(n));
  Driver driver(rule, o, initial, place);
  Reference reference(rule, o, initial);
  driver.optimizer.set_rate(0, 0.01);
  for (ReferenceVariable& v : reference.variables) v.rate = 0.01;
  driver.optimizer.monitor(1);
  for (uint32_t call = 0; call < 4; call++) {
    Gradients gradients;
    for (const uint32_t n : extents) gradients.push_back(special ? random.mixed(n) : random.units(n));
    (*gradients[4])[17] = 0, (*gradients[6])[2100] = 0;
    gradients[call] = std::nullopt;
    driver.step(gradients), reference.step(gradients);
    ASSERT_TRUE(tells(driver.optimizer.report(), reference.told)) << rule_name(rule) << ", call " << call;
    ASSERT_TRUE(same(state_of(driver), state_of(reference))) << rule_name(rule) << ", call " << call;
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

// What is planned of a row of eight elements, and of how many rows is told.
std::pair<Stages, uint32_t> planned(uint32_t rule, bool here, double clipnorm, uint32_t partial) {
  Floats w(8, 1);
  Optimizer optimizer(rule);
  optimizer.clipnorm = clipnorm;
  if (here) {
    optimizer.add(8, w.data(), false, false);
  } else {
    optimizer.add_elsewhere(8, false);
  }
  EXPECT_TRUE(optimizer.build());
  optimizer.monitor(1);
  optimizer.reserve(1)[0] = {0, nullptr, 9, 0, partial};
  optimizer.begin(1);
  const Stages stages = Stages::of(optimizer.row(0).stages);
  optimizer.plan();
  optimizer.end();
  return {stages, optimizer.report().count};
}

// On a GPU a norm may not be known here, and of rules that read whole variables nothing is summed; of a row
// whose elements are stepped in any chunks there is no sum either.
TEST(MonitorRows, SayWhatIsSummedOfThem) {
  const auto is = [](std::pair<Stages, uint32_t> got, bool monitored, bool clips, uint32_t told) {
    return got.first.monitored == monitored && got.first.clips == clips && got.second == told;
  };
  EXPECT_TRUE(is(planned(0, true, 0, 0), true, false, 1));
  EXPECT_TRUE(is(planned(0, true, 1, 0), true, false, 1));
  EXPECT_TRUE(is(planned(0, true, 1, 1), false, false, 0));
  EXPECT_TRUE(is(planned(0, false, 0, 0), true, false, 1));
  EXPECT_TRUE(is(planned(0, false, 1, 0), true, true, 1));
  EXPECT_TRUE(is(planned(element_rule_count, false, 1, 0), false, false, 0));
}

// Of a gradient that its caller has clipped, not the norm before that.
TEST(MonitorRows, OfAClippedGradientTheSumIsOfWhatCame) {
  Floats w(8, 1);
  Optimizer optimizer(0);
  optimizer.clipnorm = 1;
  optimizer.add(8, w.data(), false, false);
  ASSERT_TRUE(optimizer.build());
  optimizer.monitor(1);
  for (const uint32_t clipped : {0u, 1u}) {
    optimizer.reserve(1)[0] = {0, nullptr, 9, clipped};
    optimizer.begin(1);
    optimizer.plan();
    std::fill_n(gradient_tile(), 8, 0.5f);
    optimizer.chunk(0, 0, 8);
    optimizer.end();
    EXPECT_EQ(optimizer.report().rows[0].tally.gradient, clipped ? 2 : 9);
  }
}

// Through tiles of its own, which are longer than the others'.
TEST(MonitorWhole, TellsTheSameOfALongVariableInAForeignHeap) {
  constexpr uint32_t n = tile_size + 3616, rows = 100;
  Random random(4);
  const Floats before = random.units(n), g = random.units(n);
  Floats w = before;
  for (uint32_t rule = element_rule_count; rule < rule_count; rule++) {
    w = before;
    Optimizer here(rule), foreign(rule);
    here.add(n, w.data(), false, false), foreign.add(n, nullptr, false, false);
    for (Optimizer* o : {&here, &foreign}) {
      o->hypers = hypers_of(rule, {{"ns_steps", 1}});
      o->set_matrix(0, 1, rows, n / rows);
      ASSERT_TRUE(o->build());
      o->monitor(1), o->set_rate(0, 0.01);
      o->reserve(1)[0] = {0, o == &here ? g.data() : nullptr, 0, 0};
    }
    here.step(1, true);
    foreign.begin(1), foreign.plan();
    std::copy(before.begin(), before.end(), foreign.weights_tile());
    std::copy(g.begin(), g.end(), foreign.gradient_tile());
    foreign.chunk(0, 0, n);
    foreign.end();
    ASSERT_TRUE(same(Floats(foreign.weights_tile(), foreign.weights_tile() + n), w));
    EXPECT_TRUE(tells(foreign.report(), {{0, here.report().rows[0].tally}})) << rule_name(rule);
  }
}

TEST(MonitorEvery, TellsOfEverySoManyUpdates) {
  Options o;
  o.accumulation_steps = 2, o.loss_scale = -4;  // as for what is maximized
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
  EXPECT_EQ(driver.optimizer.report().scale, 4);
  driver.optimizer.monitor(0);
  for (int call = 0; call < 12; call++) EXPECT_EQ(told(), 6u);
}

}  // namespace
}  // namespace simdescent::tests
