import { type Bus, type BusMessage, conversationTopic, userTopic } from '@nudge/server-kit';

/** What reached one topic of the bus, in order. */
export interface Heard {
  readonly messages: readonly BusMessage[];
  /** Highest seq that a key named for the log; 0 when none did. */
  highest(log: string): number;
}

/** Listens as the gateways of a user would. */
export async function listenToUser(bus: Bus, appId: string, userId: string): Promise<Heard> {
  return listen(bus, userTopic(appId, userId));
}

/** Listens as who watches a conversation would. */
export async function listenToConversation(bus: Bus, appId: string, conversationId: string): Promise<Heard> {
  return listen(bus, conversationTopic(appId, conversationId));
}

async function listen(bus: Bus, topic: string): Promise<Heard> {
  const messages: BusMessage[] = [];
  await bus.subscribe(topic, (message) => messages.push(message));
  return {
    messages,
    highest: (log) => Math.max(0, ...messages.map((message) => (message.kind === 'key' && message.log === log ? message.seq : 0))),
  };
}
