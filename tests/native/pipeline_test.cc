// One whole optimizer step after another, for every rule and every mix of options, against the reference of
// reference.h, bit for bit: loss scale, accumulation, clipping, decay, L2, averages and their overwrite.
#include "driver.h"
#include "kernels.h"

namespace simdescent::tests {
namespace {

struct Clip {
  const char* name;
  double clipnorm, global_clipnorm, clipvalue;
  bool clamp_first;
};

constexpr Clip clips[] = {
    {"no clip", 0, 0, 0, false},
    {"clipnorm", 0.7, 0, 0, false},
    {"clipnorm, seldom", 50, 0, 0, false},
    {"globalClipnorm", 0, 1.7, 0, false},
    {"clipvalue", 0, 0, 0.3, false},
    {"clipvalue first", 0, 0, 0.3, true},
    {"clipvalue, then clipnorm", 0.7, 0, 0.3, true},
    {"clipvalue, then globalClipnorm", 0, 1.1, 0.3, true},
    {"clipnorm before the others", 0.7, 1.7, 0.3, false},
    {"negative: off", -1, -1, -1, true},
};

// Every mix of a clip with what is independent of it: all of them, or the rule's share (floats.h).
template <class F>
void each_mix(uint32_t rule, F f) {
  uint32_t turn = rule;
  for (const Clip& clip : clips) {
    for (const double loss_scale : {1.0, 128.0, 3.0, 0x1p-130}) {
      for (const uint32_t steps : {0u, 1u, 3u, 4u}) {
        for (uint32_t bits = 0; bits < 8; bits++) {
          const bool decays = bits & 4, averages = bits & 2;
          Options o;
          o.loss_scale = loss_scale, o.accumulation_steps = steps, o.decays = decays, o.weight_decay = 0.04;
          o.averages = averages, o.ema_momentum = 0.8, o.overwrite_frequency = averages && decays ? 2 : 0;
          o.l2 = bits & 1 ? 0.01 : 0.0;
          if (turn++ % mixes_apart == 0) f(clip, o);
        }
      }
    }
  }
}

std::string described(const Clip& clip, const Options& o) {
  return std::string(clip.name) + ", loss scale " + std::to_string(o.loss_scale) + ", accumulation " +
         std::to_string(o.accumulation_steps) + (o.decays ? ", decay" : "") +
         (o.averages ? ", average" : "") + (o.overwrite_frequency ? ", overwrite" : "") +
         (o.l2 != 0 ? ", L2" : "");
}

class Pipeline : public ::testing::TestWithParam<uint32_t> {
 protected:
  // Seven calls over three variables, of which one is excluded from decay, one has a rate of its own, and
  // each goes without a gradient now and then.
  void expect_as_reference(const Clip& clip, Options o, bool special_values) {
    o.clipnorm = clip.clipnorm, o.global_clipnorm = clip.global_clipnorm, o.clipvalue = clip.clipvalue;
    o.clamp_first = clip.clamp_first;
    Random random(12);
    const std::vector<Floats> initial = {random.units(5), random.units(140), random.units(33)};
    Driver driver(GetParam(), o, initial);
    Reference reference(GetParam(), o, initial);
    driver.optimizer.exclude_from_decay(1);
    reference.variables[1].excluded = true;
    driver.optimizer.set_group(2, 1);
    for (uint32_t call = 0; call < 7; call++) {
      const double rate = call < 4 ? 0.01 : 0.003;
      driver.optimizer.set_rate(0, rate);
      driver.optimizer.set_rate(1, 5 * rate);
      for (uint32_t row = 0; row < 3; row++) reference.variables[row].rate = row == 2 ? 5 * rate : rate;
      Gradients gradients;
      for (uint32_t row = 0; row < 3; row++) {
        const bool without = (call == 2 && row != 0) || (call == 3 && row == 0);
        Floats g = special_values ? random.mixed(initial[row].size()) : random.units(initial[row].size());
        gradients.push_back(without ? std::nullopt : std::optional(g));
      }
      driver.step(gradients);
      reference.step(gradients);
      ASSERT_TRUE(same(state_of(driver), state_of(reference))) << described(clip, o) << ", call " << call;
    }
  }
};

// Where a norm of 1 clips nothing, its operations are left out. Loss scales make norms small and large.
TEST_P(Pipeline, NormsWithinOne) {
  for (const Clip& clip : {Clip{"clipnorm 1", 1, 0, 0, false}, Clip{"globalClipnorm 1", 0, 1, 0, false},
                           Clip{"clipvalue, then clipnorm 1", 1, 0, 0.3, true}}) {
    for (const double loss_scale : {1.0, 8.0, 128.0, 3.0, 300.0}) {
      for (const uint32_t steps : {0u, 3u, 4u}) {
        Options o;
        o.loss_scale = loss_scale, o.accumulation_steps = steps;
        if (!HasFatalFailure()) expect_as_reference(clip, o, false);
      }
    }
  }
}

TEST_P(Pipeline, EveryMixOfOptions) {
  each_mix(GetParam(), [&](const Clip& clip, const Options& o) {
    if (!HasFatalFailure()) expect_as_reference(clip, o, false);
  });
}

TEST_P(Pipeline, EveryMixOfOptionsOnSpecialGradients) {
  each_mix(GetParam(), [&](const Clip& clip, const Options& o) {
    if (!HasFatalFailure()) expect_as_reference(clip, o, true);
  });
}

TEST_P(Pipeline, EveryDialect) {
  for (const Dialect dialect : {Dialect::keras, Dialect::optimizer_v2, Dialect::torch}) {
    for (const bool adaptive : {false, true}) {
      Options o;
      o.accumulation_steps = adaptive ? 2 : 0;
      o.hypers = {{"beta_1", 0.8}, {"beta_2", 0.9}, {"epsilon", 1e-3}, {"adaptive_epsilon", adaptive}};
      o.dialect = dialect;
      o.decays = true, o.weight_decay = 0.1;
      expect_as_reference(clips[0], o, false);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, Pipeline, ::testing::Range(0u, element_rule_count), name_of_rule);

}  // namespace
}  // namespace simdescent::tests
