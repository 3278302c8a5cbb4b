// Rows that move out of the engine's memory and back (to a GPU, say), and groups of rates that no row is in.
#include "driver.h"

namespace simdescent::tests {
namespace {

constexpr uint32_t n = 20000;  // staggered: addresses are not those of the blocks

void step(Optimizer& optimizer, const Floats& g) {
  optimizer.set_rate(0, 0.1);
  optimizer.reserve(1)[0] = {0, g.data(), 0, 0};
  optimizer.begin(1);
  optimizer.plan();
  optimizer.sweep();
  optimizer.end();
}

TEST(Placement, AnEvictedRowHasNoArraysAndIsPlannedButNotStepped) {
  Random random(1);
  Floats w = random.units(n), g = random.units(n);
  const Floats before = w;
  Optimizer optimizer(0);
  optimizer.add(n, w.data(), true, true);
  ASSERT_TRUE(optimizer.build());
  optimizer.accumulation_steps = 1;
  optimizer.evict(0);
  const Row& r = optimizer.row(0);
  EXPECT_FALSE(r.w || r.slot[0] || r.slot[1] || r.slot[2] || r.acc || r.avg);
  step(optimizer, g);
  EXPECT_TRUE(same(w, before));
  EXPECT_TRUE(Stages::of(r.stages).average);  // what is averaged elsewhere is planned so
  EXPECT_GT(r.coef[2], 0);
  EXPECT_EQ(optimizer.iterations, 1u);
}

TEST(Placement, APlacedRowBeginsWithZeroedStateAndStepsAsANewOne) {
  Random random(2);
  Floats w = random.units(n), g = random.units(n), other = w;
  Optimizer moved(1), fresh(1);
  moved.add(n, nullptr, true, false);
  ASSERT_TRUE(moved.build());
  moved.evict(0);
  ASSERT_TRUE(moved.place(0, w.data(), false));
  for (uint32_t i = 0; i < n; i++) ASSERT_EQ(moved.row(0).slot[2][i], 0);
  EXPECT_TRUE(moved.row(0).avg);
  EXPECT_FALSE(moved.row(0).acc);
  fresh.add(n, other.data(), true, false);
  ASSERT_TRUE(fresh.build());
  step(moved, g);
  step(fresh, g);
  EXPECT_TRUE(same(w, other));
}

TEST(Placement, RowsThatStayAreAveragedWhenTheFirstHasMoved) {
  Floats first(8, 1), second(8, 2), third(8, 3), g(8, 1);
  Optimizer optimizer(0);
  optimizer.ema_momentum = 0.5;
  for (Floats* w : {&first, &second, &third}) optimizer.add(8, w->data(), true, false);
  ASSERT_TRUE(optimizer.build());
  optimizer.evict(0);
  for (uint32_t call = 0; call < 2; call++) {
    if (call == 1) optimizer.overwrite_frequency = 2;
    optimizer.set_rate(0, 0.1);
    optimizer.reserve(3)[0] = {1, g.data(), 0, 0};
    optimizer.begin(1);
    optimizer.plan();
    optimizer.sweep();
    optimizer.end();
    EXPECT_EQ(optimizer.row(2).avg[0], 3);  // without a gradient: at first a copy, then the average of equals
  }
  EXPECT_NEAR(second[0], 1.85, 1e-3);  // overwritten by the average of 1.9 and 1.8
}

// The same list again: who is stepped, and by which rate, is asked anew all the same.
TEST(Placement, AListThatStaysIsReadAnewWhereARowHasMoved) {
  Floats first(8, 1), second(8, 2);
  const Floats g(8, 1);
  Optimizer optimizer(0);
  for (Floats* w : {&first, &second}) optimizer.add(8, w->data(), false, false);
  ASSERT_TRUE(optimizer.build());
  optimizer.set_rate(0, 0.1);
  Entry* const list = optimizer.reserve(2);
  list[0] = {0, g.data(), 0, 0}, list[1] = {1, g.data(), 0, 0};
  optimizer.step(2, true);
  optimizer.evict(1);
  const Floats kept = second;
  optimizer.step(2, false);
  EXPECT_TRUE(same(second, kept));
  ASSERT_TRUE(optimizer.place(1, second.data(), false));
  optimizer.step(2, false);
  EXPECT_LT(second[7], kept[7]);
  const Floats before = first, other = second;
  optimizer.set_group(0, 1);  // whose rate is 0
  optimizer.step(2, false);
  EXPECT_TRUE(same(first, before));
  EXPECT_LT(second[7], other[7]);
  const Floats last = second;
  optimizer.step(1, false);  // only the first
  EXPECT_TRUE(same(second, last));
}

TEST(Placement, TheRuleAloneIsPlannedForARowElsewhere) {
  Optimizer optimizer(2);
  optimizer.weight_decay = 0.1, optimizer.decays = true, optimizer.clipnorm = 1;
  optimizer.add_elsewhere(5, true);
  optimizer.plan_only(0, 0.25);
  EXPECT_EQ(optimizer.row(0).stages, Stages{}.word());
  EXPECT_EQ(optimizer.row(0).coef[2], 0.25f);
  EXPECT_EQ(optimizer.row(0).pipe->clip, 1);
}

TEST(Placement, ARateOfAGroupWithoutRowsIsLeftAlone) {
  Floats w(8, 1), g(8, 1);
  Optimizer optimizer(0);
  optimizer.add(8, w.data(), false, false);
  ASSERT_TRUE(optimizer.build());
  optimizer.set_group(0, 1);
  for (uint32_t group = 0; group < 100; group++) optimizer.set_rate(group, 0.5);  // under ASan
  step(optimizer, g);
  EXPECT_NEAR(w[0], 0.5, 1e-4);  // the rate of group 1
}

}  // namespace
}  // namespace simdescent::tests
