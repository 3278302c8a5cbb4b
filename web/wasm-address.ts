// The type of `simdescent/simdescent.wasm` and `simdescent/kernels.wasm` for whoever imports them as assets: what a
// bundler puts there is their address. Nothing of it runs.

/** Where the bundler has put the file: for `init({ wasm })`, or for fetch. */
declare const address: string;
export default address;
