// What of an optimizer is for steps in pieces: parts for several threads, rows packed for a kernel in another
// memory, and rules in two passes, whose sums come from the pieces. The step itself is optimizer.cc.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "engine/optimizer.h"

namespace simdescent {

// Into how many parts of at most so many elements the order of summation may cut n.
size_t Optimizer::most_parts(uint32_t n, uint32_t size) { return n <= size ? 1 : 2 * (size_t(n) / size) + 2; }

void Optimizer::reserve_parts(uint32_t size) {
  part_size_ = size;
  size_t count = 0;
  for (uint32_t i = 0; i < rows_.size(); i++) {
    const size_t parts = most_parts(rows_[i].n, std::min(size, std::max(size / block_size, 1u) * block_size));
    count += parts;
    if (terms_) state_[i].sums.resize(std::max(state_[i].sums.size(), terms_ * parts));
  }
  parts_.resize(count);
  if (monitor_every) reserve_tallies();
}

// A row that is summed is cut as its sums are added up, another one into equal parts.
void Optimizer::cut_row(uint32_t row, uint32_t from, uint32_t n, uint32_t& count) {
  const Row& r = rows_[row];
  if (n > part_size_ && sums_parts(r)) {
    const uint32_t half = n / 2 - n / 2 % 8;
    cut_row(row, from, half, count);
    cut_row(row, from + half, n - half, count);
    return;
  }
  const uint32_t most = whole_ || sums(r) ? n
                        : in_blocks(r)    ? std::max(part_size_ / block_size, 1u) * block_size
                                          : part_size_;
  for (const uint32_t end = from + n; from < end; from += most) {
    const uint32_t size = end - from < most ? end - from : most;
    parts_[count] = r.part(from, size, r.g + from, r.w + from);
    if (sums_parts(r)) place_sums(parts_[count], state_[row], part_size_);
    count++;
  }
}

uint32_t Optimizer::cut() {
  uint32_t count = 0;
  for (uint32_t j = 0; j < count_; j++) {
    const Row& r = rows_[list_[j].row];
    if (!state_[list_[j].row].here || !r.w || !r.g) continue;
    cut_row(list_[j].row, 0, r.n, count);
  }
  return count;
}

void Optimizer::reserve_pack() { packed_.resize(rows_.size()); }

// Rows one behind another, then their scalars; `count` rows in all.
void Optimizer::put(const Row& row, uint32_t place, uint32_t count, uintptr_t at, uintptr_t room) {
  Row* const rows = reinterpret_cast<Row*>(packed_.data());
  RowScalars* const scalars = reinterpret_cast<RowScalars*>(rows + count);
  std::memcpy(&scalars[place].pipe, row.pipe, sizeof(Pipe<float>));
  if (row.coef) std::memcpy(scalars[place].coef, row.coef, sizeof(RowScalars::coef));
  const uintptr_t there = at + count * sizeof(Row) + place * sizeof(RowScalars);
  rows[place] = row;
  rows[place].pipe = reinterpret_cast<const Pipe<float>*>(there);
  rows[place].coef = reinterpret_cast<const float*>(there + offsetof(RowScalars, coef));
  rows[place].sums = reinterpret_cast<float*>(whole_ ? room : there + offsetof(RowScalars, sums));
  rows[place].tally = reinterpret_cast<Tally*>(there + offsetof(RowScalars, tally));
}

void Optimizer::unpack() {
  const RowScalars* const scalars =
      reinterpret_cast<const RowScalars*>(reinterpret_cast<const Row*>(packed_.data()) + count_);
  for (uint32_t j = 0; j < count_; j++) {
    State& state = state_[list_[j].row];
    if (terms_) std::memcpy(state.sums.data(), scalars[j].sums, terms_ * sizeof(float));
    if (stages_.monitored) state.tallies[0] = scalars[j].tally;
  }
}

const void* Optimizer::pack(uintptr_t at, uintptr_t room) {
  for (uint32_t j = 0; j < count_; j++) put(rows_[list_[j].row], j, count_, at, room);
  return packed_.data();
}

const void* Optimizer::pack_one(uint32_t row, uintptr_t at) {
  rows_[row].pipe = &groups_[0].pipe;
  put(rows_[row], 0, 1, at, 0);
  return packed_.data();
}

void Optimizer::locate(uint32_t row, Role role, float* array) {
  Row& r = rows_[row];
  switch (role) {
    case Role::weights:
      r.w = array;
      break;
    case Role::gradient:
      break;  // of the list
    case Role::accumulator:
      r.acc = array;
      break;
    case Role::average:
      r.avg = array;
      break;
    default:
      r.slot[uint32_t(role) - uint32_t(Role::slots)] = array;
  }
}

// Of a rule in two passes, or one that reads whole variables: for the longest variable within reach.
bool Optimizer::keep_room(uint32_t first, uint32_t last) {
  if (!terms_ && !whole_) return true;
  uint32_t longest = longest_, floats = room_size_;
  for (uint32_t i = first; i < last; i++) {
    if (state_[i].here) longest = std::max(longest, rows_[i].n), floats = std::max(floats, room_of(i));
  }
  if (whole_) return keep_tiles(longest, floats);
  if (longest == longest_) return true;
  float* const room = allocate(longest, slot_role(max_slots - 1));
  if (!room) return false;
  release(found_, longest_);
  found_ = room, longest_ = longest;
  return true;
}

bool Optimizer::keep_tiles(uint32_t longest, uint32_t floats) {
  if (longest == longest_ && floats == room_size_) return true;
  if (uint64_t(floats) * sizeof(float) >= UINT32_MAX) return false;
  float *const weights = allocate(longest, Role::weights), *const gradient =
                                                               allocate(longest, Role::gradient);
  float* const room = static_cast<float*>(std::malloc(floats * sizeof(float) + 1));
  const bool complete = weights && gradient && room;
  const uint32_t unused = complete ? longest_ : longest;
  for (float* array : {complete ? whole_weights_ : weights, complete ? whole_gradient_ : gradient})
    release(array, unused);
  std::free(complete ? room_ : room);
  if (complete) whole_weights_ = weights, whole_gradient_ = gradient, room_ = room;
  if (complete) longest_ = longest, room_size_ = floats;
  return complete;
}

// The first sweep does both passes, variable by variable, and the second one nothing.
void Optimizer::sweep_both(Scratch& scratch) {
  if (!first_pass_) return;
  for (uint32_t k = 0; k < run_count_; k++) {
    for (uint32_t i = runs_[k].first, end = i + runs_[k].count; i < end; i++)
      both_passes(rule_, rows_[i], found_, state_[i].coef, scratch);
  }
}

// Where the sums of a row go that is stepped as a whole.
void Optimizer::prepare_sums(Row& r, State& state) {
  state.summed = 0;
  state.part = r.n;
  if (terms_) r.sums = state.sums.data();
  r.tally = state.tallies.data();
}

// Where those of the next part go, which has at most `size` elements.
void Optimizer::place_sums(Row& part, State& state, uint32_t size) {
  state.part = size;
  if (terms_) part.sums = state.sums.data() + terms_ * state.summed;
  if (stages_.monitored) part.tally = state.tallies.data() + state.summed;
  state.summed++;
}

namespace {

// The sums of n elements from those of their parts, in numpy's order.
void add_up(uint32_t n, uint32_t part, uint32_t count, const float*& parts, float* out) {
  if (n <= part) {
    for (uint32_t k = 0; k < count; k++) out[k] = parts[k];
    parts += count;
    return;
  }
  const uint32_t half = n / 2 - n / 2 % 8;
  float front[max_sums], back[max_sums];
  add_up(half, part, count, parts, front);
  add_up(n - half, part, count, parts, back);
  for (uint32_t k = 0; k < count; k++) out[k] = front[k] + back[k];
}

// The same of what is told.
Tally add_up(uint32_t n, uint32_t part, const Tally*& parts) {
  if (n <= part) return *parts++;
  const uint32_t half = n / 2 - n / 2 % 8;
  Tally sum = add_up(half, part, parts);
  merge(sum, add_up(n - half, part, parts));
  return sum;
}

}  // namespace

void Optimizer::monitor(uint32_t every) {
  monitor_every = every;
  if (every) reserve_tallies();
}

void Optimizer::reserve_tallies() {
  told_.resize(rows_.size());
  for (uint32_t i = 0; i < rows_.size(); i++) {
    const uint32_t n = rows_[i].n, size = part_size_ ? std::min(part_size_, tile_size) : tile_size;
    state_[i].tallies.resize(whole_ ? 1 : most_parts(n, size));
  }
}

// Of the rows that were stepped, in the order of the list. Those that are elsewhere have no sums here.
void Optimizer::tell() {
  report_ = {0, updates() + 1, float(groups_[0].rate), float(std::fabs(loss_scale)), told_.data()};
  for (uint32_t j = 0; j < count_; j++) {
    const uint32_t i = list_[j].row;
    if (list_[j].partial) continue;
    const bool reached = state_[i].here || rows_[i].w;
    if (whole_ && !reached) continue;
    Told& told = told_[report_.count++] = {i, !reached, {}};
    if (!reached) continue;
    const Tally* parts = state_[i].tallies.data();
    told.tally = add_up(rows_[i].n, state_[i].part, parts);
    const bool by_norm = clipnorm > 0 || global_clipnorm > 0;
    if (by_norm && !list_[j].clipped && !Stages::of(rows_[i].stages).clips)
      told.tally.gradient = list_[j].sum_of_squares;
  }
}

bool Optimizer::next_pass() {
  if (!std::exchange(first_pass_, false)) return false;
  for (uint32_t j = 0; j < count_; j++) {
    Row& r = rows_[list_[j].row];
    State& state = state_[list_[j].row];
    if (!state.here && !r.w) continue;  // a GPU's, which finds there what `plan` said
    const float* parts = state.sums.data();
    float sums[max_sums];
    add_up(r.n, state.part, terms_, parts, sums);
    if (!state.apart) std::memcpy(state.coef, groups_[state.group].coef, sizeof state.coef);
    resolve(rule_, sums, state.coef);
    r.coef = state.coef;
    Stages before = Stages::of(r.stages);
    state.summed = 0;
    if (before.storage != Storage::float32) {  // then it has only looked
      before.first = false;
      r.stages = before.word();
      continue;
    }
    const bool monitored = before.monitored;  // then the first pass has left the weights as they were
    r.stages = Stages{.decay = monitored && before.decay,
                      .average = before.average,
                      .monitored = monitored,
                      .clips = before.clips}
                   .word();
  }
  arranged_ = none;
  return true;
}

}  // namespace simdescent
