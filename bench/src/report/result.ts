import type { CpuSeconds } from '../cpu.ts';

/** One measured line of a workload. `problems` non-empty: it has no figure. */
export interface Row {
  readonly workload: string;
  readonly what: string;
  /** Name -> value with its unit in the name. */
  readonly figures: Readonly<Record<string, number | string>>;
  readonly goal?: string;
  readonly met?: boolean;
  readonly problems: readonly string[];
}

/** CPU seconds per 1,000 of something, server and database apart and together. */
export function perThousand(cpu: CpuSeconds, count: number): { server: number; database: number; both: number } {
  const per = (seconds: number) => round((seconds / Math.max(1, count)) * 1_000, 4);
  return { server: per(cpu.server), database: per(cpu.database), both: per(cpu.server + cpu.database) };
}

/** `value` with at most `decimals` decimals. */
export function round(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale;
}
