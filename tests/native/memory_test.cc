// The engine's arrays: where large ones start, that they are zeroed, that they can be given back, and what
// happens when there is no room. (Leaks are found by AddressSanitizer, in the preset native-debug.)
#include "engine/memory.h"

#include <cstring>
#include <set>

#include "engine/optimizer.h"
#include "floats.h"

namespace simdescent::tests {
namespace {

constexpr Role all_roles[] = {Role::weights, Role::gradient, Role::accumulator, Role::average,
                              slot_role(0),  slot_role(1),   slot_role(2)};

uintptr_t address(const float* p) { return reinterpret_cast<uintptr_t>(p); }

TEST(Memory, LargeArraysStartAtAPageOffsetOfTheirRole) {
  for (const uint32_t n : {4096u, 4097u, 100000u}) {
    std::set<uintptr_t> offsets;
    for (const Role role : all_roles) {
      float* one = allocate(n, role);
      float* another = allocate(n, role);
      ASSERT_TRUE(one && another);
      EXPECT_EQ(address(one) % page, address(another) % page) << "n " << n << ", role " << uint32_t(role);
      EXPECT_EQ(address(one) % 64, 0u);
      offsets.insert(address(one) % page);
      release(one, n);
      release(another, n);
    }
    ASSERT_EQ(offsets.size(), std::size(all_roles)) << "n " << n;
    uintptr_t nearest = page + *offsets.begin() - *offsets.rbegin();
    for (auto o = offsets.begin(); std::next(o) != offsets.end(); o++)
      nearest = std::min(nearest, *std::next(o) - *o);
    EXPECT_GE(nearest, 512u) << "n " << n;
  }
}

TEST(Memory, EveryArrayIsAlignedZeroedAndWritableToItsEnd) {
  for (const uint32_t n : {0u, 1u, 3u, 4u, 1000u, 4095u, 4096u, 4097u, 50000u}) {
    for (const Role role : all_roles) {
      for (int again = 0; again < 2; again++) {  // the second one finds what the first one left
        float* array = allocate(n, role);
        ASSERT_NE(array, nullptr) << "n " << n;
        EXPECT_EQ(address(array) % 16, 0u);
        for (uint32_t i = 0; i < n; i++) ASSERT_EQ(bits(array[i]), 0u) << "n " << n << ", element " << i;
        std::memset(array, 0xff, n * sizeof(float));
        release(array, n);
      }
    }
  }
}

TEST(Memory, ReleasingNothingIsFine) {
  release(nullptr, 0);
  release(nullptr, 1 << 20);
}

TEST(Memory, MoreThanAnAddressSpaceIsRefused) {
  for (const uint32_t n : {0x40000000u, 0x3fffffffu, 0x3ffffc00u, 0xffffffffu}) {
    for (const Role role : all_roles) EXPECT_EQ(allocate(n, role), nullptr) << n;
  }
}

TEST(Memory, AnOptimizerWithoutRoomForAVariableHasNoState) {
  Floats w(4);
  Optimizer optimizer(0);
  optimizer.add(4, w.data(), true, true);
  optimizer.add(0x40000000, nullptr, true, true);
  optimizer.add(3, w.data(), true, true);
  EXPECT_FALSE(optimizer.build());
  for (uint32_t row = 0; row < 3; row++) {
    const Row& r = optimizer.row(row);
    EXPECT_FALSE(r.slot[0] || r.slot[1] || r.acc || r.avg) << row;
  }
  EXPECT_EQ(w, Floats(4));
}

bool follows(const float* at, const float* before, uint32_t n) {
  return address(at) > address(before) && address(at) - address(before) < 2 * n * sizeof(float);
}

// Fills the holes that other tests have left, until the allocator gives one array behind another.
std::vector<float*> fill_holes(uint32_t n) {
  std::vector<float*> all;
  for (uint32_t in_order = 0; in_order < 500 && all.size() < 40000;) {
    float* const array = allocate(n, Role::weights);
    if (!array) break;
    in_order = !all.empty() && follows(array, all.back(), n) ? in_order + 1 : 0;
    all.push_back(array);
  }
  return all;
}

// A step goes from one small row to the next along each array, and reads on where it was. (Not always: an
// allocator may fill gaps first.)
TEST(Memory, ArraysOfOneRoleLieTogether) {
  constexpr uint32_t count = 200, n = 2500;
  const std::vector<float*> holes = fill_holes(n);
  Optimizer optimizer(0);
  for (uint32_t k = 0; k < count; k++) optimizer.add(n, nullptr, false, false);
  ASSERT_TRUE(optimizer.build());
  for (int k = 0; k < 2; k++) {
    uint32_t together = 0;
    for (uint32_t row = 1; row < count; row++)
      together += follows(optimizer.row(row).slot[k], optimizer.row(row - 1).slot[k], n);
    EXPECT_GT(together, count / 2);
  }
  for (float* array : holes) release(array, n);
}

TEST(Memory, TilesAreApartAndAtTheOffsetsOfTheirRoles) {
  float* const tiles[] = {weights_tile(), gradient_tile()};
  const Role roles[] = {Role::weights, Role::gradient};
  for (int i = 0; i < 2; i++) {
    float* large = allocate(4096, roles[i]);
    EXPECT_EQ(address(tiles[i]) % page, address(large) % page);
    release(large, 4096);
    for (uint32_t k = 0; k < tile_size; k++) tiles[i][k] = float(i + 1);
  }
  for (int i = 0; i < 2; i++) {
    for (uint32_t k = 0; k < tile_size; k++) ASSERT_EQ(tiles[i][k], float(i + 1));
  }
}

#ifdef __EMSCRIPTEN__
// The test module may have 64 MiB: two arrays of 24 MiB fit, three do not.
TEST(Memory, WhatWasTakenBeforeTheMemoryEndedIsGivenBack) {
  constexpr uint32_t n = 6 << 20;
  for (int again = 0; again < 3; again++) {
    Optimizer optimizer(0);
    optimizer.add(n, nullptr, true, true);
    EXPECT_FALSE(optimizer.build());
    float *one = allocate(n, slot_role(0)), *two = allocate(n, slot_role(1));
    EXPECT_TRUE(one && two);
    EXPECT_EQ(allocate(n, slot_role(2)), nullptr);
    release(one, n);
    release(two, n);
  }
}
#endif

}  // namespace
}  // namespace simdescent::tests
