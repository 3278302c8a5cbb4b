// The memory-less kernel module: the same kernels for a memory that somebody else owns (another library's
// heap, or the engine's own seen from a thread). It imports that memory and nothing else, holds no data, no
// stack and no table; the host writes rows, pipes and coefficients into a block of its own and passes
// addresses.
#include "engine/facts.h"
#include "kernels/reduce.h"
#include "kernels/table.h"

using namespace simdescent;

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

// Whether the host's rows are of this build: engine/facts.h.
EXPORT(fingerprint) uint32_t kernel_fingerprint() { return fingerprint; }

// Rows after the engine's `plan`, or written by the host. Scratch is only touched where a gradient must be
// prepared.
EXPORT(step) void kernel_step(uint32_t rule, const Row* rows, uint32_t count, Scratch* scratch) {
  step(rule, rows, count, *scratch);
}

EXPORT(average) void kernel_average(const Row* row) { average(*row); }

// Of the gradient that clipping sees; the row's stages say which.
EXPORT(sum_of_squares) float kernel_sum_of_squares(const Row* row) { return sum_of_squares(*row); }

EXPORT(all_finite) uint32_t kernel_all_finite(const float* x, uint32_t n) { return all_finite(x, n); }
