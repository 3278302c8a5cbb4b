// What the engine must compute, written a second time: one float after another, every operation a rounding of
// its own, in the order of Keras' optimizers. It shares no loop, no stage and no state with the engine; only
// the rules' own lines (held to outside numbers by rules_test.cc and vectors_test.cc) are the same.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "floats.h"
#include "kernels/table.h"

namespace simdescent::tests {

// numpy.sum of a contiguous float32 array, or of the squares of one.
float numpy_sum(std::span<const float> x);
float numpy_sum_of_squares(std::span<const float> x);

// A rule's own lines for one element.
void update_element(uint32_t rule, const float* coef, float& w, float g, std::span<float* const> slots);

// Hyperparameters by name; a rule takes those that it has, and its defaults for the others.
using HyperMap = std::map<std::string, double, std::less<>>;
Hypers hypers_of(uint32_t rule, const HyperMap& given);

// What slot k of a variable holds before the first update.
Floats first_slot(uint32_t rule, size_t k, const HyperMap& given, const Floats& w);

// The first pass of a rule in two, and what it sums.
void first_element(uint32_t rule, const float* coef, float w, float g, std::span<float* const> slots,
                   std::span<float* const> out);

// The options of an optimizer, as the engine spells them; 0 is off.
struct Options {
  HyperMap hypers;
  Dialect dialect = Dialect::keras;
  double clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool clamp_first = false;
  double weight_decay = 0, l2 = 0;
  bool decays = false;
  double loss_scale = 1;
  uint32_t accumulation_steps = 0, overwrite_frequency = 0;
  double ema_momentum = 0.99;
  bool averages = false;
  Storage storage = Storage::float32;  // of all slots; the reference has no other
};

// One gradient per variable; none: the variable has no gradient in this step.
using Gradients = std::vector<std::optional<Floats>>;

struct ReferenceVariable {
  Floats w, acc, avg;
  std::vector<Floats> slots;
  bool excluded = false;
  double rate = 0;
  uint32_t updates = 0;  // of Dialect::torch: those that it had a gradient for
  Scalars scalars{};
};

// What is told of an update: cpp/kernels/monitor.h.
struct ReferenceTold {
  uint32_t row;
  Tally tally;
};

class Reference {
 public:
  Reference(uint32_t rule, const Options& options, const std::vector<Floats>& weights);

  void step(const Gradients& gradients);

  Options options;
  std::vector<ReferenceVariable> variables;
  uint32_t calls = 0;
  std::vector<ReferenceTold> told;  // of the last update

 private:
  using Present = std::vector<std::pair<ReferenceVariable*, Floats>>;

  void clip(Present& present) const;
  void apply_rule(ReferenceVariable& v, const Floats& g) const;

  uint32_t rule_;
};

}  // namespace simdescent::tests
