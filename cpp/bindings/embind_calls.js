// The part of embind_calls.cc that is JavaScript. It does not check arguments: web/ has done it.

addToLibrary({
  // By Result of embind_calls.cc.
  $results: [(x) => x, (x) => x !== 0, (x) => x >>> 0],

  // Not `...`, of which engines make an array: no function of WebAssembly takes more arguments than it has.
  $calling__deps: ['$results', '$wasmTable'],
  $calling: (result, invoker, context) => {
    const found = results[result];
    const invoke = wasmTable.get(invoker);
    return (a, b, c, d, e, f, g, h) => found(invoke(context, a, b, c, d, e, f, g, h));
  },

  // An object is its address in the engine's memory.
  $Bound: undefined,
  bind_class__deps: ['$Bound', '$AsciiToString', '$wasmTable'],
  bind_class: (name, destructor) => {
    Bound = Module[AsciiToString(name)] = class {
      constructor(option) {
        this.at = Bound.make(option);
      }
      delete() {
        wasmTable.get(destructor)(this.at);
      }
    };
  },
  bind_constructor__deps: ['$Bound', '$calling'],
  bind_constructor: (invoker, context) => {
    Bound.make = calling(0, invoker, context);
  },
  bind_method__deps: ['$Bound', '$calling', '$AsciiToString'],
  bind_method: (name, result, invoker, context) => {
    const call = calling(result, invoker, context);
    Bound.prototype[AsciiToString(name)] = function (a, b, c, d, e, f) {
      return call(this.at, a, b, c, d, e, f);
    };
  },
  bind_property__deps: ['$Bound', '$calling', '$AsciiToString'],
  bind_property: (name, result, getter, getContext, setter, setContext) => {
    const read = calling(result, getter, getContext);
    const write = calling(0, setter, setContext);
    Object.defineProperty(Bound.prototype, AsciiToString(name), {
      get() {
        return read(this.at);
      },
      set(value) {
        write(this.at, value);
      },
    });
  },

  bind_function__deps: ['$calling', '$AsciiToString'],
  bind_function: (name, result, invoker, context) => {
    Module[AsciiToString(name)] = calling(result, invoker, context);
  },
  bind_constant__deps: ['$AsciiToString'],
  bind_constant: (name, value) => {
    Module[AsciiToString(name)] = value;
  },
});
