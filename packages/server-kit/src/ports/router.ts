/** Which database holds a conversation. Calls are grouped by `group`: nothing spans two groups. */
export interface Router<Pool> {
  route(conversationId: string): {
    readonly pool: Pool;
    readonly group: string;
  };
}

/** One database for everything. */
export function constantRouter<Pool>(pool: Pool): Router<Pool> {
  const only = { pool, group: 'all' };
  return { route: () => only };
}
