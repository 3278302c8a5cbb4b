// Embind's library, in its place: how the bindings (embind.cc) come to JavaScript. Only numbers and truth
// values cross here, of functions and of one class without ancestors; the library knows values and handles of
// every kind, and its JavaScript is several times as much. The rest of ours is embind_calls.js. Nothing of
// the engine is here.
#include <emscripten/bind.h>

#include <cstdint>

using namespace emscripten::internal;

namespace {

// How a result comes to JavaScript: as the number that it is, as a truth value, without a sign.
enum Result : uint32_t { number, truth, unsigned_number };
Result result_of(TYPEID type) {
  if (type == TypeID<bool>::get()) return truth;
  return type == TypeID<uint32_t>::get() ? unsigned_number : number;
}

}  // namespace

// What is called is `invoker`, with `context` before the arguments.
extern "C" {

void bind_class(const char* name, GenericFunction destructor);
void bind_constructor(GenericFunction invoker, GenericFunction context);
void bind_method(const char* name, Result, GenericFunction invoker, void* context);
void bind_property(const char* name, Result, GenericFunction getter, void* get_context,
                   GenericFunction setter, void* set_context);
void bind_function(const char* name, Result, GenericFunction invoker, GenericFunction context);
void bind_constant(const char* name, double value);

// The list of bindings is for other workers: these have been run.
void _embind_register_bindings(InitFunc*) {}

void _embind_register_class(TYPEID, TYPEID, TYPEID, TYPEID, const char*, GenericFunction, const char*,
                            GenericFunction, const char*, GenericFunction, const char* name, const char*,
                            GenericFunction destructor) {
  bind_class(name, destructor);
}
void _embind_register_class_constructor(TYPEID, unsigned, const TYPEID[], const char*,
                                        GenericFunction invoker, GenericFunction constructor) {
  bind_constructor(invoker, constructor);
}
void _embind_register_class_function(TYPEID, const char* name, unsigned, const TYPEID types[], const char*,
                                     GenericFunction invoker, void* context, unsigned, bool, bool) {
  bind_method(name, result_of(types[0]), invoker, context);
}
void _embind_register_class_property(TYPEID, const char* name, TYPEID type, const char*,
                                     GenericFunction getter, void* get_context, TYPEID, const char*,
                                     GenericFunction setter, void* set_context) {
  bind_property(name, result_of(type), getter, get_context, setter, set_context);
}
void _embind_register_function(const char* name, unsigned, const TYPEID types[], const char*,
                               GenericFunction invoker, GenericFunction function, bool, bool) {
  bind_function(name, result_of(types[0]), invoker, function);
}
void _embind_register_constant(const char* name, TYPEID, double value) { bind_constant(name, value); }

}  // extern "C"
