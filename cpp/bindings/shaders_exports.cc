// The shader module: the text lane by itself, with a memory of its own, for web/gpu to load. It is apart from
// the main module because strings would be a quarter of that, and only WebGPU needs them.
#include "engine/facts.h"
#include "engine/narrow_shader.h"
#include "engine/shader.h"

using namespace simdescent;

// The address of a text that ends in 0 and lasts until the next one is asked for. See engine/shader.h.
extern "C" __attribute__((export_name("wgsl"))) const char* wgsl(uint32_t kind, uint32_t rule,
                                                                 uint32_t stages, uint32_t lanes) {
  static std::string text;
  text = shader(Shader(kind), rule, stages, lanes);
  return text.c_str();
}

// The address of two maps of 8 bits. See engine/narrow_shader.h.
extern "C" __attribute__((export_name("maps"))) const uint32_t* maps() { return dynamic_maps(); }

extern "C" __attribute__((export_name("fingerprint"))) uint32_t shaders_fingerprint() { return fingerprint; }
