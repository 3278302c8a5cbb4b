// Arrays of a foreign heap, which pass through the tiles chunk by chunk: at sizes round a tile they come out
// with the bits of arrays that the engine reaches directly.
#include "driver.h"
#include "engine/memory.h"
#include "kernels.h"
#include "kernels/reduce.h"
#include "mixes.h"

namespace simdescent::tests {
namespace {

class Tiles : public ::testing::TestWithParam<uint32_t> {};

TEST_P(Tiles, EveryPlaceAsResident) {
  for (const uint32_t rule : {0u, 2u}) {
    for (const Mix& mix : mixes()) {
      Random random(14);
      const std::vector<Floats> initial = {random.units(GetParam()), random.units(10)};
      Driver resident(rule, mix.options, initial);
      Driver foreign[] = {{rule, mix.options, initial, Place::foreign},
                          {rule, mix.options, initial, Place::foreign_weights},
                          {rule, mix.options, initial, Place::foreign_gradient},
                          {rule, mix.options, initial, Place::elsewhere},
                          {rule, mix.options, initial, Place::parts}};
      for (int call = 0; call < 4; call++) {
        const Gradients gradients = {call == 1 ? std::nullopt : std::optional(random.units(GetParam())),
                                     call == 3 ? std::nullopt : std::optional(random.units(10))};
        resident.optimizer.set_rate(0, 0.01);
        resident.step(gradients);
        const State expected = state_of(resident);
        for (Driver& d : foreign) {
          d.optimizer.set_rate(0, 0.01);
          d.step(gradients);
          ASSERT_TRUE(same(state_of(d), expected))
              << mix.name << ", place " << (&d - foreign) << ", " << rule_name(rule) << ", call " << call;
        }
      }
    }
  }
}

TEST_P(Tiles, UpdateOnly) {
  Random random(15);
  const std::vector<Floats> initial = {random.units(GetParam())};
  const Floats g = random.units(GetParam());
  Driver resident(1, {}, initial);
  resident.update_only(0, g, 0.01);
  for (const Place place : {Place::foreign, Place::foreign_weights, Place::foreign_gradient}) {
    Driver d(1, {}, initial, place);
    d.update_only(0, g, 0.01);
    ASSERT_TRUE(same(state_of(d), state_of(resident))) << int(place);
  }
}

// A row of which the engine has no array at all: it plans, and the caller does what touches elements.
TEST_P(Tiles, RowsElsewhere) {
  const uint32_t n = GetParam(), rule = 1;
  for (const Mix& mix : mixes()) {
    const Options& o = mix.options;
    Random random(16);
    const Floats initial = random.units(n);
    Driver resident(rule, o, {initial});
    Driver engine(rule, o, {});
    engine.optimizer.add_elsewhere(n, o.averages);
    ReferenceVariable v{.w = initial, .acc = Floats(n), .avg = Floats(n), .slots = {3, Floats(n)}};
    for (int call = 0; call < 4; call++) {
      const Floats g = random.units(n);
      resident.optimizer.set_rate(0, 0.01);
      engine.optimizer.set_rate(0, 0.01);
      resident.step({g});
      Entry* list = engine.optimizer.reserve(1);
      list[0] = {0, nullptr, 0, 0};
      const auto row = [&] {
        Row r = engine.optimizer.row(0);
        r.w = v.w.data(), r.g = g.data(), r.acc = v.acc.data(), r.avg = v.avg.data();
        for (size_t k = 0; k < v.slots.size(); k++) r.slot[k] = v.slots[k].data();
        return r;
      };
      engine.optimizer.begin(1);
      list[0].sum_of_squares = sum_of_squares(row());
      engine.optimizer.plan();
      step_row(rule, row());
      if (engine.optimizer.overwriting()) v.w = v.avg;
      engine.optimizer.end();
      ASSERT_TRUE(same(v.w, resident.weights[0])) << mix.name << ", call " << call;
      ASSERT_TRUE(same(v.slots[2], resident.slot(0, 2))) << mix.name << ", call " << call;
      if (o.averages) {
        ASSERT_TRUE(same(v.avg, resident.average(0))) << mix.name << ", call " << call;
      }
    }
  }
}

// Small ones side by side, each from a multiple of four floats on.
TEST(TilesOfMany, LieSideBySide) {
  Random random(17);
  const std::vector<Floats> initial = {random.units(5), random.units(8), random.units(3)};
  const Floats g[] = {random.units(5), random.units(8), random.units(3)};
  Driver resident(0, {}, initial), foreign(0, {}, initial, Place::foreign);
  for (Driver* d : {&resident, &foreign}) d->optimizer.set_rate(0, 0.01);
  resident.step({g[0], g[1], g[2]});
  Optimizer& o = foreign.optimizer;
  Entry* const list = o.reserve(3);
  for (uint32_t j = 0; j < 3; j++) list[j] = {j, nullptr, 0, 0};
  o.begin(3);
  o.plan();
  const uint32_t at[] = {0, 8, 16};
  for (uint32_t j = 0; j < 3; j++) {
    std::copy(initial[j].begin(), initial[j].end(), weights_tile() + at[j]);
    std::copy(g[j].begin(), g[j].end(), gradient_tile() + at[j]);
  }
  for (uint32_t j = 0; j < 3; j++) {
    EXPECT_EQ(o.chunk_sum_of_squares(j, 0, at[j], uint32_t(g[j].size())), numpy_sum_of_squares(g[j]));
  }
  o.chunks(0, 3);
  o.end();
  for (uint32_t j = 0; j < 3; j++) {
    const float* const got = weights_tile() + at[j];
    EXPECT_TRUE(same(Floats(got, got + initial[j].size()), resident.weights[j])) << j;
    EXPECT_TRUE(same(foreign.slot(j, 0), resident.slot(j, 0))) << j;
  }
}

INSTANTIATE_TEST_SUITE_P(OfSize, Tiles,
                         ::testing::Values(1, 1000, tile_size - 1, tile_size, tile_size + 1,
                                           2 * tile_size + 5));

}  // namespace
}  // namespace simdescent::tests
