import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Findings } from './findings.ts';

interface Tool {
  readonly command: string;
  /** Shows that it is there. */
  readonly version: readonly string[];
  readonly runs: readonly { readonly file: string; readonly args: (dir: string) => readonly string[] }[];
}

/** The makers' own tools, which no package brings: they judge too where they are on PATH. None needs a server. */
const tools: readonly Tool[] = [
  {
    command: 'kubectl',
    version: ['version', '--client'],
    runs: ['kubernetes/base', 'kubernetes/migrate'].map((file) => ({ file, args: (dir: string) => ['kustomize', join(dir, file)] })),
  },
  {
    command: 'promtool',
    version: ['--version'],
    runs: [{ file: 'prometheus/rules.yaml', args: (dir) => ['check', 'rules', join(dir, 'prometheus/rules.yaml')] }],
  },
];

/** Runs the tools that are there. Answers what ran and what did not. */
export function checkWithTools(findings: Findings): { readonly ran: string[]; readonly absent: string[] } {
  const absent: string[] = [];
  const ran: string[] = [];
  for (const { command, version, runs } of tools) {
    if (spawnSync(command, [...version], { stdio: 'ignore' }).status !== 0) {
      absent.push(command);
      continue;
    }
    ran.push(command);
    for (const { file, args } of runs) {
      const { status, stdout, stderr } = spawnSync(command, [...args(findings.dir)], { encoding: 'utf8' });
      if (status !== 0) findings.add(file, `${command}: ${(stderr || stdout).trim()}`);
    }
  }
  return { ran, absent };
}
