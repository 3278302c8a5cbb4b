// What of an optimizer is for slots that are stored in fewer bits than float32: how, and reading and writing
// them from outside a step. The step is kernels/narrow.h's.
#include "engine/optimizer.h"

namespace simdescent {

// What a row's stages say of how its slots are stored.
Stages Optimizer::storages(uint32_t row) const {
  Stages stages;
  stages.storage = state_[row].storage;
  if (stages.storage == Storage::float32) return stages;
  const std::span<const Slot> all = slots(rule_);
  for (size_t k = 0; k < all.size(); k++) {
    stages.wide |= uint32_t(all[k].value == initial::weights) << k;
    stages.positive |= uint32_t(all[k].never_negative) << k;
  }
  return stages;
}

uint32_t Optimizer::slot_floats(uint32_t row, size_t k) const {
  return stored_floats(storage_of(row, k), slot_size(row, k));
}

// Where its element `from` is; of a row elsewhere its words have been copied here.
float* Optimizer::stored(uint32_t row, size_t k, uint32_t from) const {
  return state_[row].here ? stored_at(storage_of(row, k), rows_[row].slot[k], from) : weights_tile();
}

void Optimizer::read_slot(uint32_t row, size_t k, uint32_t from, uint32_t count) const {
  const Stages s = storages(row);
  widen(scratch.maps, s.of_slot(k), s.is_signed(k), stored(row, k, from), count, gradient_tile());
}

void Optimizer::write_slot(uint32_t row, size_t k, uint32_t from, uint32_t count) {
  const Stages s = storages(row);
  narrow_to_nearest(scratch.maps, s.of_slot(k), s.is_signed(k), gradient_tile(), count, stored(row, k, from));
}

}  // namespace simdescent
