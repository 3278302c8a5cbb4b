#include "engine/memory.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace simdescent {
namespace {

// For small things (rows, lists), whose memory nobody asks for beforehand and which cannot fail but by a
// trap: when there is no more, they get this, and no array is made until it could be set aside again.
constexpr uint32_t kept = 1 << 20;          // bytes
constexpr uint32_t small_memory = 4 << 20;  // so far no machine is short of it, and nothing is set aside
void* reserve = nullptr;

void spend() {
  if (!reserve) std::set_new_handler(nullptr);  // and that was all
  std::free(std::exchange(reserve, nullptr));
}

bool has_reserve() {
  if (reserve) return true;
  reserve = std::malloc(kept);
  std::set_new_handler(spend);
  return reserve != nullptr;
}

bool staggered(uint32_t n) { return n >= 4 * page / sizeof(float); }

// Two tiles a page apart, each at the page offset of its role.
alignas(page) float tiles[2 * (tile_size + page / sizeof(float))];
float* tile(uint32_t i, Role role) {
  return tiles + i * (tile_size + page / sizeof(float)) + page_offset(role) / sizeof(float);
}

}  // namespace

bool has_room(uint32_t bytes) {
  // Volatile: compilers take away an allocation that nobody looks at.
  void* volatile piece = std::malloc(bytes);
  std::free(piece);
  return piece != nullptr;
}

// A large array lies in a block of a size that does not depend on its role or its address, so that what one
// leaves another of its length fits into: malloc aligns by cutting pieces off, and holes would remain that
// nothing fits. Where the block starts is noted before the array.
float* allocate(uint32_t n, Role role) {
  const bool large = staggered(n);
  const uint64_t bytes = uint64_t(n) * sizeof(float);
  if (bytes + 2 * page > UINT32_MAX) return nullptr;
  void* block = large ? std::malloc(size_t(bytes + 2 * page)) : nullptr;
  if (large ? !block : posix_memalign(&block, 16, size_t(bytes + (bytes == 0)))) return nullptr;
  if (reinterpret_cast<uintptr_t>(block) + bytes > small_memory && !has_reserve()) {
    std::free(block);
    return nullptr;
  }
  char* array = static_cast<char*>(block);
  if (large) {
    const uintptr_t pages = (reinterpret_cast<uintptr_t>(block) + sizeof block + page - 1) / page;
    array = reinterpret_cast<char*>(pages * page + page_offset(role));
    std::memcpy(array - sizeof block, &block, sizeof block);
  }
  std::memset(array, 0, size_t(bytes));
  return reinterpret_cast<float*>(array);
}

void release(float* array, uint32_t n) {
  if (!array) return;
  void* block = array;
  if (staggered(n)) std::memcpy(&block, reinterpret_cast<char*>(array) - sizeof block, sizeof block);
  std::free(block);
}

Scratch scratch;
float* weights_tile() { return tile(0, Role::weights); }
float* gradient_tile() { return tile(1, Role::gradient); }

}  // namespace simdescent
