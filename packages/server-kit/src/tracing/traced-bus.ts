import type { Bus, BusMessage, Publication } from '../ports/bus.ts';
import type { TraceParent, Tracer } from './tracer.ts';

/** A bus whose keys carry the trace of the send that they stand for; the same bus when nothing is traced. */
export function tracedBus(bus: Bus, tracer: Tracer): Bus {
  if (!tracer.enabled) return bus;
  return {
    publish(batch) {
      const parents = new Set<TraceParent>();
      const stamped = batch.map((publication) => stamp(publication, tracer, parents));
      const [parent, ...links] = parents;
      if (parent === undefined) return bus.publish(batch);
      const attributes = { 'messaging.batch.message_count': batch.length };
      return tracer.span('bus publish', { kind: 'producer', parent, links, attributes }, () => bus.publish(stamped));
    },
    subscribe: (topic, listener) => bus.subscribe(topic, (message) => hear(message, tracer, listener)),
    onInterruption: (listener) => bus.onInterruption(listener),
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  };
}

function stamp(publication: Publication, tracer: Tracer, parents: Set<TraceParent>): Publication {
  const { message } = publication;
  const traceparent = message.kind === 'key' ? tracer.recall(message.log, message.seq) : undefined;
  if (message.kind !== 'key' || traceparent === undefined) return publication;
  parents.add(traceparent);
  return { ...publication, message: { ...message, traceparent } };
}

function hear(message: BusMessage, tracer: Tracer, listener: (message: BusMessage) => void): void {
  if (message.kind !== 'key' || message.traceparent === undefined) {
    listener(message);
    return;
  }
  const { log, seq, traceparent } = message;
  tracer.span('key', { kind: 'consumer', parent: traceparent, attributes: { 'nudge.log': log, 'nudge.seq': seq } }, () => {
    // What comes of the key is a child of this span, not of the send.
    tracer.remember(log, seq, tracer.current() ?? traceparent);
    listener(message);
  });
}
