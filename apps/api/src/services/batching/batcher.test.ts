import { NudgeError } from '@nudge/server-kit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batcher, type BatcherOptions } from './batcher.ts';

interface Input {
  readonly n: number;
  readonly app: string;
  readonly conversation: string;
  readonly kind: 'plain' | 'alone' | 'poison';
  /** Inputs of one conversation with the same name: only the first in a call is judged. */
  readonly name: string;
}

class DataError extends Error {}
class LockError extends Error {}
class Lost extends Error {}

/** A database that is told which conversations are locked, and answers when the test says so. */
class Script {
  readonly calls: { inputs: readonly Input[]; answer: () => void }[] = [];
  readonly applied: Input[] = [];
  /** Calls that will find the conversation locked. */
  readonly locked = new Map<string, number>();
  lost = 0;
  mostInFlight = 0;
  #inFlight: (readonly Input[])[] = [];
  readonly overlaps: string[] = [];
  readonly misplaced: Input[] = [];

  call = (inputs: readonly Input[]): Promise<readonly string[]> =>
    new Promise((resolve, reject) => {
      const busy = new Set(this.#inFlight.flat().map((input) => input.conversation));
      for (const input of inputs) if (busy.has(input.conversation)) this.overlaps.push(input.conversation);
      this.#inFlight.push(inputs);
      this.mostInFlight = Math.max(this.mostInFlight, this.#inFlight.length);
      const answer = (): void => {
        this.#inFlight = this.#inFlight.filter((other) => other !== inputs);
        try {
          resolve(this.#judge(inputs));
        } catch (error) {
          reject(error);
        }
      };
      this.calls.push({ inputs, answer });
    });

  #judge(inputs: readonly Input[]): string[] {
    const conversations = new Set(inputs.map((input) => input.conversation));
    let stuck = false;
    for (const conversation of conversations) {
      const left = this.locked.get(conversation) ?? 0;
      if (left > 0) {
        this.locked.set(conversation, left - 1);
        stuck = true;
      }
    }
    if (stuck) throw new LockError();
    if (this.lost > 0) {
      this.lost -= 1;
      throw new Lost();
    }
    if (inputs.some((input) => input.kind === 'poison')) throw new DataError();
    const seen = new Set<string>();
    return inputs.map((input) => {
      const others = inputs.filter((other) => other.conversation === input.conversation);
      if (input.kind === 'alone' && others.length > 1) this.misplaced.push(input);
      const name = `${input.conversation}/${input.name}`;
      if (seen.has(name)) return 'repeat';
      seen.add(name);
      this.applied.push(input);
      return `done ${input.n}`;
    });
  }
}

function batcherOn(
  script: Script,
  options: Partial<BatcherOptions<Input, string>> = {},
): { batcher: Batcher<Input, string>; turn: () => void } {
  const deferred: (() => void)[] = [];
  const batcher = new Batcher<Input, string>({
    call: script.call,
    appOf: (input) => input.app,
    conversationOf: (input) => input.conversation,
    standsAlone: (input) => input.kind === 'alone',
    isRepeat: (result) => result === 'repeat',
    classify: (error) => (error instanceof DataError ? 'data' : error instanceof LockError ? 'lock' : 'other'),
    maxBatch: 8,
    maxInFlight: 2,
    worthwhile: 1,
    patienceMs: Number.POSITIVE_INFINITY,
    now: () => 0,
    capacity: 1_000,
    maxTimeouts: 3,
    defer: (fn) => deferred.push(fn),
    ...options,
  });
  return {
    batcher,
    turn: () => {
      for (const fn of deferred.splice(0)) fn();
    },
  };
}

/** Lets everything that is ready to run, run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const plain = (n: number, conversation: string, app = 'app'): Input => ({
  n,
  app,
  conversation,
  kind: 'plain',
  name: `${n}`,
});

describe('the batcher, driven with anything', () => {
  const inputs = fc.array(
    fc.record({
      app: fc.constantFrom('red', 'blue'),
      place: fc.integer({ min: 0, max: 3 }),
      kind: fc.oneof({ weight: 8, arbitrary: fc.constant('plain' as const) }, fc.constantFrom('alone' as const, 'poison' as const)),
      name: fc.integer({ min: 0, max: 9 }),
      /** What happens before this input is added: an answer to one of the calls in flight, a turn of the loop, nothing. */
      before: fc.constantFrom('answer', 'turn', 'nothing'),
      which: fc.nat(),
    }),
    { maxLength: 60 },
  );
  const locks = fc.dictionary(fc.constantFrom('red0', 'red1', 'blue2'), fc.integer({ min: 1, max: 9 }), { maxKeys: 2 });

  it('answers every input once, keeps the order of each conversation, never has a conversation in two calls', async () => {
    await fc.assert(
      fc.asyncProperty(
        inputs,
        locks,
        fc.nat({ max: 2 }),
        fc.nat(),
        fc.integer({ min: 1, max: 9 }),
        async (script, locked, lost, seed, worthwhile) => {
          const database = new Script();
          database.lost = lost;
          for (const [conversation, times] of Object.entries(locked)) database.locked.set(conversation, times);
          const { batcher, turn } = batcherOn(database, { worthwhile });
          const outcomes = new Map<number, string[]>();
          const added: Input[] = [];
          const answerOne = (which: number): void => {
            const [call] = database.calls.splice(which % Math.max(1, database.calls.length), 1);
            call?.answer();
          };
          for (const [n, step] of script.entries()) {
            if (step.before === 'answer') answerOne(step.which);
            if (step.before === 'turn') turn();
            await settle();
            const input: Input = {
              n,
              app: step.app,
              conversation: `${step.app}${step.place}`,
              kind: step.kind,
              name: `${step.name}`,
            };
            added.push(input);
            outcomes.set(n, []);
            batcher.add(input).then(
              (result) => outcomes.get(n)?.push(result),
              (error: unknown) => outcomes.get(n)?.push(error instanceof NudgeError ? error.code : (error as Error).constructor.name),
            );
          }
          const idle = batcher.idle();
          for (let rounds = 0; batcher.unanswered > 0; rounds += 1) {
            expect(rounds).toBeLessThan(5_000);
            turn();
            answerOne(seed + rounds);
            await settle();
          }
          await idle;

          for (const input of added) {
            const outcome = outcomes.get(input.n);
            expect(outcome).toHaveLength(1);
            const allowed = [
              `done ${input.n}`,
              'overloaded',
              ...(lost > 0 ? ['Lost'] : []),
              ...(input.kind === 'poison' ? ['DataError'] : []),
            ];
            expect(allowed).toContain(outcome?.[0]);
            if (Object.keys(locked).length === 0) expect(outcome?.[0]).not.toBe('overloaded');
            if (!Object.keys(locked).includes(input.conversation)) expect(outcome?.[0]).not.toBe('overloaded');
          }
          const firstOfName = (input: Input): boolean =>
            added.find((other) => other.conversation === input.conversation && other.name === input.name) === input;
          for (const conversation of new Set(added.map((input) => input.conversation))) {
            const order = database.applied
              .filter((input) => input.conversation === conversation && firstOfName(input))
              .map((input) => input.n);
            expect(order).toEqual([...order].sort((a, b) => a - b));
          }
          expect(database.overlaps).toEqual([]);
          expect(database.misplaced).toEqual([]);
          expect(database.mostInFlight).toBeLessThanOrEqual(Object.keys(locked).length === 0 ? 2 : 4);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('the batcher', () => {
  it('calls with everything that arrived in one turn, then with everything that arrived while two calls were in flight', async () => {
    const database = new Script();
    const { batcher, turn } = batcherOn(database);
    const answers = [batcher.add(plain(1, 'a')), batcher.add(plain(2, 'b'))];
    expect(database.calls).toHaveLength(0);
    turn();
    answers.push(batcher.add(plain(3, 'c')));
    turn();
    answers.push(batcher.add(plain(4, 'd')), batcher.add(plain(5, 'e')));
    turn();
    expect(database.calls.map((call) => call.inputs.map((input) => input.n))).toEqual([[1, 2], [3]]);
    for (const call of database.calls.splice(0)) call.answer();
    await settle();
    expect(database.calls.map((call) => call.inputs.map((input) => input.n))).toEqual([[4, 5]]);
    database.calls[0]?.answer();
    expect(await Promise.all(answers)).toEqual(['done 1', 'done 2', 'done 3', 'done 4', 'done 5']);
  });

  it('begins a call beside another only for enough inputs, or when the other takes long', () => {
    const database = new Script();
    let now = 0;
    const { batcher, turn } = batcherOn(database, { worthwhile: 4, patienceMs: 25, now: () => now });
    const add = (from: number, to: number): void => {
      for (let n = from; n <= to; n += 1) batcher.add(plain(n, `c${n}`)).catch(() => undefined);
      turn();
    };
    const calls = (): number[] => database.calls.map((call) => call.inputs.length);
    add(1, 1);
    add(2, 4);
    expect(calls()).toEqual([1]);
    add(5, 5);
    expect(calls()).toEqual([1, 4]);

    const slow = new Script();
    const beside = batcherOn(slow, { worthwhile: 4, patienceMs: 25, now: () => now });
    void beside.batcher.add(plain(1, 'a'));
    beside.turn();
    now = 24;
    void beside.batcher.add(plain(2, 'b'));
    beside.turn();
    expect(slow.calls).toHaveLength(1);
    now = 25;
    void beside.batcher.add(plain(3, 'c'));
    beside.turn();
    expect(slow.calls.map((call) => call.inputs.length)).toEqual([1, 2]);
  });

  it('takes from apps and conversations in turn, so that a busy one leaves room for the others', () => {
    const database = new Script();
    const { batcher, turn } = batcherOn(database, { maxBatch: 20, maxInFlight: 1 });
    for (let n = 0; n < 40; n += 1) void batcher.add(plain(n, 'busy', 'red'));
    void batcher.add(plain(100, 'quiet', 'red'));
    void batcher.add(plain(101, 'other', 'blue'));
    turn();
    const taken = database.calls[0]?.inputs.map((input) => input.n) ?? [];
    expect(taken).toHaveLength(20);
    expect(taken).toContain(100);
    expect(taken).toContain(101);
    expect(taken.filter((n) => n < 40)).toEqual(Array.from({ length: 18 }, (_, n) => n));
  });

  it('finds the one input that the database refuses and appends all others', async () => {
    const database = new Script();
    const { batcher, turn } = batcherOn(database, { maxBatch: 50 });
    const outcomes = Array.from({ length: 40 }, (_, n) =>
      batcher.add({ ...plain(n, `c${n % 5}`), kind: n === 23 ? 'poison' : 'plain' }).catch((error: unknown) => error),
    );
    turn();
    while (batcher.unanswered > 0) {
      database.calls.shift()?.answer();
      await settle();
    }
    const results = await Promise.all(outcomes);
    expect(results[23]).toBeInstanceOf(DataError);
    expect(results.filter((result) => typeof result === 'string')).toHaveLength(39);
  });

  it('moves a locked conversation to a lane of its own: its companions go on, and later sends do not meet it', async () => {
    const database = new Script();
    database.locked.set('stuck', Number.POSITIVE_INFINITY);
    const { batcher, turn } = batcherOn(database, { maxInFlight: 1 });
    const victim = batcher.add(plain(1, 'stuck')).catch((error: unknown) => error);
    const companion = batcher.add(plain(2, 'fine'));
    turn();
    const drive = async (until: () => boolean): Promise<void> => {
      for (let rounds = 0; !until(); rounds += 1) {
        expect(rounds).toBeLessThan(100);
        turn();
        database.calls.shift()?.answer();
        await settle();
      }
    };
    let companionAnswered = false;
    void companion.then(() => {
      companionAnswered = true;
    });
    await drive(() => companionAnswered);
    await drive(() => batcher.unanswered === 0);
    expect(await victim).toMatchObject({ code: 'overloaded' });

    const second = batcher.add(plain(3, 'stuck')).catch((error: unknown) => error);
    const other = batcher.add(plain(4, 'fine'));
    turn();
    expect(database.calls.map((call) => call.inputs.map((input) => input.conversation))).toEqual([['fine'], ['stuck']]);
    database.locked.set('stuck', 1);
    await drive(() => batcher.unanswered === 0);
    expect(await Promise.all([second, other])).toEqual(['done 3', 'done 4']);

    const back = [batcher.add(plain(5, 'stuck')), batcher.add(plain(6, 'fine'))];
    turn();
    expect(database.calls.map((call) => call.inputs.map((input) => input.conversation))).toEqual([['stuck', 'fine']]);
    await drive(() => batcher.unanswered === 0);
    expect(await Promise.all(back)).toEqual(['done 5', 'done 6']);
  });

  it('refuses above its capacity and takes again once something was answered', async () => {
    const database = new Script();
    const { batcher, turn } = batcherOn(database, { capacity: 2 });
    const first = [batcher.add(plain(1, 'a')), batcher.add(plain(2, 'a'))];
    await expect(batcher.add(plain(3, 'a'))).rejects.toMatchObject({ code: 'overloaded' });
    turn();
    database.calls.shift()?.answer();
    await Promise.all(first);
    const again = batcher.add(plain(4, 'a'));
    turn();
    database.calls.shift()?.answer();
    expect(await again).toBe('done 4');
  });

  it('answers a lost connection at once and does not repeat the call: only the caller can settle what happened', async () => {
    const database = new Script();
    database.lost = 1;
    const { batcher, turn } = batcherOn(database);
    const outcomes = [batcher.add(plain(1, 'a')), batcher.add(plain(2, 'b'))].map((answer) => answer.catch((error: unknown) => error));
    turn();
    database.calls.shift()?.answer();
    for (const outcome of await Promise.all(outcomes)) expect(outcome).toBeInstanceOf(Lost);
    expect(database.calls).toHaveLength(0);
  });
});
