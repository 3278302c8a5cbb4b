// The main module: what TypeScript sees of the engine. Only numbers cross here; arrays are addresses, and
// web/ looks at them through views of the memory. Of the code, this folder alone knows
// Emscripten.
#include <emscripten/bind.h>
#include <emscripten/emscripten.h>

#include "engine/facts.h"
#include "engine/optimizer.h"
#include "engine/schedules.h"
#include "kernels/constrain.h"
#include "kernels/reduce.h"

using namespace simdescent;

namespace {

uint32_t address(const void* p) { return uint32_t(reinterpret_cast<uintptr_t>(p)); }
float* floats(uint32_t a) { return reinterpret_cast<float*>(uintptr_t(a)); }

// By the order in which the rule has them (engine/facts.h).
void set_hyper(Optimizer& o, uint32_t k, double x) { o.hypers[k] = x; }
float scalar(const Optimizer& o, uint32_t k) { return o.scalars[k]; }
void set_scalar(Optimizer& o, uint32_t k, float x) { o.scalars[k] = x; }
uint32_t dialect(const Optimizer& o) { return uint32_t(o.dialect); }
uint32_t iterations(const Optimizer& o) { return o.iterations; }
void set_dialect(Optimizer& o, uint32_t x) { o.dialect = Dialect(x); }

void add(Optimizer& o, uint32_t n, uint32_t weights, bool averages, bool accumulates) {
  o.add(n, floats(weights), averages, accumulates);
}
uint32_t slot(const Optimizer& o, uint32_t row, uint32_t k) { return address(o.row(row).slot[k]); }
void set_storage(Optimizer& o, uint32_t row, uint32_t storage) { o.set_storage(row, Storage(storage)); }
uint32_t storage_of(const Optimizer& o, uint32_t row, uint32_t k) { return uint32_t(o.storage_of(row, k)); }
uint32_t slot_floats(const Optimizer& o, uint32_t row, uint32_t k) { return o.slot_floats(row, k); }
void read_slot(const Optimizer& o, uint32_t row, uint32_t k, uint32_t from, uint32_t count) {
  o.read_slot(row, k, from, count);
}
void write_slot(Optimizer& o, uint32_t row, uint32_t k, uint32_t from, uint32_t count) {
  o.write_slot(row, k, from, count);
}
uint32_t average_of(const Optimizer& o, uint32_t row) { return address(o.row(row).avg); }
uint32_t accumulator_of(const Optimizer& o, uint32_t row) { return address(o.row(row).acc); }
uint32_t reserve(Optimizer& o, uint32_t count) { return address(o.reserve(count)); }
uint32_t parts(const Optimizer& o) { return address(o.parts()); }
uint32_t address_of(const Optimizer& o) { return address(&o); }
uint32_t report_of(const Optimizer& o) { return address(&o.report()); }
uint32_t row_of(const Optimizer& o, uint32_t row) { return address(&o.row(row)); }
void update_only(Optimizer& o, uint32_t row, uint32_t from, uint32_t count, uint32_t g, double rate) {
  o.update_only(row, from, count, floats(g), rate);
}

void locate(Optimizer& o, uint32_t row, uint32_t role, uint32_t array) {
  o.locate(row, Role(role), floats(array));
}
uint32_t pack(Optimizer& o, uint32_t at, uint32_t room) { return address(o.pack(at, room)); }
uint32_t pack_one(Optimizer& o, uint32_t row, uint32_t at) { return address(o.pack_one(row, at)); }
uint32_t weights_of(const Optimizer& o) { return address(o.weights_tile()); }
uint32_t gradient_of(const Optimizer& o) { return address(o.gradient_tile()); }
bool place(Optimizer& o, uint32_t row, uint32_t weights, bool accumulates) {
  return o.place(row, floats(weights), accumulates);
}

uint32_t allocate_floats(uint32_t n, uint32_t role) { return address(allocate(n, Role(role))); }
void release_floats(uint32_t array, uint32_t n) { release(floats(array), n); }
float sum_floats(uint32_t array, uint32_t n) { return pairwise_sum<Plain>(*floats(array), 0, n); }
bool finite_floats(uint32_t array, uint32_t n) { return all_finite(floats(array), n); }

void non_negative(uint32_t w, uint32_t n) { constrain_non_negative(floats(w), n); }
void bound_norm(uint32_t w, uint32_t outer, uint32_t axis, uint32_t inner, float least, float most,
                double rate, bool unit) {
  constrain_norm(floats(w), outer, axis, inner, {least, most, rate, unit}, gradient_tile(), tile_size);
}

}  // namespace

// The calls of a step are plain exports (web/engine/calls.ts): where a memory may be larger than 2 GiB,
// Embind puts the arguments of every call into an array.
extern "C" {
EMSCRIPTEN_KEEPALIVE void optimizer_step(Optimizer* o, uint32_t count, bool changed) {
  o->step(count, changed);
}
EMSCRIPTEN_KEEPALIVE bool optimizer_begin(Optimizer* o, uint32_t count, bool changed) {
  o->begin(count, changed);
  return o->updating();
}
EMSCRIPTEN_KEEPALIVE void optimizer_plan(Optimizer* o) { o->plan(); }
EMSCRIPTEN_KEEPALIVE void optimizer_sweep(Optimizer* o) { o->sweep(); }
EMSCRIPTEN_KEEPALIVE void optimizer_chunk(Optimizer* o, uint32_t entry, uint32_t from, uint32_t count) {
  o->chunk(entry, from, count);
}
EMSCRIPTEN_KEEPALIVE void optimizer_chunks(Optimizer* o, uint32_t entry, uint32_t count) {
  o->chunks(entry, count);
}
EMSCRIPTEN_KEEPALIVE bool optimizer_next_pass(Optimizer* o) { return o->next_pass(); }
EMSCRIPTEN_KEEPALIVE void optimizer_end(Optimizer* o) { o->end(); }
}

EMSCRIPTEN_BINDINGS(simdescent) {
  emscripten::class_<Optimizer>("Optimizer")
      .constructor<uint32_t>()
      .property("dialect", &dialect, &set_dialect)
      .property("clipnorm", &Optimizer::clipnorm)
      .property("globalClipnorm", &Optimizer::global_clipnorm)
      .property("clipvalue", &Optimizer::clipvalue)
      .property("clampFirst", &Optimizer::clamp_first)
      .property("weightDecay", &Optimizer::weight_decay)
      .property("l2", &Optimizer::l2)
      .property("decays", &Optimizer::decays)
      .property("lossScale", &Optimizer::loss_scale)
      .property("accumulationSteps", &Optimizer::accumulation_steps)
      .property("overwriteFrequency", &Optimizer::overwrite_frequency)
      .property("emaMomentum", &Optimizer::ema_momentum)
      .property("iterations", &iterations, &Optimizer::count_from)
      .function("apart", &Optimizer::apart)
      .function("updatesOf", &Optimizer::updates_of)
      .function("setUpdates", &Optimizer::set_updates)
      .function("scalarOf", &Optimizer::scalar_of)
      .function("setScalarOf", &Optimizer::set_scalar_of)
      .function("setHyper", &set_hyper)
      .function("scalar", &scalar)
      .function("setScalar", &set_scalar)
      .function("add", &add)
      .function("address", &address_of)
      .function("addElsewhere", &Optimizer::add_elsewhere)
      .function("setMatrix", &Optimizer::set_matrix)
      .function("build", &Optimizer::build)
      .function("weightsTile", &weights_of)
      .function("gradientTile", &gradient_of)
      .function("tile", &Optimizer::tile)
      .function("room", &Optimizer::room)
      .function("evict", &Optimizer::evict)
      .function("place", &place)
      .function("monitor", &Optimizer::monitor)
      .function("monitoring", &Optimizer::monitoring)
      .function("report", &report_of)
      .function("excludeFromDecay", &Optimizer::exclude_from_decay)
      .function("setGroup", &Optimizer::set_group)
      .function("setRate", &Optimizer::set_rate)
      .function("setDecay", &Optimizer::set_decay)
      .function("slot", &slot)
      .function("setStorage", &set_storage)
      .function("storageOf", &storage_of)
      .function("slotFloats", &slot_floats)
      .function("readSlot", &read_slot)
      .function("writeSlot", &write_slot)
      .function("averageOf", &average_of)
      .function("accumulatorOf", &accumulator_of)
      .function("reserve", &reserve)
      .function("updating", &Optimizer::updating)
      .function("overwriting", &Optimizer::overwriting)
      .function("rowOf", &row_of)
      .function("reserveParts", &Optimizer::reserve_parts)
      .function("cut", &Optimizer::cut)
      .function("parts", &parts)
      .function("locate", &locate)
      .function("reservePack", &Optimizer::reserve_pack)
      .function("packedBytes", &Optimizer::packed_bytes)
      .function("pack", &pack)
      .function("packOne", &pack_one)
      .function("unpack", &Optimizer::unpack)
      .function("chunkSumOfSquares", &Optimizer::chunk_sum_of_squares)
      .function("averageChunk", &Optimizer::average_chunk)
      .function("updateOnly", &update_only)
      .function("planOnly", &Optimizer::plan_only);

  emscripten::function("allocate", &allocate_floats);
  emscripten::function("release", &release_floats);
  emscripten::function("sum", &sum_floats);
  emscripten::function("finite", &finite_floats);
  emscripten::function("fits", &has_room);
  emscripten::function("nonNegative", &non_negative);
  emscripten::function("boundNorm", &bound_norm);
  emscripten::constant("fingerprint", fingerprint);
  emscripten::function(
      "weightsTile", +[] { return address(weights_tile()); });
  emscripten::function(
      "gradientTile", +[] { return address(gradient_tile()); });

  emscripten::function("exponentialDecay", &exponential_decay);
  emscripten::function("polynomialDecay", &polynomial_decay);
  emscripten::function("inverseTimeDecay", &inverse_time_decay);
  emscripten::function("cosineDecay", &cosine_decay);
  emscripten::function("cosineDecayWarmup", &cosine_decay_warmup);
  emscripten::function("cosineDecayRestarts", &cosine_decay_restarts);
}
