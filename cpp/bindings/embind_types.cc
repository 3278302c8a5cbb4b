// The part of Embind's own library that this module uses, in its place: the types that cross here and the
// list of bindings. The library would register all of C++'s numbers, strings, memory views and JavaScript
// values, and the glue would have to know them. Nothing of the engine is here.
#include <emscripten/bind.h>

#include <cstdint>

using namespace emscripten::internal;

namespace {
InitFunc* bindings = nullptr;
}

extern "C" {

// Names for Embind's complaint about a type that is missing below. Without RTTI there are none: an empty
// text.
EMSCRIPTEN_KEEPALIVE const char* __getTypeName(const std::type_info*) { return nullptr; }

EMSCRIPTEN_KEEPALIVE void _embind_initialize_bindings() {
  for (InitFunc* b = bindings; b; b = b->next) b->init_func();
}

void _embind_register_bindings(InitFunc* added) {
  added->next = bindings;
  bindings = added;
}

}  // extern "C"

EMSCRIPTEN_BINDINGS(types) {
  _embind_register_void(TypeID<void>::get(), "void");
  _embind_register_bool(TypeID<bool>::get(), "bool", true, false);
  _embind_register_integer(TypeID<uint32_t>::get(), "uint32_t", sizeof(uint32_t), 0, UINT32_MAX);
  _embind_register_float(TypeID<float>::get(), "float", sizeof(float));
  _embind_register_float(TypeID<double>::get(), "double", sizeof(double));
}
