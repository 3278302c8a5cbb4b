// Drives the engine's optimizer as the TypeScript side does: with arrays that it may reach, and with arrays
// of a foreign heap that pass through the tiles.
#pragma once
#include <algorithm>
#include <vector>

#include "engine/optimizer.h"
#include "reference.h"

namespace simdescent::tests {

enum class Place {
  resident,          // the engine reaches everything, and is told whether the list has changed
  foreign,           // weights and gradients pass through the tiles
  foreign_weights,   // gradients are in reach
  foreign_gradient,  // weights are in reach
  elsewhere,         // as resident, but the planned rows are stepped by a kernel outside the engine
  parts              // the same, in parts
};

class Driver {
 public:
  Driver(uint32_t rule, const Options& options, std::vector<Floats> initial, Place place = Place::resident);

  void set_options(const Options& options);
  void step(const Gradients& gradients);
  // The rule alone.
  void update_only(uint32_t row, const Floats& g, double rate);

  // State of variable `row`; empty where the engine keeps none.
  Floats slot(uint32_t row, uint32_t k) const {
    if (optimizer.storage_of(row, k) == Storage::float32) return copy(optimizer.row(row).slot[k], row);
    Floats out;
    for (uint32_t from = 0; from < weights[row].size(); from += tile_size) {
      const uint32_t count = std::min(uint32_t(weights[row].size()) - from, tile_size);
      optimizer.read_slot(row, k, from, count);
      out.insert(out.end(), gradient_tile(), gradient_tile() + count);
    }
    return out;
  }
  Floats accumulator(uint32_t row) const { return copy(optimizer.row(row).acc, row); }
  Floats average(uint32_t row) const { return copy(optimizer.row(row).avg, row); }

  uint32_t rule;
  std::vector<Floats> weights;
  Optimizer optimizer;

 private:
  Floats copy(const float* from, uint32_t row) const {
    return from ? Floats(from, from + weights[row].size()) : Floats();
  }
  bool foreign_weights() const { return place_ == Place::foreign || place_ == Place::foreign_weights; }
  bool foreign_gradient() const { return place_ == Place::foreign || place_ == Place::foreign_gradient; }
  // Calls f(from, count) for each tile of a variable, with its weights in the tile where they are foreign.
  template <class F>
  void through_tiles(uint32_t row, F f);
  void step_resident(const Gradients& gradients);
  void pass(const Gradients& gradients, const std::vector<uint32_t>& rows);
  float sum_through_tiles(uint32_t entry, const Floats& g, uint32_t from, uint32_t count);

  Place place_;
  bool in_blocks_;
  std::vector<Floats> held_;  // gradients, always at the same place
  std::vector<uint32_t> listed_;
};

// Every array of an optimizer and its counter.
struct StateArray {
  const char* kind;
  size_t variable;
  Floats values;
};
struct State {
  std::vector<StateArray> arrays;
  uint32_t iterations;
};
State state_of(const Driver& driver);
State state_of(const Reference& reference);

// Whether what is told of an update has the same bits.
::testing::AssertionResult tells(const Optimizer::Report& got, const std::vector<ReferenceTold>& expected);

// Whether two optimizers, or an optimizer and the reference, have the same bits everywhere.
::testing::AssertionResult same(const State& got, const State& expected);

}  // namespace simdescent::tests
