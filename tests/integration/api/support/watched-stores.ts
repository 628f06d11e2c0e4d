import type { ApiStores } from '@nudge/api';

/** Counts what reaches the conversation side of the stores, by the name of the method. */
export function watchStores(): { wrap(stores: ApiStores): ApiStores; calls(method: string): number } {
  const counts = new Map<string, number>();
  const counted = <Store extends object>(store: Store): Store =>
    new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          counts.set(String(name), (counts.get(String(name)) ?? 0) + 1);
          return Reflect.apply(value, target, args);
        };
      },
    });
  return {
    wrap: (stores) => {
      const watched = new Map(stores.databases.map((store) => [store, counted(store)]));
      return {
        ...stores,
        databases: [...watched.values()],
        router: {
          route: (conversationId) => {
            const { pool, group } = stores.router.route(conversationId);
            return { group, pool: watched.get(pool) ?? counted(pool) };
          },
        },
      };
    },
    calls: (method) => counts.get(method) ?? 0,
  };
}
