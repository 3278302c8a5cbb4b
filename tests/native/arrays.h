// Arrays for the loops to run over: between sentinels and at any misalignment, to see what a loop writes; or
// exactly as long as it may read, for AddressSanitizer to see the rest.
#pragma once
#include <algorithm>
#include <memory>

#include "floats.h"
#include "kernels/sweep.h"

namespace simdescent::tests {

class GuardedArray {
 public:
  // `offset` floats past a multiple of 16 bytes.
  GuardedArray(const Floats& values, uint32_t offset) : size_(values.size()), from_(guard + offset) {
    quads_.resize((from_ + size_ + guard + 3) / 4);
    std::fill_n(floats(), 4 * quads_.size(), from_bits(sentinel));
    std::copy(values.begin(), values.end(), data());
  }

  float* data() { return floats() + from_; }
  std::span<const float> values() { return {data(), size_}; }
  bool guards_intact() {
    const float* const all = floats();
    const auto intact = [](float x) { return bits(x) == sentinel; };
    return std::all_of(all, all + from_, intact) &&
           std::all_of(all + from_ + size_, all + 4 * quads_.size(), intact);
  }

 private:
  struct alignas(16) Quad {
    float lanes[4];
  };
  static constexpr size_t guard = 8;
  static constexpr uint32_t sentinel = 0x4640e400;  // 12345
  float* floats() { return quads_.data()->lanes; }

  std::vector<Quad> quads_;
  size_t size_, from_;
};

// What the arrays of a row hold at first. Slots but the first one are no moments of the gradient but second
// ones, or norms: not negative.
struct Contents {
  Floats w, g, acc, avg, slot[max_slots];

  Contents(uint32_t n, Random& random, bool special_values) {
    for (Floats* list : {&w, &g, &acc, &avg, &slot[0], &slot[1], &slot[2]}) {
      *list = special_values ? random.mixed(n) : random.units(n);
    }
    for (Floats* list : {&slot[1], &slot[2]}) {
      for (float& x : *list) x = std::fabs(x);
    }
  }
};

// The arrays of a row between sentinels. `shift` in [0, 64) chooses the misalignments so that any two arrays
// meet at every pair of them.
struct GuardedRow {
  static constexpr uint32_t shifts = 64;
  GuardedArray w, g, acc, avg, slot[max_slots];

  GuardedRow(const Contents& c, uint32_t shift) : GuardedRow(c, shift & 3, shift >> 2 & 3, shift >> 4 & 3) {}

  Row row(const Pipe<float>& pipe, const float* coef, uint32_t stages) {
    Row r{};
    r.w = w.data(), r.g = g.data(), r.acc = acc.data(), r.avg = avg.data();
    for (uint32_t k = 0; k < max_slots; k++) r.slot[k] = slot[k].data();
    r.pipe = &pipe, r.coef = coef, r.stages = stages;
    r.n = uint32_t(w.values().size());
    return r;
  }

  ::testing::AssertionResult same_as(GuardedRow& expected) {
    GuardedArray* const mine[] = {&w, &g, &acc, &avg, &slot[0], &slot[1], &slot[2]};
    GuardedArray* const other[] = {&expected.w,       &expected.g,       &expected.acc,    &expected.avg,
                                   &expected.slot[0], &expected.slot[1], &expected.slot[2]};
    const char* const names[] = {"w", "g", "acc", "avg", "slot 0", "slot 1", "slot 2"};
    for (int k = 0; k < 7; k++) {
      const auto result = same(mine[k]->values(), other[k]->values());
      if (!result) return ::testing::AssertionFailure() << names[k] << ", " << result.message();
      if (!mine[k]->guards_intact()) return ::testing::AssertionFailure() << "written beside " << names[k];
    }
    return ::testing::AssertionSuccess();
  }

 private:
  GuardedRow(const Contents& c, uint32_t i, uint32_t j, uint32_t k)
      : w(c.w, i),
        g(c.g, j),
        acc(c.acc, k),
        avg(c.avg, (i + j) & 3),
        slot{{c.slot[0], (i + k) & 3}, {c.slot[1], (j + k) & 3}, {c.slot[2], (i + j + k) & 3}} {}
};

// A copy that ends where its memory ends, `offset` floats into it.
class ExactArray {
 public:
  ExactArray(const Floats& values, uint32_t offset)
      : memory_(new float[offset + values.size()]), offset_(offset), size_(values.size()) {
    std::copy(values.begin(), values.end(), data());
  }
  float* data() { return memory_.get() + offset_; }
  std::span<const float> values() { return {data(), size_}; }

 private:
  std::unique_ptr<float[]> memory_;
  size_t offset_, size_;
};

// Every loop that prepares a gradient, the general one without its flags and with all, by every loop of a
// rule.
inline std::vector<uint32_t> update_words() {
  std::vector<uint32_t> list;
  for (const Stages& grad :
       {Stages{}, Stages{.grad = Grad::scale}, Stages{.grad = Grad::divide}, Stages{.grad = Grad::accumulate},
        Stages{.grad = Grad::accumulate, .undivided = true}, Stages{.grad = Grad::general},
        Stages{.grad = Grad::general, .gathered = true, .clamp_first = true, .l2 = true}}) {
    for (uint32_t bits = 0; bits < 4; bits++) {
      Stages s = grad;
      s.decay = (bits & 1) != 0, s.average = (bits & 2) != 0;
      list.push_back(s.word());
    }
  }
  return list;
}

// A prepared gradient by plain arithmetic.
inline float plain_gradient(Stages s, const Pipe<float>& k, float g, float w, float& acc) {
  const auto clamp = [&](float x) { return x < k.lo ? k.lo : x > k.hi ? k.hi : x; };
  if (s.grad == Grad::none) return g;
  if (s.grad == Grad::general) {
    g = g / k.unscale;
    if (s.gathered) g = (g + acc) / k.steps, acc = 0;
    if (s.clamp_first) g = clamp(g);
  } else {
    g = g * k.scale;
    if (s.grad == Grad::accumulate) g = (g + acc) * k.mean, acc = 0;
  }
  g = g * k.clip;
  if (s.grad != Grad::scale && !s.undivided) g = g / k.divide;
  if (!s.clamp_first) g = clamp(g);
  const float pull = w * k.l2;
  return s.l2 ? g + pull : g;
}

// Scalars that are no identities and, each, unlike the others, so that a mix-up shows.
inline Pipe<float> lively_pipe() {
  Pipe<float> k;
  k.scale = 0.25f, k.mean = 0.5f, k.clip = 0.7f, k.divide = 1.3f;
  k.lo = -0.11f, k.hi = 0.13f;
  k.decay = 0.02f, k.rate = 0.03f;
  k.momentum = 0.9f, k.complement = 0.1f;
  k.unscale = 3, k.steps = 5, k.l2 = 0.07f;
  return k;
}

}  // namespace simdescent::tests
