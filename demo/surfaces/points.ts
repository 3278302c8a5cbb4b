// Points and intervals of the plane that the loss surfaces are drawn over. Types only.

export type Point = readonly [x: number, y: number];
export type Range = readonly [low: number, high: number];
