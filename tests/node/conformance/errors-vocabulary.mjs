// The words of the tables of answers: what a call of ours must do where Keras' call was recorded.

/** It throws. With a reason: Keras accepts the call, and we are stricter. */
export const refuse = (run, type, pattern, reason) => ({ kind: 'refuse', run, type, pattern, reason });

/** It works and gives the value that Keras gave. */
export const accept = (run, { warns } = {}) => ({ kind: 'accept', run, warns });

/** It works, although Keras refuses, or gives another value than Keras, for this reason. */
export const differ = (run, value, reason) => ({ kind: 'accept', run, value, reason });

/** There is nothing to call. */
export const outside = (reason) => ({ kind: 'outside', reason });

export const array = (...values) => Float32Array.from(values);
