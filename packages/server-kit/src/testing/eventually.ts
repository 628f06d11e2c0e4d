const pollMs = 2;

/** Waits until `check` answers something truthy and returns it; rejects after `timeoutMs` of real time. */
export async function eventually<Value>(check: () => Value | Promise<Value>, timeoutMs = 5_000): Promise<NonNullable<Value>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
