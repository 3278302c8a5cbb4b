// The engine's optimizer from outside: what it allocates, when it counts, and the small behaviours of a step
// that pipeline_test.cc's random mixes do not single out.
#include "engine/optimizer.h"

#include "driver.h"
#include "kernels.h"

namespace simdescent::tests {
namespace {

constexpr uint32_t adam = 0, amsgrad = 1, adamax = 2;

TEST(Optimizer, RulesAreNumberedAsTheseTestsExpect) {
  EXPECT_EQ(rule_name(adam), "adam");
  EXPECT_EQ(rule_name(amsgrad), "amsgrad");
  EXPECT_EQ(rule_name(adamax), "adamax");
}

TEST(Optimizer, AddGivesZeroedSlotsAndOnlyWhatIsAskedFor) {
  for (uint32_t rule = 0; rule < element_rule_count; rule++) {
    for (const bool averages : {false, true}) {
      for (const bool accumulates : {false, true}) {
        Options o;
        o.averages = averages, o.accumulation_steps = accumulates ? 2 : 0;
        const Driver d(rule, o, {Floats(5, 1), Floats(5000, 1)});
        for (uint32_t row = 0; row < 2; row++) {
          const Row& r = d.optimizer.row(row);
          EXPECT_EQ(r.w, d.weights[row].data());
          EXPECT_EQ(r.n, d.weights[row].size());
          for (uint32_t k = 0; k < max_slots; k++) {
            EXPECT_EQ(r.slot[k] != nullptr, k < slots(rule).size());
            if (r.slot[k]) {
              EXPECT_TRUE(same(d.slot(row, k), first_slot(rule, k, {}, d.weights[row])));
            }
          }
          EXPECT_EQ(r.acc != nullptr, accumulates);
          EXPECT_EQ(r.avg != nullptr, averages);
          if (accumulates) {
            EXPECT_TRUE(same(d.accumulator(row), Floats(r.n)));
          }
          if (averages) {
            EXPECT_TRUE(same(d.average(row), Floats(r.n)));
          }
        }
      }
    }
  }
}

TEST(Optimizer, CountsCallsAndUpdates) {
  Options o;
  o.accumulation_steps = 3, o.averages = true, o.overwrite_frequency = 2;
  Driver d(adam, o, {{1}});
  d.optimizer.set_rate(0, 0.1);
  const bool updating[] = {false, false, true, false, false, true, false};
  const uint32_t updates[] = {0, 0, 0, 1, 1, 1, 2};
  const bool overwriting[] = {false, false, false, true, true, true, false};
  for (uint32_t call = 0; call < 7; call++) {
    EXPECT_EQ(d.optimizer.iterations, call);
    EXPECT_EQ(d.optimizer.updating(), updating[call]) << call;
    EXPECT_EQ(d.optimizer.updates(), updates[call]) << call;
    EXPECT_EQ(d.optimizer.overwriting(), overwriting[call]) << call;
    const float before = d.weights[0][0], average = d.average(0)[0];
    d.step({Floats{1}});
    // At the first overwrite the average has moved away from the weight, so that it shows.
    if (!overwriting[call]) {
      EXPECT_EQ(d.weights[0][0] != before, updating[call]) << call;
    }
    if (overwriting[call]) {
      EXPECT_EQ(d.weights[0][0], d.average(0)[0]) << call;
    }
    if (updates[call] == 0) {
      EXPECT_EQ(d.average(0)[0], d.weights[0][0]) << call;
    }
    if (call == 6) {
      EXPECT_EQ(average, d.average(0)[0]);
    }
  }
}

TEST(Optimizer, TheCounterEndsWithoutLosingItsPhase) {
  for (const uint32_t steps : {0u, 3u, 7u}) {
    Options o;
    o.averages = true, o.accumulation_steps = steps, o.overwrite_frequency = 5;
    Driver driver(0, o, {{1}});
    driver.optimizer.set_rate(0, 0.1);
    driver.optimizer.iterations = 0xfffffffeu;
    for (uint64_t call = 0xfffffffeu; call < 0x100000040u; call++) {
      const uint64_t updates = steps ? call / steps : call;
      EXPECT_EQ(driver.optimizer.updating(), steps == 0 || (call + 1) % steps == 0) << call;
      EXPECT_EQ(driver.optimizer.overwriting(), (updates + 1) % 5 == 0) << call;
      EXPECT_GT(driver.optimizer.iterations, 0x7fffffffu);
      driver.step({Floats{1}});
    }
  }
}

TEST(Optimizer, IterationsMayBeSet) {
  Driver d(adam, {}, {{0}});
  d.optimizer.set_rate(0, 1);
  d.optimizer.iterations = 99;
  d.step({Floats{1}});
  EXPECT_EQ(d.optimizer.iterations, 100u);
  Driver first(adam, {}, {{0}});
  first.optimizer.set_rate(0, 1);
  first.step({Floats{1}});
  // The 100th update is corrected as such: sqrt(1 - 0.999^100) / (1 - 0.9^100) * 0.1 / sqrt(0.001).
  EXPECT_NEAR(d.weights[0][0], -0.1 * std::sqrt(1 - std::pow(0.999, 100)) / std::sqrt(0.001), 1e-4);
  EXPECT_NEAR(first.weights[0][0], -1, 1e-4);
}

TEST(Optimizer, OptionsAreReadAtEveryStep) {
  Options o;
  Driver d(adamax, o, {{0}});
  Reference r(adamax, o, {{0}});
  for (int call = 0; call < 8; call++) {
    if (call == 2) o.clipvalue = 0.25;
    if (call == 3) o.clipvalue = 0, o.clipnorm = 0.5, o.loss_scale = 3;
    if (call == 4) o.hypers = {{"beta_1", 0.5}, {"epsilon", 0.125}}, o.decays = true, o.weight_decay = 0.5;
    if (call == 6) o.loss_scale = 2;
    if (call == 7) o.loss_scale = 8;  // the same loop, and a norm by another scale
    d.set_options(o);
    r.options = o;
    d.optimizer.set_rate(0, 0.1 * (call + 1));
    r.variables[0].rate = 0.1 * (call + 1);
    d.step({Floats{2}});
    r.step({Floats{2}});
    ASSERT_TRUE(same(state_of(d), state_of(r))) << "call " << call;
  }
}

TEST(Optimizer, WithoutAGradientOnlyTheAverageMoves) {
  Options o;
  o.averages = true, o.decays = true, o.weight_decay = 0.5, o.ema_momentum = 0.5;
  Driver d(adam, o, {{1, 2}, {3}});
  d.optimizer.set_rate(0, 0.1);
  d.step({Floats{1, 1}, Floats{1}});
  const Floats slot = d.slot(1, 0), weights = d.weights[1];
  d.weights[1][0] += 1;  // as a caller may
  d.step({Floats{1, 1}, std::nullopt});
  EXPECT_TRUE(same(d.slot(1, 0), slot));
  EXPECT_EQ(d.weights[1][0], weights[0] + 1);
  EXPECT_EQ(d.average(1)[0], 0.5f * weights[0] + 0.5f * (weights[0] + 1));
}

TEST(Optimizer, WhatWasGatheredIsLostWithoutAGradientAtTheUpdate) {
  Options o;
  o.accumulation_steps = 2;
  Driver d(adam, o, {{1}, {1}});
  d.optimizer.set_rate(0, 0.1);
  d.step({Floats{1}, Floats{4}});
  EXPECT_EQ(d.accumulator(1)[0], 4);
  d.step({Floats{3}, std::nullopt});
  EXPECT_EQ(d.accumulator(0)[0], 0);
  EXPECT_EQ(d.accumulator(1)[0], 0);
  EXPECT_EQ(d.weights[1][0], 1);
  EXPECT_FLOAT_EQ(d.slot(0, 0)[0], 0.2f);  // a tenth of the mean of 1 and 3
}

TEST(Optimizer, EveryGroupHasItsOwnRate) {
  Driver d(adamax, {}, {{0}, {0}, {0}, {0}});
  d.optimizer.set_group(1, 1);
  d.optimizer.set_group(2, 3);  // group 2 stays without a variable
  d.optimizer.set_rate(0, 0.5);
  d.optimizer.set_rate(1, 0.25);
  d.optimizer.set_rate(3, 0);
  d.step({Floats{1}, Floats{1}, Floats{1}, Floats{1}});
  EXPECT_NEAR(d.weights[0][0], -0.5, 1e-6);
  EXPECT_NEAR(d.weights[1][0], -0.25, 1e-6);
  EXPECT_EQ(d.weights[2][0], 0);
  EXPECT_EQ(bits(d.weights[3][0]), bits(d.weights[0][0]));
}

// As optimizers of their own have it: decoupled, decoupled as in PyTorch, and L2. A decay of 0 leaves an
// infinity as it is, and a decoupled one leaves the L2 of all.
TEST(Optimizer, EveryGroupHasItsOwnDecay) {
  const Floats w = {2, 2, 2, 2, 2, 2, 2, 2, infinity}, g = {1, -2, 3, -4, 5, -6, 7, -8, 9};
  for (const Dialect dialect : {Dialect::keras, Dialect::torch}) {
    for (const bool decays : {true, false}) {
      const auto options = [&](double decay) {
        Options o;
        o.dialect = dialect, o.decays = decays;
        (decays ? o.weight_decay : o.l2) = decay;
        if (decays) o.l2 = 0.125;
        return o;
      };
      Driver d(adam, options(0.5), {w, w, w, w});
      d.optimizer.exclude_from_decay(1);
      d.optimizer.set_group(2, 1), d.optimizer.set_group(3, 2);
      for (uint32_t group = 0; group < 3; group++) d.optimizer.set_rate(group, 0.25);
      for (const double last : {0.0, 0.75}) {
        const double own[] = {0.5, 0.0, 0.125, last};
        d.optimizer.set_decay(1, own[2]), d.optimizer.set_decay(2, own[3]);
        d.step({g, g, g, g});
        if (last == 0) continue;
        for (uint32_t row = 0; row < 4; row++) {
          Driver one(adam, options(row == 3 ? 0 : own[row]), {w});
          if (row == 1) one.optimizer.exclude_from_decay(0);
          one.optimizer.set_rate(0, 0.25);
          one.step({g});
          if (row == 3) (decays ? one.optimizer.weight_decay : one.optimizer.l2) = last;
          one.step({g});
          EXPECT_TRUE(same(d.weights[row], one.weights[0])) << row;
          EXPECT_TRUE(same(d.slot(row, 0), one.slot(0, 0))) << row;
        }
      }
    }
  }
}

// Of a group that has none of its own, or a decoupled one, the gradient is what it was.
TEST(Optimizer, ADecayThatIsNoPenaltyCostsNoOperation) {
  for (const bool decays : {false, true}) {
    Options o;
    o.decays = decays;
    Driver d(adam, o, {Floats(4, 1)});
    d.optimizer.set_decay(0, decays ? 0.5 : 0);
    d.step({Floats(4, 1)});
    EXPECT_EQ(Stages::of(d.optimizer.row(0).stages).grad, Grad::none);
  }
}

// PyTorch multiplies; nothing is added to a zero.
TEST(Optimizer, TorchsDecayKeepsTheSignOfAZero) {
  Options o;
  o.dialect = Dialect::torch, o.decays = true, o.weight_decay = 0.5;
  const Floats w = {0.f, -0.f, 0.f, -0.f, -0.f};
  Driver d(number_of<Sgd>(), o, {w});
  d.optimizer.set_rate(0, 0.1);
  d.step({Floats(5)});
  EXPECT_TRUE(same(d.weights[0], w));
}

// One that has missed an update, until all have one count again.
TEST(Optimizer, AVariableThatMissesAnUpdateCountsByItself) {
  const uint32_t nadam = number_of<Nadam>();
  Options o;
  o.dialect = Dialect::torch;
  const Floats ones(4, 1);
  Driver d(nadam, o, {ones, ones}), other(nadam, o, {ones});
  d.optimizer.set_rate(0, 0.1), other.optimizer.set_rate(0, 0.1);
  d.step({ones, ones}), other.step({ones});
  d.step({ones, std::nullopt}), d.step({ones, std::nullopt});
  EXPECT_TRUE(d.optimizer.apart());
  EXPECT_EQ(d.optimizer.updates_of(1), 1u);
  EXPECT_EQ(d.optimizer.scalar_of(1, 0), other.optimizer.scalar_of(0, 0));
  EXPECT_NE(d.optimizer.scalar_of(1, 0), d.optimizer.scalar_of(0, 0));
  d.update_only(1, ones, 0.1), other.update_only(0, ones, 0.1);
  EXPECT_TRUE(same(d.weights[1], other.weights[0]));
  d.step({ones, ones}), other.step({ones});
  EXPECT_TRUE(same(d.weights[1], other.weights[0]));
  d.optimizer.dialect = Dialect::keras;
  d.step({ones, ones});
  EXPECT_FALSE(d.optimizer.apart());
  EXPECT_EQ(d.optimizer.updates_of(1), 5u);
  EXPECT_EQ(d.optimizer.row(1).coef, d.optimizer.row(0).coef);
}

// As from a file, between two steps over one list.
TEST(Optimizer, ACountOfItsOwnMayBeSet) {
  const uint32_t nadam = number_of<Nadam>();
  Options o;
  o.dialect = Dialect::torch;
  const Floats ones(4, 1);
  Driver d(nadam, o, {ones, ones});
  d.optimizer.set_rate(0, 0.1);
  d.step({ones, ones});
  d.optimizer.set_updates(1, 1);
  EXPECT_FALSE(d.optimizer.apart());
  d.optimizer.set_updates(1, 6), d.optimizer.set_scalar_of(1, 0, 0.5f);
  EXPECT_EQ(d.optimizer.updates_of(0), 1u);
  EXPECT_EQ(d.optimizer.updates_of(1), 6u);
  d.step({ones, ones});
  EXPECT_EQ(d.optimizer.updates_of(1), 7u);
  EXPECT_LT(d.optimizer.scalar_of(1, 0), 0.5f);
  EXPECT_NE(d.weights[1][0], d.weights[0][0]);
}

// Wherever its arrays are: its coefficients are its own, by sums of its own (Lamb) and a product (Nadam).
TEST(Optimizer, AVariableCountsByItselfInPiecesToo) {
  for (const uint32_t rule : {number_of<Lamb>(), number_of<Nadam>()}) {
    Options o;
    o.dialect = Dialect::torch;
    Random random(6);
    const std::vector<Floats> initial = {random.units(2005), random.units(10)};
    Reference reference(rule, o, initial);
    Driver drivers[] = {{rule, o, initial, Place::resident},
                        {rule, o, initial, Place::foreign},
                        {rule, o, initial, Place::elsewhere},
                        {rule, o, initial, Place::parts}};
    for (ReferenceVariable& v : reference.variables) v.rate = 0.01;
    for (uint32_t call = 0; call < 4; call++) {
      const Gradients g = {call == 1 ? std::nullopt : std::optional(random.units(2005)), random.units(10)};
      reference.step(g);
      for (Driver& d : drivers) {
        d.optimizer.set_rate(0, 0.01);
        d.step(g);
        ASSERT_TRUE(same(state_of(d), state_of(reference))) << (&d - drivers) << ", call " << call;
      }
    }
  }
}

// They are unscaled and averaged as all others.
TEST(Optimizer, GradientsClippedByTheCallerAreNotClippedAgain) {
  const Floats w = {1, 2, 3, 4, 5}, g = {1, -2, 3, -4, 5};
  for (const double loss_scale : {1.0, 64.0, 3.0}) {
    for (const uint32_t steps : {0u, 2u, 3u}) {
      for (uint32_t clips = 0; clips < 8; clips++) {
        Options plain;
        plain.loss_scale = loss_scale, plain.accumulation_steps = steps;
        Options clipping = plain;
        if (clips & 1) clipping.clipnorm = 0.01;
        if (clips & 2) clipping.clipvalue = 0.001;
        clipping.clamp_first = (clips & 4) != 0;
        Driver d(adam, clipping, {w}), expected(adam, plain, {w});
        d.optimizer.set_rate(0, 0.1);
        expected.optimizer.set_rate(0, 0.1);
        for (uint32_t call = 0; call < 3; call++) {
          d.optimizer.reserve(1)[0] = {0, g.data(), 0, 1};
          d.optimizer.begin(1);
          d.optimizer.plan();
          d.optimizer.sweep();
          d.optimizer.end();
          expected.step({g});
        }
        EXPECT_TRUE(same(state_of(d), state_of(expected)))
            << "loss scale " << loss_scale << ", accumulation " << steps << ", clips " << clips;
      }
    }
  }
}

TEST(Optimizer, ANormOfOneThatClipsNothingCostsNoOperation) {
  for (const bool global : {false, true}) {
    for (const double loss_scale : {1.0, 2.0}) {
      Options o;
      (global ? o.global_clipnorm : o.clipnorm) = 1;
      o.loss_scale = loss_scale;
      Driver d(adam, o, {Floats(4, 1)});
      const Grad unclipped = loss_scale == 1 ? Grad::none : Grad::scale;
      d.step({Floats(4, 0.5f * float(loss_scale))});  // a norm of exactly 1
      EXPECT_EQ(Stages::of(d.optimizer.row(0).stages).grad, unclipped);
      d.step({Floats(4, 0.5001f * float(loss_scale))});
      EXPECT_EQ(Stages::of(d.optimizer.row(0).stages).grad, global ? Grad::scale : Grad::divide);
      d.step({Floats(4, 0.25f)});
      EXPECT_EQ(Stages::of(d.optimizer.row(0).stages).grad, unclipped);
    }
  }
}

TEST(Optimizer, UpdateOnlyIsTheRuleAlone) {
  Options everything, nothing;
  everything.clipnorm = 0.1, everything.decays = true, everything.weight_decay = 0.3,
  everything.averages = true;
  everything.loss_scale = 3, everything.accumulation_steps = 4;
  for (uint32_t rule = 0; rule < element_rule_count; rule++) {
    Random random(13);
    const Floats initial = random.units(21), g = random.units(21);
    Driver d(rule, everything, {initial});
    Reference expected(rule, nothing, {initial});
    expected.variables[0].rate = 0.05;
    d.update_only(0, g, 0.05);
    expected.step({g});
    EXPECT_TRUE(same(d.weights[0], expected.variables[0].w)) << rule_name(rule);
    for (uint32_t k = 0; k < slots(rule).size(); k++) {
      EXPECT_TRUE(same(d.slot(0, k), expected.variables[0].slots[k])) << rule_name(rule);
    }
    EXPECT_TRUE(same(d.average(0), Floats(21)));
    EXPECT_TRUE(same(d.accumulator(0), Floats(21)));
    EXPECT_EQ(d.optimizer.iterations, 0u);
  }
}

// Tiles and room are those of the longest variable within reach, also of one that comes later.
TEST(Optimizer, AVariableThatComesLaterIsReadWhole) {
  Random random(1);
  const Floats small = random.units(6), large = random.units(600), g = random.units(600);
  for (uint32_t rule = element_rule_count; rule < rule_count; rule++) {
    Floats weights[2][2] = {{small, large}, {small, large}};
    Optimizer all(rule), later(rule);
    all.add(6, weights[0][0].data(), false, true);
    all.add(600, weights[0][1].data(), false, true);
    later.add(6, weights[1][0].data(), false, true);
    later.add_elsewhere(600, false);
    for (Optimizer* o : {&all, &later}) {
      o->set_matrix(0, 1, 2, 3);
      o->set_matrix(1, 1, 30, 20);
      ASSERT_TRUE(o->build());
      o->set_rate(0, 0.1);
    }
    EXPECT_EQ(all.tile(), 600u);
    EXPECT_EQ(later.tile(), 6u);
    EXPECT_EQ(all.room(), later.room());
    ASSERT_TRUE(later.place(1, weights[1][1].data(), true));
    EXPECT_EQ(later.tile(), 600u);
    for (Optimizer* o : {&all, &later}) {
      for (int t = 0; t < 2; t++) {
        Entry* const list = o->reserve(2);
        list[0] = {0, g.data(), 0, 0};
        list[1] = {1, g.data(), 0, 0};
        o->step(2, true);
      }
    }
    for (int k = 0; k < 2; k++) EXPECT_TRUE(same(weights[0][k], weights[1][k])) << rule_name(rule);
    EXPECT_FALSE(same(weights[0][1], large));
  }
}

TEST(Optimizer, VariablesAndStepsMayBeEmpty) {
  Options o;
  o.global_clipnorm = 1, o.averages = true;
  Driver d(adam, o, {{}, {1}});
  d.optimizer.set_rate(0, 0.1);
  d.step({Floats{}, Floats{2}});
  EXPECT_NEAR(d.weights[1][0], 0.9, 1e-5);
  const Floats before = d.weights[1];
  d.step({std::nullopt, std::nullopt});
  EXPECT_TRUE(same(d.weights[1], before));
  EXPECT_EQ(d.optimizer.iterations, 2u);
}

}  // namespace
}  // namespace simdescent::tests
