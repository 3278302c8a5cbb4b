// WebAssembly's SIMD intrinsics for native builds, by SIMDe, so that sanitizers can run the very kernels.
#pragma once
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/wasm/simd128.h>

#include <cstdint>

// SIMDe's multiplies signed integers, whose overflow sanitizers do not let pass.
#undef wasm_i32x4_mul
inline v128_t wasm_i32x4_mul(v128_t a, v128_t b) {
  uint32_t x[4], y[4];
  wasm_v128_store(x, a), wasm_v128_store(y, b);
  for (int k = 0; k < 4; k++) x[k] *= y[k];
  return wasm_v128_load(x);
}
