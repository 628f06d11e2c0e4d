import { type ClusterIdentity, createPool, loadApps, readIdentity, settleEpoch } from '@nudge/db';

export const epochUsage = `  epoch         says which cluster is recorded, which one answers, and the epoch of each app
  epoch keep    after a promotion that lost nothing acknowledged: go on, clients keep what they have
  epoch bump    after a restore, or when something acknowledged may be missing: every app's epoch rises, clients start over`;

/** `keep`, `bump`, or undefined, which only looks. */
export type EpochDecision = 'keep' | 'bump' | undefined;

/** What stands after `epoch` on the command line. Throws where that is nothing the command knows. */
export function readEpochDecision(args: readonly string[]): EpochDecision {
  const [how, ...more] = args;
  if (how !== undefined && how !== 'keep' && how !== 'bump')
    throw new Error(`epoch ${how}: unknown; it is "epoch", "epoch keep" or "epoch bump"`);
  if (more.length > 0) throw new Error(`epoch ${how}: nothing is expected after it, but ${more.join(' ')} was given`);
  return how;
}

/** `epoch`, `epoch keep`, `epoch bump`: what the processes wait for when the database is not the cluster it was. */
export async function epochCommand(how: EpochDecision, connectionString: string, print: (line: string) => void): Promise<void> {
  const pool = createPool({ connectionString, applicationName: 'nudge-cli', max: 1 });
  try {
    if (how !== undefined) print(`recorded ${describe(await settleEpoch(pool, how))}`);
    const { actual, recorded } = await readIdentity(pool);
    if (how === undefined) {
      print(`recorded ${describe(recorded)}`);
      print(`answers  ${describe(actual)}`);
      const same = actual.systemIdentifier === recorded.systemIdentifier && actual.timeline === recorded.timeline;
      print(same ? 'the same: nothing to do' : 'they differ: nothing is served until "epoch keep" or "epoch bump"');
    }
    for (const { id, epoch } of await loadApps(pool)) print(`app ${id}: epoch ${epoch}`);
  } finally {
    await pool.end();
  }
}

const describe = ({ systemIdentifier, timeline }: ClusterIdentity): string => `system ${systemIdentifier}, timeline ${timeline}`;
