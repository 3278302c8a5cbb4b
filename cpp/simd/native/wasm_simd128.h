// WebAssembly's SIMD intrinsics for native builds, by SIMDe, so that sanitizers can run the very kernels.
#pragma once
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/wasm/simd128.h>
