// Writes digits.bin from the digits inside the project's Keras training vectors: all images (one byte a
// pixel), then all labels (one byte each). Run it by hand, `node demo/data/make.mjs`, should those vectors
// ever change.
import { readFileSync, writeFileSync } from 'node:fs';

const vectors = new URL('../../tests/vectors/digits-mlp.json', import.meta.url);
const { x, y } = JSON.parse(readFileSync(vectors, 'utf8')).data;
const bytes = Buffer.concat([x, y].map(({ base64 }) => Buffer.from(base64, 'base64')));
writeFileSync(new URL('digits.bin', import.meta.url), bytes);
