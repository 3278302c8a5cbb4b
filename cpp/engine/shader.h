// The WebGPU shaders of a step as WGSL text, made by running the kernels' own element functions on the text
// lane (simd/wgsl.h). It makes text only: devices, buffers and dispatches are web/gpu's.
#pragma once
#include <cstdint>
#include <string>

namespace simdescent {

enum class Shader : uint32_t {
  step,     // one row through one step: rule and stages, or the gathering of a micro step
  average,  // the moving average of rows that are not stepped
  squares,  // partial sums of squares of the gradient that clipping sees
  first,    // the first pass of a rule in two, with the partial sums of its terms; `step` is the second then
  // Of a rule that reads whole variables: the sums of a variable from those of its workgroups. Over a matrix:
  // the first pass over its elements, and the last one where it is not `step`; between these, for Adafactor
  // the means and the direction, for Muon what the iterations begin with and the three products of each.
  sums,
  matrix_first,
  matrix_step,
  rows,
  columns,
  means,
  factor,
  normalize,
  gram,
  polynomial,
  multiply,
};

// `stages` is Stages::word(). `lanes` is 4, or 1 for arrays whose length or start is no multiple of 4.
std::string shader(Shader kind, uint32_t rule, uint32_t stages, uint32_t lanes);

}  // namespace simdescent
