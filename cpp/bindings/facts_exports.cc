// The module of facts, which is only run by the build (scripts/facts.mjs) and no part of the package.
#include "engine/facts.h"

using namespace simdescent;

// The address of a JSON text that ends in 0.
extern "C" __attribute__((export_name("facts"))) const char* facts_text() {
  static const std::string text = facts();
  return text.c_str();
}
