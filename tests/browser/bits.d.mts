export function fingerprints(library: typeof import('../../dist/index.js')): Promise<Record<string, string>>;
