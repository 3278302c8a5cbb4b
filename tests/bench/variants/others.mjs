// Which other libraries take part in the tables of steps. One that is left out is not even loaded.
export const libraries = ['tfjs', 'jax'];

const load = {
  async tfjs() {
    const { tfjs, oursInTfjs } = await import('./tfjs.mjs');
    return ['cpu', 'wasm'].flatMap((backend) =>
      [tfjs, oursInTfjs].map((make) => (rule, n) => make(backend, rule, n)),
    );
  },
  async jax() {
    const { jaxEager, jaxJit, jaxByHand, oursInJax } = await import('./jax.mjs');
    const makers = [jaxEager, jaxJit, jaxByHand, oursInJax];
    return makers.map((make) => (rule, n) => rule === 'adam' && make(n));
  },
};

/** Functions (rule, size) that make a variant, or false where the library does not have that rule. */
export async function othersWithout(left) {
  const makers = [];
  for (const name of libraries) if (!left.includes(name)) makers.push(...(await load[name]()));
  return makers;
}

/** The variants of one rule and size. */
export async function variantsOf(makers, rule, size) {
  const variants = [];
  for (const make of makers) variants.push(await make(rule, size));
  return variants.filter(Boolean);
}
