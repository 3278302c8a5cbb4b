#include "engine/optimizer.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "engine/memory.h"
#include "kernels/reduce.h"

namespace simdescent {
namespace {

// Whether x / s has the bits of x * (1 / s) for every x: powers of two whose reciprocal is a finite float.
bool exact_reciprocal(float s) {
  int exponent;
  return std::fabs(std::frexp(s, &exponent)) == 0.5f && std::isfinite(1 / s) && 1 / s != 0;
}

// The larger one, or NaN.
float maximum(float a, float b) { return a != a || a > b ? a : b; }
float minimum(float a, float b) { return a != a || a < b ? a : b; }

Scratch scratch;

}  // namespace

Optimizer::~Optimizer() {
  for (const Row& r : rows_) {
    for (float* slot : r.slot) release(slot, r.n);
    release(r.acc, r.n);
    release(r.avg, r.n);
  }
}

bool Optimizer::add(uint32_t n, float* weights, bool averages, bool accumulates) {
  add_elsewhere(n, averages);
  if (place(uint32_t(rows_.size() - 1), weights, accumulates)) return true;
  rows_.pop_back();
  state_.pop_back();
  return false;
}

void Optimizer::add_elsewhere(uint32_t n, bool averages) {
  rows_.emplace_back().n = n;
  state_.emplace_back().averages = averages;
}

void Optimizer::evict(uint32_t row) {
  Row& r = rows_[row];
  for (float*& slot : r.slot) release(std::exchange(slot, nullptr), r.n);
  release(std::exchange(r.acc, nullptr), r.n);
  release(std::exchange(r.avg, nullptr), r.n);
  r.w = nullptr;
  r.g = nullptr;
}

bool Optimizer::place(uint32_t row, float* weights, bool accumulates) {
  Row& r = rows_[row];
  bool complete = true;
  const auto take = [&](float*& array, Role role) { complete = (array = allocate(r.n, role)) && complete; };
  constexpr Role roles[max_slots] = {Role::slot0, Role::slot1, Role::slot2};
  for (size_t k = 0; k < slots(rule_).size(); k++) take(r.slot[k], roles[k]);
  if (accumulates) take(r.acc, Role::accumulator);
  if (state_[row].averages) take(r.avg, Role::average);
  if (!complete) evict(row);
  r.w = complete ? weights : nullptr;
  return complete;
}

void Optimizer::set_group(uint32_t row, uint32_t group) {
  state_[row].group = group;
  if (group >= groups_.size()) groups_.resize(group + 1);
}

void Optimizer::set_rate(uint32_t group, double rate) {
  if (group < groups_.size()) groups_[group].rate = rate;  // a group may have no variable
}

Entry* Optimizer::reserve(uint32_t count) {
  if (list_.size() < count) list_.resize(count), sums_.resize(count);
  return list_.data();
}

// One division at most in the sweep; whatever needs more goes the general way.
void Optimizer::choose_stages() {
  const float scale = float(loss_scale), steps = float(accumulation_steps);
  exact_ = exact_reciprocal(scale);
  const bool gathers = accumulation_steps > 0, by_norm = clipnorm > 0;
  const bool global = global_clipnorm > 0 && !by_norm,
             by_value = clipvalue > 0 && (clamp_first || !(by_norm || global));
  const bool mean_exact = !gathers || exact_reciprocal(steps);

  Pipe<float> pipe;
  pipe.unscale = scale;
  pipe.steps = gathers ? steps : 1;
  pipe.l2 = float(l2);
  if (exact_) pipe.scale = 1 / scale;
  if (gathers && mean_exact) pipe.mean = 1 / steps;
  if (by_norm) pipe.clip = float(clipnorm);
  if (by_value) pipe.lo = -float(clipvalue), pipe.hi = float(clipvalue);
  pipe.decay = float(weight_decay);
  const float momentum = updates() ? float(ema_momentum) : 0;
  pipe.momentum = momentum;
  pipe.complement = 1 - momentum;

  const int divisions = !exact_ + !mean_exact + by_norm;
  const bool divides_before_factor = global && (!exact_ || !mean_exact),
             both = by_value && (by_norm || global);
  stages_ = {};
  if (divisions > 1 || divides_before_factor || both || l2 != 0 || (gathers && !exact_)) {
    stages_ = {.grad = Grad::general, .gathered = gathers, .clamp_first = both, .l2 = l2 != 0};
  } else if (gathers) {
    stages_.grad = Grad::accumulate;
    stages_.undivided = divisions == 0;
    if (!mean_exact) pipe.divide = steps;
  } else if (divisions) {
    stages_.grad = Grad::divide;
    if (!exact_) pipe.divide = scale;
  } else if (global || by_value || scale != 1) {
    stages_.grad = Grad::scale;
  }

  for (Group& group : groups_) {
    coefficients(rule_, hyper, group.rate, updates() + 1, group.coef);
    group.pipe = pipe;
    group.pipe.rate = float(group.rate);
  }
}

Stages Optimizer::stages_of(uint32_t row) const {
  Stages s = stages_;
  s.micro = !updating();
  s.exact = s.micro && exact_;
  s.decay = decays && !state_[row].excluded;
  s.average = state_[row].averages;
  return s;
}

void Optimizer::begin(uint32_t count) {
  count_ = count;
  step_++;
  choose_stages();
  const bool norms = updating() && (clipnorm > 0 || global_clipnorm > 0);
  for (uint32_t j = 0; j < count; j++) {
    Entry& e = list_[j];
    Row& r = rows_[e.row];
    State& state = state_[e.row];
    state.last = step_;
    r.g = e.g;
    r.coef = groups_[state.group].coef;
    r.pipe = &groups_[state.group].pipe;
    r.stages = stages_of(e.row).word();
    if (norms && e.g) e.sum_of_squares = sum_of_squares(r);
  }
}

// Keras: k = c * min(1 / n, 1 / c), then k + (n - n), so that a norm that is not finite is visible.
void Optimizer::clip_by_global_norm() {
  for (uint32_t j = 0; j < count_; j++) sums_[j] = list_[j].sum_of_squares;
  const float norm = sqrtf(pairwise_sum<Plain>(*sums_.data(), 0, count_));
  const float factor = float(global_clipnorm) * minimum(1 / norm, float(1 / global_clipnorm)) + (norm - norm);
  for (Group& group : groups_) group.pipe.clip = factor;
}

// The variable's own norm; or nothing, if its gradient comes clipped.
void Optimizer::set_clip(Pipe<float>& pipe, const Entry& e) const {
  if (e.clipped) {
    const Pipe<float> identity;
    pipe.clip = 1;  // `divide` stays: here it is a loss scale or accumulation steps, or 1
    pipe.lo = identity.lo, pipe.hi = identity.hi;
  } else {
    const float sum = e.sum_of_squares, norm = sum > 0 ? sqrtf(sum) : sum;
    pipe.divide = maximum(norm, float(clipnorm));
  }
}

void Optimizer::plan() {
  const bool by_norm = clipnorm > 0;
  if (updating() && global_clipnorm > 0 && !by_norm) clip_by_global_norm();
  for (uint32_t j = 0; j < count_; j++) {
    const Entry& e = list_[j];
    Row& r = rows_[e.row];
    if (updating() && (by_norm || e.clipped)) {
      State& state = state_[e.row];
      state.clipped = groups_[state.group].pipe;
      r.pipe = &state.clipped;
      set_clip(state.clipped, e);
    }
  }
}

void Optimizer::sweep() {
  for (uint32_t j = 0; j < count_; j++) {
    const Row& r = rows_[list_[j].row];
    if (r.w && r.g) step(rule_, r, scratch);
  }
}

void Optimizer::reserve_parts(uint32_t size) {
  part_size_ = size;
  size_t count = 0;
  for (const Row& r : rows_) count += (size_t(r.n) + size - 1) / size;
  parts_.resize(count);
}

uint32_t Optimizer::cut() {
  uint32_t count = 0;
  for (uint32_t j = 0; j < count_; j++) {
    const Row& r = rows_[list_[j].row];
    if (!r.w || !r.g) continue;
    for (uint32_t from = 0; from < r.n; from += part_size_) {
      const uint32_t size = r.n - from < part_size_ ? r.n - from : part_size_;
      parts_[count++] = r.part(from, size, r.g + from, r.w + from);
    }
  }
  return count;
}

void Optimizer::chunk(uint32_t entry, uint32_t from, uint32_t count) {
  const Row& r = rows_[list_[entry].row];
  const float* g = r.g ? r.g + from : gradient_tile();
  step(rule_, r.part(from, count, g, r.w ? r.w + from : weights_tile()), scratch);
}

// Part of the sum: `count` elements from `from` on, whose gradients lie in the tile from `at` on.
float Optimizer::chunk_sum_of_squares(uint32_t entry, uint32_t from, uint32_t at, uint32_t count) {
  const Row& r = rows_[list_[entry].row];
  return sum_of_squares(r.part(from, count, gradient_tile() + at, nullptr));
}

void Optimizer::average_chunk(uint32_t row, uint32_t from, uint32_t count) {
  Row r = rows_[row].part(from, count, nullptr, weights_tile());
  r.pipe = &groups_[0].pipe;
  average(r);
}

void Optimizer::end() {
  const bool reset = updating() && accumulation_steps;
  const bool averages = !state_.empty() && state_[0].averages;  // all rows have one somewhere, or none
  if (!reset && !averages) {
    iterations++;
    return;
  }
  for (uint32_t i = 0; i < rows_.size(); i++) {
    Row& r = rows_[i];
    if (state_[i].last != step_) {  // no gradient in this step
      r.pipe = &groups_[0].pipe;
      if (r.avg && r.w) average(r);
      if (r.acc && reset) std::memset(r.acc, 0, r.n * sizeof(float));
    }
    if (r.avg && r.w && overwriting()) std::memcpy(r.w, r.avg, r.n * sizeof(float));
  }
  iterations++;
}

void Optimizer::plan_only(uint32_t row, double rate) {
  static float coef[max_coefs];
  static const Pipe<float> identity;
  coefficients(rule_, hyper, rate, updates() + 1, coef);
  rows_[row].coef = coef;
  rows_[row].pipe = &identity;
  rows_[row].stages = Stages{}.word();
}

void Optimizer::update_only(uint32_t row, uint32_t from, uint32_t count, const float* g, double rate) {
  plan_only(row, rate);
  const Row& whole = rows_[row];
  update(rule_,
         whole.part(from, count, g ? g + from : gradient_tile(), whole.w ? whole.w + from : weights_tile()));
}

}  // namespace simdescent
