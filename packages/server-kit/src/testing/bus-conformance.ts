import { afterEach, describe, expect, it } from 'vitest';
import type { Bus, BusMessage } from '../ports/bus.ts';
import { eventually } from './eventually.ts';

const key = (seq: number): BusMessage => ({ kind: 'key', log: 'c/1', seq });

/**
 * What every bus keeps. `createBus` opens a new one; with `shared` all that it opens hear each other. Each test uses topics of its own, so
 * that implementations may share a server.
 */
export function busConformance(createBus: () => Bus | Promise<Bus>, options: { readonly shared?: boolean } = {}): void {
  describe('bus', () => {
    const open: Bus[] = [];
    let topics = 0;
    const newBus = async () => {
      const bus = await createBus();
      open.push(bus);
      return bus;
    };
    const newTopic = () => `app/u/${process.pid}-${Date.now()}-${topics++}`;
    afterEach(async () => {
      for (const bus of open.splice(0)) await bus[Symbol.asyncDispose]();
    });

    it('delivers what is published after a subscription is confirmed, unchanged and in order', async () => {
      const bus = await newBus();
      const topic = newTopic();
      const heard: BusMessage[] = [];
      await bus.subscribe(topic, (message) => heard.push(message));
      const sent: BusMessage[] = [
        ...Array.from({ length: 200 }, (_, i) => key(i + 1)),
        { kind: 'key', log: 'u/alice', seq: 7, direct: true },
        { kind: 'control', conversationId: 'x', memberVersion: 3, head: 9 },
      ];
      for (const message of sent.slice(0, 100)) await bus.publish([{ topic, message }]);
      await bus.publish(sent.slice(100).map((message) => ({ topic, message })));
      await eventually(() => heard.length >= sent.length);
      expect(heard).toEqual(sent);
    });

    it('keeps topics apart', async () => {
      const bus = await newBus();
      const [one, two] = [newTopic(), newTopic()];
      const heard: string[] = [];
      await bus.subscribe(one, ({ kind }) => heard.push(`one ${kind}`));
      await bus.subscribe(two, ({ kind }) => heard.push(`two ${kind}`));
      await bus.publish([
        { topic: newTopic(), message: key(1) },
        { topic: two, message: key(1) },
      ]);
      await eventually(() => heard.length > 0);
      expect(heard).toEqual(['two key']);
    });

    it('delivers to every subscriber of a topic, and no more to one that left', async () => {
      const bus = await newBus();
      const topic = newTopic();
      const heard = { stays: 0, leaves: 0 };
      const leave = await bus.subscribe(topic, () => heard.leaves++);
      await bus.subscribe(topic, () => heard.stays++);
      await bus.publish([{ topic, message: key(1) }]);
      await eventually(() => heard.stays === 1 && heard.leaves === 1);
      leave();
      leave();
      await bus.publish([{ topic, message: key(2) }]);
      await eventually(() => heard.stays === 2);
      expect(heard).toEqual({ stays: 2, leaves: 1 });
    });

    it('counts two subscriptions of one listener as two', async () => {
      const bus = await newBus();
      const topic = newTopic();
      let heard = 0;
      const listener = () => heard++;
      const leave = await bus.subscribe(topic, listener);
      await bus.subscribe(topic, listener);
      await bus.publish([{ topic, message: key(1) }]);
      await eventually(() => heard === 2);
      leave();
      await bus.publish([{ topic, message: key(2) }]);
      await eventually(() => heard === 3);
    });

    it('shields publisher and other listeners from one that throws', async () => {
      const bus = await newBus();
      const topic = newTopic();
      const heard: BusMessage[] = [];
      await bus.subscribe(topic, () => {
        throw new Error('a broken listener');
      });
      await bus.subscribe(topic, (message) => heard.push(message));
      await bus.publish([{ topic, message: key(1) }]);
      await bus.publish([{ topic, message: key(2) }]);
      await eventually(() => heard.length === 2);
      expect(heard).toEqual([key(1), key(2)]);
    });

    it('keeps the order for all when a listener publishes', async () => {
      const bus = await newBus();
      const topic = newTopic();
      const heard: number[] = [];
      await bus.subscribe(topic, (message) => {
        if (message.kind === 'key' && message.seq === 1) void bus.publish([{ topic, message: key(2) }]);
      });
      await bus.subscribe(topic, (message) => {
        if (message.kind === 'key') heard.push(message.seq);
      });
      await bus.publish([{ topic, message: key(1) }]);
      await eventually(() => heard.length === 2);
      expect(heard).toEqual([1, 2]);
    });

    it('accepts messages that no one hears, and an empty batch', async () => {
      const bus = await newBus();
      await bus.publish([{ topic: newTopic(), message: key(1) }]);
      await bus.publish([]);
    });

    it('refuses to publish and to subscribe once disposed, and may be disposed twice', async () => {
      const bus = await newBus();
      await bus[Symbol.asyncDispose]();
      await bus[Symbol.asyncDispose]();
      await expect(bus.publish([{ topic: newTopic(), message: key(1) }])).rejects.toThrow();
      await expect(bus.subscribe(newTopic(), () => undefined)).rejects.toThrow();
    });

    if (!options.shared) return;
    it('carries messages from one to another', async () => {
      const [here, there] = [await newBus(), await newBus()];
      const topic = newTopic();
      const heard: BusMessage[] = [];
      await there.subscribe(topic, (message) => heard.push(message));
      await here.publish([{ topic, message: key(5) }]);
      await eventually(() => heard.length === 1);
      expect(heard).toEqual([key(5)]);
    });
  });
}
