import type { LogEffect, LogEvent, LogState, LogStep, Positioned } from './log-state.ts';

/** Items with these seqs. */
export const seqs = (...list: number[]): Positioned[] => list.map((seq) => ({ seq }));

/** A page event; what is not said is as on a last page of a log visible from its start. */
export function page(items: Positioned[], rest: Partial<Extract<LogEvent, { type: 'page' }>> = {}): LogEvent {
  return { type: 'page', ticket: 7, items, head: items.at(-1)?.seq ?? 0, oldestSeq: 1, more: false, crowded: false, ...rest };
}

/** A step in one line: the state it leads to and the effects in order, such as `pulling 10>12 min 12 | pull after 10 min 12`. */
export function line({ state, effects }: LogStep): string {
  return [showState(state), ...effects.map(showEffect)].join(' | ');
}

function showState(state: LogState): string {
  switch (state.phase) {
    case 'unknown':
      return 'unknown';
    case 'gone':
      return `gone ${state.floor}`;
    case 'idle':
      return `idle ${state.cursor}`;
    case 'starting':
      return `starting >${state.target} min ${state.asked}${kept(state.prior)}${state.again ? ' again' : ''}`;
    case 'pulling':
      return `pulling ${state.cursor}>${state.target} min ${state.asked}${state.again ? ' again' : ''}`;
    case 'waiting':
      return `waiting ${state.cursor}>${state.target} #${state.attempt}${kept(state.prior)}`;
    case 'stalled':
      return `stalled ${state.cursor}>${state.target}${kept(state.prior)}`;
  }
}

function kept(prior: number | null): string {
  return prior === null ? '' : ` kept ${prior}`;
}

function showEffect(effect: LogEffect): string {
  switch (effect.type) {
    case 'pull':
      return `pull ${effect.after === null ? 'end' : `after ${effect.after}`} min ${effect.min}`;
    case 'apply':
      return `apply ${effect.items.map(({ seq }) => seq).join(',')} to ${effect.cursor}${effect.newRange ? ' new range' : ''}`;
    case 'drop':
      return `drop ${effect.reason}`;
    case 'wait':
      return `wait ${effect.attempt}${effect.afterMs === undefined ? '' : ` from ${effect.afterMs}`}`;
    case 'violation':
      return effect.kind;
  }
}
