// The recorded vectors of tests/vectors as constants; make-vectors.mjs writes the definitions at build time.
// Numbers of arrays are the bits of float32, all in one pool.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace simdescent::tests {

// A piece of the pool, or an array that is not there.
struct RecordedArray {
  static constexpr uint32_t absent = 0xffffffff;
  uint32_t from = absent, size = 0;
};

struct RecordedVariable {
  RecordedArray initial, weights, average, accumulator;  // before the first step; after the last one
  RecordedArray slots[3];                                // in the order of the rule
  bool excluded = false;                                 // from weight decay
};

struct RecordedNumber {
  const char* name;
  double value;
};

struct RecordedStep {
  double rate = 0;
  std::span<const RecordedArray> gradients;  // one per variable; absent: none
};

struct RecordedCase {
  const char* id;
  const char* rule;
  std::span<const RecordedNumber> hypers;       // every number of the config, by its name there
  double clipnorm, global_clipnorm, clipvalue;  // 0: off
  double weight_decay;
  bool decays;
  double loss_scale;
  uint32_t accumulation_steps;
  bool averages;
  double ema_momentum;
  uint32_t overwrite_frequency;
  std::span<const RecordedVariable> variables;
  std::span<const RecordedStep> steps;
};

struct RecordedRate {
  double step, value, value_numpy;
};

// `parameters` in the order of the constructor's arguments, booleans as 0 and 1, without the name.
struct RecordedSchedule {
  const char* name;
  double initial;  // the largest rate that it is given: the scale of a tolerance
  std::span<const double> parameters;
  std::span<const RecordedRate> rates;
};

std::span<const uint32_t> recorded_pool();
std::span<const RecordedCase> recorded_cases();
std::span<const RecordedSchedule> recorded_schedules();

}  // namespace simdescent::tests
