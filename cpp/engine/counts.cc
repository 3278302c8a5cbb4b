// What of an optimizer counts: its calls, and, as in PyTorch, the updates of a variable that has missed some.
// The step itself is optimizer.cc.
#include <algorithm>
#include <utility>

#include "engine/optimizer.h"

namespace simdescent {

void Optimizer::count_from(uint32_t calls) {
  iterations = calls;
  if (!std::exchange(apart_, false)) return;
  for (State& state : state_) state.apart = false;
  arranged_ = none;
}

// With the count and the scalars of all, as they are before this update.
void Optimizer::set_apart(State& state) {
  if (state.apart) return;
  state.apart = apart_ = true;
  state.updates = updates();
  state.scalars = scalars;
  arranged_ = none;
}

void Optimizer::set_updates(uint32_t row, uint32_t count) {
  if (count == updates_of(row)) return;
  set_apart(state_[row]);
  state_[row].updates = count;
}

void Optimizer::set_scalar_of(uint32_t row, uint32_t k, float x) {
  if (x == scalar_of(row, k)) return;
  set_apart(state_[row]);
  state_[row].scalars[k] = x;
}

// Of an update: rows without a gradient stay where they are, and those that already did count on.
void Optimizer::count_apart() {
  for (State& state : state_) {
    if (state.last != step_) {
      set_apart(state);
    } else if (state.apart) {
      advance(rule_, hypers, next(state, groups_[state.group].rate), state.scalars);
      state.updates++;
    }
  }
}

// Where the counter ends it goes back by half, in whole periods of what is counted in it: what comes next
// comes when it would have come, and no power of a decay is anything but 0 so far out.
void Optimizer::count() {
  if (++iterations != UINT32_MAX) return;
  const uint64_t period = uint64_t(std::max(accumulation_steps, 1u)) * std::max(overwrite_frequency, 1u);
  const uint32_t half = uint32_t(1) << 31;
  iterations -= uint32_t(half / period * period);
}

}  // namespace simdescent
