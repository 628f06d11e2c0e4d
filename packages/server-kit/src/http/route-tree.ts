/** What a path matched, and its parameters in the order of the route's path, still percent-encoded. */
export interface Match<Value> {
  readonly value: Value;
  readonly params: readonly string[];
}

interface Node<Value> {
  /** The fixed part of the path up to the next slash; empty for a parameter. */
  readonly segment: string;
  readonly children: Node<Value>[];
  parameter: Node<Value> | undefined;
  readonly values: Map<string, Value>;
}

const slash = 0x2f;

/**
 * Routes by method and path, looked up segment by segment: the cost depends on the length of the path, hardly on the number of routes.
 * Fixed segments win over parameters. Paths are compared exactly: case matters, and so does a trailing slash.
 */
export class RouteTree<Value> {
  readonly #root: Node<Value> = newNode('');

  /** @param path with parameters as `{name}` */
  add(method: string, path: string, value: Value): void {
    let node = this.#root;
    for (const segment of path.slice(1).split('/')) node = segment.startsWith('{') ? parameterOf(node) : childOf(node, segment);
    if (node.values.has(method)) throw new Error(`Two routes for ${method} ${path}`);
    node.values.set(method, value);
  }

  /** @param target the request target: path and perhaps a query */
  match(method: string, target: string): Match<Value> | undefined {
    const params: string[] = [];
    const value = this.#find(target, params)?.values.get(method);
    return value === undefined ? undefined : { value, params };
  }

  /** Methods that the path has, none when it is unknown. */
  methods(target: string): string[] {
    return [...(this.#find(target, [])?.values.keys() ?? [])];
  }

  #find(target: string, params: string[]): Node<Value> | undefined {
    if (target.charCodeAt(0) !== slash) return undefined;
    const query = target.indexOf('?');
    const end = query < 0 ? target.length : query;
    let node = this.#root;
    for (let start = 1; ; ) {
      const next = target.indexOf('/', start);
      const stop = next < 0 || next > end ? end : next;
      let child = fixedChild(node, target, start, stop);
      if (child === undefined) {
        child = node.parameter;
        if (child === undefined || stop === start) return undefined;
        params.push(target.slice(start, stop));
      }
      node = child;
      if (stop === end) return node;
      start = stop + 1;
    }
  }
}

/** The child whose segment is what stands from `start` to `stop`. Its length tells most siblings apart. */
function fixedChild<Value>(node: Node<Value>, target: string, start: number, stop: number): Node<Value> | undefined {
  const length = stop - start;
  for (const child of node.children) {
    if (child.segment.length === length && target.startsWith(child.segment, start)) return child;
  }
  return undefined;
}

function childOf<Value>(node: Node<Value>, segment: string): Node<Value> {
  let child = node.children.find((candidate) => candidate.segment === segment);
  if (child === undefined) {
    child = newNode<Value>(segment);
    node.children.push(child);
  }
  return child;
}

function parameterOf<Value>(node: Node<Value>): Node<Value> {
  node.parameter ??= newNode('');
  return node.parameter;
}

function newNode<Value>(segment: string): Node<Value> {
  return { segment, children: [], parameter: undefined, values: new Map() };
}
