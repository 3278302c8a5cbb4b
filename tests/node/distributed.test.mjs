// What an engine for many machines builds on: sums that the step divides, clipping after aggregation, replicas that
// stay equal on averaged gradients alone, a peer that joins. The peers are in one process and talk by MessageChannel.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Adam, Adamax, AdamW, init, Variable } from '../../dist/index.js';
import { assertSameBits, generator, randomFloats } from './helpers.mjs';

before(() => init());

const sizes = [33, 8, 256];
const total = sizes.reduce((a, b) => a + b);

/** One buffer, and its parts. */
function flat(values = new Float32Array(total)) {
  let end = 0;
  const parts = sizes.map((size) => {
    end += size;
    return values.subarray(end - size, end);
  });
  return { all: values, parts };
}

const optimizers = {
  Adam: () => new Adam({ globalClipnorm: 1 }),
  Adamax: () => new Adamax({ clipnorm: 0.1, weightDecay: 0.01 }),
  AdamW: () => new AdamW({ useEma: true, emaOverwriteFrequency: 7, gradientAccumulationSteps: 2 }),
};

for (const [name, make] of Object.entries(optimizers))
  test(`parts of one buffer are stepped like arrays and variables of their own: ${name}`, () => {
    const gradients = flat();
    const one = flat(randomFloats(total, 1));
    const apart = one.parts.map((part) => part.slice());
    const resident = one.parts.map((part, k) => new Variable(part, { path: `v${k}` }));
    const [a, b, c] = [make(), make(), make()];
    for (let t = 0; t < 8; t++) {
      gradients.all.set(randomFloats(total, 10 + t));
      a.apply(gradients.parts, one.parts);
      b.apply(gradients.parts, apart);
      c.apply(gradients.parts, resident);
    }
    one.parts.forEach((part, k) => {
      assertSameBits(part, apart[k]);
      assertSameBits(part, resident[k].value);
    });
  });

test('a sum with a scale is the step of the mean', () => {
  for (const peers of [2, 3, 4, 7]) {
    const each = Array.from({ length: peers }, (_, k) => randomFloats(total, 100 + k));
    const sum = each.reduce((a, b) => a.map((x, i) => x + b[i]));
    const mean = sum.map((x) => x / peers);
    const [byScale, byMean] = [flat(randomFloats(total, 1)), flat(randomFloats(total, 1))];
    const [a, b] = [new Adam({ globalClipnorm: 1 }), new Adam({ globalClipnorm: 1 })];
    a.lossScaleFactor = peers; // live: the number of peers may change from step to step
    a.apply(flat(sum).parts, byScale.parts);
    b.apply(flat(mean).parts, byMean.parts);
    assertSameBits(byScale.all, byMean.all, `${peers} peers`);
  }
});

test('clipping sees the aggregate, not what each peer sent', () => {
  const [w, expected] = [new Float32Array(4), new Float32Array(4)];
  const opposite = [Float32Array.of(1000, 0, 0, 1), Float32Array.of(-1000, 0, 0, 1)];
  const sum = opposite[0].map((x, i) => x + opposite[1][i]);
  const clipped = new Adam({ globalClipnorm: 10, lossScaleFactor: 2 });
  const free = new Adam({ lossScaleFactor: 2 });
  clipped.apply([sum], [w]);
  free.apply([sum], [expected]);
  assertSameBits(w, expected, 'a mean of norm 1 is not clipped, though both parts would have been');
});

/** A peer with data of its own: it sends its gradient, gets all of them, and steps with their sum over their number. */
class Peer {
  constructor(make, seed, values) {
    this.parameters = flat(values);
    this.optimizer = make();
    this.optimizer.build(this.parameters.parts);
    this.next = generator(seed);
    this.links = [];
  }

  /** Noise round the gradient of a quadratic, from this peer's own data. */
  gradient() {
    return this.parameters.all.map((x) => x + this.next() - 0.5);
  }

  async step() {
    const own = this.gradient();
    const answers = this.links.map(({ port }) => new Promise((resolve) => port.once('message', resolve)));
    for (const { port } of this.links) port.postMessage(own);
    const others = await Promise.all(answers);
    // In one order everywhere: floating-point sums depend on it.
    const all = [{ id: this.id, own }, ...others.map((g, k) => ({ id: this.links[k].id, own: g }))];
    all.sort((a, b) => a.id - b.id);
    const sum = flat(all.slice(1).reduce((a, { own: b }) => a.map((x, i) => x + b[i]), all[0].own));
    this.optimizer.lossScaleFactor = all.length;
    this.optimizer.apply(sum.parts);
  }
}

/** A channel between every two peers. */
function connect(peers) {
  disconnect(peers);
  peers.forEach((peer, id) => {
    peer.id = id;
  });
  peers.forEach((a, i) => {
    for (const b of peers.slice(i + 1)) {
      const { port1, port2 } = new MessageChannel();
      a.links.push({ id: b.id, port: port1 });
      b.links.push({ id: a.id, port: port2 });
    }
  });
}

function disconnect(peers) {
  for (const { links } of peers) for (const { port } of links.splice(0)) port.close();
}

for (const [name, make] of Object.entries(optimizers))
  test(`4 peers that exchange gradients alone are equal after 200 steps, and so is one that joins: ${name}`, async () => {
    const start = randomFloats(total, 1);
    const peers = [1, 2, 3, 4].map((seed) => new Peer(make, seed, start.slice()));
    connect(peers);
    for (let t = 0; t < 200; t++) {
      if (t === 120) {
        const newcomer = new Peer(make, 5, peers[0].parameters.all.slice());
        newcomer.optimizer.loadState(peers[0].optimizer.serializeState());
        peers.push(newcomer);
        connect(peers);
      }
      await Promise.all(peers.map((peer) => peer.step()));
    }
    disconnect(peers);
    assert.equal(peers.length, 5);
    const [first, ...others] = peers;
    const state = first.optimizer.getWeights();
    for (const peer of others) {
      assertSameBits(peer.parameters.all, first.parameters.all, `peer ${peer.id}`);
      peer.optimizer.getWeights().forEach((value, k) => {
        if (typeof value === 'number') assert.equal(value, state[k]);
        else assertSameBits(value, state[k], `state of peer ${peer.id}`);
      });
    }
    assert.notDeepEqual([...first.parameters.all], [...start]);
  });

/** The server of federated averaging with an optimizer: its gradient is what it has less what the clients have. */
function serverRound(optimizer, server, clients) {
  const pseudo = server.map(
    (x, i) => x - clients.reduce((sum, client) => sum + client[i], 0) / clients.length,
  );
  optimizer.apply([pseudo], [server]);
}

for (const [name, make] of [
  ['FedAdam', () => new Adam({ learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-3 })],
  ['FedAdamax', () => new Adamax({ learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-3 })],
]) {
  test(`${name} on the server finds the clients' common optimum`, () => {
    const target = randomFloats(16, 3);
    const server = new Float32Array(16);
    const optimizer = make();
    for (let k = 0; k < 300; k++) {
      const clients = [0, 1, 2].map((c) => server.map((x, i) => x + 0.3 * (target[i] + 0.05 * (c - 1) - x)));
      serverRound(optimizer, server, clients);
    }
    const farthest = Math.max(...server.map((x, i) => Math.abs(x - target[i])));
    assert.ok(farthest < 0.02, `${farthest} away`);
  });
}

test('the first round of FedAdam is the formula of the paper, with the bias correction', () => {
  const [eta, tau, beta1, beta2] = [0.1, 1e-3, 0.9, 0.99];
  const server = Float32Array.of(1, 1);
  serverRound(new Adam({ learningRate: eta, epsilon: tau, beta1, beta2 }), server, [
    Float32Array.of(1.5, 0.9),
  ]);
  [0.5, -0.1].forEach((delta, i) => {
    const m = (1 - beta1) * delta;
    const v = (1 - beta2) * delta ** 2;
    const corrected = (eta * Math.sqrt(1 - beta2)) / (1 - beta1);
    assert.ok(Math.abs(server[i] - (1 + (corrected * m) / (Math.sqrt(v) + tau))) < 1e-6, `${server[i]}`);
  });
});
