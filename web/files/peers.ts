// The optional packages that files need, loaded when they are first used. Which they are is the caller's; here
// is only the error that says what to install.

/** @throws Error that names the package, with the loader's own error as its cause. */
export async function peer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new Error(
      `simdescent/keras needs the package '${name}', which could not be loaded. Install it beside simdescent: npm install ${name}`,
      { cause },
    );
  }
}
