// What Keras' NumPy backend computed (tests/vectors), computed again by the engine: every weight, slot,
// average and accumulator after the last step, bit for bit. One test per recorded case.
#include "vectors.h"

#include <cctype>

#include "driver.h"

namespace simdescent::tests {

void PrintTo(const RecordedCase& c, std::ostream* out) { *out << c.id; }

namespace {

Floats array(const RecordedArray& a) {
  Floats list(a.size);
  for (uint32_t i = 0; i < a.size; i++) list[i] = from_bits(recorded_pool()[a.from + i]);
  return list;
}

bool present(const RecordedArray& a) { return a.from != RecordedArray::absent; }

uint32_t rule_named(std::string_view name) {
  for (uint32_t rule = 0; rule < element_rule_count; rule++) {
    if (rule_name(rule) == name) return rule;
  }
  ADD_FAILURE() << "no rule " << name;
  return 0;
}

Options options_of(const RecordedCase& c) {
  Options o;
  for (const RecordedNumber& h : c.hypers) o.hypers[h.name] = h.value;
  o.clipnorm = c.clipnorm, o.global_clipnorm = c.global_clipnorm, o.clipvalue = c.clipvalue;
  o.weight_decay = c.weight_decay, o.decays = c.decays;
  o.loss_scale = c.loss_scale;
  o.accumulation_steps = c.accumulation_steps;
  o.averages = c.averages, o.ema_momentum = c.ema_momentum, o.overwrite_frequency = c.overwrite_frequency;
  return o;
}

class Recorded : public ::testing::TestWithParam<RecordedCase> {};

TEST_P(Recorded, HasTheSameBits) {
  const RecordedCase& c = GetParam();
  std::vector<Floats> initial;
  for (const RecordedVariable& v : c.variables) initial.push_back(array(v.initial));
  const Options options = options_of(c);
  Driver driver(rule_named(c.rule), options, initial);
  for (uint32_t row = 0; row < c.variables.size(); row++) {
    if (c.variables[row].excluded) driver.optimizer.exclude_from_decay(row);
  }
  for (const RecordedStep& step : c.steps) {
    driver.optimizer.set_rate(0, step.rate);
    Gradients gradients;
    for (const RecordedArray& g : step.gradients) {
      gradients.push_back(present(g) ? std::optional(array(g)) : std::nullopt);
    }
    driver.step(gradients);
  }
  for (uint32_t row = 0; row < c.variables.size(); row++) {
    const RecordedVariable& v = c.variables[row];
    EXPECT_TRUE(same(driver.weights[row], array(v.weights))) << "variable " << row;
    for (uint32_t k = 0; k < slots(driver.rule).size(); k++) {
      EXPECT_TRUE(same(driver.slot(row, k), array(v.slots[k]))) << "slot " << k << " of variable " << row;
    }
    EXPECT_TRUE(same(driver.average(row), array(v.average))) << "average of variable " << row;
    EXPECT_TRUE(same(driver.accumulator(row), array(v.accumulator))) << "accumulator of variable " << row;
  }
  EXPECT_EQ(driver.optimizer.iterations, c.steps.size());
}

std::string identifier(const ::testing::TestParamInfo<RecordedCase>& info) {
  std::string name = std::string(info.param.id) + "_" + std::to_string(info.index);
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Keras, Recorded,
                         ::testing::ValuesIn(recorded_cases().begin(), recorded_cases().end()), identifier);

TEST(RecordedCases, CoverEveryRuleOfKerasAndEveryOption) {
  uint32_t by_rule[rule_count] = {}, clips = 0, decays = 0, scales = 0, gathers = 0, averages = 0,
           missing = 0;
  for (const RecordedCase& c : recorded_cases()) {
    by_rule[rule_named(c.rule)]++;
    clips += c.clipnorm > 0 || c.global_clipnorm > 0 || c.clipvalue > 0;
    decays += c.decays;
    scales += c.loss_scale != 1;
    gathers += c.accumulation_steps > 0;
    averages += c.averages;
    for (const RecordedStep& step : c.steps) {
      for (const RecordedArray& g : step.gradients) missing += !present(g);
    }
  }
  for (uint32_t rule = 0; rule < element_rule_count; rule++) {
    const std::string_view name = rule_name(rule);
    if (name.starts_with("torch_") || name.starts_with("tfjs_") || name == "radam") continue;  // not Keras'
    EXPECT_GE(by_rule[rule], 1u) << name;
  }
  for (const uint32_t count : {clips, decays, scales, gathers, averages, missing}) EXPECT_GE(count, 20u);
}

}  // namespace
}  // namespace simdescent::tests
