// What the build leaves beside the sources: the wasm bytes (inlined as base64: bytes.ts) and Emscripten's glue.
declare module '*.wasm' {
  const base64: string;
  export default base64;
}
declare module '*/simdescent.mjs' {
  const createModule: (options: object) => Promise<unknown>;
  export default createModule;
}
