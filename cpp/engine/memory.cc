#include "engine/memory.h"

#include <cstdlib>
#include <cstring>

namespace simdescent {
namespace {

constexpr uint32_t large = 4 * page, kept = 1 << 20;  // bytes

bool staggered(uint32_t n) { return n >= large / sizeof(float); }

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

float* allocate(uint32_t n, Role role) {
  const uint64_t bytes = uint64_t(n) * sizeof(float), extra = staggered(n) ? page_offset(role) : 0;
  if (bytes + extra + page > UINT32_MAX) return nullptr;
  void* block = nullptr;
  if (posix_memalign(&block, staggered(n) ? page : 16, size_t(bytes + extra + (bytes == 0)))) return nullptr;
  // Near the end of the memory an array leaves room for small things, which cannot fail but by a trap.
  constexpr bool ends = UINTPTR_MAX == UINT32_MAX;
  if (ends && reinterpret_cast<uintptr_t>(block) + bytes > UINT32_MAX - 64 * kept && !has_room(kept)) {
    std::free(block);
    return nullptr;
  }
  char* array = static_cast<char*>(block) + extra;
  std::memset(array, 0, size_t(bytes));
  return reinterpret_cast<float*>(array);
}

void release(float* array, uint32_t n) {
  if (!array) return;
  auto address = reinterpret_cast<uintptr_t>(array);
  if (staggered(n)) address &= ~uintptr_t(page - 1);  // offsets are smaller than a page
  std::free(reinterpret_cast<void*>(address));
}

float* weights_tile() { return tile(0, Role::weights); }
float* gradient_tile() { return tile(1, Role::gradient); }

}  // namespace simdescent
