import { trueLog } from '../../model/support/truth.ts';
import type { TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Device, Group } from './fleet.ts';
import type { Acked, Load } from './load.ts';

export interface History {
  readonly database: TestDatabase;
  readonly groups: readonly Group[];
  readonly devices: readonly Device[];
  readonly loads: readonly Load[];
}

/**
 * The promises, held against what was recorded: every acknowledged send is at its seq, once; every log is 1..head; every device was told every
 * entry, each once and in order, and ends with the head. Waits for the devices to arrive there. Returns the breaches.
 */
export async function breachesOf({ database, groups, devices, loads }: History): Promise<string[]> {
  const found = [...devices.flatMap(({ breaches }) => breaches), ...loads.flatMap(({ breaches }) => breaches)];
  const acked = loads.flatMap((load) => load.acked);
  for (const { id, users } of groups) {
    const log = await trueLog(database, id);
    found.push(
      ...breachesOfLog(
        log,
        acked.filter(({ conversationId }) => conversationId === id),
      ),
    );
    const truth = log.map(({ seq, clientMsgId, body }) => `${seq} ${clientMsgId} ${String(body?.text)}`);
    for (const device of devices) {
      if (!users.includes(device.userId)) continue;
      const late = await waitFor(`${device.name} to arrive at ${log.length}`, () => device.client.cursor(id) === log.length, {
        timeoutMs: 60_000,
      }).then(
        () => undefined,
        () => `${device.name} stays at ${device.client.cursor(id)} of ${log.length}`,
      );
      if (late !== undefined) found.push(late);
      const told = device.told.get(id) ?? [];
      const first = told[0]?.seq ?? 1;
      const same =
        told.length === log.length - first + 1 &&
        told.every((entry) => truth[entry.seq - 1] === `${entry.seq} ${entry.clientMsgId} ${String(entry.text)}`);
      if (!same) found.push(`${device.name} was told ${told.length} entries from ${first}, not those of the log up to ${log.length}`);
    }
  }
  return found;
}

type LogEntry = Awaited<ReturnType<typeof trueLog>>[number];

/** The same without devices. */
export function breachesOfLog(log: readonly LogEntry[], acked: readonly Acked[]): string[] {
  const found: string[] = [];
  for (const [index, { seq }] of log.entries()) if (seq !== index + 1) found.push(`entry ${index} has seq ${seq}`);
  const ids = log.flatMap(({ senderId, clientMsgId }) => (clientMsgId ? [`${senderId}/${clientMsgId}`] : []));
  if (new Set(ids).size !== ids.length) found.push('a send is there twice');
  for (const { seq, clientMsgId, userId, text } of acked) {
    const entry = log[seq - 1];
    if (entry?.clientMsgId !== clientMsgId || entry.senderId !== userId || entry.body?.text !== text) {
      found.push(`acknowledged ${clientMsgId} is not at ${seq}`);
    }
  }
  return found;
}
