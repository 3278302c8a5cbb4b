// The shaders of rules that read whole variables (Adafactor, Muon): see shader.h for which there are. Their
// arithmetic is the kernels', on the text lane; here is what a GPU does round it: sums over rows and columns,
// products of matrices. Which of them run, and in which order, is web/gpu's (whole.ts).
#pragma once
#include <cstdint>
#include <string>

#include "engine/shader.h"
#include "kernels/stage.h"

namespace simdescent {

std::string whole_shader(Shader kind, uint32_t rule, Stages stages);

}  // namespace simdescent
