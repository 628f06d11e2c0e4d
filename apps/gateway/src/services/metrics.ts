import type { Metrics } from '@nudge/server-kit';
import { GatewayCounts } from './counts.ts';
import type { Hub } from './hub.ts';
import type { Load } from './load-meter.ts';
import type { Relations } from './relations.ts';
import type { Sessions } from './sessions.ts';
import type { Watches } from './watches.ts';

export interface GatewayGauges {
  readonly counts: GatewayCounts;
  readonly sessions: Sessions;
  readonly hub: Hub;
  readonly watches: Watches;
  readonly relations: Relations;
  readonly load: Load;
  readonly sockets: () => number;
}

/** Names what the gateway counts; everything is read when it is scraped. */
export function registerMetrics(metrics: Metrics, { counts, sessions, hub, watches, relations, load, sockets }: GatewayGauges): void {
  const read = (name: string, help: string, collect: () => number) => metrics.gauge({ name: `nudge_gateway_${name}`, help, collect });
  read('sockets', 'Open connections', sockets);
  read('sessions_live', 'Sessions with a connection', () => sessions.liveCount);
  read('sessions_detached', 'Sessions kept for a resume', () => sessions.detachedCount);
  read('topics', 'Bus topics subscribed', () => hub.size);
  read('topics_late', 'Of those, not heard yet although sessions count on them: the bus is away', () => hub.lateCount);
  read('watched_conversations', 'Conversations watched by any session', () => watches.size);
  read('gap_seconds', 'Gap between two pushes to the same session', () => load.gapMs / 1_000);
  read('event_loop_delay_seconds', 'Event-loop delay as admission sees it', () => load.delayMs / 1_000);
  read('keys_offered_total', 'Keys that the bus offered to sessions', () => counts.keysOffered);
  read('keys_known_total', 'Keys not sent because the session had them or newer ones', () => counts.keysKnown);
  read('keys_sent_total', 'Keys that left for a socket; the rest was coalesced', () => counts.keysSent);
  read('key_frames_total', 'Frames of keys that left for a socket', () => counts.framesSent);
  read('keys_collapsed_total', 'Sessions whose keys collapsed into a resync', () => counts.collapsed);
  read('resyncs_total', 'Resyncs that left for a socket', () => counts.resyncsSent);
  read('blocked_total', 'Flushes that found the socket not writable', () => counts.blocked);
  read('welcomes_total', 'Handshakes completed', () => counts.welcomed);
  read('resumes_total', 'Of those, resumed sessions', () => counts.resumed);
  read('typing_relayed_total', 'Typing events passed on', () => counts.typingRelayed);
  read('typing_dropped_total', 'Typing events dropped', () => counts.typingDropped);
  read('custom_events_relayed_total', 'Custom events passed on', () => counts.customsRelayed);
  read('custom_events_dropped_total', 'Custom events dropped', () => counts.customsDropped);
  read('receipts_relayed_total', 'Receipts passed on to those who watch here', () => counts.receiptsRelayed);
  read('packets_sent_total', 'Ephemeral events handed to the other gateways', () => counts.packetsSent);
  read('packets_dropped_total', 'Ephemeral events that could not be handed to them', () => counts.packetsDropped);
  read('packets_heard_total', 'Ephemeral events of other gateways passed on here', () => counts.packetsHeard);
  read('relations_known', 'Users whose blocks and privacy are known', () => relations.size);
}

/** Counts into `metrics` by label what is rare enough for that. */
export function createCounts(metrics: Metrics): GatewayCounts {
  const refused = metrics.counter({
    name: 'nudge_gateway_handshakes_refused_total',
    help: 'Refused handshakes and upgrades',
    labelNames: ['code'],
  });
  const disconnected = metrics.counter({
    name: 'nudge_gateway_disconnects_total',
    help: 'Connections ended by the server',
    labelNames: ['reason'],
  });
  return new GatewayCounts({
    onRefused: (code) => refused.inc({ code }),
    onDisconnected: (reason) => disconnected.inc({ reason }),
  });
}
