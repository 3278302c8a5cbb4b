// Every public name has a doc comment, as an editor shows it: what the entry points export, the members of its types, and
// the properties of what its functions and constructors take. The compiler's own API reads them from dist/*.d.ts. Whether
// a comment is any good is for people to judge. The same API tells whether types know the options that constructors do.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { API, SignatureKind, SymbolFlags } from 'typescript/unstable/sync';
import * as simdescent from '../../dist/index.js';
import { root } from './helpers.mjs';

const dist = join(root, 'dist');
const entries = readdirSync(dist).filter((name) => name.endsWith('.d.ts'));
let api;
let snapshot;
before(async () => {
  await simdescent.init();
  api = new API({ cwd: root });
  snapshot = api.updateSnapshot({ openFiles: entries.map((name) => join(dist, name)) });
});
after(() => api.close());

/** Names that an entry point exports, and what they stand for. */
function exportsOf(entry) {
  const file = join(dist, entry);
  const { checker, program } = snapshot.getDefaultProjectForFile(file);
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)));
  const symbolOf = (symbol) => (symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  return { checker, symbols: new Map(exported.map((symbol) => [symbol.name, symbolOf(symbol)])) };
}

for (const entry of entries)
  test(`everything that ${entry} exports is documented`, () => {
    const { checker, symbols } = exportsOf(entry);
    assert.ok(symbols.size > 0);
    const reader = new Reader(checker);
    for (const [name, symbol] of symbols) reader.name(symbol, name);
    assert.deepEqual(reader.missing, []);
  });

test('the types of options are those that the constructors know, in both spellings', () => {
  const { checker, symbols } = exportsOf('index.d.ts');
  const plain = (name) => name.replaceAll('_', '').toLowerCase();
  let classes = 0;
  for (const [name, Class] of Object.entries(simdescent)) {
    if (!(Class?.prototype instanceof simdescent.Optimizer) || isWrapper(Class)) continue;
    const { message } = thrown(() => new Class({ nonsense: 1 }));
    const known = /Known: (.*)\.$/.exec(message)[1].split(', ');
    const [maker] = checker.getSignaturesOfType(
      checker.getTypeOfSymbol(symbols.get(name)),
      SignatureKind.Construct,
    );
    const [options] = maker.getParameters();
    const taken = checker.getNonNullableType(checker.getTypeOfSymbol(options));
    const typed = checker.getPropertiesOfType(taken).map(({ name }) => name);
    assert.deepEqual(new Set(typed.map(plain)), new Set(known.map(plain)), name);
    for (const option of typed) {
      new Class({ [option]: undefined }); // or it throws
      const spellings = typed.filter((other) => plain(other) === plain(option));
      assert.equal(spellings.length, /[A-Z\d_]/.test(option) ? 2 : 1, `${name}: ${option}`);
    }
    classes++;
  }
  assert.equal(classes, 16);
});

const isWrapper = ({ name }) => ['LossScaleOptimizer', 'MultiOptimizer'].includes(name);

function thrown(f) {
  try {
    f();
  } catch (error) {
    return error;
  }
  assert.fail('nothing was thrown');
}

/** Goes through names and what they hold, and notes those that say nothing. */
class Reader {
  missing = [];
  #checker;
  #seen = new Set();

  constructor(checker) {
    this.#checker = checker;
  }

  name(symbol, where) {
    if (!this.#isNew(symbol)) return;
    if (!this.#says(symbol)) this.missing.push(where);
    if (symbol.flags & SymbolFlags.Value) this.#members(this.#checker.getTypeOfSymbol(symbol), where);
    if (symbol.flags & SymbolFlags.Type) this.#members(this.#checker.getDeclaredTypeOfSymbol(symbol), where);
    const maker = symbol.flags & SymbolFlags.Class && symbol.getMembers().get('__constructor');
    if (maker && !this.#says(maker)) this.missing.push(`new ${where}`);
  }

  #members(type, where) {
    const checker = this.#checker;
    for (const member of checker.getPropertiesOfType(type)) {
      if (member.name === 'prototype' || member.name.includes('#') || !this.#isNew(member)) continue;
      const at = `${where}.${member.name.replace(/^__@(\w+)@\d+$/, '[Symbol.$1]')}`;
      if (!this.#says(member)) this.missing.push(at);
      this.#members(checker.getTypeOfSymbol(member), at);
    }
    for (const kind of [SignatureKind.Call, SignatureKind.Construct])
      for (const signature of checker.getSignaturesOfType(type, kind))
        for (const parameter of signature.getParameters()) {
          const taken = checker.getNonNullableType(checker.getTypeOfSymbol(parameter));
          this.#members(taken, `${where}(${parameter.name})`);
        }
  }

  /** Whether it is the package's and was not met before. */
  #isNew({ id, declarations }) {
    if (this.#seen.has(id) || !declarations.some(({ path }) => path.startsWith(dist))) return false;
    this.#seen.add(id);
    return true;
  }

  /** Itself, what it is another name of, or what it overrides. */
  #says(symbol) {
    const checker = this.#checker;
    if (checker.getDocumentationCommentOfSymbol(symbol) || checker.getJsDocTagsOfSymbol(symbol).length)
      return true;
    const named = checker.getTypeOfSymbol(symbol)?.getSymbol();
    if (named !== symbol && named?.name === symbol.name) return this.#says(named);
    const owner = symbol.getParent();
    if (!owner || !(owner.flags & SymbolFlags.Class)) return false;
    const [base] = checker.getDeclaredTypeOfSymbol(owner).getBaseTypes() ?? [];
    if (!base) return false;
    const isStatic = owner.getExports().has(symbol.escapedName);
    const side = isStatic ? checker.getTypeOfSymbol(base.getSymbol()) : base;
    const overridden = checker.getPropertyOfType(side, symbol.name);
    return overridden !== undefined && this.#says(overridden);
  }
}
