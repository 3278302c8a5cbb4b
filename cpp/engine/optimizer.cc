#include "engine/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
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

bool finite(float x) { return x - x == 0; }

// The same to the bit without operations that are identities: where clipping by a norm of 1 has nothing to
// clip.
Stages simplest(Stages s, const Pipe<float>& k) {
  if (k.clip != 1 || k.divide != 1) return s;
  if (s.grad == Grad::accumulate) s.undivided = true;
  if (s.grad == Grad::divide) s.grad = Grad::scale;
  const bool clamps = k.lo != -INFINITY || k.hi != INFINITY;
  if (s.grad == Grad::scale && k.scale == 1 && !clamps) s.grad = Grad::none;
  return s;
}

}  // namespace

Optimizer::~Optimizer() {
  for (uint32_t i = 0; i < rows_.size(); i++) evict(i);
  for (float* array : {whole_weights_, whole_gradient_, found_}) release(array, longest_);
  std::free(room_);
}

void Optimizer::add(uint32_t n, float* weights, bool averages, bool accumulates) {
  add_elsewhere(n, averages);
  rows_.back().w = weights;
  state_.back().here = true;
  state_.back().accumulates = accumulates;
}

void Optimizer::add_elsewhere(uint32_t n, bool averages) {
  rows_.emplace_back().n = n;
  state_.emplace_back().averages = averages;
  if (terms_) state_.back().sums.resize(terms_ * most_parts(n, tile_size));
}

void Optimizer::set_matrix(uint32_t row, uint32_t count, uint32_t rows, uint32_t columns) {
  state_[row].matrices = count;
  rows_[row].rows = rows, rows_[row].columns = columns;
}

uint32_t Optimizer::slot_size(uint32_t row, size_t k) const {
  const Row& r = rows_[row];
  return whole_ ? Extents{r.n, r.rows, r.columns, state_[row].matrices}.of(slots(rule_)[k].extent) : r.n;
}

uint32_t Optimizer::room_of(uint32_t row) const {
  const Row& r = rows_[row];
  // With as many floats more for the weights before a step that is monitored.
  return uint32_t(simdescent::room(rule_, {r.n, r.rows, r.columns})) + (whole_ ? r.n : 0);
}
uint32_t Optimizer::room() const {
  uint32_t floats = 0;
  for (uint32_t i = 0; i < rows_.size(); i++) floats = std::max(floats, room_of(i));
  return floats;
}

bool Optimizer::build() {
  if (monitor_every) reserve_tallies();
  return make(0, uint32_t(rows_.size()));
}

bool Optimizer::make(uint32_t first, uint32_t last) {
  bool complete = keep_room(first, last);
  const auto take = [&](uint32_t i, uint32_t n, float*& array, Role role) {
    if (state_[i].here) complete = complete && (array = allocate(n, role));
  };
  for (size_t k = 0; k < slots(rule_).size(); k++) {
    for (uint32_t i = first; i < last; i++) take(i, slot_floats(i, k), rows_[i].slot[k], slot_role(k));
  }
  for (uint32_t i = first; i < last; i++) {
    if (state_[i].accumulates) take(i, rows_[i].n, rows_[i].acc, Role::accumulator);
  }
  for (uint32_t i = first; i < last; i++) {
    if (state_[i].averages) take(i, rows_[i].n, rows_[i].avg, Role::average);
  }
  for (uint32_t i = first; i < last && !complete; i++) evict(i);
  return complete;
}

void Optimizer::evict(uint32_t row) {
  Row& r = rows_[row];
  const auto drop = [&](float*& array, uint32_t n) {
    if (state_[row].here) release(array, n);
    array = nullptr;
  };
  for (size_t k = 0; k < slots(rule_).size(); k++) drop(r.slot[k], slot_floats(row, k));
  drop(r.acc, r.n);
  drop(r.avg, r.n);
  r.w = nullptr;
  r.g = nullptr;
  state_[row].here = false;
  arranged_ = none;
}

bool Optimizer::place(uint32_t row, float* weights, bool accumulates) {
  rows_[row].w = weights;
  state_[row].here = true;
  state_[row].accumulates = accumulates;
  arranged_ = none;
  return make(row, row + 1);
}

void Optimizer::set_group(uint32_t row, uint32_t group) {
  state_[row].group = group;
  if (group >= groups_.size()) groups_.resize(group + 1);
  arranged_ = none;
}

void Optimizer::set_rate(uint32_t group, double rate) {
  if (group < groups_.size()) groups_[group].rate = rate;  // a group may have no variable
}

void Optimizer::set_decay(uint32_t group, double decay) {
  if (group < groups_.size()) groups_[group].decay = decay, arranged_ = none;
}

// Whether any row may have an L2 penalty.
bool Optimizer::penalizes() const {
  return l2 != 0 || (!decays && std::any_of(groups_.begin(), groups_.end(), [](const Group& group) {
           return !std::isnan(group.decay) && group.decay != 0;
         }));
}

Entry* Optimizer::reserve(uint32_t count) {
  if (list_.size() < count) list_.resize(count), sums_.resize(count), runs_.resize(count);
  return list_.data();
}

// One division at most in a loop of constant stages; whatever needs more goes the general way.
void Optimizer::choose_stages() {
  const float scale = float(loss_scale), steps = float(accumulation_steps);
  const bool exact = exact_reciprocal(scale);
  const bool gathers = accumulation_steps > 0, by_norm = clipnorm > 0;
  const bool global = global_clipnorm > 0 && !by_norm,
             by_value = clipvalue > 0 && (clamp_first || !(by_norm || global));
  const bool mean_exact = !gathers || exact_reciprocal(steps);

  Pipe<float> pipe;
  pipe.unscale = scale;
  pipe.steps = gathers ? steps : 1;
  pipe.l2 = float(l2);
  if (exact) pipe.scale = 1 / scale;
  if (gathers && mean_exact) pipe.mean = 1 / steps;
  if (by_norm) pipe.clip = float(clipnorm);
  if (by_value) pipe.lo = -float(clipvalue), pipe.hi = float(clipvalue);
  const float momentum = updates() ? float(ema_momentum) : 0;
  pipe.momentum = momentum;
  pipe.complement = 1 - momentum;
  pipe.seed = seed();

  const bool monitored = monitor_every && updating() && (updates() + 1) % monitor_every == 0;
  const int divisions = !exact + !mean_exact + by_norm;
  const bool divides_before_factor = global && (!exact || !mean_exact),
             both = by_value && (by_norm || global);
  stages_ = {};
  const bool penalized = penalizes();
  const bool seen = monitored && by_value && divisions > 0;  // what clipping sees has all divisions done
  if (divisions > 1 || divides_before_factor || both || penalized || (gathers && !exact) || seen) {
    stages_ = {.grad = Grad::general, .gathered = gathers, .clamp_first = both, .l2 = penalized};
  } else if (gathers) {
    stages_.grad = Grad::accumulate;
    stages_.undivided = divisions == 0;
    if (!mean_exact) pipe.divide = steps;
  } else if (divisions) {
    stages_.grad = Grad::divide;
    if (!exact) pipe.divide = scale;
  } else if (global || by_value || scale != 1) {
    stages_.grad = Grad::scale;
  }
  stages_.micro = !updating();
  stages_.exact = stages_.micro && exact;
  stages_.decay = decays;
  stages_.monitored = monitored;
  stages_.clips = monitored && (by_value || penalized);  // of a norm that clips the sum is known

  for (Group& group : groups_) {
    coefficients(rule_, hypers, next(group.rate), scalars, group.coef);
    group.pipe = pipe;
    group.pipe.rate = float(group.rate);
    const bool own = !std::isnan(group.decay);
    if (own && !decays) group.pipe.l2 = float(group.decay);
    const double decay = own ? group.decay : weight_decay;
    group.pipe.decay = float(decay);
    if (dialect == Dialect::torch) {  // w * fl(1 - rate * decay), and -0 is what nothing changes by
      group.pipe.keep = float(1 - group.rate * decay);
      group.pipe.decay = -0.f;
    }
  }
}

// What the listed rows say but for norms, and the runs of them that one call of a kernel can step.
void Optimizer::arrange() {
  run_count_ = 0;
  for (uint32_t j = 0; j < count_; j++) {
    const Entry& e = list_[j];
    Row& r = rows_[e.row];
    const State& state = state_[e.row];
    Group& group = groups_[state.group];
    Stages stages = stages_;
    if (state.storage != Storage::float32) {
      const Stages stored = storages(e.row);
      stages.storage = stored.storage, stages.wide = stored.wide, stages.positive = stored.positive;
    }
    if (state.excluded) stages.decay = stages.l2 = false;
    if (group.pipe.l2 == 0) stages.l2 = false;
    stages.average = state.averages;
    const bool untold = whole_ && !state.here && !r.w;  // a GPU's shaders for such a rule sum nothing
    if ((e.partial && state.here) || untold) stages.monitored = stages.clips = false;
    // On a GPU a norm may not be known here.
    if (stages.monitored && !state.here && !r.w && (clipnorm > 0 || global_clipnorm > 0)) stages.clips = true;
    r.g = e.g;
    r.coef = state.apart ? state.coef : group.coef;
    r.pipe = &group.pipe;
    r.stages = stages.word();
    if (whole_) r.sums = room_;
    if (!state.here || !r.w || !r.g) continue;
    Run* const last = run_count_ ? &runs_[run_count_ - 1] : nullptr;
    if (last && last->first + last->count == e.row) {
      last->count++;
    } else {
      runs_[run_count_++] = {e.row, 1};
    }
  }
  arranged_ = stages_.word();
}

void Optimizer::begin(uint32_t count, bool changed) {
  if (apart_ && dialect != Dialect::torch) count_from(iterations);
  choose_stages();
  if (changed || count != count_ || arranged_ != stages_.word()) {
    count_ = count;
    arrange();
  }
  for (uint32_t j = 0; apart_ && j < count_; j++) {
    State& state = state_[list_[j].row];
    if (!state.apart) continue;
    coefficients(rule_, hypers, next(state, groups_[state.group].rate), state.scalars, state.coef);
  }
  if (!updating() || !(clipnorm > 0 || global_clipnorm > 0)) return;
  for (uint32_t j = 0; j < count; j++) {
    Entry& e = list_[j];
    if (e.g && state_[e.row].here) e.sum_of_squares = sum_of_squares(rows_[e.row]);
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
  const bool by_norm = clipnorm > 0, global = global_clipnorm > 0 && !by_norm;
  first_pass_ = terms_ > 0 && updating();
  if (!updating()) return;
  if (global) clip_by_global_norm();
  for (uint32_t j = 0; j < count_; j++) {
    const Entry& e = list_[j];
    Row& r = rows_[e.row];
    if (by_norm || e.clipped) {
      State& state = state_[e.row];
      state.clipped = groups_[state.group].pipe;
      r.pipe = &state.clipped;
      set_clip(state.clipped, e);
      arranged_ = none;  // the next norms are taken with the group's scalars again
    } else if (!global && !terms_ && !stages_.monitored) {
      continue;
    }
    Stages stages = simplest(Stages::of(r.stages), *r.pipe);
    stages.first = terms_ > 0;
    if (stages.monitored && !(finite(r.pipe->clip) && finite(r.pipe->divide))) stages.clips = true;
    if (sums(r)) prepare_sums(r, state_[e.row]);
    if (stages.word() != r.stages) r.stages = stages.word(), arranged_ = none;
  }
}

void Optimizer::sweep() {
  if (terms_ && updating() && !stages_.monitored) return sweep_both(scratch);
  for (uint32_t k = 0; k < run_count_; k++)
    simdescent::step(rule_, &rows_[runs_[k].first], runs_[k].count, scratch);
}

void Optimizer::step(uint32_t count, bool changed) {
  begin(count, changed);
  plan();
  do sweep();
  while (next_pass());
  end();
}

// `count` elements from `from` on, in the tiles from `at` on.
void Optimizer::step_chunk(uint32_t entry, uint32_t from, uint32_t at, uint32_t count) {
  const Row& r = rows_[list_[entry].row];
  Row part =
      r.part(from, count, r.g ? r.g + from : gradient_tile() + at, r.w ? r.w + from : weights_tile() + at);
  if (sums(r) && in_blocks(r)) return step_trailed(rule_, part, from, r.n, scratch);
  if (sums(r)) place_sums(part, state_[list_[entry].row], count < r.n ? tile_size : count);
  simdescent::step(rule_, &part, 1, scratch);
}

void Optimizer::chunk(uint32_t entry, uint32_t from, uint32_t count) { step_chunk(entry, from, 0, count); }

void Optimizer::chunks(uint32_t entry, uint32_t count) {
  for (uint32_t at = 0; count > 0; count--, entry++) {
    const uint32_t n = rows_[list_[entry].row].n;
    step_chunk(entry, 0, at, n);
    at += (n + 3) & ~3u;
  }
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
  const bool counts = updating() && dialect == Dialect::torch && (apart_ || count_ < rows_.size());
  if (reset || averages || counts) {
    step_++;
    for (uint32_t j = 0; j < count_; j++) state_[list_[j].row].last = step_;
  }
  if (stages_.monitored) tell();
  if (counts) count_apart();
  if (updating()) advance(rule_, hypers, next(groups_[0].rate), scalars);
  if (!reset && !averages) return count();
  for (uint32_t i = 0; i < rows_.size(); i++) {
    Row& r = rows_[i];
    if (!state_[i].here) continue;
    if (state_[i].last != step_) {  // no gradient in this step
      r.pipe = &groups_[0].pipe;
      if (r.avg && r.w) average(r);
      if (r.acc && reset) std::memset(r.acc, 0, r.n * sizeof(float));
    }
    if (r.avg && r.w && overwriting()) std::memcpy(r.w, r.avg, r.n * sizeof(float));
  }
  count();
}

void Optimizer::plan_only(uint32_t row, double rate) {
  static float coef[max_coefs];
  static Pipe<float> identity;
  const State& state = state_[row];
  identity.seed = seed();
  coefficients(rule_, hypers, next(state, rate), scalars_of(state), coef);
  rows_[row].coef = coef;
  rows_[row].pipe = &identity;
  rows_[row].stages = storages(row).word();
  if (whole_) rows_[row].sums = room_;
  arranged_ = none;
}

void Optimizer::update_only(uint32_t row, uint32_t from, uint32_t count, const float* g, double rate) {
  plan_only(row, rate);
  const Row& whole = rows_[row];
  Row part =
      whole.part(from, count, g ? g + from : gradient_tile(), whole.w ? whole.w + from : weights_tile());
  float sums[max_sums], coef[max_coefs];
  if (terms_) {  // in two passes: `whole` is the variable
    Stages first = storages(row);
    first.first = true;
    part.stages = first.word();
    part.sums = sums;
    update(rule_, &part, &part + 1, scratch);
    std::memcpy(coef, whole.coef, sizeof coef);
    resolve(rule_, sums, coef);
    part.stages = whole.stages, part.coef = coef;
  }
  update(rule_, &part, &part + 1, scratch);
}

}  // namespace simdescent
