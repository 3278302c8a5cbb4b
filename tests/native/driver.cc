// The driver of driver.h, and the comparisons of a whole optimizer.
#include "driver.h"

#include <algorithm>
#include <utility>

#include "engine/memory.h"
#include "kernels.h"

namespace simdescent::tests {

Driver::Driver(uint32_t rule, const Options& options, std::vector<Floats> initial, Place place)
    : rule(rule),
      weights(std::move(initial)),
      optimizer(rule),
      place_(place),
      in_blocks_(options.storage == Storage::int8) {
  set_options(options);
  for (Floats& w : weights) {
    float* const reached = foreign_weights() ? nullptr : w.data();
    optimizer.add(uint32_t(w.size()), reached, options.averages, options.accumulation_steps > 0);
  }
  for (uint32_t row = 0; row < weights.size(); row++) optimizer.set_storage(row, options.storage);
  EXPECT_TRUE(optimizer.build());
  for (uint32_t row = 0; row < weights.size(); row++) {
    for (size_t k = 0; k < slots(rule).size(); k++) {
      const Floats first = first_slot(rule, k, options.hypers, weights[row]);
      if (optimizer.storage_of(row, k) == Storage::float32) {
        std::copy(first.begin(), first.end(), optimizer.row(row).slot[k]);
        continue;
      }
      for (size_t from = 0; from < first.size(); from += tile_size) {
        const uint32_t count = uint32_t(std::min(first.size() - from, size_t(tile_size)));
        std::copy_n(first.begin() + long(from), count, gradient_tile());
        optimizer.write_slot(row, k, uint32_t(from), count);
      }
    }
  }
  optimizer.reserve_parts(1000);
}

void Driver::set_options(const Options& o) {
  optimizer.hypers = hypers_of(rule, o.hypers);
  optimizer.dialect = o.dialect;
  optimizer.clipnorm = o.clipnorm;
  optimizer.global_clipnorm = o.global_clipnorm;
  optimizer.clipvalue = o.clipvalue;
  optimizer.clamp_first = o.clamp_first;
  optimizer.weight_decay = o.weight_decay;
  optimizer.l2 = o.l2;
  optimizer.decays = o.decays;
  optimizer.loss_scale = o.loss_scale;
  optimizer.accumulation_steps = o.accumulation_steps;
  optimizer.overwrite_frequency = o.overwrite_frequency;
  optimizer.ema_momentum = o.ema_momentum;
}

// In the order of summation.
template <class F>
void split(uint32_t from, uint32_t n, F f) {
  if (n <= tile_size) return f(from, n);
  const uint32_t half = n / 2 - n / 2 % 8;
  split(from, half, f);
  split(from + half, n - half, f);
}

template <class F>
void Driver::through_tiles(uint32_t row, F f) {
  const uint32_t n = uint32_t(weights[row].size());
  const auto pass = [&](uint32_t from, uint32_t count) {
    Floats& w = weights[row];
    if (foreign_weights()) std::copy_n(w.data() + from, count, weights_tile());
    f(from, count);
    if (foreign_weights()) std::copy_n(weights_tile(), count, w.data() + from);
  };
  if (!in_blocks_) return split(0, n, pass);
  for (uint32_t from = 0; from < n; from += tile_size) pass(from, std::min(n - from, tile_size));
}

// The splits of numpy's order down to a tile, as kernels/reduce.h goes on below it.
float Driver::sum_through_tiles(uint32_t entry, const Floats& g, uint32_t from, uint32_t count) {
  if (count <= tile_size) {
    std::copy_n(g.data() + from, count, gradient_tile());
    return optimizer.chunk_sum_of_squares(entry, from, 0, count);
  }
  const uint32_t half = count / 2 - count / 2 % 8;
  const float front = sum_through_tiles(entry, g, from, half);
  return front + sum_through_tiles(entry, g, from + half, count - half);
}

// In one call; the list is written anew only when other rows have gradients than the last time.
void Driver::step_resident(const Gradients& gradients) {
  std::vector<uint32_t> rows;
  held_.resize(weights.size());
  for (uint32_t row = 0; row < gradients.size(); row++) {
    if (!gradients[row]) continue;
    held_[row].resize(weights[row].size());
    std::copy(gradients[row]->begin(), gradients[row]->end(), held_[row].begin());
    rows.push_back(row);
  }
  Entry* list = optimizer.reserve(uint32_t(weights.size()));
  const bool changed = std::exchange(listed_, rows) != rows;
  for (size_t j = 0; changed && j < rows.size(); j++) list[j] = {rows[j], held_[rows[j]].data(), 0, 0};
  optimizer.step(uint32_t(rows.size()), changed);
}

void Driver::step(const Gradients& gradients) {
  if (place_ == Place::resident) {
    step_resident(gradients);
    return;
  }
  Entry* list = optimizer.reserve(uint32_t(weights.size()));
  std::vector<uint32_t> rows;
  for (uint32_t row = 0; row < gradients.size(); row++) {
    if (!gradients[row]) continue;
    list[rows.size()] = {row, foreign_gradient() ? nullptr : gradients[row]->data(), 0, 0};
    rows.push_back(row);
  }
  optimizer.begin(uint32_t(rows.size()));
  const bool norms = optimizer.updating() && (optimizer.clipnorm > 0 || optimizer.global_clipnorm > 0);
  for (uint32_t j = 0; norms && foreign_gradient() && j < rows.size(); j++) {
    const Floats& g = *gradients[rows[j]];
    list[j].sum_of_squares = sum_through_tiles(j, g, 0, uint32_t(g.size()));
  }
  optimizer.plan();
  do pass(gradients, rows);
  while (optimizer.next_pass());
  for (uint32_t row = 0; foreign_weights() && row < weights.size(); row++) {
    if (!optimizer.row(row).avg) continue;
    if (!gradients[row]) {
      through_tiles(row, [&](uint32_t from, uint32_t count) { optimizer.average_chunk(row, from, count); });
    }
    if (optimizer.overwriting()) weights[row] = average(row);
  }
  optimizer.end();
}

void Driver::pass(const Gradients& gradients, const std::vector<uint32_t>& rows) {
  if (place_ == Place::elsewhere) {
    for (const uint32_t row : rows) step_row(rule, optimizer.row(row));
  } else if (place_ == Place::parts) {
    const uint32_t count = optimizer.cut();
    // From the last one on: their order must not matter.
    for (uint32_t k = count; k > 0; k--) step_row(rule, optimizer.parts()[k - 1]);
  } else {
    optimizer.sweep();
  }
  for (uint32_t j = 0; (foreign_weights() || foreign_gradient()) && j < rows.size(); j++) {
    through_tiles(rows[j], [&](uint32_t from, uint32_t count) {
      if (foreign_gradient()) std::copy_n(gradients[rows[j]]->data() + from, count, gradient_tile());
      optimizer.chunk(j, from, count);
    });
  }
}

void Driver::update_only(uint32_t row, const Floats& g, double rate) {
  if (place_ == Place::resident) {
    optimizer.update_only(row, 0, uint32_t(g.size()), g.data(), rate);
    return;
  }
  through_tiles(row, [&](uint32_t from, uint32_t count) {
    if (foreign_gradient()) std::copy_n(g.data() + from, count, gradient_tile());
    optimizer.update_only(row, from, count, foreign_gradient() ? nullptr : g.data(), rate);
  });
}

::testing::AssertionResult tells(const Optimizer::Report& got, const std::vector<ReferenceTold>& expected) {
  if (got.count != expected.size()) return ::testing::AssertionFailure() << got.count << " rows";
  for (uint32_t j = 0; j < got.count; j++) {
    const Tally &a = got.rows[j].tally, &b = expected[j].tally;
    const auto differs = [&](const char* what, auto x, auto y) {
      return ::testing::AssertionFailure()
             << what << " of row " << expected[j].row << ": " << x << ", not " << y;
    };
    if (got.rows[j].row != expected[j].row) return differs("row", got.rows[j].row, expected[j].row);
    const auto unlike = [](float x, float y) { return !same(x, y); };
    if (unlike(a.gradient, b.gradient)) return differs("gradient", a.gradient, b.gradient);
    if (unlike(a.clipped, b.clipped)) return differs("clipped", a.clipped, b.clipped);
    if (unlike(a.update, b.update)) return differs("update", a.update, b.update);
    if (unlike(a.weights, b.weights)) return differs("weights", a.weights, b.weights);
    if (a.zeros != b.zeros) return differs("zeros", a.zeros, b.zeros);
    if (a.nonfinite != b.nonfinite) return differs("nonfinite", a.nonfinite, b.nonfinite);
  }
  return ::testing::AssertionSuccess();
}

constexpr const char* slot_names[] = {"slot 0", "slot 1", "slot 2"};
static_assert(std::size(slot_names) >= max_slots);

State state_of(const Driver& d) {
  State state{{}, d.optimizer.iterations};
  for (uint32_t row = 0; row < d.weights.size(); row++) {
    const Row& r = d.optimizer.row(row);
    state.arrays.push_back({"weights", row, d.weights[row]});
    for (uint32_t k = 0; k < max_slots; k++) {
      if (r.slot[k]) state.arrays.push_back({slot_names[k], row, d.slot(row, k)});
    }
    if (r.acc) state.arrays.push_back({"accumulator", row, d.accumulator(row)});
    if (r.avg) state.arrays.push_back({"average", row, d.average(row)});
  }
  return state;
}

State state_of(const Reference& reference) {
  State state{{}, reference.calls};
  for (size_t row = 0; row < reference.variables.size(); row++) {
    const ReferenceVariable& v = reference.variables[row];
    state.arrays.push_back({"weights", row, v.w});
    for (size_t k = 0; k < v.slots.size(); k++) state.arrays.push_back({slot_names[k], row, v.slots[k]});
    if (reference.options.accumulation_steps) state.arrays.push_back({"accumulator", row, v.acc});
    if (reference.options.averages) state.arrays.push_back({"average", row, v.avg});
  }
  return state;
}

::testing::AssertionResult same(const State& got, const State& expected) {
  if (got.arrays.size() != expected.arrays.size()) {
    return ::testing::AssertionFailure()
           << got.arrays.size() << " arrays instead of " << expected.arrays.size();
  }
  for (size_t k = 0; k < got.arrays.size(); k++) {
    const StateArray &a = got.arrays[k], &b = expected.arrays[k];
    if (std::string_view(a.kind) != b.kind || a.variable != b.variable) {
      return ::testing::AssertionFailure() << "the " << a.kind << " instead of the " << b.kind;
    }
    const auto result = same(a.values, b.values);
    if (!result) {
      return ::testing::AssertionFailure()
             << "the " << a.kind << " of variable " << a.variable << ", " << result.message();
    }
  }
  if (got.iterations != expected.iterations) {
    return ::testing::AssertionFailure()
           << got.iterations << " iterations instead of " << expected.iterations;
  }
  return ::testing::AssertionSuccess();
}

}  // namespace simdescent::tests
