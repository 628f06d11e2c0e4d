import { trueLog } from '../../model/support/truth.ts';
import type { TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { breachesOfAnswers } from './answers.ts';
import type { Device, Fleet, Group } from './fleet.ts';
import type { Acked, Load } from './load.ts';
import type { Stack } from './stack.ts';

export interface History {
  readonly stack: Pick<Stack, 'url' | 'app' | 'otherApp' | 'database' | 'of'>;
  readonly fleet: Pick<Fleet, 'groups' | 'devices' | 'outsiders'>;
  /** Those of the fleet where absent. */
  readonly groups?: readonly Group[];
  readonly loads: readonly Load[];
}

/**
 * The promises, held against what was recorded and against what is answered now. Every acknowledged send is at its seq, once and as it was sent;
 * every log is 1..head; every device was told every entry, each once and in order, and ends with the head; no key named what was not there or was
 * none of that user's business; no pull went back. What every pull side answers is the log, from any cursor and in both directions; heads and
 * unread counts agree with it; a send that is repeated is the same entry; whoever is no member finds nothing. Waits for the devices to arrive at
 * their heads. Returns the breaches.
 */
export async function breachesOf({ stack, fleet, groups = fleet.groups, loads }: History): Promise<string[]> {
  const { database } = stack;
  const everybody = [...fleet.devices, ...fleet.outsiders];
  const found = [...everybody.flatMap(({ breaches }) => breaches), ...loads.flatMap(({ breaches }) => breaches)];
  const acked = loads.flatMap((load) => load.acked);
  for (const group of groups) {
    const log = await trueLog(database, group.id);
    const own = acked.filter(({ conversationId }) => conversationId === group.id);
    found.push(...breachesOfLog(log, own));
    for (const device of fleet.devices)
      if (group.users.includes(device.userId)) found.push(...(await breachesOfDevice(device, group, log)));
    found.push(...(await breachesOfAnswers({ stack, group, log, acked: own })));
    const after = await trueLog(database, group.id);
    if (after.length !== log.length) found.push(`${after.length - log.length} entries more by looking and by repeating`);
  }
  for (const device of everybody) found.push(...breachesOfKeys(device, await reachOf(database, device)));
  return found;
}

type LogEntry = Awaited<ReturnType<typeof trueLog>>[number];

/** What a log and what was acknowledged say of each other. */
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

async function breachesOfDevice(device: Device, { id }: Group, log: readonly LogEntry[]): Promise<string[]> {
  const found: string[] = [];
  await waitFor(`${device.name} to arrive at ${log.length}`, () => device.client.cursor(id) === log.length, { timeoutMs: 60_000 }).catch(
    () => found.push(`${device.name} stays at ${device.client.cursor(id)} of ${log.length}`),
  );
  const truth = log.map(({ seq, clientMsgId, body }) => `${seq} ${clientMsgId} ${String(body?.text)}`);
  const told = device.told.get(id) ?? [];
  const first = told[0]?.seq ?? 1;
  const same =
    told.length === log.length - first + 1 &&
    told.every((entry) => truth[entry.seq - 1] === `${entry.seq} ${entry.clientMsgId} ${String(entry.text)}`);
  if (!same) found.push(`${device.name} was told ${told.length} entries from ${first}, not those of the log up to ${log.length}`);
  return found;
}

/** Keys of logs that are not the device's, and of positions that were never reached there. */
export function breachesOfKeys({ name, keys }: Pick<Device, 'name' | 'keys'>, reach: ReadonlyMap<string, number>): string[] {
  return [...keys].flatMap(([log, seq]) => {
    const end = reach.get(log);
    if (end === undefined) return [`${name} heard a key of ${log}, which is none of its logs`];
    return seq > end ? [`${name} heard of ${log} up to ${seq}, which ends at ${end}`] : [];
  });
}

/** How far each log goes that a device may hear of. */
async function reachOf(database: TestDatabase, { appId, userId }: Device): Promise<Map<string, number>> {
  const rows = await database.query<{ log: string; reach: number }>(
    `select 'c/' || c.id as log, coalesce(m.left_seq, c.last_seq)::int as reach
       from member m join conversation c on c.id = m.conversation_id where c.app_id = $1 and m.user_id = $2
     union all select 'u/' || id, feed_version::int from chat_user where app_id = $1 and id = $2
     union all select 'a/' || app_id, last_seq::int from app_log where app_id = $1`,
    [appId, userId],
  );
  return new Map(rows.map(({ log, reach }) => [log, reach]));
}
