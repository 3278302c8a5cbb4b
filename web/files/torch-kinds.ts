// The optimizers of torch.optim: by which of their groups' keys each is known, what its options are here, and what it
// calls our slots. Which classes there are here is the registry's business, and what a slot does the rule's.

/** A parameter group of a state_dict(). */
export type TorchGroup = Readonly<Record<string, unknown>> & { readonly params: readonly number[] };

type Config = Record<string, unknown>;

export interface TorchKind {
  /** As torch calls it. */
  readonly name: string;
  /** The class here. */
  readonly className: string;
  /** Keys that its groups have, and keys that only others have. */
  readonly has: readonly string[];
  readonly hasNot: readonly string[];
  /** Keys that they may have. Any other that matters makes them another's. */
  readonly may?: readonly string[];
  /** Options here of a group, but for the rate, the decay and `maximize`. */
  config(group: TorchGroup): Config;
  /** And the way back: the keys of a group, from options here. */
  group(config: Readonly<Config>): Config;
  /** Our slots, and numbers of the optimizer's own, as torch calls them. */
  readonly slots: Readonly<Record<string, string>>;
  readonly scalars?: Readonly<Record<string, string>>;
  /** Whether each parameter has its count of steps with its state. */
  readonly counts: boolean;
  /** Whether weight decay is AdamW's: then the class here has no `decoupledWeightDecay`. */
  readonly isDecoupled?: boolean;
  /** Whether torch makes the state with the optimizer: each parameter has one before its first gradient, and needs it. */
  readonly isEarly?: boolean;
  /** Without a state, such groups may be another's. */
  readonly needsState?: boolean;
}

const moments = { momentum: 'exp_avg', velocity: 'exp_avg_sq' };
const betas = ({ betas, eps }: TorchGroup): Config => {
  const [beta1, beta2] = betas as number[];
  return { beta1, beta2, epsilon: eps };
};
const betasBack = ({ beta_1, beta_2, epsilon }: Readonly<Config>): Config => ({
  betas: [beta_1, beta_2],
  eps: epsilon,
});
const adam = {
  has: ['betas', 'eps', 'amsgrad'],
  hasNot: ['momentum_decay'],
  may: ['decoupled_weight_decay'],
  config: (group: TorchGroup) => ({ ...betas(group), amsgrad: group.amsgrad }),
  group: (config: Readonly<Config>) => ({ ...betasBack(config), amsgrad: config.amsgrad }),
  slots: { ...moments, velocity_hat: 'max_exp_avg_sq' },
  counts: true,
} as const;

export const torchKinds: readonly TorchKind[] = [
  { ...adam, name: 'Adam', className: 'Adam' },
  { ...adam, name: 'AdamW', className: 'AdamW', isDecoupled: true },
  {
    name: 'Adamax',
    className: 'Adamax',
    has: ['betas', 'eps'],
    hasNot: ['amsgrad', 'momentum_decay', 'decoupled_weight_decay', 'fused'],
    config: betas,
    group: betasBack,
    slots: { momentum: 'exp_avg', norm: 'exp_inf' },
    counts: true,
  },
  {
    name: 'NAdam',
    className: 'Nadam',
    has: ['betas', 'eps', 'momentum_decay'],
    hasNot: ['amsgrad'],
    may: ['decoupled_weight_decay'],
    config: (group) => ({
      ...betas(group),
      momentumDecay: group.momentum_decay,
      decoupledWeightDecay: group.decoupled_weight_decay ?? false,
    }),
    group: (config) => ({
      ...betasBack(config),
      momentum_decay: config.momentum_decay ?? 0.004,
      decoupled_weight_decay: config.decoupled_weight_decay ?? false,
    }),
    slots: moments,
    scalars: { variable: 'mu_product' },
    counts: true,
    needsState: true,
  },
  {
    name: 'RAdam',
    className: 'RAdam',
    has: ['betas', 'eps'],
    hasNot: ['amsgrad', 'momentum_decay', 'fused'],
    may: ['decoupled_weight_decay'],
    config: (group) => ({ ...betas(group), decoupledWeightDecay: group.decoupled_weight_decay ?? false }),
    group: (config) => ({
      ...betasBack(config),
      decoupled_weight_decay: config.decoupled_weight_decay ?? false,
    }),
    slots: moments,
    counts: true,
    needsState: true,
  },
  {
    name: 'SGD',
    className: 'SGD',
    has: ['momentum', 'dampening', 'nesterov'],
    hasNot: ['betas'],
    config: ({ momentum, dampening, nesterov }) => ({ momentum, dampening, nesterov }),
    group: ({ momentum, dampening, nesterov }) => ({ momentum, dampening: dampening ?? 0, nesterov }),
    slots: { momentum: 'momentum_buffer' },
    counts: false,
  },
  {
    name: 'RMSprop',
    className: 'RMSprop',
    has: ['alpha', 'eps', 'centered'],
    hasNot: ['betas'],
    may: ['momentum'],
    config: ({ alpha, eps, centered, momentum }) => ({
      rho: alpha,
      epsilon: eps,
      centered,
      momentum: momentum ?? 0,
    }),
    group: ({ rho, epsilon, centered, momentum }) => ({ alpha: rho, eps: epsilon, centered, momentum }),
    slots: { velocity: 'square_avg', momentum: 'momentum_buffer', average_gradient: 'grad_avg' },
    counts: true,
  },
  {
    name: 'Adagrad',
    className: 'Adagrad',
    has: ['lr_decay', 'initial_accumulator_value'],
    hasNot: ['betas'],
    may: ['eps'],
    config: ({ lr_decay, initial_accumulator_value, eps }) => ({
      lrDecay: lr_decay,
      initialAccumulatorValue: initial_accumulator_value,
      epsilon: eps,
    }),
    group: ({ lr_decay, initial_accumulator_value, epsilon }) => ({
      lr_decay: lr_decay ?? 0,
      initial_accumulator_value,
      eps: epsilon,
    }),
    slots: { accumulator: 'sum' },
    counts: true,
    isEarly: true,
  },
  {
    name: 'Adadelta',
    className: 'Adadelta',
    has: ['rho', 'eps'],
    hasNot: ['betas', 'momentum'],
    config: ({ rho, eps }) => ({ rho, epsilon: eps }),
    group: ({ rho, epsilon }) => ({ rho, eps: epsilon }),
    slots: { accumulated_grad: 'square_avg', accumulated_delta_var: 'acc_delta' },
    counts: true,
  },
];

export const isAdam = ({ name }: TorchKind): boolean => name === 'Adam' || name === 'AdamW';

/** Whether one optimizer of torch can have groups of both: from 2.7 on AdamW is an Adam with `decoupled_weight_decay`. */
export const isOneClass = (a: TorchKind, b: TorchKind): boolean => a === b || (isAdam(a) && isAdam(b));

/** How torch computes a group, not what: keys that its constructors write, with what they mean by default. */
export function howOf({ name }: TorchKind): Readonly<Config> {
  const hasFused = ['Adam', 'AdamW', 'SGD', 'Adagrad'].includes(name);
  const hasCapturable = name !== 'SGD' && name !== 'Adagrad';
  return {
    ...{ foreach: null, differentiable: false },
    ...(hasCapturable && { capturable: false }),
    ...(hasFused && { fused: null }),
  };
}

/** Keys whose values are true or false. */
export const flags = ['amsgrad', 'maximize', 'nesterov', 'centered', 'decoupled_weight_decay'];

/** Keys without effect on the numbers. */
export const noEffect = [
  ...['params', 'foreach', 'capturable', 'differentiable', 'fused', 'swap'],
  ...['initial_lr', 'param_names', 'name'], // what others note there
  ...['max_lr', 'min_lr', 'max_momentum', 'base_momentum'], // of schedulers
];

/** For errors. */
export const accepted =
  'accepted are Adam, AdamW and Adamax, NAdam, RAdam, SGD, RMSprop, Adagrad and Adadelta';
