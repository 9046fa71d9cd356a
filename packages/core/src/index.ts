/** The public API of devenv's runtime. Everything else in this package is private to it. */
export { UserError, type ErrorCode, type Problem } from './base/errors.ts';
export type { Event, Report } from './base/events.ts';
export type { Plan, PlannedBase, PlannedStep } from './plan/plan.ts';
export type { Change } from './container/compare.ts';
export type { LogLine, Probe } from './engine/engine.ts';
export type { ConfigDescription, Origin } from './config/explain-config.ts';
export type { InitFile, InitResult } from './init/init.ts';
export type { WatchOptions } from './watch.ts';
export * from './api.ts';
export * from './api-images.ts';
