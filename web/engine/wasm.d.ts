// What the build leaves beside the sources: the wasm bytes (inlined as text: bytes.ts) and Emscripten's glue.
declare module '*.wasm' {
  const hex: string;
  export default hex;
}
declare module '*/simdescent.mjs' {
  const createModule: (options: object) => Promise<unknown>;
  export default createModule;
}
