import type { Series } from '../report/plot.ts';
import type { Row } from '../report/result.ts';

/** How thorough a run is. `quick`: to see that everything works; its figures count for nothing. */
export interface Effort {
  readonly quick: boolean;
  /** Says what is going on. */
  readonly progress: (line: string) => void;
}

/** What a workload produced: rows for the table and, where a curve says more, series for a plot. */
export interface Outcome {
  readonly rows: readonly Row[];
  readonly plots?: readonly {
    readonly file: string;
    readonly title: string;
    readonly x: string;
    readonly y: string;
    readonly series: readonly Series[];
  }[];
}

export type Workload = (effort: Effort) => Promise<Outcome>;
