// What the build leaves beside the sources: the wasm bytes (inlined by the bundler) and Emscripten's glue.
declare module '*.wasm' {
  const bytes: Uint8Array;
  export default bytes;
}
declare module '*/simdescent.mjs' {
  const createModule: (options: object) => Promise<unknown>;
  export default createModule;
}
