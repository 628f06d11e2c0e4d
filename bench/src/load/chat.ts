import { setTimeout as delay } from 'node:timers/promises';
import { Latencies } from './histogram.ts';
import type { Connect, Delivery, Participant, Place } from './participant.ts';
import { seededRandom } from './random.ts';

/** Who takes part: places, and for every group the indices of its members among them. */
export interface Cast {
  readonly places: readonly Place[];
  readonly groups: readonly (readonly number[])[];
}

/** An open-loop run: `rate` messages a second for `seconds`, whatever the server answers. */
export interface ChatPlan {
  readonly rate: number;
  readonly seconds: number;
  readonly bodyBytes: number;
  readonly seed: number;
  /** How long to wait for the last delivery after the last send, ms. */
  readonly settleMs: number;
}

/** What a run came to. `problems` non-empty: the run has no figure. Latency from the due time of a message to its body in hand, ms. */
export interface ChatResult {
  readonly sent: number;
  readonly expected: number;
  readonly delivered: number;
  readonly seconds: number;
  readonly latency: ReturnType<Latencies['summary']>;
  readonly problems: readonly string[];
}

interface Pending {
  readonly dueAt: number;
  readonly text: string;
  readonly groupIndex: number;
  readonly sender: number;
}

/** Connects of one room at the same time. */
const CONNECT_AT_ONCE = 50;

/** A room full of participants that talk to each other, checked message by message. */
export class Chat {
  readonly #cast: Cast;
  readonly #people: Participant[] = [];
  readonly #sent = new Map<string, Pending>();
  /** Ids each participant got, in order, per group: the same everywhere, each once. */
  #heard: Map<number, string[]>[] = [];
  #latencies = new Latencies();
  #delivered = 0;
  #problems: string[] = [];
  #run = 0;

  private constructor(cast: Cast) {
    this.#cast = cast;
  }

  /** Connects everybody, a few at a time. */
  static async open(cast: Cast, connect: Connect): Promise<Chat> {
    const chat = new Chat(cast);
    for (let first = 0; first < cast.places.length; first += CONNECT_AT_ONCE) {
      const some = cast.places.slice(first, first + CONNECT_AT_ONCE);
      chat.#people.push(
        ...(await Promise.all(some.map((place, offset) => connect(place, (delivery) => chat.#take(first + offset, delivery))))),
      );
    }
    return chat;
  }

  /** One open-loop run; every delivery is checked for body, order and completeness. */
  async talk(plan: ChatPlan): Promise<ChatResult> {
    this.#run += 1;
    this.#sent.clear();
    this.#heard = this.#cast.places.map(() => new Map<number, string[]>());
    this.#latencies = new Latencies();
    this.#delivered = 0;
    this.#problems = [];
    const random = seededRandom(plan.seed);
    const total = Math.round(plan.rate * plan.seconds);
    const start = performance.now();
    const sends: Promise<void>[] = [];
    let expected = 0;
    for (let next = 0; next < total; ) {
      const now = performance.now();
      for (; next < total && start + (next / plan.rate) * 1000 <= now; next += 1) {
        const groupIndex = Math.floor(random() * this.#cast.groups.length);
        const members = this.#cast.groups[groupIndex] ?? [];
        const sender = members[Math.floor(random() * members.length)] ?? 0;
        const id = `${this.#run}.${plan.seed}.${next}`;
        const text = `${id} `.padEnd(plan.bodyBytes, 'x');
        this.#sent.set(id, { dueAt: start + (next / plan.rate) * 1000, text, groupIndex, sender });
        expected += members.length - 1;
        sends.push(
          this.#people[sender]?.send(groupIndex, id, text).catch((error: unknown) => void this.#problems.push(String(error))) ??
            Promise.resolve(),
        );
      }
      if (next < total) await delay(1);
    }
    await Promise.all(sends);
    const deadline = performance.now() + plan.settleMs;
    while (this.#delivered < expected && performance.now() < deadline) await delay(5);
    const seconds = (performance.now() - start) / 1000;
    this.#judge(expected);
    return {
      sent: total,
      expected,
      delivered: this.#delivered,
      seconds,
      latency: this.#latencies.summary(),
      problems: this.#problems.slice(0, 20),
    };
  }

  #take(person: number, { groupIndex, id, text }: Delivery): void {
    const message = this.#sent.get(id);
    if (message === undefined) {
      this.#problems.push(`unknown message ${id}`);
      return;
    }
    if (message.text !== text || message.groupIndex !== groupIndex) this.#problems.push(`wrong body or group: ${id}`);
    const heard = this.#heard[person];
    const order = heard?.get(groupIndex);
    if (order === undefined) heard?.set(groupIndex, [id]);
    else order.push(id);
    if (message.sender === person) return;
    this.#delivered += 1;
    this.#latencies.add(performance.now() - message.dueAt);
  }

  /** Nothing lost, nothing doubled, and the same order for every member of a group that gives one. */
  #judge(expected: number): void {
    if (this.#delivered !== expected) this.#problems.push(`${this.#delivered} of ${expected} deliveries`);
    for (const [groupIndex, members] of this.#cast.groups.entries()) {
      const orders = members.map((person) => this.#heard[person]?.get(groupIndex) ?? []);
      for (const order of orders) if (new Set(order).size !== order.length) this.#problems.push(`group ${groupIndex}: doubled`);
      const ordered = new Set(orders.map((order) => order.join()));
      if (ordered.size > 1 && this.#ordersMatter) this.#problems.push(`group ${groupIndex}: ${ordered.size} different orders`);
    }
    for (const person of this.#people) this.#problems.push(...person.errors.splice(0));
  }

  /** A bare fan-out does not echo a sender its own message, so its members' lists differ by design. */
  #ordersMatter = true;
  ignoreOrder(): this {
    this.#ordersMatter = false;
    return this;
  }

  close(): void {
    for (const person of this.#people) person.close();
  }
}
