// State over time: one row per variable, its slots, the step counter, and one step over many variables.
// It knows no formula (kernels/) and no policy: which rate, which variables, what is valid is its caller's.
//
// A step is: write the list (`reserve`), `begin`, `plan`, `sweep`, what lives in a foreign heap `chunk` by
// chunk through the tiles, `end`. Where the engine reaches everything, `step` is all of these in one call.
// After `plan` every listed row says all that a kernel elsewhere needs to step it. Nothing after `reserve`
// can fail or allocates. A rule in two passes (Lamb) takes `sweep` and `chunk` twice, with `next_pass` after
// each:
//   do { sweep; chunks } while (next_pass)
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include "engine/entry.h"
#include "engine/memory.h"
#include "kernels/table.h"

namespace simdescent {

class Optimizer {
 public:
  explicit Optimizer(uint32_t rule)
      : hypers(default_hypers(rule)),
        scalars(first_scalars(rule)),
        rule_(rule),
        whole_(is_whole(rule)),
        terms_(sums_of(rule)) {}
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  ~Optimizer();

  // Options, read at every step.
  Hypers hypers;  // the rule's, in its order
  Dialect dialect = Dialect::keras;
  double clipnorm = 0, global_clipnorm = 0, clipvalue = 0;  // 0 or less: off
  bool clamp_first = false;                                 // clipvalue, then clipnorm (optimizer_v2)
  double weight_decay = 0, l2 = 0;
  bool decays = false;  // weight_decay 0 is not off: Inf * 0 is NaN
  double loss_scale = 1;
  uint32_t accumulation_steps = 0, overwrite_frequency = 0;  // 0: off
  double ema_momentum = 0.99;
  uint32_t monitor_every = 0;  // steps that are told of: `monitor`; 0: none
  uint32_t iterations = 0;     // calls, also those that only accumulate; to be set: `count_from`
  Scalars scalars;             // the rule's, in its order

  // A row to be built. Null `weights`: they live in a foreign heap.
  void add(uint32_t n, float* weights, bool averages, bool accumulates);
  // Of a row that was added and not built: it is of `count` matrices of so many rows and columns (Row), also
  // empty ones. For a rule that reads whole variables.
  void set_matrix(uint32_t row, uint32_t count, uint32_t rows, uint32_t columns);
  // Of a row that was added and not built: how its slots are stored, those that begin as zeros or a constant.
  // For a rule that goes over elements.
  void set_storage(uint32_t row, Storage storage) { state_[row].storage = storage; }
  // Makes the state of the rows that were added, zeroed: role by role, so that a step reads on where it was
  // when it goes from one small row to the next. False if there is no memory: nothing was made.
  bool build();
  // A row whose arrays are all elsewhere, in another memory or on a GPU. A step plans it and computes its
  // scalars; everything that touches elements is the caller's: norms after `begin`, the update after `plan`,
  // and what happens to rows without a gradient and to averages at the end.
  void add_elsewhere(uint32_t n, bool averages);
  // Where an array of such a row is: only `pack` reads it.
  void locate(uint32_t row, Role role, float* array);
  // A row's arrays are freed, because it moves elsewhere; or are made for one that comes from there, zeroed.
  // False if there is no memory: nothing was changed.
  void evict(uint32_t row);
  bool place(uint32_t row, float* weights, bool accumulates);
  // Every so many updates tell what they were like: `report`. 0: none.
  void monitor(uint32_t every);
  void exclude_from_decay(uint32_t row) { state_[row].excluded = true, arranged_ = none; }
  void set_group(uint32_t row, uint32_t group);
  const Row& row(uint32_t i) const { return rows_[i]; }

  // From here on all variables have made so many calls.
  void count_from(uint32_t calls);
  // PyTorch counts the updates of each variable: one that had no gradient stays behind, with coefficients of
  // its own and the rule's scalars as they are at its count. Whether there is one:
  bool apart() const { return apart_; }
  uint32_t updates_of(uint32_t row) const { return state_[row].apart ? state_[row].updates : updates(); }
  void set_updates(uint32_t row, uint32_t count);
  float scalar_of(uint32_t row, uint32_t k) const { return scalars_of(state_[row])[k]; }
  void set_scalar_of(uint32_t row, uint32_t k, float x);

  // Learning rates: group 0 is the optimizer's own.
  void set_rate(uint32_t group, double rate);
  // A weight decay of the group's own, in place of `weight_decay` or `l2`; NaN: these.
  void set_decay(uint32_t group, double decay);

  // The tiles of this optimizer, and how many floats they hold.
  float* weights_tile() const { return whole_ ? whole_weights_ : simdescent::weights_tile(); }
  float* gradient_tile() const { return whole_ ? whole_gradient_ : simdescent::gradient_tile(); }
  uint32_t tile() const { return whole_ ? longest_ : tile_size; }
  // The floats of a slot of a row, and those of memory that it takes; and of the room that a rule works in
  // which reads whole variables.
  uint32_t slot_size(uint32_t row, size_t k) const;
  uint32_t slot_floats(uint32_t row, size_t k) const;
  uint32_t room() const;
  // How it is stored, and part of one that is not float32 as floats, out of the tile of gradients or into it.
  // `from` is a multiple of the tile. What is written is rounded to the nearest. Of a row elsewhere the words
  // of that part are read from the tile of weights, or written there.
  Storage storage_of(uint32_t row, size_t k) const { return storages(row).of_slot(k); }
  void read_slot(uint32_t row, size_t k, uint32_t from, uint32_t count) const;
  void write_slot(uint32_t row, size_t k, uint32_t from, uint32_t count);

  Entry* reserve(uint32_t count);
  uint32_t updates() const { return accumulation_steps ? iterations / accumulation_steps : iterations; }
  bool updating() const { return !accumulation_steps || (iterations + 1) % accumulation_steps == 0; }
  bool overwriting() const { return overwrite_frequency && (updates() + 1) % overwrite_frequency == 0; }

  // `changed`: the list is not what it was at the last `begin`. What the rows say is kept otherwise.
  void begin(uint32_t count, bool changed = true);
  void plan();
  void sweep();
  // What the first pass of two has summed becomes coefficients, and the rows say the second one. False if
  // there is none. Of what was cut into parts or chunks, these are those of the order of summation, in their
  // order.
  bool next_pass();
  void step(uint32_t count, bool changed);

  // The sweep cut into parts of at most `size` elements, for several threads: makes room for the parts of all
  // rows; writes those of the planned ones and returns how many.
  void reserve_parts(uint32_t size);
  uint32_t cut();
  const Row* parts() const { return parts_.data(); }

  // For a kernel in another memory: the listed rows with their scalars, as a block that works once it lies at
  // the address `at` there, with `room()` floats at `room`. One row, with the scalars of a variable that is
  // not updated in this step: as listed.
  void reserve_pack();
  uint32_t packed_bytes() const { return uint32_t(rows_.size() * sizeof(Packed)); }
  const void* pack(uintptr_t at, uintptr_t room);
  // The same, as the kernel has left it, has been copied back: takes the sums of a first pass out of it.
  void unpack();
  const void* pack_one(uint32_t row, uintptr_t at);

  // Part of an entry through the tiles; or `count` entries, whole, whose arrays lie in them one behind
  // another, each from a multiple of four floats on.
  void chunk(uint32_t entry, uint32_t from, uint32_t count);
  void chunks(uint32_t entry, uint32_t count);
  float chunk_sum_of_squares(uint32_t entry, uint32_t from, uint32_t at, uint32_t count);
  void average_chunk(uint32_t row, uint32_t from, uint32_t count);
  void end();

  // What the last update that was monitored was like.
  struct Told {
    uint32_t row, away;  // `away`: it lives elsewhere, and its tally is there
    Tally tally;
  };
  struct Report {
    uint32_t count = 0,
             update = 0;        // of the rows told of, in the order of the list; which update it was, from 1
    float rate = 0, scale = 1;  // of group 0; what gradients were divided by
    const Told* rows = nullptr;
  };
  const Report& report() const { return report_; }
  // Whether the step between `begin` and `end` is monitored: then what is cut into parts or chunks is cut as
  // sums are added up.
  bool monitoring() const { return stages_.monitored; }

  // The update rule alone, for update number `updates() + 1`: no stage, no counter. Null: through the tile.
  void update_only(uint32_t row, uint32_t from, uint32_t count, const float* g, double rate);
  // The same for a row elsewhere: makes its words say so, until the next `begin`.
  void plan_only(uint32_t row, double rate);

 private:
  struct Group {
    double rate = 0;
    double decay = NAN;  // a weight decay of its own, where `decays` decoupled and otherwise L2; NaN: none
    float coef[max_coefs] = {};
    Pipe<float> pipe;
  };
  struct State {
    bool here = false;  // its state is the engine's; which there is:
    bool averages = false, accumulates = false;
    bool excluded = false;
    Storage storage = Storage::float32;
    uint32_t group = 0, last = 0;  // `last`: the step it last took part in
    uint32_t matrices = 0;         // how many it is of, for a rule that reads whole variables
    bool apart = false;            // it counts by itself, from the first update that it has missed on:
    uint32_t updates = 0;
    Scalars scalars{};
    Pipe<float> clipped;    // the group's pipe with this variable's own norm
    float coef[max_coefs];  // of one that counts by itself, or of a rule in two passes
    // Of a rule in two passes: its sums or those of its parts, and how long these are at most.
    std::vector<float> sums;
    std::vector<Tally> tallies;  // the same of a step that is monitored
    uint32_t summed = 0, part = 0;
  };

  struct RowScalars {
    Pipe<float> pipe;
    float coef[max_coefs];
    float sums[max_sums];
    Tally tally;
  };
  struct Packed {
    Row row;
    RowScalars scalars;
  };

  // Listed rows that lie one behind another and are all within reach.
  struct Run {
    uint32_t first, count;
  };

  // The update that comes next, of all variables or of one.
  Step next(double rate) const { return {rate, updates() + 1, dialect}; }
  Step next(const State& s, double rate) const {
    return {rate, (s.apart ? s.updates : updates()) + 1, dialect};
  }
  const Scalars& scalars_of(const State& s) const { return s.apart ? s.scalars : scalars; }
  void set_apart(State& state);
  void count_apart();

  Stages storages(uint32_t row) const;
  float* stored(uint32_t row, size_t k, uint32_t from) const;
  // The number of the update, as far as a float has them all: after 2^24 it begins with 1 again.
  float seed() const { return float(updates() % (1 << 24) + 1); }
  bool make(uint32_t first, uint32_t last);
  uint32_t room_of(uint32_t row) const;
  bool keep_room(uint32_t first, uint32_t last);
  bool keep_tiles(uint32_t longest, uint32_t floats);
  static size_t most_parts(uint32_t n, uint32_t size);
  void sweep_both(Scratch& scratch);
  void prepare_sums(Row& r, State& state);
  void place_sums(Row& part, State& state, uint32_t size);
  // A row in blocks is summed in one piece, or in chunks one after another (step_trailed).
  bool in_blocks(const Row& r) const { return Stages::of(r.stages).storage == Storage::int8; }
  bool sums(const Row& r) const { return first_pass_ || Stages::of(r.stages).monitored; }
  bool sums_parts(const Row& r) const { return sums(r) && !in_blocks(r); }
  void reserve_tallies();
  void tell();
  void cut_row(uint32_t row, uint32_t from, uint32_t n, uint32_t& count);
  void put(const Row& row, uint32_t place, uint32_t count, uintptr_t at, uintptr_t room);
  void count();
  void choose_stages();
  bool penalizes() const;
  void arrange();
  void clip_by_global_norm();
  void set_clip(Pipe<float>& pipe, const Entry& entry) const;
  void step_chunk(uint32_t entry, uint32_t from, uint32_t at, uint32_t count);

  uint32_t rule_;
  std::vector<Row> rows_;
  std::vector<State> state_;
  std::vector<Group> groups_{1};
  std::vector<Entry> list_;
  std::vector<float> sums_;
  std::vector<Run> runs_;  // room for one an entry
  std::vector<Row> parts_;
  std::vector<Packed> packed_;
  std::vector<Told> told_;
  Report report_;
  uint32_t part_size_ = 0;
  // For a rule that reads whole variables: tiles of its own, as long as the longest within reach, and the
  // room it works in.
  const bool whole_;
  uint32_t longest_ = 0, room_size_ = 0;
  float *whole_weights_ = nullptr, *whole_gradient_ = nullptr, *room_ = nullptr;
  float* found_ = nullptr;  // what the first pass of two finds, as long as the longest within reach
  const uint32_t terms_;    // how many sums the first pass has; 0 where there is one pass
  bool first_pass_ = false;
  bool apart_ = false;
  uint32_t count_ = 0, run_count_ = 0, step_ = 0;
  Stages stages_;                        // of this step, of a row that decays and has no average
  static constexpr uint32_t none = ~0u;  // no Stages::word()
  uint32_t arranged_ = none;             // the stages for which the listed rows were last filled in
};

}  // namespace simdescent
