import { createRoutes, defaultLimits, syncRoutes } from '@nudge/types';
import { type NginxParseTreeNode, parse } from 'nginx-conf/dist/src/parser.js';
import { at, type Findings, tree } from './findings.ts';

const file = 'compose/nginx.conf';

/** The proxy of the compose files: its syntax, that its upstreams are services, and that it sends pulls to sync and all else to the API. */
export function checkProxy(findings: Findings): void {
  let root: NginxParseTreeNode | undefined;
  parse(findings.read(file), (error, parsed) => {
    if (error !== null) findings.add(file, error.message);
    root = parsed;
  });
  const http = child(root, 'http');
  const services = tree(at(findings.yaml('compose/compose.yaml')[0], 'services'));
  for (const upstream of children(http, 'upstream')) {
    for (const { value } of children(upstream, 'server')) {
      const [host = '', port] = (value.split(' ')[0] ?? '').split(':');
      findings.expect(host in services && port === '8080', file, `${value}: no service listens there`);
    }
  }
  const server = child(http, 'server');
  const locations = children(server, 'location').map((node) => {
    const [sign, path = sign] = node.value.split(' ');
    return { exact: sign === '=', path: path ?? '', to: child(node, 'proxy_pass')?.value.replace('http://', '') ?? '' };
  });
  checkRouting(findings, file, locations);
}

/** Where requests to a path go. */
export interface Location {
  readonly exact: boolean;
  readonly path: string;
  readonly to: string;
}

/** An exact location wins, else the longest prefix: nginx and the Ingress of Kubernetes agree in that. */
export function checkRouting(findings: Findings, inFile: string, locations: readonly Location[]): void {
  const pulls = new Set(Object.keys(syncRoutes(defaultLimits)));
  for (const [name, { path }] of Object.entries(createRoutes(defaultLimits))) {
    const wanted = pulls.has(name) ? 'sync' : 'api';
    const found =
      locations.find((location) => location.exact && location.path === path) ??
      locations
        .filter((location) => !location.exact && path.startsWith(location.path))
        .toSorted((a, b) => b.path.length - a.path.length)[0];
    findings.expect(found?.to === wanted, inFile, `${path} goes to ${found?.to ?? 'nobody'}, not to ${wanted}`);
  }
}

function children(node: NginxParseTreeNode | undefined, name: string): NginxParseTreeNode[] {
  return (node?.children ?? []).filter((candidate) => candidate.name === name);
}

function child(node: NginxParseTreeNode | undefined, name: string): NginxParseTreeNode | undefined {
  return children(node, name)[0];
}
