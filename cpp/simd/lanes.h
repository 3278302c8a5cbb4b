// Which lane type the vector loops use in this build: v128 where there is SIMD128, one float elsewhere.
#pragma once
#include "simd/f32x1.h"

#if defined(__wasm_simd128__) || !defined(__wasm__)
#include "simd/f32x4.h"
namespace simdescent {
using Lanes = f32x4;
}
#else
namespace simdescent {
using Lanes = f32x1;
}
#endif
