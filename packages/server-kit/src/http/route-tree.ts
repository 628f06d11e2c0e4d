/** What a path matched, and its parameters in the order of the route's path, still percent-encoded. */
export interface Match<Value> {
  readonly value: Value;
  readonly params: readonly string[];
}

interface Node<Value> {
  readonly children: Map<string, Node<Value>>;
  parameter: Node<Value> | undefined;
  readonly values: Map<string, Value>;
}

/**
 * Routes by method and path, looked up segment by segment: the cost depends on the length of the path, not on the number of routes. Literal
 * segments win over parameters. Paths are compared exactly: case matters, and so does a trailing slash.
 */
export class RouteTree<Value> {
  readonly #root: Node<Value> = newNode();

  /** @param path with parameters as `{name}` */
  add(method: string, path: string, value: Value): void {
    let node = this.#root;
    for (const segment of path.slice(1).split('/')) {
      if (segment.startsWith('{')) {
        node.parameter ??= newNode();
        node = node.parameter;
      } else {
        let child = node.children.get(segment);
        if (child === undefined) {
          child = newNode();
          node.children.set(segment, child);
        }
        node = child;
      }
    }
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
    if (target.charCodeAt(0) !== 0x2f) return undefined;
    const query = target.indexOf('?');
    const end = query < 0 ? target.length : query;
    let node = this.#root;
    for (let start = 1; ; ) {
      const slash = target.indexOf('/', start);
      const stop = slash < 0 || slash > end ? end : slash;
      const segment = target.slice(start, stop);
      const literal = node.children.get(segment);
      if (literal !== undefined) {
        node = literal;
      } else {
        if (node.parameter === undefined || segment === '') return undefined;
        params.push(segment);
        node = node.parameter;
      }
      if (stop === end) return node;
      start = stop + 1;
    }
  }
}

function newNode<Value>(): Node<Value> {
  return { children: new Map(), parameter: undefined, values: new Map() };
}
